//! Going through a table in ranges of a unique key.

use crate::probe::{self, Script};
use crate::role::granted;
use crate::support::{Database, build};

const UPDATE: &str = "UPDATE public.t AS t SET n = n + 1 WHERE {filter}";

fn each_once(columns: &str, rows: &str, key: &str) {
    for mode in ["transactional", "stepwise"] {
        let database = Database::empty();
        database.sql(&format!(
            "CREATE TABLE public.t (n int NOT NULL DEFAULT 0, {columns});
             INSERT INTO public.t SELECT 0, {rows} FROM generate_series(1, 103) AS g"
        ));
        Script::default()
            .up("batches", &["public", "t", key, "10", UPDATE])
            .write(&database);
        database.run(probe::folder(), &["up", "--mode", mode]).ok();
        let counted = "SELECT min(n) || ' ' || max(n) || ' ' || count(*) FROM t";
        assert_eq!(database.value(counted), "1 1 103", "{columns} {mode}");
        let ranges: Vec<_> = probe::answers(&database)
            .into_iter()
            .filter_map(|answer| answer.value)
            .collect();
        assert_eq!(ranges.len(), 11, "{ranges:?}");
        assert_eq!(ranges[0], "10 of 10");
        assert_eq!(ranges[10], "3 of 3");
    }
}

#[test]
fn every_row_is_reached_once_by_any_unique_key() {
    each_once("id bigint PRIMARY KEY", "g * 7", "id");
    each_once("id uuid PRIMARY KEY", "gen_random_uuid()", "id");
    each_once(
        "id text COLLATE \"C\" PRIMARY KEY",
        "'k''' || chr(200 + g)",
        "id",
    );
    each_once(
        "id text PRIMARY KEY",
        "CASE WHEN g % 2 = 0 THEN 'a ' ELSE 'A-' END || g",
        "id",
    );
    each_once(
        "a int NOT NULL, b date NOT NULL, UNIQUE (a, b)",
        "g % 4, date '2025-01-01' + g",
        "a,b",
    );
    each_once(
        "id timestamptz PRIMARY KEY",
        "'2025-01-01'::timestamptz + g * interval '1.000001 s'",
        "id",
    );
    each_once(
        "id numeric PRIMARY KEY",
        "g * 1.000000000000000000001",
        "id",
    );
}

/// Names that the host's own statements use.
#[test]
fn the_names_of_the_keys_mean_themselves() {
    each_once("c1 int, c0 int, PRIMARY KEY (c1, c0)", "g % 5, -g", "c1,c0");
}

#[test]
fn an_empty_table_has_no_range() {
    let database = Database::empty();
    database.sql("CREATE TABLE public.t (n int, id int PRIMARY KEY)");
    Script::default()
        .up("batches", &["public", "t", "id", "10", UPDATE])
        .write(&database);
    database
        .run(probe::folder(), &["up", "--mode", "stepwise"])
        .ok();
    assert_eq!(probe::answers(&database), []);
}

#[test]
fn a_key_that_does_not_place_each_row_is_refused() {
    for columns in [
        "n int, id int",
        "n int, id int UNIQUE",
        "n int, id int NOT NULL, other int NOT NULL, UNIQUE (id, other)",
        "n int, id int NOT NULL, CHECK (id > 0)",
    ] {
        let database = Database::empty();
        database.sql(&format!(
            "CREATE TABLE public.t ({columns}); CREATE INDEX ON public.t (id)"
        ));
        let script = Script::default().up("batches", &["public", "t", "id", "10", UPDATE]);
        script.fails(
            &database,
            6,
            "call-unsupported",
            "no unique index has just the columns \"id\"",
        );
    }
}

/// Another order than that of `<` among pg_catalog's operators would leave rows out.
#[test]
fn a_key_with_operators_of_its_own_is_refused() {
    let folder = granted(&[
        "read public.t",
        "update public.t",
        "extension citext in public",
        "use-type public.also_citext",
    ]);
    for r#type in ["citext", "also_citext"] {
        let database = Database::empty();
        database.sql(&format!(
            "CREATE EXTENSION citext; CREATE DOMAIN also_citext AS citext;
             CREATE TABLE public.t (n int, id {type} PRIMARY KEY); INSERT INTO t VALUES (0, 'a'), (0, 'Z')"
        ));
        let script = Script::default().up("batches", &["public", "t", "id", "10", UPDATE]);
        script.write(&database);
        let ended = database
            .run(folder.path(), &["up"])
            .failed(6, "call-unsupported");
        assert!(ended.stderr.contains("as citext"), "{ended:?}");
    }
}

/// Reading the key is reading.
#[test]
fn the_key_must_be_granted() {
    let database = Database::empty();
    database.sql("CREATE TABLE public.secret (id int PRIMARY KEY)");
    let script = Script::default().up("batches", &["public", "secret", "id", "10", UPDATE]);
    script.fails(&database, 7, "grant-denied", "read public.secret(id)");
}

/// White Cross's backfill promises what was there as it began, and holds no later log against the application.
#[test]
fn names_are_promised_for_the_logs_from_before() {
    let database = Database::white_cross(60, 5);
    let folder = build("normalise", &["migrations-wasm/normalize-medication-names"]);
    database.run(&folder, &["up", "--mode", "stepwise"]).ok();
    let unnamed = "SELECT count(*) FROM medication_logs l JOIN medications m ON m.id = l.\"medicationId\" \
        WHERE l.\"medicationName\" IS DISTINCT FROM lower(btrim(m.name))";
    assert_eq!(database.value(unnamed), "0");
    database.sql(
        "INSERT INTO medication_logs (\"medicationId\", \"studentId\", \"nurseId\", \"dosageGiven\", \"administeredAt\")
         SELECT m.id, l.\"studentId\", l.\"nurseId\", '1', now() FROM medications m, medication_logs l LIMIT 1",
    );
    database.run(&folder, &["verify"]).ok();
    database.sql(
        "UPDATE medication_logs SET \"medicationName\" = NULL WHERE id = (SELECT l.id FROM medication_logs l
         JOIN medications m ON m.id = l.\"medicationId\" ORDER BY l.\"createdAt\" LIMIT 1)",
    );
    let ended = database.run(&folder, &["verify"]);
    assert_eq!(ended.status, 6, "{ended:?}");
    assert!(
        ended.stdout.contains("expected no row, seen 1 row"),
        "{ended:?}"
    );
}
