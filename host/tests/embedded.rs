//! The throwaway server: it answers, and it leaves nothing behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wasmigrate::embedded::{Embedded, Options};
use wasmigrate::error::Code;

fn ask(url: &str, query: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
            .await
            .expect("connect");
        let connection = tokio::spawn(connection);
        let answer = client
            .query_one(query, &[])
            .await
            .expect("query")
            .get::<_, String>(0);
        drop(client);
        connection.await.unwrap().unwrap();
        answer
    })
}

/// The processes that work in the folder or name it: the supervisor, the server and all of its children.
fn processes_of(folder: &Path) -> Vec<String> {
    let needle = folder.to_str().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let process = entry.ok()?.path();
            process.file_name()?.to_str()?.parse::<u32>().ok()?;
            let command = std::fs::read(process.join("cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            let place = std::fs::read_link(process.join("cwd")).unwrap_or_default();
            (command.contains(needle) || place.to_string_lossy().contains(needle))
                .then(|| format!("{} {command}", process.display()))
        })
        .collect()
}

fn assert_gone(folder: &Path, within: Duration) {
    let deadline = Instant::now() + within;
    loop {
        let processes = processes_of(folder);
        if processes.is_empty() && !folder.exists() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "left behind: {} {processes:?}",
            folder.display()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn starts_answers_and_leaves_nothing() {
    let server = Embedded::start(&Options::default()).unwrap();
    let folder = server.socket_dir().to_path_buf();
    assert_eq!(ask(&server.url("postgres"), "select 1::text"), "1");
    assert!(
        ask(
            &server.url("postgres"),
            "select current_setting('server_version')"
        )
        .starts_with(server.version())
    );
    assert_eq!(
        ask(&server.url("postgres"), "select current_user::text"),
        "postgres"
    );
    assert_eq!(server.tcp_port(), None);
    assert!(server.bin_dir().join("initdb").exists());
    assert!(!processes_of(&folder).is_empty());
    drop(server);
    assert_gone(&folder, Duration::ZERO);
}

#[test]
fn psql_takes_the_url() {
    let server = Embedded::start(&Options::default()).unwrap();
    let psql = server.bin_dir().join("psql");
    if !psql.exists() {
        return;
    }
    let output = Command::new(psql)
        .args(["-XAtc", "select 'a' || 1", &server.url("postgres")])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a1\n");
}

#[test]
fn stops_with_sessions_open_and_statements_running() {
    let server = Embedded::start(&Options::default()).unwrap();
    let folder = server.socket_dir().to_path_buf();
    let url = server.url("postgres");
    let busy = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
                .await
                .unwrap();
            tokio::spawn(connection);
            client
                .batch_execute("select pg_sleep(600)")
                .await
                .unwrap_err();
        });
    });
    let deadline = Instant::now() + Duration::from_secs(60);
    while ask(
        &server.url("postgres"),
        "select count(*)::text from pg_stat_activity where query like '%pg_sleep(600)' and state = 'active'",
    ) != "1"
    {
        assert!(Instant::now() < deadline, "the long statement never ran");
    }
    server.stop().unwrap();
    assert_gone(&folder, Duration::ZERO);
    busy.join().unwrap();
}

#[test]
fn settings_rules_files_and_tcp_are_as_asked() {
    let options = Options {
        settings: vec![
            ("max_connections".into(), "17".into()),
            ("fsync".into(), "on".into()),
        ],
        hba: Some("local all all trust\nhost all all 127.0.0.1/32 reject\n".into()),
        tcp: Some(0),
        files: vec![("note".into(), b"hello".to_vec())],
        bin_dir: None,
    };
    let server = Embedded::start(&options).unwrap();
    let url = server.url("postgres");
    assert_eq!(ask(&url, "select current_setting('max_connections')"), "17");
    assert_eq!(ask(&url, "select current_setting('fsync')"), "on");
    assert_eq!(ask(&url, "select current_setting('TimeZone')"), "UTC");
    assert_eq!(ask(&url, "select pg_read_file('../note')"), "hello");
    let port = server.tcp_port().expect("a port");
    assert_eq!(
        ask(&url, "select current_setting('port')"),
        port.to_string()
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let refused = runtime.block_on(tokio_postgres::connect(
        &format!("postgresql://postgres@127.0.0.1:{port}/postgres"),
        tokio_postgres::NoTls,
    ));
    let message = refused
        .err()
        .expect("rejected by the rule")
        .as_db_error()
        .expect("by the server")
        .message()
        .to_owned();
    assert!(message.contains("pg_hba.conf rejects"), "{message}");
}

#[test]
fn servers_run_side_by_side() {
    let starts: Vec<_> = (0..3)
        .map(|_| std::thread::spawn(|| Embedded::start(&Options::default()).unwrap()))
        .collect();
    let servers: Vec<_> = starts
        .into_iter()
        .map(|start| start.join().unwrap())
        .collect();
    let folders: Vec<PathBuf> = servers
        .iter()
        .map(|server| server.socket_dir().to_path_buf())
        .collect();
    for server in &servers {
        assert_eq!(ask(&server.url("postgres"), "select 1::text"), "1");
    }
    drop(servers);
    for folder in folders {
        assert_gone(&folder, Duration::ZERO);
    }
}

#[test]
fn a_server_that_cannot_start_says_why_and_leaves_nothing() {
    let options = Options {
        settings: vec![("no_such_setting".into(), "1".into())],
        ..Options::default()
    };
    let error = Embedded::start(&options).unwrap_err();
    assert_eq!(error.code(), Code::PostgresFailed);
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

#[test]
fn an_initdb_that_fails_says_why_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("initdb", "echo \"in $2\"; exit 3"),
        ("postgres", "echo 'postgres (PostgreSQL) 15.1'"),
    ] {
        write_program(&folder.path().join(name), text);
    }
    open_to_all(folder.path());
    let options = Options {
        bin_dir: Some(folder.path().to_path_buf()),
        ..Options::default()
    };
    let error = Embedded::start(&options).unwrap_err();
    assert_eq!(error.code(), Code::PostgresFailed);
    let place = error.causes()[0]
        .strip_prefix("in ")
        .expect("the log")
        .strip_suffix("/data")
        .expect("its folder")
        .to_owned();
    assert_gone(Path::new(&place), Duration::ZERO);
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    open_to_all(path);
}

fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn a_missing_pg_bin_is_told_with_what_to_install() {
    let output = holder().env("PG_BIN", "/nowhere/at/all").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("NOT STARTED postgres-not-found"), "{said}");
    assert!(said.contains("/nowhere/at/all"), "{said}");
    assert!(said.contains("apt-get install postgresql"), "{said}");
}

#[test]
fn a_killed_parent_leaves_nothing() {
    let mut parent = holder().stdout(Stdio::piped()).spawn().unwrap();
    let folder = folder_of(&mut parent);
    assert!(!processes_of(&folder).is_empty());
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert_gone(&folder, Duration::from_secs(30));
}

#[test]
fn a_child_of_a_killed_parent_does_not_keep_the_server_alive() {
    let mut parent = holder()
        .env("HOLD_WITH_CHILD", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let folder = folder_of(&mut parent);
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert_gone(&folder, Duration::from_secs(30));
}

#[test]
fn a_parent_killed_while_the_cluster_is_made_leaves_nothing() {
    let place = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(
        place.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    for delay in [0, 3, 10, 40, 150, 600] {
        let mut parent = holder()
            .env("TMPDIR", place.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        parent.kill().unwrap();
        parent.wait().unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let left = std::fs::read_dir(place.path()).unwrap().count();
        let processes = processes_of(place.path());
        if left == 0 && processes.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "left behind: {left} folders, {processes:?}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// This test program again, as a parent that starts a server and holds it.
fn holder() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "holds_a_server",
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    command
}

fn folder_of(parent: &mut Child) -> PathBuf {
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let line = lines
        .map_while(Result::ok)
        .find(|line| line.contains("STARTED"));
    let line = line.expect("the parent's word");
    PathBuf::from(line.split("STARTED ").nth(1).expect("a folder"))
}

#[test]
#[ignore = "the parent that other tests start and kill"]
fn holds_a_server() {
    match Embedded::start(&Options::default()) {
        Ok(server) => {
            let mut child = std::env::var_os("HOLD_WITH_CHILD")
                .map(|_| Command::new("sleep").arg("20").spawn().unwrap());
            println!("\nSTARTED {}", server.socket_dir().display());
            std::thread::sleep(Duration::from_secs(60));
            if let Some(child) = &mut child {
                child.wait().unwrap();
            }
        }
        Err(error) => println!(
            "\nNOT STARTED {} {error} hint: {}",
            error.code().name(),
            error.hint_text().unwrap_or_default()
        ),
    }
}
