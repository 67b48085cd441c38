//! Guests that misbehave: each ends as it must, changes nothing, and leaves the host at work.

mod cases;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use wasmigrate::component;
use wasmigrate::manifest::Manifest;

use cases::{APART, FAILING, WITHIN};

use crate::processes::Running;
use crate::support::{Database, Ended, VERSIONS, WASMIGRATE, build, only, root, white_cross};

const TABLES: [&str; 4] = ["users", "medications", "medication_logs", "inventory_items"];

/// The folder of all faulty components but the one that cannot be built.
fn faulty() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let names = folders();
        let crates: Vec<String> = names
            .iter()
            .filter(|name| *name != "wrong-world")
            .map(|name| format!("migrations-wasm/faulty/{name}"))
            .collect();
        build(
            "faulty",
            &crates.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    });
    &FOLDER
}

fn folders() -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join("migrations-wasm/faulty")).unwrap();
    entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// A folder with this one component.
pub fn alone(guest: &str) -> tempfile::TempDir {
    let path = root().join(format!("migrations-wasm/faulty/{guest}/migration.toml"));
    let manifest = std::fs::read_to_string(path).unwrap();
    let manifest = Manifest::parse(guest, &manifest).unwrap();
    only(faulty(), &[&manifest.version.to_string()])
}

fn up(settings: &str) -> Vec<&str> {
    let settings = settings.split_whitespace();
    ["up"]
        .into_iter()
        .chain(settings.flat_map(|setting| ["--set", setting]))
        .collect()
}

/// Everything that a run could have changed, but for the record of runs.
fn state(database: &Database) -> Vec<String> {
    let mut state: Vec<String> = TABLES
        .iter()
        .map(|table| database.checksum(table))
        .collect();
    state.push(database.schema());
    state
}

fn last_run(database: &Database) -> String {
    database.value(
        "SELECT concat_ws(' ', state, error_code) FROM wasmigrate.run ORDER BY id DESC LIMIT 1",
    )
}

/// Fails the test where a character on the screen steers it or hides.
#[track_caller]
fn assert_plain(ended: &Ended) {
    let bad = |c: &char| {
        c.is_control() && *c != '\n'
            || matches!(*c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let shown = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(shown.chars().find(bad), None, "{ended:?}");
}

/// Runs every failing case of a guest, twice each: for a person and for a program.
#[track_caller]
fn fails(guest: &str) {
    let database = Database::white_cross(20, 0);
    let folder = alone(guest);
    let before = state(&database);
    let cases: Vec<_> = FAILING.iter().filter(|case| case.0 == guest).collect();
    assert!(!cases.is_empty());
    for (_, settings, status, code, words) in cases {
        let args = up(settings);
        let ended = database.run(folder.path(), &args).failed(*status, code);
        assert!(ended.stderr.contains(words), "{settings}: {ended:?}");
        assert_plain(&ended);
        let json = database.run(folder.path(), &[&args[..], &["--json"]].concat());
        assert_eq!(json.status, *status, "{json:?}");
        assert_eq!(json.json()["error"]["code"], *code, "{json:?}");
        assert_plain(&json);
        assert_eq!(state(&database), before, "{settings}");
        assert_eq!(
            database.value("SELECT count(*) FROM wasmigrate.migration"),
            "0"
        );
        assert_eq!(last_run(&database), format!("failed {code}"));
    }
    // the database and the host are as good as before
    let good = only(white_cross(), &VERSIONS[..1]);
    database.run(good.path(), &["up"]).ok();
    assert_eq!(last_run(&database), "committed");
}

#[track_caller]
fn passes(guest: &str) {
    let database = Database::white_cross(20, 0);
    let folder = alone(guest);
    let cases: Vec<_> = WITHIN.iter().filter(|case| case.0 == guest).collect();
    assert!(!cases.is_empty());
    for (_, settings) in cases {
        let ended = database.run(folder.path(), &up(settings)).ok();
        assert_plain(&ended);
        assert_eq!(last_run(&database), "committed");
        database.run(folder.path(), &["down"]).ok();
    }
}

#[test]
fn every_faulty_guest_has_a_test() {
    let tested = FAILING
        .iter()
        .map(|case| case.0)
        .chain(APART.iter().copied());
    let tested: BTreeSet<String> = tested.map(str::to_owned).collect();
    assert_eq!(folders(), tested);
    let within: BTreeSet<_> = WITHIN.iter().map(|case| case.0).collect();
    for limited in FAILING.iter().filter(|case| case.1.contains("past-limit")) {
        assert!(
            within.contains(limited.0),
            "{} has no test within its limit",
            limited.0
        );
    }
}

#[test]
fn a_loop_ends_by_its_guest_time() {
    fails("endless-loop");
}

#[test]
fn memory_ends_at_its_limit() {
    passes("memory-hog");
    fails("memory-hog");
}

#[test]
fn the_stack_ends_at_its_limit() {
    passes("deep-recursion");
    fails("deep-recursion");
}

#[test]
fn a_call_ends_at_its_bytes() {
    passes("huge-string");
    fails("huge-string");
}

#[test]
fn the_log_ends_at_its_bytes() {
    passes("log-flood");
    fails("log-flood");
}

#[test]
fn handles_end_at_their_number() {
    passes("handle-hoarder");
    fails("handle-hoarder");
}

#[test]
fn rows_end_at_their_number() {
    passes("row-flood");
    fails("row-flood");
}

#[test]
fn statements_end_at_their_number() {
    passes("statement-flood");
    fails("statement-flood");
}

#[test]
fn a_statement_without_end_ends_with_the_time_of_its_run() {
    fails("endless-statement");
}

#[test]
fn a_panic_shows_its_message_and_place() {
    fails("panic");
}

#[test]
fn columns_that_lie_are_refused() {
    fails("lying-columns");
}

#[test]
fn an_error_that_is_swallowed_fails_the_run() {
    fails("swallowed-error");
    fails("ok-after-failed-statement");
}

#[test]
fn rows_and_copies_that_are_open_forbid_what_they_must() {
    fails("rows-open-ddl");
    fails("call-while-copy-open");
}

#[test]
fn the_session_and_the_transaction_are_the_hosts() {
    fails("forbidden-statement");
}

#[test]
fn a_text_of_a_guest_does_not_steer_the_screen() {
    fails("error-returned");
    let database = Database::white_cross(20, 0);
    let ended = database.run(alone("error-returned").path(), &["up"]);
    let shown = r"\u{1b}[2J\u{1b}[31mall is well\u{7}\r\n\u{202e}done\u{9b}1A\u{0}end";
    assert!(ended.stderr.contains(shown), "{ended:?}");
}

#[test]
fn after_a_failed_call_the_rest_is_poisoned() {
    let database = Database::white_cross(20, 0);
    let ended = database.run(alone("ok-after-failed-statement").path(), &["up"]);
    assert!(
        ended.stderr.contains("came out as Err(Poisoned)"),
        "{ended:?}"
    );
}

#[test]
fn verify_cannot_write() {
    let database = Database::white_cross(20, 0);
    let folder = alone("writes-in-verify");
    let before = state(&database);
    let ended = database.run(folder.path(), &["up"]).failed(7, "denied");
    assert!(ended.stderr.contains("verify only reads"), "{ended:?}");
    assert_eq!(state(&database), before);
    // applied and committed all the same
    assert_eq!(
        database.value("SELECT count(*) FROM wasmigrate.migration"),
        "1"
    );
    assert_eq!(last_run(&database), "committed");
    let verify = database.run(folder.path(), &["verify"]);
    assert_eq!(verify.status, 7, "{verify:?}");
    assert_eq!(state(&database), before);
    database.run(folder.path(), &["down"]).ok();
    assert_eq!(state(&database), before);
}

#[test]
fn a_wrong_world_is_refused_before_it_runs() {
    // `build` refuses to make a component of it, but compiles it
    let folder = tempfile::tempdir().unwrap();
    let guest = "migrations-wasm/faulty/wrong-world";
    let output = std::process::Command::new(WASMIGRATE)
        .current_dir(root())
        .args(["build", guest, "--migrations"])
        .arg(folder.path())
        .output();
    let built = Ended::of(output.unwrap());
    assert_ne!(built.status, 0, "{built:?}");
    assert!(
        built.stderr.contains("wasi:clocks/monotonic-clock"),
        "{built:?}"
    );
    assert!(built.stderr.contains("wasm32-unknown-unknown"), "{built:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    let module =
        root().join("target/guests/wasm32-unknown-unknown/release/faulty_wrong_world.wasm");
    let manifest = std::fs::read_to_string(root().join(guest).join("migration.toml")).unwrap();
    let manifest = Manifest::parse(guest, &manifest).unwrap();
    let component = component::encode_unchecked(guest, &std::fs::read(module).unwrap(), &manifest);
    std::fs::write(folder.path().join("wrong-world.wasm"), component.unwrap()).unwrap();
    let database = Database::white_cross(20, 0);
    let before = state(&database);
    let ended = database
        .run(folder.path(), &["up"])
        .failed(5, "component-import");
    assert!(
        ended.stderr.contains("wasi:clocks/monotonic-clock"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("wasm32-unknown-unknown"), "{ended:?}");
    assert_eq!(state(&database), before);
    // not even a run is recorded
    assert_eq!(
        database.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'wasmigrate'"),
        "0"
    );
}

#[test]
fn a_loop_can_be_interrupted() {
    let database = Database::white_cross(20, 0);
    let folder = alone("endless-loop");
    crate::guests::change_manifest(
        &crate::guests::file_of(folder.path(), "20990101000001"),
        |manifest| manifest.replace("guest-time = \"2s\"", "guest-time = \"1h\""),
    );
    for signal in ["INT", "TERM"] {
        let run = Running::start(&database, folder.path(), &["up"]);
        run.until_said("faulty-endless-loop");
        run.signal(signal);
        run.end().failed(130, "interrupted");
        assert_eq!(last_run(&database), "failed interrupted");
    }
}
