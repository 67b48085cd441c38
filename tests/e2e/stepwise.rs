//! Stepwise mode: each step stands by itself, and what stops a run half-way is shown, mended and gone on with.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::guests::{change_manifest, file_of};
use crate::probe::{self, Script};
use crate::processes::{Other, Running, until};
use crate::support::{Database, Ended, VERSIONS, only, white_cross};

pub const INVALID: &str = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
pub const STATES: &str = "SELECT string_agg(state, ' ' ORDER BY id) FROM wasmigrate.run";
pub const JOURNAL: &str = "SELECT count(*) FROM wasmigrate.journal";
pub const TABLE: &str =
    "CREATE TABLE public.t (n int); INSERT INTO public.t SELECT generate_series(1, 5)";

/// Inserts, divides by the number of rows of `public.one`, and inserts again.
fn divides() -> Script {
    Script::default()
        .up("execute", &["INSERT INTO public.t VALUES (6)"])
        .up(
            "execute",
            &["INSERT INTO public.t SELECT 1 / count(*) FROM public.one"],
        )
        .up("execute", &["INSERT INTO public.t VALUES (7)"])
}

/// A database in which the second step of three has failed.
fn half_way() -> Database {
    let database = Database::empty();
    database.sql(TABLE);
    database.sql("CREATE TABLE public.one (n int)");
    divides().write(&database);
    let ended = stepwise(&database, &["up"]).failed(9, "half-way");
    assert!(ended.stderr.contains("statement-failed"), "{ended:?}");
    assert!(ended.stderr.contains("SQLSTATE: 22012"), "{ended:?}");
    database
}

pub fn stepwise(database: &Database, args: &[&str]) -> Ended {
    database.run(probe::folder(), &[args, &["--mode", "stepwise"]].concat())
}

#[test]
fn what_stops_half_way_is_shown_and_goes_on_where_it_stopped() {
    let database = half_way();
    assert_eq!(
        database.value("SELECT string_agg(n::text, ' ' ORDER BY n) FROM t"),
        "1 2 3 4 5 6"
    );
    assert_eq!(database.value(STATES), "stopped");

    let status = database.run(probe::folder(), &["status"]).ok();
    for words in [
        "half-way in its up",
        "INSERT INTO public.t VALUES (6)",
        "statement-failed",
        "22012",
        "wasmigrate up",
    ] {
        assert!(status.stdout.contains(words), "{words}: {status:?}");
    }
    let json = database.run(probe::folder(), &["status", "--json", "--exit-code"]);
    assert_eq!(json.status, 9);
    let half = &json.json()[0]["half_way"];
    assert_eq!(half["stopped_by"], "statement-failed");
    assert_eq!(half["phase"], "up");
    let again = database.run(probe::folder(), &["up", "--json"]);
    assert_eq!(again.status, 9, "{again:?}");
    let error = &again.json()["error"];
    assert_eq!(error["code"], "half-way");
    assert_eq!(error["first_code"], "statement-failed");

    // the cause is mended; a plain `up` goes on as it began
    database.sql("INSERT INTO public.one VALUES (1)");
    database.run(probe::folder(), &["up"]).ok();
    assert_eq!(
        database.value("SELECT string_agg(n::text, ' ' ORDER BY n) FROM t"),
        "1 1 2 3 4 5 6 7"
    );
    assert_eq!(database.value(STATES), "committed");
    assert_eq!(database.value(JOURNAL), "0");
    assert_eq!(
        database.value("SELECT mode FROM wasmigrate.migration"),
        "stepwise"
    );
}

#[test]
fn nothing_else_is_begun_while_one_is_half_way() {
    let database = half_way();
    let changed = database.run(probe::folder(), &["up", "--mode", "transactional"]);
    changed.failed(4, "run-changed");
    let folder = only(probe::folder(), &[probe::VERSION]);
    change_manifest(&file_of(folder.path(), probe::VERSION), |manifest| {
        manifest.replacen("description = \"", "description = \"Another: ", 1)
    });
    database
        .run(folder.path(), &["up"])
        .failed(4, "run-changed");
    let set = database.run(probe::folder(), &["up", "--set", "colour=blue"]);
    set.failed(4, "run-changed");
    let none = tempfile::tempdir().unwrap();
    database
        .run(none.path(), &["down"])
        .failed(4, "history-missing");
    let passed = database.run(probe::folder(), &["down", "--only", "another"]);
    passed.failed(4, "run-open");
    assert_eq!(database.value(STATES), "stopped");
    assert_eq!(database.value("SELECT count(*) FROM t"), "6");
}

#[test]
fn down_undoes_what_a_half_applied_one_has_done_in_either_mode() {
    for mode in ["transactional", "stepwise"] {
        let database = half_way();
        database.sql(
            "INSERT INTO public.probe_step VALUES ('down', 1, 'execute', ARRAY['DELETE FROM public.t WHERE n = 6'])",
        );
        database
            .run(probe::folder(), &["down", "--mode", mode])
            .ok();
        assert_eq!(database.value("SELECT count(*) FROM t"), "5");
        assert_eq!(database.value(STATES), "undone committed");
        assert_eq!(database.value(JOURNAL), "0");
        // it is as before: it can be applied again, from the beginning
        database.sql("INSERT INTO public.one VALUES (1)");
        database.run(probe::folder(), &["up"]).ok();
        assert_eq!(database.value("SELECT count(*) FROM t"), "8");
    }
}

/// A `down` in steps over a half-way `up` is half-way from its beginning; a transactional one leaves the `up` open.
#[test]
fn a_down_that_fails_over_a_half_applied_one_loses_nothing() {
    for (mode, exit, states, verb) in [
        ("transactional", 6, "stopped failed", "up"),
        ("stepwise", 9, "undone stopped", "down"),
    ] {
        let database = half_way();
        database.sql(
            "INSERT INTO public.probe_step VALUES ('down', 1, 'execute', ARRAY['INSERT INTO public.t SELECT 1 / count(*) FROM public.one'])",
        );
        let ended = database.run(probe::folder(), &["down", "--mode", mode]);
        assert_eq!(ended.status, exit, "{ended:?}");
        assert_eq!(database.value(STATES), states);
        let other = if verb == "up" { "down" } else { "up" };
        let status = database.run(probe::folder(), &["status"]).ok();
        assert!(
            status.stdout.contains(&format!("half-way in its {verb}")),
            "{other} {status:?}"
        );
        if verb == "down" {
            database.run(probe::folder(), &["up"]).failed(4, "run-open");
        }
        database.sql("INSERT INTO public.one VALUES (1)");
        database.run(probe::folder(), &[verb]).ok();
        assert_eq!(database.value(JOURNAL), "0");
    }
}

#[test]
fn repair_gives_a_run_up_and_says_why() {
    let database = half_way();
    let bare = database.run(probe::folder(), &["repair", probe::VERSION]);
    assert_eq!(bare.status, 2, "{bare:?}");
    let other = ["repair", "1", "--abandon", "--reason", "x"];
    database
        .run(probe::folder(), &other)
        .failed(2, "migration-unknown");
    let args = [
        "repair",
        probe::VERSION,
        "--abandon",
        "--reason",
        "mended by hand",
    ];
    let done = database.run(probe::folder(), &args).ok();
    assert!(done.stdout.contains("counts as not applied"), "{done:?}");
    assert_eq!(
        database.value("SELECT state || ': ' || reason FROM wasmigrate.run"),
        "abandoned: mended by hand"
    );
    assert_eq!(database.value(JOURNAL), "0");
    // from the beginning
    database.sql("INSERT INTO public.one VALUES (1)");
    stepwise(&database, &["up"]).ok();
    assert_eq!(database.value("SELECT count(*) FROM t WHERE n = 6"), "2");
}

/// A failure before anything was changed leaves nothing open.
#[test]
fn a_run_that_has_changed_nothing_is_not_half_way() {
    let database = Database::empty();
    database.sql(TABLE);
    Script::default()
        .up("query", &["SELECT n FROM public.t"])
        .up("execute", &["INSERT INTO public.t VALUES ('x')"])
        .write(&database);
    stepwise(&database, &["up"]).failed(6, "statement-failed");
    assert_eq!(database.value(STATES), "failed");
    assert_eq!(database.value(JOURNAL), "0");
}

#[test]
fn a_denial_behind_committed_steps_says_both() {
    let database = Database::empty();
    database.sql(TABLE);
    Script::default()
        .up("execute", &["INSERT INTO public.t VALUES (6)"])
        .up("execute", &["DROP SCHEMA public"])
        .write(&database);
    let ended = stepwise(&database, &["up"]).failed(9, "half-way");
    assert!(ended.stderr.contains("denied"), "{ended:?}");
    assert_eq!(
        database.value("SELECT error_code FROM wasmigrate.run"),
        "denied"
    );
}

#[test]
fn the_projects_file_chooses_the_mode_where_the_manifest_allows_it() {
    let database = Database::empty();
    database.sql(TABLE);
    Script::default()
        .up("execute", &["INSERT INTO public.t VALUES (6)"])
        .write(&database);
    let project = tempfile::tempdir().unwrap();
    let file = project.path().join("wasmigrate.toml");
    std::fs::write(&file, "mode = \"stepwise\"\n").unwrap();
    let config = file.to_str().unwrap();
    database
        .run(probe::folder(), &["up", "--config", config])
        .ok();
    assert_eq!(
        database.value("SELECT mode FROM wasmigrate.migration"),
        "stepwise"
    );
    database
        .run(probe::folder(), &["down", "--config", config])
        .ok();
    let folder = only(probe::folder(), &[probe::VERSION]);
    change_manifest(&file_of(folder.path(), probe::VERSION), |manifest| {
        manifest.replacen(
            "modes = [\"transactional\", \"stepwise\"]",
            "modes = [\"transactional\"]",
            1,
        )
    });
    let asked = database.run(folder.path(), &["up", "--mode", "stepwise"]);
    asked.failed(5, "mode-unsupported");
    database
        .run(folder.path(), &["up", "--config", config])
        .ok();
    assert_eq!(
        database.value("SELECT mode FROM wasmigrate.migration"),
        "transactional"
    );
    std::fs::write(&file, "mode = \"stepwize\"\n").unwrap();
    let wrong = database.run(probe::folder(), &["up", "--config", config]);
    let wrong = wrong.failed(2, "config-invalid");
    assert!(wrong.stderr.contains("line 1"), "{wrong:?}");
}

#[test]
fn an_interrupted_run_says_that_it_can_go_on() {
    for signal in ["INT", "TERM"] {
        let database = Database::empty();
        database.sql(TABLE);
        Script::default()
            .up("execute", &["INSERT INTO public.t VALUES (9)"])
            .up("query", &["SELECT public.pause(60)"])
            .write(&database);
        let run = Running::start(&database, probe::folder(), &["up", "--mode", "stepwise"]);
        until(
            &database,
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'",
        );
        run.signal(signal);
        let run = run.end().failed(9, "half-way");
        assert!(run.stderr.contains("interrupted"), "{run:?}");
        assert_eq!(database.value(STATES), "stopped");
        // cancelled, not left to itself
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
        assert_eq!(database.value(asleep), "0");
    }
}

/// Who writes meanwhile is never refused, and what came in meanwhile is right too.
#[test]
fn writers_go_on_all_along() {
    let database = Database::white_cross(2000, 50);
    let over = AtomicBool::new(false);
    let logs = "SELECT count(*) FROM medication_logs";
    let before: u64 = database.value(logs).parse().unwrap();
    let written: u64 = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let writer = Other::open(&database, "SELECT 1");
                    let mut written = 0;
                    while !over.load(Ordering::Relaxed) {
                        writer.run(
                            "INSERT INTO medication_logs (\"medicationId\", \"studentId\", \"nurseId\", \"dosageGiven\", \"administeredAt\")
                               SELECT (SELECT id FROM medications ORDER BY random() LIMIT 1), \"studentId\", \"nurseId\", '1', now()
                               FROM medication_logs LIMIT 1;
                             UPDATE medications SET \"updatedAt\" = now() WHERE id = (SELECT id FROM medications LIMIT 1);
                             UPDATE users SET \"updatedAt\" = now() WHERE id = (SELECT id FROM users LIMIT 1)",
                        );
                        written += 1;
                    }
                    written
                })
            })
            .collect();
        let up = database.run(white_cross(), &["up", "--mode", "stepwise"]);
        over.store(true, Ordering::Relaxed);
        up.ok();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum()
    });
    assert!(written > 0);
    assert_eq!(database.value(logs), (before + written).to_string());
    database.run(white_cross(), &["verify"]).ok();
    assert_eq!(database.value(INVALID), "0");
}

#[test]
fn eight_runners_do_each_step_once() {
    let database = Database::white_cross(300, 20);
    let runners: Vec<_> = (0..8)
        .map(|_| database.spawn(white_cross(), &["up", "--mode", "stepwise", "--json"]))
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
    assert_eq!(
        database.value(STATES),
        "committed committed committed committed"
    );
    assert_eq!(database.value(INVALID), "0");
    assert_eq!(
        database.value("SELECT count(*) FROM medications WHERE name = 'Unknown Medication'"),
        "2"
    );
}

#[test]
fn what_is_read_must_fit_the_journal() {
    let database = Database::empty();
    database.sql("CREATE TABLE public.big (x text); INSERT INTO big SELECT repeat('x', 1000) FROM generate_series(1, 1200)");
    Script::default()
        .up("sizes", &["SELECT x FROM public.big"])
        .write(&database);
    let ended = stepwise(&database, &["up"]).failed(7, "limit-step-bytes");
    assert!(ended.stderr.contains("batches"), "{ended:?}");
    let limited = |limit: &str| {
        let folder = only(probe::folder(), &[probe::VERSION]);
        change_manifest(&file_of(folder.path(), probe::VERSION), |manifest| {
            format!("{manifest}\n[limits]\nstep-bytes = \"{limit}\"\n")
        });
        database.run(folder.path(), &["up", "--mode", "stepwise"])
    };
    // 1,200,000 bytes of text, their 4 byte offsets, and some more
    let ended = limited("1200000B").failed(7, "limit-step-bytes");
    assert!(
        ended.stderr.contains("(step-bytes = 1200000B)"),
        "{ended:?}"
    );
    limited("1210000B").ok();
}
