//! TLS: every sslmode right and wrong, and the certificates of clients.

use super::servers::SERVER;
use super::{outcome, refused};

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
