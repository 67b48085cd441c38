//! Passwords: by every method that asks for one, and from the password file.

use super::servers::SERVER;
use super::{open, outcome, refused};
use std::os::unix::fs::PermissionsExt;

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
