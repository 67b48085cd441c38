//! `up --embedded`: a rehearsal on a server of its own that leaves nothing behind.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Ended, bare, root, white_cross};

/// The command with a folder of its own for what it makes.
fn embedded(temp: &Path, args: &[&str]) -> std::process::Command {
    let open = std::fs::Permissions::from_mode(0o1777);
    std::fs::set_permissions(temp, open).unwrap();
    let mut command = bare(&["up", "--embedded", "--migrations"]);
    command.arg(white_cross()).args(args).env("TMPDIR", temp);
    command
}

fn schema() -> String {
    root()
        .join("migrations-wasm/white-cross/schema.sql")
        .display()
        .to_string()
}

/// Fails the test unless no file and no process is left, after a while.
#[track_caller]
pub fn assert_nothing_left(temp: &Path) {
    let started = Instant::now();
    loop {
        let files = std::fs::read_dir(temp).unwrap().count();
        let processes = std::fs::read_dir("/proc").unwrap().filter(|entry| {
            let line = std::fs::read(entry.as_ref().unwrap().path().join("cmdline"));
            let place = temp.as_os_str().as_encoded_bytes();
            line.is_ok_and(|line| line.windows(place.len()).any(|part| part == place))
        });
        let processes = processes.count();
        if files + processes == 0 {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{files} files, {processes} processes"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_rehearsal_applies_the_four_and_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let ended = embedded(temp.path(), &["--load", &schema()]).output();
    let ended = Ended::of(ended.unwrap()).ok();
    assert_eq!(
        ended.stdout.matches("applied, verified").count(),
        4,
        "{ended:?}"
    );
    assert_nothing_left(temp.path());
}

#[test]
fn a_rehearsal_that_fails_or_is_ended_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    // no table is there
    let failed = embedded(temp.path(), &["--json"]).output();
    let failed = Ended::of(failed.unwrap());
    assert_eq!(failed.status, 6, "{failed:?}");
    assert_eq!(failed.json()["error"]["code"], "statement-failed");
    let file = temp.path().join("broken.sql");
    std::fs::write(&file, "SELECT 1;\nSELEC 2;\n").unwrap();
    let broken = embedded(temp.path(), &["--load", file.to_str().unwrap()]).output();
    let broken = Ended::of(broken.unwrap()).failed(2, "usage");
    assert!(broken.stderr.contains("broken.sql`, line 2"), "{broken:?}");
    std::fs::write(&file, "SELECT pg_sleep(600)").unwrap();
    let mut slow = embedded(temp.path(), &["--load", file.to_str().unwrap()]);
    let mut slow = slow
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    // until it has made its folder
    while std::fs::read_dir(temp.path()).unwrap().count() < 2
        && started.elapsed() < Duration::from_secs(60)
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    slow.kill().unwrap();
    slow.wait().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_nothing_left(temp.path());
}

#[test]
fn without_postgres_the_error_says_what_to_install() {
    let temp = tempfile::tempdir().unwrap();
    let ended = embedded(temp.path(), &[])
        .env("PG_BIN", temp.path())
        .output();
    let ended = Ended::of(ended.unwrap()).failed(2, "postgres-not-found");
    assert!(ended.stderr.contains("hint: "), "{ended:?}");
    assert_nothing_left(temp.path());
    let both = embedded(temp.path(), &["--database-url", "postgres://h"]).output();
    assert_eq!(Ended::of(both.unwrap()).status, 2);
    let missing = embedded(temp.path(), &["--load", "no-such.sql"]).output();
    Ended::of(missing.unwrap()).failed(2, "usage");
}
