//! Connections to real servers: every sslmode right and wrong, every way to log in, every way to fail.

mod login;
mod odd;
pub mod servers;
mod tls;

use servers::SERVER;
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
