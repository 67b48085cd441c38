//! Indexes that are built outside of transactions: whole at the end, whatever came in between.

use std::time::Duration;

use crate::probe::{self, Script};
use crate::processes::{Other, Running, until};
use crate::stepwise::{INVALID, JOURNAL, STATES, TABLE, stepwise};
use crate::support::{Database, VERSIONS, only, white_cross};

#[test]
fn indexes_that_are_left_invalid_are_built_again_and_the_report_says_so() {
    let database = Database::white_cross(60, 5);
    database.sql(
        "CREATE INDEX idx_allergies_severity_active ON allergies (severity, active, \"deletedAt\");
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_allergies_severity_active'::regclass",
    );
    let folder = only(white_cross(), &VERSIONS[1..2]);
    let ended = database
        .run(folder.path(), &["up", "--mode", "stepwise"])
        .ok();
    assert!(
        ended
            .stderr
            .contains("idx_allergies_severity_active was invalid"),
        "{ended:?}"
    );
    assert_eq!(database.value(INVALID), "0");

    // and where the statement is the author's own
    let database = Database::empty();
    database.sql(TABLE);
    database.sql(
        "CREATE INDEX ix ON t (n); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix'::regclass",
    );
    Script::default()
        .up(
            "execute",
            &["CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON public.t (n)"],
        )
        .write(&database);
    let ended = stepwise(&database, &["up", "--json"]).ok();
    let told = "index public.ix was left broken: it is dropped, and built again";
    assert!(ended.stderr.contains(told), "{ended:?}");
    let findings = ended.json()["ran"][0]["findings"].to_string();
    assert!(findings.contains("dropped, and built again"), "{findings}");
    assert_eq!(database.value(INVALID), "0");
}

#[test]
fn an_index_of_another_definition_is_an_error() {
    let database = Database::empty();
    database.sql(TABLE);
    database.sql("CREATE INDEX ix ON t (n) WHERE n > 1");
    Script::default()
        .up(
            "execute",
            &["CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON public.t (n)"],
        )
        .write(&database);
    let ended = stepwise(&database, &["up"]);
    assert!(
        ended.stderr.contains("another index of that name"),
        "{ended:?}"
    );
    assert_ne!(ended.status, 0);
    assert_eq!(database.value("SELECT count(*) FROM pg_index WHERE indexrelid = 'ix'::regclass AND indpred IS NOT NULL"), "1");
}

/// What the build of a unique index leaves, every later write would pay for.
#[test]
fn a_refused_unique_index_names_the_duplicates_and_leaves_nothing() {
    let database = Database::empty();
    database.sql(TABLE);
    database.sql("INSERT INTO t VALUES (3)");
    Script::default()
        .up(
            "execute",
            &["CREATE UNIQUE INDEX CONCURRENTLY ix ON public.t (n)"],
        )
        .write(&database);
    let ended = stepwise(&database, &["up"]).failed(6, "statement-failed");
    assert!(
        ended.stderr.contains("Key (n)=(3) is duplicated"),
        "{ended:?}"
    );
    assert_eq!(
        database.value("SELECT count(*) FROM pg_class WHERE relname = 'ix'"),
        "0"
    );
    assert_eq!(database.value(JOURNAL), "0");
}

#[test]
fn a_build_that_waits_too_long_names_who_blocks_it_and_is_built_again() {
    let database = Database::empty();
    database.sql(TABLE);
    Script::default()
        .up("execute", &["CREATE INDEX CONCURRENTLY ix ON public.t (n)"])
        .write(&database);
    let other = Other::open(
        &database,
        "BEGIN; INSERT INTO t VALUES (8); SELECT 'held for the test'",
    );
    let run = Running::start(
        &database,
        probe::folder(),
        &["up", "--mode", "stepwise", "--concurrent-timeout", "1500ms"],
    );
    run.until_said("trying again");
    assert_eq!(database.value(INVALID), "1");
    other.run("COMMIT");
    let run = run.end().ok();
    let blocker = format!("waiting for a lock of pid {}", other.pid);
    assert!(run.stderr.contains(&blocker), "{run:?}");
    assert!(run.stderr.contains("held for the test"), "{run:?}");
    assert_eq!(database.value(INVALID), "0");
    assert_eq!(
        database.value("SELECT count(*) FROM pg_class WHERE relname = 'ix'"),
        "1"
    );
}

#[test]
fn a_cancelled_build_is_cleared_away() {
    let database = Database::empty();
    database.sql(TABLE);
    Script::default()
        .up("execute", &["INSERT INTO public.t VALUES (9)"])
        .up("execute", &["CREATE INDEX CONCURRENTLY ix ON public.t (n)"])
        .write(&database);
    let other = Other::open(&database, "BEGIN; INSERT INTO t VALUES (8)");
    let run = Running::start(&database, probe::folder(), &["up", "--mode", "stepwise"]);
    let building = until(
        &database,
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONC%' \
           AND wait_event_type = 'Lock'",
    );
    database.sql(&format!("SELECT pg_cancel_backend({building})"));
    // clearing away waits for the other's transaction too
    std::thread::sleep(Duration::from_millis(300));
    other.run("COMMIT");
    let run = run.end().failed(9, "half-way");
    assert!(run.stderr.contains("57014"), "{run:?}");
    assert_eq!(database.value(INVALID), "0");
    database.run(probe::folder(), &["up"]).ok();
    assert_eq!(
        database.value(
            "SELECT count(*) FROM pg_index WHERE indexrelid = 'ix'::regclass AND indisvalid"
        ),
        "1"
    );
    assert_eq!(database.value("SELECT count(*) FROM t WHERE n = 9"), "1");
}

/// The server may go on with the build, or notice that nobody waits for it; in either case the index is whole.
#[test]
fn after_a_kill_in_a_build_the_next_runner_waits_for_the_servers_end() {
    let database = Database::empty();
    database.sql(TABLE);
    Script::default()
        .up("execute", &["CREATE INDEX CONCURRENTLY ix ON public.t (n)"])
        .write(&database);
    let other = Other::open(&database, "BEGIN; INSERT INTO t VALUES (8)");
    let run = Running::start(&database, probe::folder(), &["up", "--mode", "stepwise"]);
    until(
        &database,
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONC%' \
           AND wait_event_type = 'Lock'",
    );
    run.signal("KILL");
    assert_eq!(run.end().status, -1);
    let next = Running::start(&database, probe::folder(), &["up"]);
    std::thread::sleep(Duration::from_millis(200));
    other.run("COMMIT");
    next.end().ok();
    assert_eq!(database.value(INVALID), "0");
    assert_eq!(
        database.value("SELECT count(*) FROM pg_class WHERE relname = 'ix'"),
        "1"
    );
    assert_eq!(database.value(STATES), "committed");
}
