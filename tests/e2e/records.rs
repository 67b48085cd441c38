//! What stays of a run in the schema `wasmigrate`, also of one that rolled back.

use crate::guests::{Small, folder_of};
use crate::support::{Database, white_cross};

const RUNS: &str = "SELECT string_agg(concat_ws(' ', direction, version, state, error_code, sqlstate), ', ' ORDER BY id)
    FROM wasmigrate.run";
const FINDINGS: &str = "SELECT string_agg(concat_ws(' ', run_id, phase, ordinal, kind, subject, met), ', ' ORDER BY run_id, ordinal)
    FROM wasmigrate.finding";

#[test]
fn a_run_that_rolls_back_leaves_its_record_and_its_findings() {
    let database = Database::empty();
    let met = Small::new("1", "one")
        .requires("plpgsql")
        .up_fails("changed my mind");
    let failed = database.run(folder_of(&[met]).path(), &["up"]);
    let failed = failed.failed(6, "migration-failed");
    assert!(failed.stderr.contains("changed my mind"), "{failed:?}");
    assert_eq!(database.value(RUNS), "up 1 failed migration-failed");
    assert_eq!(database.value(FINDINGS), "1 up 1 extension plpgsql t");

    let unmet = Small::new("1", "one").requires("no_such_extension");
    let failed = database
        .run(folder_of(&[unmet]).path(), &["up"])
        .failed(6, "check-failed");
    assert!(failed.stderr.contains("no_such_extension"), "{failed:?}");
    assert_eq!(
        database.value(FINDINGS),
        "1 up 1 extension plpgsql t, 2 up 1 extension no_such_extension f"
    );
    let what = database.sql("SELECT expected, seen FROM wasmigrate.finding WHERE NOT met");
    assert_eq!(
        what,
        [["installed", "not installed"].map(|text| Some(text.to_owned()))]
    );
    assert_eq!(
        database.value("SELECT count(*) FROM wasmigrate.migration"),
        "0"
    );
    let open = "SELECT count(*) FROM wasmigrate.run WHERE ended_at IS NULL";
    assert_eq!(database.value(open), "0");
}

#[test]
fn a_run_has_its_settings_who_and_with_what() {
    let database = Database::white_cross(40, 7);
    let up = database
        .run(white_cross(), &["up", "--json", "--set", "orphans=delete"])
        .ok();
    let up = up.json();
    let settings = "SELECT string_agg(settings::text, ' ' ORDER BY id) FROM wasmigrate.run";
    assert_eq!(
        database.value(settings),
        r#"{"orphans": "delete"} {} {} {}"#
    );
    let history = "SELECT version, rows_affected, applied_by, mode, host_version FROM wasmigrate.migration ORDER BY version";
    let first = &database.sql(history)[0];
    let first: Vec<_> = first
        .iter()
        .map(|value| value.as_deref().unwrap())
        .collect();
    assert_eq!(
        first,
        [
            "20251106000000",
            "7",
            "postgres",
            "transactional",
            env!("CARGO_PKG_VERSION")
        ]
    );
    assert_eq!(up["ran"][0]["rows_affected"], 7);
    // every check of verify, as many as were told
    let told: usize = up["ran"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ran| ran["findings"].as_array().unwrap().len())
        .sum();
    assert_eq!(
        database.value("SELECT count(*) FROM wasmigrate.finding WHERE met"),
        told.to_string()
    );
    let indexes = "SELECT count(*) FROM wasmigrate.finding WHERE kind = 'index'";
    assert_eq!(database.value(indexes), "34");
    assert_eq!(
        database.value("SELECT count(*) FROM wasmigrate.finding WHERE NOT met"),
        "0"
    );
    // down knows how up was run
    database.run(white_cross(), &["down", "--all"]).ok();
    let settings = "SELECT settings::text FROM wasmigrate.run WHERE direction = 'down' AND version = '20251106000000'";
    assert_eq!(database.value(settings), r#"{"orphans": "delete"}"#);
    // no row of a table is in the records
    let secret = database.value(
        r#"SELECT "medicationId" FROM medication_logs WHERE "medicationId" IS NOT NULL LIMIT 1"#,
    );
    let all = "SELECT string_agg(r::text || coalesce(f::text, ''), ' ') FROM wasmigrate.run r LEFT JOIN wasmigrate.finding f ON f.run_id = r.id";
    assert!(!database.value(all).contains(&secret));
}

#[test]
fn a_second_attempt_leaves_its_findings_once() {
    let database = Database::empty();
    database
        .run(folder_of(&[Small::new("1", "one")]).path(), &["up"])
        .ok();
    // a sequence does not roll back, so only the first attempt fails
    database.sql(
        "CREATE SEQUENCE tries;
         CREATE FUNCTION flaky() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('public.tries') = 1 THEN RAISE 'try again' USING ERRCODE = '40001'; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER flaky BEFORE INSERT ON wasmigrate.migration FOR EACH ROW EXECUTE FUNCTION flaky()",
    );
    let folder = folder_of(&[
        Small::new("1", "one"),
        Small::new("2", "two").requires("plpgsql"),
    ]);
    let up = database.run(folder.path(), &["up"]).ok();
    assert_eq!(up.stderr.matches("trying again").count(), 1, "{up:?}");
    assert_eq!(database.value(RUNS), "up 1 committed, up 2 committed");
    assert_eq!(database.value(FINDINGS), "2 up 1 extension plpgsql t");
}

#[test]
fn nobody_else_may_read_the_records() {
    let database = Database::empty();
    database
        .run(folder_of(&[Small::new("1", "one")]).path(), &["up"])
        .ok();
    let may = "SELECT has_schema_privilege('pg_read_all_settings', 'wasmigrate', 'USAGE')";
    assert_eq!(database.value(may), "f");
}
