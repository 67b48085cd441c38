//! Plans, latency and rows that must not be there; what is recorded of it.

use crate::probe::{self, Script};
use crate::support::Database;

#[test]
fn a_plan_uses_an_index_could_use_it_or_cannot() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE public.big AS SELECT n, n % 1000 AS m, n::text AS t FROM generate_series(1, 20000) AS n;
         CREATE INDEX big_n ON public.big (n); CREATE INDEX big_m ON public.big (m);
         CREATE TABLE public.small AS SELECT n FROM generate_series(1, 5) AS n; CREATE INDEX small_n ON public.small (n);
         CREATE SCHEMA twin; CREATE TABLE twin.small AS SELECT n FROM generate_series(1, 5) AS n; CREATE INDEX small_n ON twin.small (n);
         CREATE TABLE public.part (n int, t text) PARTITION BY RANGE (n);
         CREATE TABLE public.part1 PARTITION OF public.part FOR VALUES FROM (0) TO (100000);
         INSERT INTO public.part SELECT n, n::text FROM generate_series(1, 20000) AS n; CREATE INDEX part_n ON public.part (n);
         CREATE INDEX big_words ON public.big USING gin (to_tsvector('pg_catalog.simple'::regconfig, t));
         ANALYZE",
    );
    let by_n = "SELECT t FROM public.big WHERE n = $1";
    let words = "SELECT n FROM public.big WHERE to_tsvector('pg_catalog.simple'::regconfig, t) @@ to_tsquery('pg_catalog.simple'::regconfig, $1)";
    let script = Script::default()
        .up("require-plan", &["public", "big_n", by_n, "i:7"])
        .up(
            "require-plan",
            &[
                "public",
                "big_m",
                "SELECT t FROM public.big WHERE m = 3 AND t <> 'x'",
            ],
        )
        .up("require-plan", &["public", "big_words", words, "t:42"])
        .up(
            "require-plan",
            &["public", "part_n", "SELECT t FROM public.part WHERE n = 5"],
        )
        .up(
            "require-plan",
            &[
                "public",
                "small_n",
                "SELECT n FROM public.small WHERE n = 3",
            ],
        )
        .up("query", &["SELECT public.setting('enable_seqscan')"])
        .up("query", &["SELECT public.setting('enable_bitmapscan')"]);
    assert_eq!(script.words(&database)[5..], [["on"], ["on"]]);
    let findings = database
        .sql("SELECT kind, subject, expected, seen, met FROM wasmigrate.finding ORDER BY ordinal");
    let seen: Vec<_> = findings.iter().map(|row| row[3].clone().unwrap()).collect();
    assert_eq!(&seen[..4], ["the plan uses it"; 4]);
    assert_eq!(
        seen[4],
        "usable, but the planner prefers Seq Scan on small on so small a table"
    );
    assert!(
        findings
            .iter()
            .all(|row| row[0].as_deref() == Some("plan") && row[4].as_deref() == Some("t"))
    );
    assert_eq!(findings[0][1].as_deref(), Some("public.big_n"));
    assert_eq!(
        findings[0][2].as_deref(),
        Some("can serve `SELECT t FROM public.big WHERE n = $1`")
    );

    let fails = |schema: &str, index: &str, sql: &str, words: &str| {
        Script::default()
            .up("require-plan", &[schema, index, sql])
            .fails(&database, 6, "check-failed", words);
    };
    let not = "expected can serve `SELECT n FROM public.big WHERE t = 'x'`, seen not usable for the query: the plan is Seq Scan on big";
    fails(
        "public",
        "big_n",
        "SELECT n FROM public.big WHERE t = 'x'",
        not,
    );
    fails(
        "public",
        "none",
        "SELECT n FROM public.big WHERE n = 1",
        "seen there is no such index",
    );
    // an index of that name in another schema is another index
    fails(
        "twin",
        "small_n",
        "SELECT n FROM public.small WHERE n = 3",
        "seen not usable",
    );
    fails(
        "twin",
        "big_n",
        "SELECT n FROM public.big WHERE n = 3",
        "seen there is no such index",
    );
}

const SWITCHES: &str =
    "SELECT public.setting('enable_seqscan') || ' ' || public.setting('enable_indexscan')";

#[test]
fn a_planner_that_the_operator_set_stays_so() {
    let database = Database::empty();
    database.sql("CREATE TABLE public.small AS SELECT n FROM generate_series(1, 5) AS n; CREATE INDEX small_n ON public.small (n)");
    database.sql(&format!(
        "ALTER DATABASE {} SET enable_indexscan = off",
        database.name
    ));
    let plan = [
        Some("public"),
        Some("small_n"),
        Some("SELECT n FROM public.small WHERE n = 3"),
    ];
    let script = Script::default()
        .step("up", "require-plan", &plan)
        .step("up", "query", &[Some(SWITCHES)])
        .step("verify", "require-plan", &plan)
        .step("verify", "query", &[Some(SWITCHES)]);
    script.write(&database);
    let up = database.run(probe::folder(), &["up"]).ok();
    assert_eq!(
        probe::answers(&database)[0].value.as_deref(),
        Some("on off")
    );
    assert!(up.stderr.contains("\"on off\""), "{up:?}");
}

#[test]
fn a_check_reads_only() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE public.t (n int); CREATE SEQUENCE public.s;
         CREATE FUNCTION public.insert_one() RETURNS SETOF int LANGUAGE sql VOLATILE AS $$ INSERT INTO public.t VALUES (1) RETURNING n $$;
         CREATE FUNCTION public.sly() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
             $$ BEGIN PERFORM nextval('public.s'); RETURN true; END $$;
         CREATE INDEX i ON public.t (n) WHERE n > 0",
    );
    let fails = |verb: &str, args: &[&str], code: &str, status, words: &str| {
        Script::default()
            .up(verb, args)
            .fails(&database, status, code, words);
    };
    let read_only = "SQLSTATE: 25006";
    let insert = "SELECT * FROM public.insert_one()";
    fails(
        "require-no-rows",
        &["x", insert],
        "statement-failed",
        6,
        read_only,
    );
    fails(
        "require-latency",
        &["x", "1000", insert],
        "statement-failed",
        6,
        read_only,
    );
    fails(
        "require-no-rows",
        &["x", "SELECT nextval('public.s')"],
        "statement-failed",
        6,
        read_only,
    );
    fails(
        "require-no-rows",
        &["x", "SELECT n FROM public.t FOR UPDATE"],
        "denied",
        7,
        "a check takes a query that only selects",
    );
    fails(
        "require-plan",
        &["public", "i", "SELECT n FROM public.t WHERE public.sly()"],
        "statement-failed",
        6,
        read_only,
    );
    let sly = [
        "public",
        "t",
        "i",
        "",
        "btree",
        "",
        "public.sly()",
        "column",
        "n",
        "",
        "",
    ];
    let sly: Vec<_> = sly
        .iter()
        .map(|arg| (!arg.is_empty()).then_some(*arg))
        .collect();
    Script::default().step("up", "index-standing", &sly).fails(
        &database,
        6,
        "statement-failed",
        read_only,
    );
    fails(
        "require-no-rows",
        &["x", "DELETE FROM public.t"],
        "denied",
        7,
        "a check takes a query that only selects",
    );
    fails(
        "require-no-rows",
        &[
            "x",
            "WITH d AS (DELETE FROM public.t RETURNING n) SELECT n FROM d",
        ],
        "denied",
        7,
        "only selects",
    );
    fails(
        "require-plan",
        &["public", "i", "UPDATE public.t SET n = 1"],
        "denied",
        7,
        "only selects",
    );
    fails(
        "require-latency",
        &["x", "1", "CREATE TABLE public.u ()"],
        "denied",
        7,
        "only selects",
    );
    fails(
        "require-no-rows",
        &["x", "SELECT n INTO public.u FROM public.t"],
        "denied",
        7,
        "only selects",
    );
    // what comes after a check may write again, and rows opened before it read on
    Script::default()
        .up("open", &["a", "SELECT n FROM generate_series(1, 30) AS n"])
        .up("next", &["a"])
        .up("require-no-rows", &["no row", "SELECT n FROM public.t"])
        .up("read-on", &["a"])
        .up("execute", &["INSERT INTO public.t VALUES (3)"])
        .answers(&database);
    assert_eq!(
        database.value("SELECT string_agg(n::text, ' ') FROM public.t"),
        "3"
    );
}

#[test]
fn findings_are_recorded_of_runs_that_fail_too() {
    let database = Database::empty();
    database.sql("CREATE TABLE public.t AS SELECT 1 AS n");
    let sleep = "SELECT public.pause(0.05)";
    Script::default()
        .up(
            "require-no-rows",
            &[
                "first ~ \u{1b}[31m",
                "SELECT n FROM public.t WHERE n = $1",
                "i:2",
            ],
        )
        .up("require-latency", &["slow enough", "600000", sleep])
        .up("require-no-rows", &["second", "SELECT n FROM public.t"])
        .up(
            "require-no-rows",
            &["never asked", "SELECT n FROM public.t"],
        )
        .fails(&database, 6, "check-failed", "no-rows second");
    let findings = database
        .sql("SELECT phase, kind, subject, expected, met FROM wasmigrate.finding ORDER BY ordinal");
    let findings: Vec<Vec<_>> = findings
        .iter()
        .map(|row| row.iter().flatten().map(String::as_str).collect())
        .collect();
    assert_eq!(
        findings,
        [
            vec!["up", "no-rows", "first \u{fffd} \u{1b}[31m", "no row", "t"],
            vec!["up", "latency", "slow enough", "at most 600000 ms", "t"],
            vec!["up", "no-rows", "second", "no row", "f"],
        ]
    );
    let ended = Script::default()
        .up("require-latency", &["too slow", "1", sleep])
        .fails(&database, 6, "check-failed", "latency too slow");
    assert!(
        ended.stderr.contains("expected at most 1 ms, seen "),
        "{ended:?}"
    );
    // what verify requires fails it, and stays applied
    let script = Script::default().step(
        "verify",
        "require-no-rows",
        &[Some("third"), Some("SELECT n FROM public.t")],
    );
    script.write(&database);
    let ended = database
        .run(probe::folder(), &["up"])
        .failed(6, "verification-failed");
    assert!(
        ended.stderr.contains("expected no row, seen 1 row"),
        "{ended:?}"
    );
    let last = "SELECT concat_ws(' ', phase, subject, met) FROM wasmigrate.finding ORDER BY run_id DESC LIMIT 1";
    assert_eq!(database.value(last), "verify third f");
    database.run(probe::folder(), &["down"]).ok();
}

#[test]
fn a_huge_text_of_a_guest_is_cut() {
    let database = Database::empty();
    let ended = Script::default().up("fail-huge", &["20000000"]).fails(
        &database,
        6,
        "migration-failed",
        "failed: xxxx",
    );
    assert!(ended.stderr.len() < 20_000);
    let json = database.run(probe::folder(), &["up", "--json"]);
    assert!(json.stdout.len() < 20_000);
    let escape = "\u{1b}[2J\u{202e}";
    let logged = Script::default().up("log", &[escape]).run(&database).ok();
    assert!(logged.stderr.contains(r"\u{1b}[2J\u{202e}"), "{logged:?}");
    assert!(!logged.stderr.contains(escape));
}
