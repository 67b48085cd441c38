//! Indexes that are built outside of transactions: whole at the end, whatever came in between.

use std::time::Duration;

use crate::probe::{self, Script};
use crate::processes::{Other, Running, until};
use crate::role::granted;
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
    database.sql("INSERT INTO t SELECT n / 3 FROM generate_series(9, 60) n");
    Script::default()
        .up(
            "execute",
            &["CREATE UNIQUE INDEX CONCURRENTLY ix ON public.t (n)"],
        )
        .write(&database);
    let ended = stepwise(&database, &["up"]).failed(6, "statement-failed");
    assert!(
        ended.stderr.contains(
            "more than one row has the same (\"n\"): (3) in 4 rows, (4) in 4 rows, (5) in 4 rows, (10) in 3 rows"
        ),
        "{ended:?}"
    );
    assert!(ended.stderr.contains(", and others"), "{ended:?}");
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

/// What runs outside of transactions is committed as it ends: what code that it sets off changed is told.
#[test]
fn what_a_build_changes_beside_its_index_stops_the_run() {
    let database = Database::empty();
    database.sql(TABLE);
    database.sql(
        "CREATE TABLE public.other (n int);
         CREATE FUNCTION public.opens() RETURNS void LANGUAGE plpgsql AS
             $$ BEGIN GRANT SELECT ON public.other TO PUBLIC; END $$;
         CREATE FUNCTION public.sly(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
             $$ BEGIN PERFORM public.opens(); RETURN n; END $$;",
    );
    Script::default()
        .up("execute", &["INSERT INTO public.t VALUES (9)"])
        .up(
            "execute",
            &["CREATE INDEX CONCURRENTLY ix ON public.t (public.sly(n))"],
        )
        .up("execute", &["INSERT INTO public.t VALUES (10)"])
        .write(&database);
    let folder = granted(&[
        "read public.t",
        "insert public.t",
        "index public.t",
        "call public.sly(integer)",
    ]);
    let args = ["up", "--mode", "stepwise"];
    let ended = database.run(folder.path(), &args).failed(9, "half-way");
    assert!(ended.stderr.contains("catalog-changed"), "{ended:?}");
    let told = "relation public.other has another definition, owner or privileges";
    assert!(ended.stderr.contains(told), "{ended:?}");
    assert!(
        ended.stderr.contains("CREATE INDEX CONCURRENTLY ix"),
        "{ended:?}"
    );
    let findings = database.value("SELECT findings->'up'->0 FROM wasmigrate.run");
    assert!(findings.contains("public.other"), "{findings}");
    assert_eq!(database.value("SELECT count(*) FROM t WHERE n > 8"), "1");

    // it was told, and what it built is whole
    database.run(folder.path(), &["up"]).ok();
    assert_eq!(database.value(INVALID), "0");
    assert_eq!(
        database.value("SELECT string_agg(n::text, ' ' ORDER BY n) FROM t WHERE n > 8"),
        "9 10"
    );
}

/// What others make beside a build is theirs.
#[test]
fn what_others_make_beside_a_build_does_not_stop_it() {
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
    database.sql(
        "CREATE TABLE public.theirs (id int PRIMARY KEY, t text DEFAULT 'x');
         CREATE VIEW public.seen AS SELECT * FROM public.theirs;
         CREATE TABLE public.refers (id int REFERENCES public.theirs);
         CREATE TEMPORARY TABLE passing (n int);
         ANALYZE public.theirs",
    );
    other.run("COMMIT");
    run.end().ok();
    assert_eq!(database.value(INVALID), "0");
}

/// What an operator or another migration has built is theirs, whatever a build of that name does or waits for.
#[test]
fn indexes_of_others_are_never_dropped() {
    let database = Database::empty();
    database.sql(TABLE);
    database.sql("CREATE TABLE public.other (b int); ALTER TABLE public.t ADD b int");
    let fails = |index: &str, build: &str, told: &str| {
        database.sql(&format!("DROP INDEX IF EXISTS ix; {index}"));
        let before = "SELECT indexdef FROM pg_indexes WHERE indexname = 'ix'";
        let was = database.value(before);
        Script::default().up("execute", &[build]).write(&database);
        let other = Other::open(
            &database,
            "BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE",
        );
        let args = ["up", "--concurrent-timeout", "200ms"];
        let ended = stepwise(&database, &args);
        drop(other);
        assert_eq!(ended.status, 6, "{build}: {ended:?}");
        assert!(ended.stderr.contains(told), "{build}: {ended:?}");
        assert_eq!(database.value(before), was, "{build}");
        assert_eq!(database.value(JOURNAL), "0", "{build}");
    };
    let theirs = "CREATE INDEX ix ON t (b, n)";
    let there = "there is an index of that name";
    for with in ["", " WITH (fillfactor = 70)"] {
        let build = format!("CREATE INDEX CONCURRENTLY ix ON public.t (n){with}");
        fails(theirs, &build, there);
    }
    let build = "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON public.t (n) WITH (fillfactor = 70)";
    fails(theirs, build, "can't be told");
}

/// An invalid index of another table is no leftover of ours.
#[test]
fn an_invalid_index_of_another_table_stays() {
    let database = Database::empty();
    database.sql(TABLE);
    database.sql(
        "CREATE TABLE public.other (b int); CREATE INDEX ix ON other (b);
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix'::regclass",
    );
    Script::default()
        .up("execute", &["CREATE INDEX CONCURRENTLY ix ON public.t (n)"])
        .write(&database);
    let ended = stepwise(&database, &["up"]).failed(6, "statement-failed");
    assert!(ended.stderr.contains("42P07"), "{ended:?}");
    assert_eq!(database.value(INVALID), "1");
    assert_eq!(database.value(JOURNAL), "0");
}

/// What was refused outside of a transaction is not half-way, and is not taken for done the next time.
#[test]
fn what_is_refused_is_refused_again() {
    let database = Database::empty();
    database.sql(TABLE);
    Script::default()
        .up("execute", &["DROP INDEX CONCURRENTLY public.no_such"])
        .write(&database);
    for _ in 0..2 {
        let ended = stepwise(&database, &["up"]).failed(6, "statement-failed");
        assert!(ended.stderr.contains("42704"), "{ended:?}");
        assert_eq!(database.value(JOURNAL), "0");
    }
}
