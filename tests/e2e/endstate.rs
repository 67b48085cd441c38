//! What the four migrations leave equals what plain SQL for the same work leaves, and undoing them
//! leaves what was there before.

use crate::plain::{PLACEHOLDER, plain_sql};
use crate::processes::{slow_insertions, slowed};
use crate::support::{Database, VERSIONS, white_cross};

const TABLES: [&str; 9] = [
    "users",
    "students",
    "medications",
    "student_medications",
    "medication_logs",
    "allergies",
    "chronic_conditions",
    "inventory_items",
    "\"SequelizeMeta\"",
];

const DELETE: &str = r#"
DELETE FROM medication_logs
WHERE "medicationId" IN (
  SELECT ml."medicationId"
  FROM medication_logs ml
  LEFT JOIN medications m ON ml."medicationId" = m.id
  WHERE m.id IS NULL AND ml."medicationId" IS NOT NULL
);"#;
const ORPHANS: &str = r#"SELECT count(*) FROM medication_logs l
    WHERE "medicationId" IS NOT NULL AND NOT EXISTS (SELECT FROM medications m WHERE m.id = l."medicationId")"#;

/// Everything that the four are to leave: the schema, the extensions, every row. When a placeholder was
/// made is left out.
fn state(database: &Database) -> Vec<String> {
    let mut state = vec![database.schema(), extensions(database)];
    for table in TABLES {
        let row = match table {
            "medications" => {
                r#"CASE t.name WHEN 'Unknown Medication'
                THEN to_jsonb(t) - '{createdAt,updatedAt}'::text[] ELSE to_jsonb(t) END"#
            }
            _ => "to_jsonb(t)",
        };
        let sql = format!(
            "SELECT count(*) || ' ' || md5(string_agg(({row})::text, ' ' ORDER BY t::text)) FROM {table} t"
        );
        let sql = match table {
            "medications" => sql.replace("ORDER BY t::text", "ORDER BY id"),
            _ => sql,
        };
        state.push(format!("{table}: {}", database.value(&sql)));
    }
    state
}

fn extensions(database: &Database) -> String {
    database.value("SELECT string_agg(extname || ' ' || extnamespace::regnamespace, ', ' ORDER BY extname) FROM pg_extension")
}

#[track_caller]
fn assert_equal(ours: &[String], theirs: &[String]) {
    for (ours, theirs) in ours.iter().zip(theirs) {
        let extra: Vec<_> = ours.lines().filter(|line| !theirs.contains(line)).collect();
        let lacking: Vec<_> = theirs.lines().filter(|line| !ours.contains(line)).collect();
        assert!(ours == theirs, "extra {extra:#?}, lacking {lacking:#?}");
    }
}

/// Applies the four, compares with plain SQL, undoes them, compares with what was before. Gives the rows
/// that `up` reported, and how many placeholders and logs there are then.
fn there_and_back(database: &Database, choice: Option<&str>) {
    // a log without a medication is no orphan
    database.sql(r#"UPDATE medication_logs SET "medicationId" = NULL WHERE id IN
        (SELECT l.id FROM medication_logs l JOIN medications m ON m.id = l."medicationId" ORDER BY l.id LIMIT 3)"#);
    let plain = database.copy();
    let repair = match choice {
        Some("delete") => DELETE,
        _ => PLACEHOLDER,
    };
    plain.sql(&plain_sql(repair));
    let (schema, extensions_before) = (database.schema(), extensions(database));

    let set = choice.map(|choice| format!("orphans={choice}"));
    let mut args = vec!["up"];
    args.extend(set.iter().flat_map(|set| ["--set", set]));
    let up = database.run(white_cross(), &args).ok();
    assert_eq!(up.stdout.matches("applied, verified").count(), 4, "{up:?}");
    assert_eq!(database.value(ORPHANS), "0");
    assert_equal(&state(database), &state(&plain));

    let down = database.run(white_cross(), &["down", "--all"]).ok();
    let undone: Vec<_> = VERSIONS
        .iter()
        .map(|version| down.stdout.find(version))
        .collect();
    assert!(undone.is_sorted_by(|a, b| a > b), "newest first: {down:?}");
    assert_eq!(database.schema(), schema);
    assert_eq!(extensions(database), extensions_before);
    // the repair stays
    assert_eq!(state(database)[2..], state(&plain)[2..]);
    assert_eq!(
        database.value("SELECT count(*) FROM wasmigrate.migration"),
        "0"
    );
}

#[test]
fn placeholders_for_no_orphan_one_and_seven() {
    for (rows, orphans, placeholders) in [(300, 0, "0"), (300, 1, "1"), (40, 7, "1")] {
        let database = Database::white_cross(rows, orphans);
        there_and_back(&database, None);
        assert_eq!(
            database.value("SELECT count(*) FROM medications WHERE name = 'Unknown Medication'"),
            placeholders
        );
    }
}

#[test]
fn placeholders_for_many_orphans() {
    let database = Database::white_cross(1500, 250);
    there_and_back(&database, Some("placeholder"));
    let count = "SELECT count(*) FROM medications WHERE name = 'Unknown Medication'";
    assert_eq!(database.value(count), "25");
}

#[test]
fn orphans_are_deleted_where_the_operator_says_so() {
    for (rows, orphans, left) in [(300, 0, "300"), (300, 7, "293"), (1500, 250, "1250")] {
        let database = Database::white_cross(rows, orphans);
        there_and_back(&database, Some("delete"));
        assert_eq!(database.value("SELECT count(*) FROM medication_logs"), left);
    }
}

/// On tables that small one index costs the planner as much as another.
#[test]
fn empty_tables_and_nearly_empty_ones() {
    for rows in [0, 1, 2] {
        there_and_back(&Database::white_cross(rows, 0), None);
    }
}

#[test]
fn refuse_stops_where_there_are_orphans_and_changes_nothing() {
    for (orphans, told) in [(1, "1"), (250, "250")] {
        let database = Database::white_cross(300, orphans);
        let before = state(&database);
        let refused = database.run(white_cross(), &["up", "--set", "orphans=refuse"]);
        let refused = refused.failed(6, "migration-failed");
        let text = format!(
            "Data integrity violation: {told} medication_logs records reference non-existent medications"
        );
        assert!(refused.stderr.contains(&text), "{refused:?}");
        assert_equal(&state(&database), &before);
        assert_eq!(
            database.value("SELECT count(*) FROM wasmigrate.migration"),
            "0"
        );
    }
    // nothing to refuse
    there_and_back(&Database::white_cross(300, 0), Some("refuse"));
}

#[test]
fn an_extension_that_was_there_before_stays() {
    let database = Database::white_cross(40, 0);
    database.sql("CREATE EXTENSION pg_trgm");
    let before = extensions(&database);
    database.run(white_cross(), &["up"]).ok();
    assert!(extensions(&database).contains("unaccent"));
    let schema = database.schema();
    database.run(white_cross(), &["down", "--all"]).ok();
    assert_eq!(extensions(&database), before);
    // and again, with the same end
    database.run(white_cross(), &["up"]).ok();
    assert_eq!(database.schema(), schema);
    database.run(white_cross(), &["down", "--all"]).ok();
    assert_eq!(extensions(&database), before);
}

#[test]
fn up_down_up_leaves_what_up_left() {
    let database = Database::white_cross(300, 20);
    database.run(white_cross(), &["up"]).ok();
    let once = state(&database);
    database.run(white_cross(), &["down", "--all"]).ok();
    let again = database.run(white_cross(), &["up"]).ok();
    assert_equal(&state(&database), &once);
    // the orphans were repaired the first time
    assert!(!again.stderr.contains("20 medication_logs"), "{again:?}");
    let runs = "SELECT count(*) FROM wasmigrate.run WHERE state = 'committed'";
    assert_eq!(database.value(runs), "12");
}

/// Whatever the database's defaults are, the same statements mean the same.
#[test]
fn the_databases_own_settings_change_nothing() {
    let database = Database::white_cross(300, 20);
    let plain = database.copy();
    for setting in [
        "search_path = ''",
        "DateStyle = 'SQL, DMY'",
        "IntervalStyle = 'iso_8601'",
        "TimeZone = 'Asia/Kathmandu'",
        "extra_float_digits = -15",
        "bytea_output = 'escape'",
        "default_text_search_config = 'pg_catalog.german'",
        "standard_conforming_strings = off",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_deferrable = on",
        "lock_timeout = '1ms'",
        "statement_timeout = '1500ms'",
        "idle_in_transaction_session_timeout = '1ms'",
        "idle_session_timeout = '700ms'",
        "client_min_messages = 'error'",
        "enable_indexscan = off",
    ] {
        database.sql(&format!("ALTER DATABASE {} SET {setting}", database.name));
    }
    slow_insertions(&database, 2);
    database.run(slowed(), &["up"]).ok();
    database.sql(
        "DROP TABLE public.slow; DROP FUNCTION public.slow CASCADE;
         SELECT pg_sleep(0)",
    );
    plain.sql(&plain_sql(PLACEHOLDER));
    let names = "ALTER DATABASE %s RESET ALL".replace("%s", &database.name);
    database.sql(&names);
    assert_equal(&state(&database), &state(&plain));
}
