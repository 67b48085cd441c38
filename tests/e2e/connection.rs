//! Connections to real servers: every sslmode right and wrong, every way to log in, every way to fail.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;
use tempfile::TempDir;
use wasmigrate::database::address::Address;
use wasmigrate::database::connect::{Connection, server_error};
use wasmigrate::embedded::{Embedded, Options};
use wasmigrate::error::{Code, Error};

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
struct Certificate {
    pem: String,
    key: String,
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
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

    fn certificate(&self, common_name: &str, names: &[&str]) -> Certificate {
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
struct Server {
    embedded: Embedded,
    files: TempDir,
    authority: Authority,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
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
    fn tcp(&self, parameters: &str) -> String {
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

    fn socket(&self, parameters: &str) -> String {
        let port = self.embedded.tcp_port().unwrap();
        let folder = self.embedded.socket_dir().display();
        format!("host={folder} port={port} dbname=postgres {parameters}")
    }
}

/// Runs statements by psql, so that it does not rest on what is tested.
fn run_sql(embedded: &Embedded, sql: &str) {
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

async fn connect(text: &str) -> Result<Connection, Error> {
    // no variable and no home, so that the tester's own files play no part
    let none = |name: &str| (name == "HOME").then(|| "/nonexistent".to_owned());
    Address::resolve(Some(text), None, &none)?
        .connect("wasmigrate test")
        .await
}

async fn open(text: &str) -> Connection {
    connect(text)
        .await
        .unwrap_or_else(|error| panic!("{text}: {error} {:?}", error.hint_text()))
}

async fn refused(text: &str) -> Error {
    match connect(text).await {
        Ok(_) => panic!("connected: {text}"),
        Err(error) => error,
    }
}

async fn ask(connection: &Connection, query: &str) -> String {
    connection
        .client
        .query_one(query, &[])
        .await
        .unwrap()
        .get(0)
}

const ENCRYPTED: &str = "select ssl::text from pg_stat_ssl where pid = pg_backend_pid()";

/// What became of it: `true` or `false` for encrypted or not, or the code of the error.
async fn outcome(text: &str) -> String {
    match connect(text).await {
        Ok(connection) => ask(&connection, ENCRYPTED).await,
        Err(error) => error.code().name().to_owned(),
    }
}

#[tokio::test]
async fn every_sslmode_against_a_server_with_tls() {
    for (parameters, expected) in [
        ("sslmode=disable", "false"),
        ("sslmode=allow", "false"),
        ("sslmode=prefer", "true"),
        ("", "true"),
        ("sslmode=require", "true"),
        (
            "sslmode=require ssl_min_protocol_version=TLSv1.3 sslsni=0",
            "true",
        ),
        ("sslmode=require sslrootcert={}/root.crt", "true"),
        ("sslmode=verify-ca sslrootcert={}/root.crt", "true"),
        ("sslmode=verify-full sslrootcert={}/root.crt", "true"),
        (
            "sslmode=verify-full sslrootcert={}/root.crt host=localhost hostaddr=127.0.0.1",
            "true",
        ),
        (
            "sslmode=verify-full sslrootcert={}/root.crt host=LOCALHOST hostaddr=127.0.0.1",
            "true",
        ),
        // the wrong authority
        (
            "sslmode=require sslrootcert={}/stranger.crt",
            "database-tls",
        ),
        (
            "sslmode=verify-ca sslrootcert={}/stranger.crt",
            "database-tls",
        ),
        (
            "sslmode=verify-full sslrootcert={}/stranger.crt",
            "database-tls",
        ),
        ("sslmode=prefer sslrootcert={}/stranger.crt", "false"),
        // the wrong host
        (
            "sslmode=verify-full sslrootcert={}/root.crt host=db.example hostaddr=127.0.0.1",
            "database-tls",
        ),
        (
            "sslmode=verify-ca sslrootcert={}/root.crt host=db.example hostaddr=127.0.0.1",
            "true",
        ),
        // the wrong file, or none
        ("sslmode=verify-ca", "config-invalid"),
        (
            "sslmode=verify-full sslrootcert={}/none.crt",
            "config-invalid",
        ),
        ("sslmode=require sslrootcert={}/none.crt", "config-invalid"),
        ("sslmode=require sslrootcert={}/empty.crt", "config-invalid"),
        // what pg_hba.conf asks for
        ("user=encrypted sslmode=disable", "database-auth"),
        ("user=encrypted sslmode=allow", "true"),
        ("user=encrypted sslmode=prefer", "true"),
        ("user=clear sslmode=allow", "false"),
        ("user=clear sslmode=prefer", "false"),
        ("user=clear sslmode=require", "database-auth"),
    ] {
        assert_eq!(
            outcome(&SERVER.tcp(parameters)).await,
            expected,
            "{parameters}"
        );
    }
}

#[tokio::test]
async fn a_client_certificate_logs_in() {
    for (parameters, expected) in [
        ("sslcert={}/certified.crt sslkey={}/certified.key", "true"),
        (
            "sslcert={}/certified.crt sslkey={}/certified.key sslmode=verify-full sslrootcert={}/root.crt",
            "true",
        ),
        (
            "sslcert={}/certified.crt sslkey={}/certified.key sslcertmode=disable",
            "database-auth",
        ),
        ("", "database-auth"),
        ("sslmode=disable", "database-auth"),
        ("sslcert={}/other.crt sslkey={}/other.key", "database-auth"),
        ("sslcert={}/forged.crt sslkey={}/forged.key", "database-tls"),
        ("sslcert={}/certified.crt", "config-invalid"),
        (
            "sslcert={}/certified.crt sslkey={}/other.key",
            "config-invalid",
        ),
        (
            "sslcert={}/certified.crt sslkey={}/open.key",
            "config-invalid",
        ),
        (
            "sslcert={}/certified.crt sslkey={}/none.key",
            "config-invalid",
        ),
        (
            "sslcert={}/certified.crt sslkey={}/certified.crt",
            "config-invalid",
        ),
    ] {
        let mode = if parameters.contains("sslmode") {
            ""
        } else {
            "sslmode=require"
        };
        let text = SERVER.tcp(&format!("user=certified {mode} {parameters}"));
        assert_eq!(outcome(&text).await, expected, "{parameters}");
    }
    let error = refused(&SERVER.tcp("user=certified sslmode=require")).await;
    assert!(error.hint_text().unwrap().contains("sslcert"), "{error:?}");
}

#[tokio::test]
async fn passwords_log_in_and_are_never_shown() {
    for (parameters, expected) in [
        (
            "user=scram password=right sslmode=require channel_binding=require",
            "true",
        ),
        (
            "user=scram password=right sslmode=require channel_binding=disable",
            "true",
        ),
        ("user=scram password=right sslmode=disable", "false"),
        (
            "user=scram password=right sslmode=disable channel_binding=require",
            "database-auth",
        ),
        (
            "user=postgres sslmode=require channel_binding=require",
            "database-auth",
        ),
        ("user=md5 password=right", "true"),
        (
            "user=md5 password=right sslmode=require channel_binding=require",
            "database-auth",
        ),
        ("user=plaintext password=right", "true"),
        (
            "user=plaintext password=right sslmode=require channel_binding=require",
            "database-auth",
        ),
        ("user=scram password=hunter2", "database-auth"),
        ("user=md5 password=hunter2", "database-auth"),
        ("user=plaintext password=hunter2", "database-auth"),
        ("user=scram", "database-auth"),
        ("user=nobody", "database-auth"),
        ("user=other", "database-auth"),
    ] {
        assert_eq!(
            outcome(&SERVER.tcp(parameters)).await,
            expected,
            "{parameters}"
        );
    }
    let error = refused(&SERVER.tcp("user=scram password=hunter2")).await;
    assert_eq!(error.server_report().unwrap().sqlstate, "28P01");
    assert!(
        error.hint_text().unwrap().contains("DATABASE_URL"),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains("hunter2"));
    let error = refused(&SERVER.tcp("user=scram")).await;
    assert!(
        error.hint_text().unwrap().contains("PGPASSWORD"),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_password_file_logs_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pgpass");
    let port = SERVER.embedded.tcp_port().unwrap();
    let socket = SERVER.embedded.socket_dir().display();
    std::fs::write(
        &file,
        format!("127.0.0.1:{port}:*:scram:right\n{socket}:*:*:password:right\n"),
    )
    .unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let passfile = format!("passfile={}", file.display());
    assert_eq!(
        outcome(&SERVER.tcp(&format!("user=scram {passfile}"))).await,
        "true"
    );
    open(&SERVER.socket(&format!("user=password {passfile}"))).await;
    std::fs::write(&file, "*:*:*:*:hunter2\n").unwrap();
    let error = refused(&SERVER.tcp(&format!("user=scram {passfile}"))).await;
    assert!(error.hint_text().unwrap().contains("pgpass"), "{error:?}");
}

#[tokio::test]
async fn a_socket_needs_no_tls_and_reads_no_certificate() {
    let text = SERVER.socket("user=postgres sslmode=verify-full sslrootcert=/nonexistent");
    let connection = open(&text).await;
    let version = SERVER.embedded.version();
    assert!(
        version.starts_with(&connection.version().major.to_string()),
        "{version}"
    );
    assert_eq!(
        ask(&connection, "show application_name").await,
        "wasmigrate test"
    );
    let url = SERVER.embedded.url("postgres");
    let named = open(&format!(
        "{url}?application_name=mine&options=-c%20geqo%3Doff"
    ))
    .await;
    assert_eq!(ask(&named, "show application_name").await, "mine");
    assert_eq!(ask(&named, "show geqo").await, "off");
    named.close().await;
}

#[tokio::test]
async fn each_failure_has_its_code() {
    let server = &SERVER;
    for (text, code, said) in [
        (
            server.tcp("dbname=missing"),
            Code::DatabaseMissing,
            "`missing`",
        ),
        (
            server.tcp("dbname=closed user=encrypted"),
            Code::DatabasePrivilege,
            "`closed`",
        ),
        (
            server.tcp("user=limited"),
            Code::DatabaseUnreachable,
            "too many connections",
        ),
        (
            server.tcp("options='-c nonsense=1'"),
            Code::ConfigInvalid,
            "nonsense",
        ),
        (
            server.tcp("target_session_attrs=standby"),
            Code::DatabaseUnreachable,
            "standby",
        ),
        (
            "host=127.0.0.1 port=1 user=u".into(),
            Code::DatabaseUnreachable,
            "127.0.0.1:1",
        ),
        (
            "host=[::1] user=u".into(),
            Code::DatabaseUnreachable,
            "[::1]",
        ),
        (
            "host=/nonexistent user=u".into(),
            Code::DatabaseUnreachable,
            "/nonexistent/.s.PGSQL.5432",
        ),
        (
            "host=db.invalid user=u".into(),
            Code::DatabaseUnreachable,
            "db.invalid",
        ),
    ] {
        let error = refused(&text).await;
        assert_eq!(error.code(), code, "{text}: {error}");
        assert!(error.to_string().contains(said), "{text}: {error}");
    }
}

#[tokio::test]
async fn the_next_server_is_tried_when_one_is_down_but_not_when_it_refuses() {
    let port = SERVER.embedded.tcp_port().unwrap();
    open(&format!(
        "postgres://postgres@127.0.0.1:1,127.0.0.1:{port}/postgres"
    ))
    .await;
    open(&format!("postgres://postgres@127.0.0.1:{port},127.0.0.1:1/postgres?target_session_attrs=prefer-standby")).await;
    let error = refused("postgres://u@127.0.0.1:1,127.0.0.1:2/postgres").await;
    assert_eq!(error.causes().len(), 2, "{error}");
    let text = format!("postgres://scram:wrong@127.0.0.1:{port},127.0.0.1:1/postgres");
    assert_eq!(refused(&text).await.code(), Code::DatabaseAuth);
}

#[tokio::test]
async fn target_session_attrs_choose_by_what_the_server_reports() {
    let read_only = "options='-c default_transaction_read_only=on'";
    for (parameters, fits) in [
        ("target_session_attrs=read-write".to_owned(), true),
        ("target_session_attrs=read-only".to_owned(), false),
        ("target_session_attrs=primary".to_owned(), true),
        (
            format!("target_session_attrs=read-write {read_only}"),
            false,
        ),
        (format!("target_session_attrs=read-only {read_only}"), true),
        (format!("target_session_attrs=primary {read_only}"), true),
    ] {
        assert_eq!(
            connect(&SERVER.tcp(&parameters)).await.is_ok(),
            fits,
            "{parameters}"
        );
    }
}

#[tokio::test]
async fn a_statement_is_cancelled_as_encrypted_as_it_runs() {
    for text in [
        SERVER.tcp("sslmode=require"),
        SERVER.tcp("sslmode=verify-full sslrootcert={}/root.crt"),
        SERVER.tcp("sslmode=prefer"),
        SERVER.tcp("sslmode=disable"),
        SERVER.socket("user=postgres"),
    ] {
        let connection = open(&text).await;
        let canceller = connection.canceller();
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            canceller.cancel().await.unwrap();
        };
        let (answer, ()) = tokio::join!(
            connection.client.simple_query("select pg_sleep(60)"),
            cancel
        );
        let report = server_error(&answer.unwrap_err()).unwrap();
        assert_eq!(report.sqlstate, "57014", "{text}");
    }
}

#[tokio::test]
async fn the_reason_of_a_lost_connection_is_kept() {
    let connection = open(&SERVER.tcp("")).await;
    assert_eq!(connection.loss().reason(), None);
    let pid = ask(&connection, "select pg_backend_pid()::text").await;
    let killer = open(&SERVER.tcp("")).await;
    killer
        .client
        .batch_execute(&format!("select pg_terminate_backend({pid})"))
        .await
        .unwrap();
    let loss = connection.loss();
    for _ in 0..100 {
        if loss.reason().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let reason = loss.reason().unwrap();
    assert!(reason.contains("terminating connection"), "{reason}");
    assert!(connection.client.batch_execute("select 1").await.is_err());
}

/// One server whose certificate changes, so its cases come one after another.
#[tokio::test]
async fn servers_without_tls_and_with_odd_certificates() {
    let certificate = SERVER.authority.certificate("ignored", &["localhost"]);
    let server = Embedded::start(&Options {
        tcp: Some(0),
        files: vec![
            ("server.crt".into(), certificate.pem.into()),
            ("server.key".into(), certificate.key.into()),
        ],
        ..Options::default()
    })
    .unwrap();
    let port = server.tcp_port().unwrap();
    let folder = server.socket_dir().to_owned();
    let text = |host: &str, roots: &Path, mode: &str| {
        let roots = if mode == "prefer" || mode == "disable" {
            String::new()
        } else {
            format!("sslrootcert={}", roots.display())
        };
        format!("host={host} hostaddr=127.0.0.1 port={port} user=postgres sslmode={mode} {roots}")
    };
    let root = SERVER.files.path().join("root.crt");
    for (mode, expected) in [
        ("disable", "false"),
        ("prefer", "false"),
        ("require", "database-tls"),
        ("verify-full", "database-tls"),
    ] {
        assert_eq!(
            outcome(&text("localhost", &root, mode)).await,
            expected,
            "{mode}"
        );
    }
    let error = refused(&text("localhost", &root, "require")).await;
    assert!(error.to_string().contains("does not offer TLS"), "{error}");

    run_sql(
        &server,
        "alter system set ssl_cert_file = '../server.crt'; alter system set ssl_key_file = '../server.key'; alter system set ssl = on;",
    );
    reload(&server, port).await;
    assert_eq!(
        outcome(&text("localhost", &root, "verify-full")).await,
        "true"
    );

    // a self-signed certificate, an authority's by its own words, that is named as the root
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let own = params.self_signed(&key).unwrap().pem();
    let own_root = exchange(&folder, &own, &key.serialize_pem());
    reload(&server, port).await;
    assert_eq!(
        outcome(&text("localhost", &own_root, "verify-full")).await,
        "true"
    );
    assert_eq!(
        outcome(&text("db.example", &own_root, "verify-full")).await,
        "database-tls"
    );
    assert_eq!(
        outcome(&text("localhost", &root, "verify-ca")).await,
        "database-tls"
    );

    // no alternative name: the common name counts, as in libpq
    let named = SERVER.authority.certificate("db.example", &[]);
    exchange(&folder, &named.pem, &named.key);
    reload(&server, port).await;
    assert_eq!(
        outcome(&text("db.example", &root, "verify-full")).await,
        "true"
    );
    assert_eq!(
        outcome(&text("localhost", &root, "verify-full")).await,
        "database-tls"
    );

    // out of date
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let key = KeyPair::generate().unwrap();
    let old = params
        .signed_by(&key, &SERVER.authority.issuer)
        .unwrap()
        .pem();
    let old_root = exchange(&folder, &old, &key.serialize_pem());
    reload(&server, port).await;
    for roots in [&root, &old_root] {
        let error = refused(&text("localhost", roots, "verify-full")).await;
        assert_eq!(error.code(), Code::DatabaseTls);
        assert!(
            error.hint_text().unwrap().contains("new certificate"),
            "{error:?}"
        );
    }
    assert_eq!(outcome(&text("localhost", &root, "prefer")).await, "true");
}

/// Gives the server another certificate and returns its place.
fn exchange(folder: &Path, certificate: &str, key: &str) -> PathBuf {
    std::fs::write(folder.join("server.crt"), certificate).unwrap();
    std::fs::write(folder.join("server.key"), key).unwrap();
    folder.join("server.crt")
}

/// Lets the server read its files again, and waits for it: the postmaster counts its reloads nowhere, but
/// it starts new sessions with what it read.
async fn reload(server: &Embedded, port: u16) {
    let before = open(&server.url("postgres")).await;
    let loaded = ask(&before, "select pg_conf_load_time()::text").await;
    before
        .client
        .batch_execute("select pg_reload_conf()")
        .await
        .unwrap();
    for _ in 0..100 {
        let now = open(&server.url("postgres")).await;
        if ask(&now, "select pg_conf_load_time()::text").await != loaded {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the server on port {port} did not reload");
}

/// The oldest that is had without installing it is 13.
#[tokio::test]
async fn a_real_server_of_an_older_version_is_refused() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/postgres");
    let fetched = Command::new(script).arg("13").output().unwrap();
    if !fetched.status.success() {
        println!(
            "not run, PostgreSQL 13 cannot be had here: {}",
            String::from_utf8_lossy(&fetched.stderr)
        );
        return;
    }
    let bin_dir = PathBuf::from(String::from_utf8(fetched.stdout).unwrap().trim());
    let options = Options {
        bin_dir: Some(bin_dir),
        ..Options::default()
    };
    let server = Embedded::start(&options).unwrap();
    let error = refused(&server.url("postgres")).await;
    assert_eq!(error.code(), Code::ServerTooOld);
    assert!(error.to_string().contains("13."), "{error}");
}
