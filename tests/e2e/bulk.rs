//! Bulk writes: every kind of column, and what is refused.

use crate::probe::Script;
use crate::support::Database;

const OPEN: &[&str] = &["public", "t", "a,b"];

fn database() -> Database {
    let database = Database::empty();
    database.sql("CREATE TABLE public.t (a text, b text)");
    database
}

#[test]
fn every_kind_of_column_is_written_as_it_is() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE public.kinds (b boolean, i bigint, f float8, ts timestamp, tz timestamptz, t text, x bytea);
         CREATE TABLE public.other (b text, i numeric, f numeric, ts date, tz text, t varchar, x bytea)",
    );
    let words = Script::default()
        .up("copy-open", &["public", "kinds", ""])
        .up("copy-kinds", &[])
        .up("copy-kinds", &[])
        .up("copy-finish", &[])
        .up("copy-drop", &[])
        .up("copy-open", &["public", "other", "b,i,f,ts,tz,t,x"])
        .up("copy-kinds", &[])
        .up("copy-finish", &[])
        .words(&database);
    assert_eq!(words[3], ["20"]);
    assert_eq!(words[7], ["10"]);
    let expected = "
        ('t'::boolean, '-9223372036854775808'::bigint, 0.1::float8, timestamp '2000-01-01', E'tab\\there', '\\x00ff'::bytea),
        (NULL, NULL, NULL, NULL, NULL, NULL),
        (false, 9223372036854775807, 'NaN', 'infinity', E'line\\nfeed', '\\x090a5c'),
        (true, -1, 'Infinity', '-infinity', E'back\\\\slash', ''),
        (false, 1, '-Infinity', '1999-12-31 23:59:59.999999', E'\\\\N', '\\x78'),
        (false, 0, '-0', '2000-01-01 00:00:01.5', E'\\\\.', '\\x5c78'),
        (true, 0, 1e300, '0044-03-15 12:00 BC', E'\\r', '\\x0d'),
        (false, 0, 5e-324, '2000-01-02', '', '\\x27'),
        (false, 0, 1.0, '2000-01-01 00:00:00.000001', 'é漢🦀', '\\x22'),
        (NULL, NULL, NULL, NULL, NULL, NULL)";
    let differing = database.value(&format!(
        "SET TimeZone = 'UTC';
         SELECT count(*) FROM (
            (SELECT b, i, f::text, ts, tz, t, x FROM public.kinds
             EXCEPT ALL SELECT b, i, f::text, ts, ts::timestamptz, t, x FROM (VALUES {expected}) AS e (b, i, f, ts, t, x), (VALUES (1), (2)) AS twice)
            UNION ALL
            (SELECT b, i, f::text, ts, ts::timestamptz, t, x FROM (VALUES {expected}) AS e (b, i, f, ts, t, x), (VALUES (1), (2)) AS twice
             EXCEPT ALL SELECT b, i, f::text, ts, tz, t, x FROM public.kinds)) AS d"
    ));
    assert_eq!(
        differing,
        "0",
        "{:?}",
        database.sql("SELECT * FROM public.kinds")
    );
    let differing = database.value(
        "SET TimeZone = 'UTC';
         SELECT count(*) FROM (
            (SELECT b, i, f::text, ts::date, t, x FROM (SELECT DISTINCT ON (ctid) *, ctid FROM public.kinds WHERE f IS DISTINCT FROM '-0') AS k
             EXCEPT SELECT b::boolean, i::bigint, f::float8::text, ts, t, x FROM public.other)) AS d",
    );
    assert_eq!(
        differing,
        "0",
        "{:?}",
        database.sql("SELECT * FROM public.other")
    );
}

#[test]
fn a_call_while_a_copy_is_open_is_refused_and_does_not_hang() {
    let database = database();
    let calls: &[(&str, &[&str])] = &[
        ("execute", &["SELECT 1"]),
        ("query", &["SELECT 1"]),
        ("next", &["rows"]),
        ("copy-query", &["SELECT 1", "public", "t", "a"]),
        ("copy-open", OPEN),
        ("table-exists", &["public", "t"]),
        ("require-no-rows", &["x", "SELECT 1"]),
        ("require-latency", &["x", "10", "SELECT 1"]),
        (
            "key-standing",
            &[
                "public", "t", "k", "a", "public", "t", "b", "CASCADE", "CASCADE",
            ],
        ),
        ("require-extension", &["plpgsql"]),
        ("remember", &["key", "text"]),
    ];
    for (verb, args) in calls {
        Script::default()
            .up("open", &["rows", "SELECT * FROM generate_series(1, 100)"])
            .up("copy-open", OPEN)
            .up("copy-write", &["1", "2"])
            .up(verb, args)
            .fails(&database, 6, "copy-open", "");
    }
    // rows may be dropped meanwhile
    Script::default()
        .up("open", &["rows", "SELECT * FROM public.t"])
        .up("copy-open", OPEN)
        .up("drop", &["rows"])
        .up("copy-finish", &[])
        .up("execute", &["ALTER TABLE public.t ADD COLUMN c int"])
        .answers(&database);
}

#[test]
fn an_unfinished_copy_fails_the_run() {
    let database = database();
    for end in ["copy-drop", "copy-forget", "log"] {
        Script::default()
            .up("copy-open", OPEN)
            .up("copy-write", &["1", "2"])
            .up(end, &["words"])
            .fails(&database, 6, "copy-open", "");
    }
    assert_eq!(database.value("SELECT count(*) FROM public.t"), "0");
}

#[test]
fn what_a_copy_cannot_take_is_refused() {
    let database = database();
    database.sql("CREATE TABLE public.n (a int NOT NULL, b int CHECK (b > 0))");
    let fails = |open: &[&str], verb: &str, args: &[&str], code, words: &str| {
        let ended = Script::default()
            .up("copy-open", open)
            .up(verb, args)
            .up("copy-finish", &[])
            .fails(&database, 6, code, words);
        assert!(!ended.stderr.contains("database-lost"), "{ended:?}");
    };
    fails(
        OPEN,
        "copy-write",
        &["1"],
        "call-unsupported",
        "opened for 2 columns, the batch has 1",
    );
    fails(
        OPEN,
        "copy-write",
        &["1", "2", "3"],
        "call-unsupported",
        "the batch has 3",
    );
    let all = &["public", "t", ""];
    fails(
        all,
        "copy-write",
        &["1"],
        "statement-failed",
        "missing data for column",
    );
    fails(
        all,
        "copy-write",
        &["1", "2", "3"],
        "statement-failed",
        "extra data after last expected column",
    );
    fails(
        all,
        "copy-bare",
        &["4294967295"],
        "call-unsupported",
        "4294967295 rows and no column",
    );
    fails(
        &["public", "n", "a,b"],
        "copy-write",
        &["x", "1"],
        "statement-failed",
        "SQLSTATE: 22P02",
    );
    fails(
        &["public", "n", "a,b"],
        "copy-write",
        &["1", "0"],
        "statement-failed",
        "SQLSTATE: 23514",
    );
    fails(
        &["public", "n", "b"],
        "copy-write",
        &["1"],
        "statement-failed",
        "SQLSTATE: 23502",
    );
    // the first row is wrong, and far more is written after it than a connection holds
    fails(
        &["public", "n", "a"],
        "copy-many",
        &["3000000", "wrong"],
        "statement-failed",
        "SQLSTATE: 22P02",
    );
    fails(
        &["public", "none", "a"],
        "copy-write",
        &["1"],
        "statement-failed",
        "SQLSTATE: 42P01",
    );
    fails(
        &["public", "t", "a,none"],
        "copy-write",
        &["1", "2"],
        "statement-failed",
        "SQLSTATE: 42703",
    );
    fails(
        &["public", "t\"; DROP TABLE public.t; --", "a"],
        "copy-write",
        &["1"],
        "statement-failed",
        "SQLSTATE: 42P01",
    );
    assert_eq!(database.value("SELECT count(*) FROM public.t"), "0");
}

#[test]
fn text_reaches_every_type_and_odd_names() {
    let database = Database::empty();
    database.sql(
        "CREATE TYPE public.mood AS ENUM ('sad');
         CREATE TABLE public.\"Odd \"\" table\" (\"select\" numeric, \"Ä b\" int[], c jsonb, d public.mood, e timestamptz, f bytea)",
    );
    let script = Script::default()
        .up(
            "copy-open",
            &["public", "Odd \" table", "select,Ä b,c,d,e,f"],
        )
        .step(
            "up",
            "copy-write",
            &[
                Some("NaN"),
                Some("{1,NULL}"),
                Some("{\"a\": \"x\\ty\"}"),
                Some("sad"),
                Some("infinity"),
                Some("\\x00"),
            ],
        )
        .step("up", "copy-write", &[None; 6])
        .up("copy-finish", &[]);
    assert_eq!(script.words(&database)[3], ["2"]);
    let row =
        database.value("SELECT t::text FROM public.\"Odd \"\" table\" AS t WHERE d IS NOT NULL");
    assert_eq!(
        row,
        r#"(NaN,"{1,NULL}","{""a"": ""x\\ty""}",sad,infinity,"\\x00")"#
    );
    let empty = "SELECT count(*) FROM public.\"Odd \"\" table\" AS t WHERE t IS NULL";
    assert_eq!(database.value(empty), "1");
}
