//! Servers of which each is odd in its own way: without TLS, with an unusual certificate, too old.

use super::servers::{SERVER, run_sql};
use super::{ask, open, outcome, refused};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use wasmigrate::embedded::{Embedded, Options};
use wasmigrate::error::Code;

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
