//! Sessions of others that hold what a migration needs.

use crate::probe::{self, Script};
use crate::processes::{Other, Running, until};
use crate::support::{Database, VERSIONS, white_cross};

const HOLD: &str =
    "BEGIN; LOCK TABLE public.medication_logs IN ROW EXCLUSIVE MODE; SELECT 'held for the test'";

#[test]
fn a_held_lock_is_waited_for_and_its_holder_named() {
    let database = Database::white_cross(40, 7);
    let other = Other::open(&database, HOLD);
    let run = Running::start(&database, white_cross(), &["up", "--lock-timeout", "400ms"]);
    run.until_said("trying again");
    other.run("COMMIT");
    let run = run.end().ok();
    assert_eq!(
        run.stdout.matches("applied, verified").count(),
        4,
        "{run:?}"
    );
    assert!(
        run.stderr
            .contains(&format!("waiting for a lock of pid {}", other.pid)),
        "{run:?}"
    );
    assert!(run.stderr.contains("held for the test"), "{run:?}");
    // one run, whose first attempt failed
    let runs = "SELECT string_agg(state, ' ') FROM wasmigrate.run";
    assert_eq!(
        database.value(runs),
        "committed committed committed committed"
    );
    assert_eq!(
        database.value("SELECT count(*) FROM medications WHERE name = 'Unknown Medication'"),
        "1"
    );
}

#[test]
fn a_lock_that_is_never_released_ends_the_run() {
    let database = Database::white_cross(40, 7);
    let before = database.schema();
    let other = Other::open(&database, HOLD);
    let run = database.run(white_cross(), &["up", "--lock-timeout", "200ms"]);
    let run = run.failed(8, "contention");
    assert!(
        run.stderr
            .contains(&format!("blocked by pid {}", other.pid)),
        "{run:?}"
    );
    assert!(run.stderr.contains("SQLSTATE: 55P03"), "{run:?}");
    assert_eq!(run.stderr.matches("trying again").count(), 5, "{run:?}");
    assert_eq!(database.schema(), before);
    let row = "SELECT state || ' ' || error_code || ' ' || sqlstate FROM wasmigrate.run";
    assert_eq!(database.value(row), "failed contention 55P03");
}

#[test]
fn a_deadlock_is_tried_again() {
    let database = Database::white_cross(40, 7);
    // the server looks for deadlocks late, and the run's session is the one that looks
    let name = &database.name;
    database.sql(&format!(
        "ALTER DATABASE {name} SET deadlock_timeout = '4s'"
    ));
    let other = Other::open(
        &database,
        "SET deadlock_timeout = '600s'; BEGIN; LOCK TABLE public.medications IN SHARE MODE",
    );
    let run = Running::start(&database, white_cross(), &["up", "--lock-timeout", "60s"]);
    run.until_said("waiting for a lock of");
    // the run holds the logs and wants the medications; the other holds those and wants the logs
    other.run("LOCK TABLE public.medication_logs IN ACCESS EXCLUSIVE MODE");
    run.until_said("trying again");
    other.run("COMMIT");
    let run = run.end().ok();
    assert!(run.stderr.contains("deadlock detected"), "{run:?}");
    assert_eq!(
        run.stdout.matches("applied, verified").count(),
        4,
        "{run:?}"
    );
}

#[test]
fn verify_waits_for_a_held_lock_too() {
    let database = Database::white_cross(40, 0);
    database.run(white_cross(), &["up"]).ok();
    let lock = "BEGIN; LOCK TABLE public.medication_logs IN ACCESS EXCLUSIVE MODE";
    let other = Other::open(&database, lock);
    let run = Running::start(&database, white_cross(), &["verify"]);
    run.until_said("trying again");
    other.run("COMMIT");
    let run = run.end().ok();
    assert_eq!(run.stdout.matches(" verified, ").count(), 4, "{run:?}");
}

#[test]
fn verify_waits_as_long_as_it_is_told() {
    let database = Database::white_cross(40, 0);
    database.run(white_cross(), &["up"]).ok();
    let lock = "BEGIN; LOCK TABLE public.medication_logs IN ACCESS EXCLUSIVE MODE";
    let other = Other::open(&database, lock);
    let args = ["verify", "--only", VERSIONS[0], "--lock-timeout", "50ms"];
    let verify = database.run(white_cross(), &args);
    assert_eq!(verify.status, 8, "{verify:?}");
    assert!(verify.stdout.contains("error[contention]"), "{verify:?}");
    assert!(verify.stdout.contains("SQLSTATE: 55P03"), "{verify:?}");
    drop(other);
    database.run(white_cross(), &args).ok();

    // the time is what was said, to the server as well
    let database = Database::empty();
    let timeout = Some("SELECT public.setting('lock_timeout')");
    Script::default()
        .step("verify", "query", &[timeout])
        .write(&database);
    database.run(probe::folder(), &["up"]).ok();
    for (args, said) in [
        (&["verify"][..], "\"3s\""),
        (&["verify", "--lock-timeout", "1234ms"], "\"1234ms\""),
    ] {
        let verify = database.run(probe::folder(), args).ok();
        assert!(verify.stderr.contains(said), "{verify:?}");
    }
}

#[test]
fn a_signal_ends_verify() {
    let database = Database::white_cross(40, 0);
    database.run(white_cross(), &["up"]).ok();
    let lock = "BEGIN; LOCK TABLE public.medication_logs IN ACCESS EXCLUSIVE MODE";
    let other = Other::open(&database, lock);
    let run = Running::start(&database, white_cross(), &["verify"]);
    let waiting = "SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'wasmigrate' AND wait_event_type = 'Lock'";
    until(&database, waiting);
    run.signal("INT");
    run.end().failed(130, "interrupted");
    until(
        &database,
        "SELECT 'gone' WHERE NOT EXISTS (SELECT FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'wasmigrate')",
    );
    drop(other);
}
