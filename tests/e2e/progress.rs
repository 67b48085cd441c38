//! What a run says while it goes on: to a person at a terminal, to a reader of lines, and to a gatherer of logs.

use std::process::{Command, Stdio};

use crate::probe::{self, Script};
use crate::processes::{Other, Running, until};
use crate::stepwise::TABLE;
use crate::support::{Database, VERSIONS, WASMIGRATE, white_cross};

/// A database of which a build waits for the transaction that is returned.
fn waiting(database: &Database) -> Other {
    database.sql(TABLE);
    Script::default()
        .up("execute", &["CREATE INDEX CONCURRENTLY ix ON public.t (n)"])
        .write(database);
    Other::open(database, "BEGIN; INSERT INTO t VALUES (8)")
}

const BUILDS: &str = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
    AND query LIKE 'CREATE INDEX CONC%' AND wait_event_type = 'Lock' \
    AND clock_timestamp() - query_start > interval '2500 ms'";

#[test]
fn a_terminal_shows_what_runs_how_far_it_is_and_what_it_locks() {
    let database = Database::empty();
    let other = waiting(&database);
    let folder = probe::folder().display();
    let run =
        format!("stty rows 40 cols 160; {WASMIGRATE} up --mode stepwise --migrations {folder}");
    // a terminal of its own
    let terminal = Command::new("script")
        .args(["-qefc", &run, "/dev/null"])
        .env("DATABASE_URL", &database.url)
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until(&database, BUILDS);
    other.run("COMMIT");
    let ended = terminal.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{shown}");
    for words in [
        "up 20990102000000 probe (1 of 1), ",
        "CREATE INDEX CONCURRENTLY ix ON public.t (n)",
        "waiting for writers before build, 0 of 1 transactions waited for, 0 %; ",
        "holds SHARE UPDATE EXCLUSIVE on public.t",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // the foot is wiped before the table
    let (_, table) = shown.split_once("applied, verified").unwrap();
    assert!(!table.contains("(1 of 1)"), "{table}");
}

#[test]
fn a_log_is_a_json_object_a_line_with_the_migration_in_it() {
    let database = Database::empty();
    let other = waiting(&database);
    let args = ["up", "--mode", "stepwise", "--log-format", "json"];
    let run = Running::start(&database, probe::folder(), &args);
    run.until_said("waiting for a lock of pid");
    other.run("COMMIT");
    let run = run.end().ok();
    let lines: Vec<serde_json::Value> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let waits = lines.iter().find(|line| {
        let message = line["message"].as_str().unwrap();
        message.contains("waiting for a lock of pid")
    });
    let waits = waits.unwrap();
    assert_eq!(waits["level"], "INFO");
    assert_eq!(waits["span"]["version"], probe::VERSION);
    assert_eq!(waits["span"]["phase"], "up");
    assert!(waits["timestamp"].as_str().unwrap().ends_with('Z'));

    // an error is one too, with its parts; what is data stays on standard output
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("no.wasm"), "no").unwrap();
    let ended = database.run(folder.path(), &["up", "--log-format", "json"]);
    let error: serde_json::Value = serde_json::from_str(ended.stderr.trim()).unwrap();
    assert_eq!(error["level"], "ERROR");
    assert_eq!(error["exit"], ended.status);
    assert!(error["code"].is_string(), "{error}");
}

#[test]
fn what_is_logged_can_be_chosen() {
    let database = Database::white_cross(20, 1);
    let run = |log: &str, args: &[&str]| {
        let mut command = database.command(white_cross(), args);
        let output = command.env("RUST_LOG", log).output().unwrap();
        crate::support::Ended::of(output)
    };
    let loud = run("wasmigrate=debug", &["up", "--to", VERSIONS[0]]).ok();
    for words in [
        "migration{version=20251106000000 phase=up",
        "ran statement=\"ALTER TABLE",
    ] {
        assert!(loud.stderr.contains(words), "{loud:?}");
    }
    let quiet = run("", &["up"]).ok();
    assert!(!quiet.stderr.contains("statement="), "{quiet:?}");
    let wrong = run("wasmigrate=louder", &["status"]).failed(2, "usage");
    assert!(wrong.stderr.contains("RUST_LOG"), "{wrong:?}");
}
