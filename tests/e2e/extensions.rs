//! Extensions, and the notes by which `down` knows which of them `up` made.

use crate::probe::{self, Script};
use crate::support::Database;

#[test]
fn extensions_come_and_go_with_what_was_noted() {
    let database = Database::empty();
    database.sql("CREATE SCHEMA ext");
    let script = Script::default()
        .up("ensure-extension", &["pg_trgm", "ext"])
        .up("ensure-extension", &["pg_trgm", "ext"])
        .up("require-extension", &["pg_trgm"])
        .up("remember", &["a key", "one"])
        .up("remember", &["a key", "two, é"])
        .up("recall", &["a key"])
        .up("recall", &["none"])
        .step("down", "recall", &[Some("a key")])
        .step("down", "recall", &[Some("none")])
        .step("down", "drop-extension", &[Some("pg_trgm")])
        .step("down", "drop-extension", &[Some("plpgsql")]);
    script.write(&database);
    database.run(probe::folder(), &["up"]).ok();
    let words = || {
        probe::answers(&database)
            .into_iter()
            .map(|answer| answer.value.unwrap())
    };
    let expected = ["ext true", "ext false", "ext", "Some(\"two, é\")", "None"];
    assert_eq!(words().collect::<Vec<_>>(), expected);
    database.run(probe::folder(), &["down"]).ok();
    let down = ["Some(\"two, é\")", "None", "true", "false"];
    assert_eq!(words().collect::<Vec<_>>(), [&expected[..], &down].concat());
    assert_eq!(
        database.value("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"),
        "0"
    );
    Script::default()
        .up("ensure-extension", &["no_such_extension", "ext"])
        .fails(
            &database,
            6,
            "migration-failed",
            "the server has no files for the extension",
        );
    Script::default()
        .up("require-extension", &["no_such_extension"])
        .fails(
            &database,
            6,
            "check-failed",
            "expected installed, seen not installed",
        );
    // notes are small, and `down` makes none
    let huge = "x".repeat(1 << 20);
    Script::default().up("remember", &["k", &huge]).fails(
        &database,
        6,
        "call-unsupported",
        "1 MiB at most",
    );
    Script::default()
        .up("remember", &["k", &huge[1..]])
        .up("remember", &["k", &huge[1..]])
        .answers(&database);
    let script = Script::default().step("down", "remember", &[Some("k"), Some("v")]);
    script.write(&database);
    database.run(probe::folder(), &["up"]).ok();
    database
        .run(probe::folder(), &["down"])
        .failed(6, "call-unsupported");
}
