//! Bulk writes in COPY's binary format: nobody can tell them from those in text format.
//!
//! A trigger on INSERT makes a bulk write take the text format from its start, so each value is written in
//! both. A column whose default is `current_query()` tells which one a row came by.

use crate::probe::{Script, folder};
use crate::processes::{Other, until};
use crate::support::{Database, Ended};

const BINARY: &str = "how LIKE '%BINARY'";

/// What makes every bulk write into a table take the text format.
fn in_text(table: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER nothing BEFORE INSERT ON {table} EXECUTE FUNCTION public.nothing();"
    )
}

/// A bulk write of one row each.
fn written(mut script: Script, table: &str, values: &[&str]) -> Script {
    for value in values {
        script = script
            .up("copy-open", &["public", table, "v"])
            .up("copy-row", &[value])
            .step("up", "copy-row", &[None])
            .up("copy-finish", &[]);
    }
    script
}

/// The values that are written in binary format, and those that are not.
type Kinds = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const KINDS: &[Kinds] = &[
    ("bool", &["b:true", "b:false"], &["i:1", "i:0", "t:yes"]),
    ("int2", &["i:0", "i:-32768", "i:32767"], &["t: 7 "]),
    ("int4", &["i:0", "i:-2147483648", "i:2147483647"], &["t:-7"]),
    ("int4 GENERATED ALWAYS AS IDENTITY", &[], &[]),
    (
        "int8",
        &["i:-9223372036854775808", "i:9223372036854775807"],
        &["t:+7"],
    ),
    ("oid", &["i:0", "i:4294967295"], &["i:-1", "t:7"]),
    (
        "float4",
        &[
            "f:0.1",
            "f:-0.0",
            "f:NaN",
            "f:inf",
            "f:-inf",
            "f:1e-45",
            "f:1e-40",
            "f:3.4028234663852886e38",
            "f:1.00000005960464477539",
            "f:16777217",
            "i:16777217",
            "i:9223372036854775807",
            "i:-9007199791611905",
        ],
        &["t:1.5"],
    ),
    (
        "float8",
        &[
            "f:0.1",
            "f:-0.0",
            "f:NaN",
            "f:inf",
            "f:-inf",
            "f:5e-324",
            "f:1.7976931348623157e308",
            "i:9223372036854775807",
            "i:-9007199254740993",
            "i:0",
        ],
        &["t:1e3", "t:nan"],
    ),
    ("numeric", &[], &["i:5", "f:NaN", "f:0.1", "t:1.50"]),
    ("numeric(5,2)", &[], &["i:5", "f:1.234"]),
    (
        "text",
        &[
            "t:",
            "t:tab\there \\N \\. \r\n é漢🦀",
            "b:true",
            "i:-5",
            "f:0.1",
            "f:NaN",
            "f:-inf",
            "m:0",
            "m:9223372036854775807",
            "m:-9223372036854775807",
            "x:",
            "x:00ff5c",
        ],
        &[],
    ),
    (
        "varchar(3)",
        &["t:abc", "t:abc  ", "t:漢漢漢", "i:123", "b:true"],
        &[],
    ),
    ("char(3)", &["t:a", "t:abc   ", "i:1"], &[]),
    (
        "name",
        &[],
        &[
            "t:a",
            "t:0123456789012345678901234567890123456789012345678901234567890123456789",
        ],
    ),
    ("\"char\"", &[], &["t:a", "t:ab", "i:7"]),
    ("json", &["t:{\"a\": [1, null]}", "i:5", "f:1.5"], &[]),
    (
        "jsonb",
        &["t:{\"b\": 1, \"a\": \"\\u00e9\"}", "i:5", "f:1.5"],
        &[],
    ),
    ("xml", &[], &["t:<a/>"]),
    (
        "uuid",
        &[
            "t:00112233-4455-6677-8899-aabbccddeeff",
            "t:00112233-4455-6677-8899-AABBCCDDEEFF",
        ],
        &[
            "t:00112233445566778899aabbccddeeff",
            "t:{00112233-4455-6677-8899-aabbccddeeff}",
        ],
    ),
    (
        "bytea",
        &["x:", "x:00ff5c09"],
        &["t:\\x00", "t:abc\\\\", "i:5", "b:true"],
    ),
    (
        "timestamp",
        &[
            "m:0",
            "m:-1",
            "m:-64464465600000000",
            "m:-211813488000000000",
            "m:9223371331199999999",
            "m:-9223372036854775808",
            "m:9223372036854775807",
        ],
        &["t:2025-11-05 12:00"],
    ),
    ("timestamp(3)", &["m:1499", "m:1500", "m:-1500"], &[]),
    (
        "timestamptz",
        &[
            "m:0",
            "m:-1",
            "m:-9223372036854775808",
            "m:9223372036854775807",
        ],
        &["t:2025-11-05 12:00+02"],
    ),
    (
        "date",
        &[
            "m:0",
            "m:-1",
            "m:86399999999",
            "m:-211813488000000000",
            "m:9223371331199999999",
            "m:9223372036854775807",
            "m:-9223372036854775808",
        ],
        // a date has more room than a timestamp
        &["m:9223371331200000000", "t:2025-11-05"],
    ),
    ("time", &[], &["t:12:00"]),
    ("interval", &[], &["t:1 day"]),
    ("int4[]", &[], &["t:{1,NULL}"]),
    ("public.mood", &[], &["t:sad"]),
    ("public.positive", &["i:1"], &["t:1"]),
    ("public.twice", &[], &["i:1"]),
    ("public.short", &["t:abc", "i:12"], &[]),
];

fn types(database: &Database) {
    database.sql(
        "CREATE TYPE public.mood AS ENUM ('sad');
         CREATE DOMAIN public.positive AS int4 CHECK (VALUE > 0);
         CREATE DOMAIN public.twice AS public.positive;
         CREATE DOMAIN public.short AS varchar(3);
         CREATE DOMAIN public.given AS int4 NOT NULL",
    );
}

#[test]
fn a_value_is_stored_alike_in_both_formats() {
    let database = Database::empty();
    types(&database);
    let mut script = Script::default();
    for (number, (ty, binary, text)) in KINDS.iter().enumerate() {
        for twin in ["b", "t"] {
            let table = format!("{twin}{number}");
            database.sql(&format!(
                "CREATE TABLE public.{table} (n serial, g text GENERATED ALWAYS AS ('g') STORED, v {ty}, how text DEFAULT current_query())"
            ));
            if twin == "t" {
                database.sql(&in_text(&format!("public.{table}")));
            }
            if !ty.contains("IDENTITY") {
                script = written(written(script, &table, binary), &table, text);
            }
        }
    }
    // NULL is nothing that an identity column takes
    let identity = KINDS
        .iter()
        .position(|(ty, ..)| ty.contains("IDENTITY"))
        .unwrap();
    for twin in ["b", "t"] {
        script = script
            .up("copy-open", &["public", &format!("{twin}{identity}"), "v"])
            .up("copy-row", &["i:7"])
            .up("copy-finish", &[]);
    }
    script.run(&database).ok();
    for (number, (ty, binary, text)) in KINDS.iter().enumerate() {
        let values = |twin: &str| {
            database.sql(&format!(
                "SET TimeZone = 'UTC'; SELECT v::text, g FROM public.{twin}{number} ORDER BY n"
            ))
        };
        assert_eq!(values("b"), values("t"), "{ty}");
        let formats = |twin: &str| {
            let sql = format!(
                "SELECT string_agg(CASE WHEN {BINARY} THEN 'b' ELSE 't' END, '' ORDER BY n) FROM public.{twin}{number}"
            );
            database.value(&sql)
        };
        let rows = 2 * (binary.len() + text.len());
        if *ty == KINDS[identity].0 {
            assert_eq!(
                (formats("b"), formats("t")),
                ("b".into(), "t".into()),
                "{ty}"
            );
            continue;
        }
        let expected = "bb".repeat(binary.len()) + &"tt".repeat(text.len());
        assert_eq!(formats("b"), expected, "{ty}");
        assert_eq!(formats("t"), "t".repeat(rows), "{ty}");
    }
}

#[test]
fn a_refusal_reads_alike_in_both_formats() {
    let database = Database::empty();
    types(&database);
    let refusals: &[(&str, &str, &str)] = &[
        ("int2", "i:32768", "22003"),
        ("int4", "i:-2147483649", "22003"),
        ("oid", "i:4294967296", "22003"),
        ("float4", "f:1e300", "22003"),
        ("float4", "f:1e-46", "22003"),
        ("numeric(3,2)", "i:10", "22003"),
        ("int4", "b:true", "22P02"),
        ("int8", "f:1.0", "22P02"),
        ("bool", "i:2", "22P02"),
        ("float8", "m:0", "22P02"),
        ("timestamp", "i:0", "22007"),
        ("timestamp", "m:9223371331200000000", "22008"),
        ("timestamptz", "m:-211813488000000001", "22008"),
        ("uuid", "t:00112233-4455-6677-8899-aabbccddeefg", "22P02"),
        ("uuid", "i:1", "22P02"),
        ("varchar(3)", "t:abcd", "22001"),
        ("varchar(3)", "i:1234", "22001"),
        ("char(3)", "t:abcd", "22001"),
        ("public.short", "t:abcd", "22001"),
        ("json", "t:{", "22P02"),
        ("jsonb", "t:", "22P02"),
        ("jsonb", "b:true", "22P02"),
        ("public.mood", "t:glad", "22P02"),
        ("public.positive", "i:0", "23514"),
        ("public.given", "NULL", "23502"),
        ("int4 NOT NULL", "NULL", "23502"),
        ("int4 CHECK (v < 5)", "i:5", "23514"),
        ("int4 UNIQUE", "i:1", "23505"),
        ("int4 REFERENCES public.other", "i:2", "23503"),
        ("int4 GENERATED ALWAYS AS (1) STORED", "i:1", "42P10"),
    ];
    database
        .sql("CREATE TABLE public.other (i int PRIMARY KEY); INSERT INTO public.other VALUES (1)");
    for (ty, value, sqlstate) in refusals {
        database.sql(&format!(
            "DROP TABLE IF EXISTS public.t; CREATE TABLE public.t (v {ty})"
        ));
        if ty.contains("UNIQUE") {
            database.sql("INSERT INTO public.t VALUES (1)");
        }
        let run = || {
            let value = (*value != "NULL").then_some(*value);
            let words = format!("SQLSTATE: {sqlstate}");
            let ended = Script::default()
                .up("copy-open", &["public", "t", "v"])
                .step("up", "copy-row", &[value])
                .up("copy-finish", &[])
                .fails(&database, 6, "statement-failed", &words);
            said(&ended)
        };
        let binary = run();
        database.sql(&in_text("public.t"));
        assert_eq!(binary, run(), "{ty} {value}");
    }
}

/// What the error says.
fn said(ended: &Ended) -> String {
    let from = ended.stderr.find("error[").unwrap();
    ended.stderr[from..].to_owned()
}

#[test]
fn a_value_without_a_binary_form_ends_the_binary_format_and_no_row_is_lost() {
    let database = Database::empty();
    let how = "how text DEFAULT current_query()";
    database.sql(&format!(
        "CREATE TABLE public.one (i int4 UNIQUE, t text, {how});
         CREATE TABLE public.two (i int4 REFERENCES public.one (i), t text, {how});
         CREATE TABLE public.loops (i int4 PRIMARY KEY, t int4 REFERENCES public.loops, {how});
         CREATE TABLE public.unique_late (i int4 UNIQUE DEFERRABLE, t text, {how});
         CREATE TABLE public.parts (i int4, t text, {how}) PARTITION BY RANGE (i);
         CREATE TABLE public.part PARTITION OF public.parts DEFAULT"
    ));
    let mut script = Script::default();
    for table in ["one", "two", "unique_late", "parts", "part"] {
        script = script
            .up("copy-open", &["public", table, "i,t"])
            .step("up", "copy-row", &[Some("i:1"), Some("i:3")])
            .step("up", "copy-row", &[None, None])
            .step("up", "copy-row", &[Some("t:2"), Some("t:2")])
            .step("up", "copy-row", &[Some("i:3"), None])
            .up("copy-finish", &[]);
    }
    script = script
        .up("copy-open", &["public", "loops", "i,t"])
        // the first row refers to the last one
        .up("copy-row", &["i:1", "i:3"])
        .up("copy-row", &["i:2", "t:2"])
        .up("copy-row", &["t:3", "i:1"])
        .up("copy-finish", &[])
        // nothing at all, and another format from the first row on
        .up("copy-open", &["public", "two", ""])
        .up("copy-finish", &[])
        .up("copy-open", &["public", "two", "i,t"])
        .up("copy-row", &["t:1", "t:1"])
        .up("copy-finish", &[]);
    let answers = script.answers(&database);
    let counts: Vec<_> = answers
        .into_iter()
        .filter_map(|answer| answer.value)
        .collect();
    assert_eq!(counts, ["4", "4", "4", "4", "4", "3", "0", "1"]);
    for (table, formats) in [
        ("one", "bbtt"),
        ("two", "bbttt"),
        ("loops", "ttt"),
        ("unique_late", "tttt"),
        ("part", "tttttttt"),
    ] {
        let sql = format!(
            "SELECT string_agg(CASE WHEN {BINARY} THEN 'b' ELSE 't' END, '' ORDER BY ctid) FROM public.{table}"
        );
        assert_eq!(database.value(&sql), formats, "{table}");
    }
    let rows =
        database.value("SELECT string_agg(concat(i, ':', t), ' ' ORDER BY ctid) FROM public.one");
    assert_eq!(rows, "1:3 : 2:2 3:");
}

/// Eight bytes of an integer are eight bytes of a double: the types must be known under the table's lock.
#[test]
fn a_column_that_changes_its_type_meanwhile_receives_no_other_value() {
    let database = Database::empty();
    database.sql("CREATE TABLE public.t (v int8)");
    let script = Script::default()
        .up("copy-open", &["public", "t", "v"])
        .up("copy-row", &["i:5"])
        .up("copy-finish", &[]);
    script.write(&database);
    let altering = Other::open(&database, "BEGIN; ALTER TABLE public.t ALTER v TYPE float8");
    let up = database.spawn(folder(), &["up", "--verbose"]);
    // for the table's row in the catalog: the run role is to be granted on it
    let waits = "SELECT 1 FROM pg_locks WHERE NOT granted";
    until(&database, waits);
    altering.run("COMMIT");
    Ended::of(up.wait_with_output().unwrap()).ok();
    assert_eq!(database.value("SELECT v FROM public.t"), "5");
}
