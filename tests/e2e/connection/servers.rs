//! The server with TLS that the tests share, and its certificates.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::LazyLock;
use tempfile::TempDir;
use wasmigrate::embedded::{Embedded, Options};

const HBA: &str = "
local    all    password   scram-sha-256
local    all    all        trust
hostssl  all    certified  127.0.0.1/32  cert
hostssl  all    encrypted  127.0.0.1/32  trust
hostnossl all   clear      127.0.0.1/32  trust
host     all    scram      127.0.0.1/32  scram-sha-256
host     all    md5        127.0.0.1/32  md5
host     all    plaintext  127.0.0.1/32  password
host     all    postgres   127.0.0.1/32  trust
host     all    limited    127.0.0.1/32  trust
host     all    nobody     127.0.0.1/32  trust
";

const ROLES: &str = "
create role certified login; create role encrypted login; create role clear login; create role other login;
create role scram login password 'right'; create role password login password 'right';
create role plaintext login password 'right'; create role limited login connection limit 0;
set password_encryption = md5; create role md5 login password 'right';
create database closed; revoke connect on database closed from public;
";

/// A certificate authority, or a certificate made by one.
pub struct Certificate {
    pub pem: String,
    pub key: String,
}

pub struct Authority {
    pub pem: String,
    pub issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    pub fn certificate(&self, common_name: &str, names: &[&str]) -> Certificate {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let key = KeyPair::generate().unwrap();
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Certificate {
            pem,
            key: key.serialize_pem(),
        }
    }
}

/// A server with TLS, and the files that its clients use.
pub struct Server {
    pub embedded: Embedded,
    pub files: TempDir,
    pub authority: Authority,
}

pub static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let authority = Authority::new("ours");
    let server = authority.certificate("server", &["localhost", "127.0.0.1"]);
    let embedded = Embedded::start(&Options {
        settings: [
            ("ssl", "on"),
            ("ssl_cert_file", "../server.crt"),
            ("ssl_key_file", "../server.key"),
            ("ssl_ca_file", "../root.crt"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        hba: Some(HBA.into()),
        tcp: Some(0),
        files: vec![
            ("server.crt".into(), server.pem.into()),
            ("server.key".into(), server.key.into()),
            ("root.crt".into(), authority.pem.clone().into()),
        ],
        ..Options::default()
    })
    .unwrap();
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("root.crt", &authority.pem);
    let stranger = Authority::new("a stranger");
    write("stranger.crt", &stranger.pem);
    write("empty.crt", "");
    for (file, certificate) in [
        ("certified", authority.certificate("certified", &[])),
        ("other", authority.certificate("other", &[])),
        ("forged", stranger.certificate("certified", &[])),
    ] {
        write(&format!("{file}.crt"), &certificate.pem);
        write(&format!("{file}.key"), &certificate.key);
    }
    write(
        "open.key",
        &std::fs::read_to_string(files.path().join("certified.key")).unwrap(),
    );
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(files.path().join("open.key"), open).unwrap();
    run_sql(&embedded, ROLES);
    Server {
        embedded,
        files,
        authority,
    }
});

impl Server {
    /// A key=value string for TCP; `{}` in the parameters is the folder of the files.
    pub fn tcp(&self, parameters: &str) -> String {
        let port = self.embedded.tcp_port().unwrap();
        let host = if parameters.contains("host=") {
            ""
        } else {
            "host=127.0.0.1"
        };
        let folder = self.files.path().to_str().unwrap();
        let user = if parameters.contains("user=") {
            ""
        } else {
            "user=postgres"
        };
        let database = if parameters.contains("dbname=") {
            ""
        } else {
            "dbname=postgres"
        };
        format!(
            "{host} port={port} {user} {database} {}",
            parameters.replace("{}", folder)
        )
    }

    pub fn socket(&self, parameters: &str) -> String {
        let port = self.embedded.tcp_port().unwrap();
        let folder = self.embedded.socket_dir().display();
        format!("host={folder} port={port} dbname=postgres {parameters}")
    }
}

/// Runs statements by psql, so that it does not rest on what is tested.
pub fn run_sql(embedded: &Embedded, sql: &str) {
    let psql = Command::new(embedded.bin_dir().join("psql"))
        .args([
            "-v",
            "ON_ERROR_STOP=1",
            "-qXd",
            &embedded.url("postgres"),
            "-f",
            "-",
        ])
        .stdin(std::process::Stdio::piped())
        .spawn();
    let mut psql = psql.unwrap();
    std::io::Write::write_all(&mut psql.stdin.take().unwrap(), sql.as_bytes()).unwrap();
    assert!(psql.wait().unwrap().success());
}
