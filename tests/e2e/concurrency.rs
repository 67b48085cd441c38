//! Several runners at once, and runners that die.

use crate::processes::{
    ASLEEP, Other, Running, hurry, slow_insertions, slowed, until, until_asleep,
};
use crate::support::{Database, Ended, VERSIONS};

const UPS: &str =
    "SELECT count(*) || ' ' || string_agg(DISTINCT state, ',') || ' ' || count(DISTINCT version)
    FROM wasmigrate.run WHERE direction = 'up'";
const HISTORY: &str = "SELECT count(*) FROM wasmigrate.migration";
const PLACEHOLDERS: &str = "SELECT count(*) FROM medications WHERE name = 'Unknown Medication'";

/// Fails the test unless nothing of the first migration is left.
#[track_caller]
fn assert_nothing_half_done(database: &Database) {
    assert_eq!(database.value(HISTORY), "0");
    assert_eq!(database.value(PLACEHOLDERS), "0");
    let constraint =
        "SELECT count(*) FROM pg_constraint WHERE conname = 'fk_medication_logs_medication_id'";
    assert_eq!(database.value(constraint), "0");
}

#[test]
fn eight_runners_apply_each_migration_once() {
    let database = Database::white_cross(300, 20);
    let runners: Vec<_> = (0..8)
        .map(|_| database.spawn(slowed(), &["up", "--json"]))
        .collect();
    let mut applied = Vec::new();
    for runner in runners {
        let ended = Ended::of(runner.wait_with_output().unwrap()).ok();
        for ran in ended.json()["ran"].as_array().unwrap() {
            if ran["phase"] == "up" {
                applied.push(ran["version"].as_str().unwrap().to_owned());
            }
        }
    }
    applied.sort();
    assert_eq!(applied, VERSIONS);
    assert_eq!(database.value(UPS), "4 committed 4");
    assert_eq!(database.value(HISTORY), "4");
    assert_eq!(database.value(PLACEHOLDERS), "2");
    database.run(slowed(), &["verify"]).ok();
}

#[test]
fn several_runners_undo_each_migration_once() {
    let database = Database::white_cross(40, 0);
    database.run(slowed(), &["up"]).ok();
    let runners: Vec<_> = (0..4)
        .map(|_| database.spawn(slowed(), &["down", "--all", "--json"]))
        .collect();
    let mut undone = 0;
    for runner in runners {
        let ended = Ended::of(runner.wait_with_output().unwrap()).ok();
        undone += ended.json()["ran"].as_array().unwrap().len();
    }
    assert_eq!(undone, 4);
    assert_eq!(database.value(HISTORY), "0");
}

#[test]
fn after_a_kill_the_next_runner_waits_for_the_servers_end() {
    let database = Database::white_cross(300, 20);
    slow_insertions(&database, 4);
    let first = Running::start(&database, slowed(), &["up"]);
    let asleep = until_asleep(&database);
    first.signal("KILL");
    assert_eq!(first.end().status, -1);
    hurry(&database);
    let next = Running::start(&database, slowed(), &["up"]);
    next.until_said("waiting for the fence");
    // it has not begun: the server is still at the dead runner's statement
    assert_eq!(database.value(ASLEEP), asleep);
    assert_eq!(database.value("SELECT count(*) FROM wasmigrate.run"), "1");
    let next = next.end().ok();
    assert!(
        next.stderr.contains(&format!("held by pid {asleep}")),
        "{next:?}"
    );
    assert_eq!(
        next.stdout.matches("applied, verified").count(),
        4,
        "{next:?}"
    );
    let runs = "SELECT string_agg(state, ' ' ORDER BY id) FROM wasmigrate.run";
    assert_eq!(
        database.value(runs),
        "lost committed committed committed committed"
    );
    let closed = "SELECT count(*) FROM wasmigrate.run WHERE ended_at IS NULL";
    assert_eq!(database.value(closed), "0");
    assert_eq!(database.value(HISTORY), "4");
    assert_eq!(database.value(PLACEHOLDERS), "2");
    database.run(slowed(), &["verify"]).ok();
}

#[test]
fn patience_ends_with_the_holders_name_or_with_the_holder() {
    let database = Database::white_cross(40, 7);
    slow_insertions(&database, 600);
    let first = Running::start(&database, slowed(), &["up"]);
    let asleep = until_asleep(&database);
    let up = |args: &[&str]| database.run(slowed(), &[&["up"], args].concat());

    let runner = until(
        &database,
        "SELECT pid FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'wasmigrate lock'",
    );
    let refused = up(&["--wait", "1s"]).failed(8, "lock-not-available");
    assert!(
        refused.stderr.contains(&format!("held by pid {runner},")),
        "{refused:?}"
    );
    assert!(
        refused.stderr.contains("waiting for the run lock"),
        "{refused:?}"
    );

    first.signal("KILL");
    first.end();
    let refused = up(&["--wait", "1s"]).failed(8, "fence-not-available");
    assert!(
        refused.stderr.contains(&format!("held by pid {asleep},")),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("--fence-after"), "{refused:?}");
    let undo = database.run(slowed(), &["down", "--wait", "1s"]).ok();
    assert!(undo.stdout.contains("nothing to do"), "{undo:?}");

    hurry(&database);
    let ended = up(&["--fence-after", "0s"]).ok();
    assert!(ended.stderr.contains("waiting for the fence"), "{ended:?}");
    assert_eq!(database.value(ASLEEP), "");
    assert_eq!(database.value(HISTORY), "4");
}

#[test]
fn a_signal_rolls_back_and_cancels_the_statement() {
    for signal in ["INT", "TERM"] {
        let database = Database::white_cross(40, 7);
        slow_insertions(&database, 600);
        let run = Running::start(&database, slowed(), &["up"]);
        until_asleep(&database);
        run.signal(signal);
        run.end().failed(130, "interrupted");
        // the statement does not notice that its client is gone: only the cancellation ends it
        until(
            &database,
            "SELECT 'gone' WHERE NOT EXISTS (SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND application_name LIKE 'wasmigrate%')",
        );
        assert_nothing_half_done(&database);
        let run = "SELECT state || ' ' || error_code FROM wasmigrate.run";
        assert_eq!(database.value(run), "failed interrupted");
        hurry(&database);
        database.run(slowed(), &["up"]).ok();
    }
}

#[test]
fn a_signal_ends_the_wait_for_another_runner() {
    let database = Database::white_cross(40, 7);
    slow_insertions(&database, 600);
    let first = Running::start(&database, slowed(), &["up"]);
    until_asleep(&database);
    let waiting = Running::start(&database, slowed(), &["up"]);
    waiting.until_said("waiting for the run lock");
    waiting.signal("TERM");
    waiting.end().failed(130, "interrupted");
    // the first goes on undisturbed
    until_asleep(&database);
    first.signal("INT");
    first.end().failed(130, "interrupted");
    assert_nothing_half_done(&database);
}

#[test]
fn a_lost_work_session_rolls_back() {
    let database = Database::white_cross(40, 7);
    slow_insertions(&database, 600);
    let run = Running::start(&database, slowed(), &["up"]);
    let asleep = until_asleep(&database);
    database.sql(&format!("SELECT pg_terminate_backend({asleep})"));
    let run = run.end().failed(8, "database-lost");
    assert!(run.stderr.contains("terminating connection"), "{run:?}");
    assert_nothing_half_done(&database);
    let row = "SELECT state || ' ' || error_code FROM wasmigrate.run";
    assert_eq!(database.value(row), "failed database-lost");
}

#[test]
fn without_its_lock_a_runner_does_not_commit() {
    let database = Database::white_cross(40, 7);
    slow_insertions(&database, 2);
    let run = Running::start(&database, slowed(), &["up"]);
    until_asleep(&database);
    database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'wasmigrate lock'",
    );
    let run = run.end().failed(8, "database-lost");
    assert!(run.stderr.contains("run lock"), "{run:?}");
    assert_nothing_half_done(&database);
    // it could not record its own end, so the next one does
    let states = "SELECT string_agg(state, ' ' ORDER BY id) FROM wasmigrate.run";
    assert_eq!(database.value(states), "running");
    hurry(&database);
    database.run(slowed(), &["up", "--to", VERSIONS[0]]).ok();
    assert_eq!(database.value(states), "lost committed");
}

/// Whenever a runner dies, the next one ends its work.
#[test]
fn killed_at_any_moment_the_next_runner_goes_on() {
    let database = Database::white_cross(300, 20);
    let (schema, logs) = (database.schema(), database.checksum("medication_logs"));
    for delay in [20, 60, 100, 150, 220, 300] {
        for args in [&["up"][..], &["down", "--all"]] {
            let first = Running::start(&database, slowed(), args);
            std::thread::sleep(std::time::Duration::from_millis(delay));
            first.signal("KILL");
            first.end();
            database.run(slowed(), args).ok();
            match args {
                ["up"] => drop(database.run(slowed(), &["verify"]).ok()),
                _ => assert_eq!(database.schema(), schema),
            }
        }
    }
    database.run(slowed(), &["up"]).ok();
    assert_eq!(database.value(HISTORY), "4");
    assert_eq!(database.value(PLACEHOLDERS), "2");
    let open = "SELECT count(*) FROM wasmigrate.run WHERE ended_at IS NULL";
    assert_eq!(database.value(open), "0");
    assert_eq!(database.checksum("medication_logs"), logs);
    // each migration was applied and undone six times, whoever recorded it
    let runs = "SELECT count(*) || ' ' || count(*) FILTER (WHERE direction = 'up')
        FROM wasmigrate.run WHERE state = 'committed'";
    assert_eq!(database.value(runs), "52 28");
}

/// A lock of another session on wasmigrate's own tables: a signal ends the wait, and so does time.
#[test]
fn a_lock_on_the_record_of_runs_does_not_hold_a_runner_for_ever() {
    let database = Database::white_cross(40, 0);
    database.run(slowed(), &["up"]).ok();
    database.run(slowed(), &["down", "--all"]).ok();
    let other = Other::open(
        &database,
        "BEGIN; LOCK TABLE wasmigrate.run IN EXCLUSIVE MODE",
    );
    let waiting = Running::start(&database, slowed(), &["up"]);
    until(
        &database,
        "SELECT 'waits' FROM pg_stat_activity WHERE application_name = 'wasmigrate lock' \
           AND wait_event_type = 'Lock' AND datname = current_database()",
    );
    waiting.signal("INT");
    waiting.end().failed(130, "interrupted");
    let ended = database.run(slowed(), &["up"]);
    ended.failed(8, "lock-not-available");
    other.run("ROLLBACK");
    assert_eq!(database.value(HISTORY), "0");
    database.run(slowed(), &["up"]).ok();
}
