//! Connections to real servers: every sslmode right and wrong, every way to log in, every way to fail.

mod odd;
pub mod servers;

use servers::SERVER;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use wasmigrate::database::address::Address;
use wasmigrate::database::connect::{Connection, server_error};
use wasmigrate::error::{Code, Error};

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
