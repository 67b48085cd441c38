//! A server that goes down in the middle of a run and comes up again: every session is lost at once, and what was not
//! committed with it.

use std::process::Command;
use std::time::{Duration, Instant};

use wasmigrate::embedded::{Embedded, Options};

use crate::probe::{self, Script};
use crate::processes::{LONG, Other, Running, until};
use crate::stepwise::{INVALID, JOURNAL, STATES, TABLE, stepwise};
use crate::support::Database;

const BUILDS: &str = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' \
    AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()";

/// A server that forgets nothing which is committed; others of the tests do, when they go down.
fn durable() -> Embedded {
    let options = Options {
        settings: vec![("synchronous_commit".into(), "on".into())],
        ..Options::default()
    };
    Embedded::start(&options).unwrap()
}

fn on(server: &Embedded) -> Database {
    Database {
        name: "postgres".into(),
        url: server.url("postgres"),
    }
}

/// Kills one of a server's processes, upon which the server ends all of them and recovers from its log.
/// Source: PostgreSQL, "restart_after_crash".
fn crash(pid: &str) {
    let killed = Command::new("kill").args(["-s", "KILL", pid]).status();
    assert!(killed.unwrap().success());
}

/// Waits until the server takes sessions again: for a moment after the crash it still takes them as before.
#[track_caller]
fn comes_up(server: &Embedded) {
    let since = Instant::now();
    let ready = "database system is ready to accept connections";
    while server.log().matches(ready).count() < 2 {
        assert!(since.elapsed() < LONG, "{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn inserts_and_builds(database: &Database) {
    database.sql(TABLE);
    Script::default()
        .up("execute", &["INSERT INTO public.t VALUES (6)"])
        .up("execute", &["CREATE INDEX CONCURRENTLY ix ON public.t (n)"])
        .up("execute", &["INSERT INTO public.t VALUES (7)"])
        .write(database);
}

#[track_caller]
fn is_done_once(database: &Database) {
    let rows = "SELECT string_agg(n::text, ' ' ORDER BY n) FROM t";
    assert_eq!(database.value(rows), "1 2 3 4 5 6 7");
    assert_eq!(database.value(INVALID), "0");
    assert_eq!(database.value("SELECT to_regclass('public.ix')"), "ix");
    assert_eq!(database.value(JOURNAL), "0");
    let roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'wasmigrate_run_%'";
    assert_eq!(database.value(roles), "0");
}

#[test]
fn a_run_in_steps_is_gone_on_with_behind_a_restart() {
    let server = durable();
    let database = on(&server);
    inserts_and_builds(&database);
    let other = Other::open(&database, "BEGIN; INSERT INTO t VALUES (8)");
    let run = Running::start(&database, probe::folder(), &["up", "--mode", "stepwise"]);
    run.until(&database, BUILDS);
    crash(&other.pid);
    let ended = run.end();
    comes_up(&server);
    if ended.status != 0 {
        ended.failed(9, "half-way");
        stepwise(&database, &["up"]).ok();
    }
    is_done_once(&database);
}

#[test]
fn a_transaction_is_begun_again_behind_a_restart() {
    let server = durable();
    let database = on(&server);
    database.sql(TABLE);
    database.sql("CREATE TABLE public.many (n int)");
    Script::default()
        .up("execute", &["INSERT INTO public.t VALUES (6)"])
        .up("execute", &["INSERT INTO public.many VALUES (1)"])
        .up("execute", &["INSERT INTO public.t VALUES (7)"])
        .write(&database);
    let other = Other::open(&database, "BEGIN; LOCK TABLE public.many");
    let run = Running::start(&database, probe::folder(), &["up"]);
    run.until(
        &database,
        "SELECT pid FROM pg_locks WHERE relation = 'public.many'::regclass AND NOT granted",
    );
    crash(&other.pid);
    let ended = run.end();
    comes_up(&server);
    if ended.status != 0 {
        ended.failed(8, "database-lost");
        assert_eq!(database.value("SELECT count(*) FROM t"), "5");
        database.run(probe::folder(), &["up"]).ok();
    }
    assert_eq!(database.value("SELECT count(*) FROM t"), "7");
    assert_eq!(database.value("SELECT count(*) FROM many"), "1");
    // that the first was begun may be forgotten: what is no part of the history is not waited for
    let states = database.value(STATES);
    assert!(states.ends_with("committed"), "{states}");
}

/// Who is stopped while a step's COMMIT is under way does not know what becomes of it: nothing is forgotten.
#[test]
fn a_commit_that_is_under_way_is_gone_on_with() {
    let server = durable();
    let database = on(&server);
    database.sql(TABLE);
    Script::default()
        .up("query", &["SELECT public.pause(2)"])
        .up("execute", &["INSERT INTO public.t VALUES (6)"])
        .write(&database);
    let run = Running::start(&database, probe::folder(), &["up", "--mode", "stepwise"]);
    until(
        &database,
        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
    );
    // from now on no COMMIT of the run's is answered: there is no standby of that name
    database.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    database.sql("SELECT pg_reload_conf()");
    let hangs =
        "SELECT pid || ' ' || xact_start FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let asked = until(&database, hangs);
    let (pid, _) = asked.split_once(' ').unwrap();
    database.sql(&format!("SELECT pg_cancel_backend({pid})"));
    let inserts = format!("{hangs} AND pid || ' ' || xact_start <> '{asked}'");
    until(&database, &inserts);
    run.signal("INT");
    run.end().failed(9, "half-way");
    database.sql("ALTER SYSTEM RESET synchronous_standby_names");
    database.sql("SELECT pg_reload_conf()");

    let status = database.run(probe::folder(), &["status"]).ok();
    assert!(status.stdout.contains("half-way"), "{status:?}");
    stepwise(&database, &["up"]).ok();
    assert_eq!(database.value("SELECT count(*) FROM t WHERE n = 6"), "1");
    assert_eq!(database.value(STATES), "committed");
}
