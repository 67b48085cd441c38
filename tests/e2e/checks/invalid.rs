//! An index whose build failed.

use super::{TABLES, column, index};
use crate::probe::Script;
use crate::support::{Database, server};

/// Leaves an INVALID index, as a concurrent build that fails does.
fn failed_build(database: &Database) {
    database.sql("INSERT INTO public.t (a) VALUES (1)");
    let psql = std::process::Command::new(server().bin_dir().join("psql"))
        .args([
            &database.url,
            "-c",
            "CREATE UNIQUE INDEX CONCURRENTLY i ON public.t (a)",
        ])
        .output()
        .unwrap();
    assert!(!psql.status.success());
    assert_eq!(
        database.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'public.i'::regclass"),
        "f"
    );
}

#[test]
fn an_invalid_index_is_seen_and_built_again() {
    let database = Database::empty();
    database.sql(TABLES);
    failed_build(&database);
    let wanted = index("i", true, "btree", "", None, &[column("a")]);
    let other = index("i", true, "btree", "", None, &[column("b")]);
    let words = Script::default()
        .step("up", "index-standing", &wanted)
        .up("index", &["public", "i"])
        .words(&database);
    assert_eq!(words[0], ["invalid"]);
    assert_eq!(words[1][2], "false");
    Script::default()
        .step("up", "require-index", &wanted)
        .fails(
            &database,
            6,
            "check-failed",
            "expected unique btree index on public.t (\"a\"), seen there, but not valid",
        );
    Script::default().step("up", "ensure-index", &other).fails(
        &database,
        6,
        "migration-failed",
        "taken by something else: its key 1 is a, not b",
    );
    // the duplicate is still there, so building it again fails, and the INVALID one is still there too
    Script::default().step("up", "ensure-index", &wanted).fails(
        &database,
        6,
        "statement-failed",
        "SQLSTATE: 23505",
    );
    database.sql("DELETE FROM public.t WHERE b IS NULL");
    let words = Script::default()
        .step("up", "ensure-index", &wanted)
        .step("up", "index-standing", &wanted)
        .step("up", "ensure-index", &wanted)
        .step("up", "require-index", &wanted)
        .step("up", "drop-index", &wanted)
        .step("up", "drop-index", &wanted)
        .step("up", "ensure-index", &wanted)
        .words(&database);
    let words: Vec<_> = words.iter().flatten().collect();
    assert_eq!(
        words,
        ["Mended", "equal", "Kept", "true", "false", "Created"]
    );
    // an index of another table is not dropped
    let mut elsewhere = wanted.clone();
    elsewhere[1] = Some("other");
    Script::default()
        .step("up", "drop-index", &elsewhere)
        .fails(&database, 6, "migration-failed", "it is an index of");
}
