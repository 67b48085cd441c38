//! The asking and the requiring checks, and what the SDK builds on them.

use crate::probe::{self, Script};
use crate::support::{Database, server};

const TABLES: &str = "
    CREATE TABLE public.t (a int, b text, c text COLLATE \"C\", d int[], e timestamptz, \"Odd Name\" int);
    CREATE TABLE public.other (a int, b text);
    INSERT INTO public.t (a, b) SELECT n, n::text FROM generate_series(1, 100) AS n;";

/// An index's definition as the probe takes it: name, unique, method, INCLUDE, predicate, and its keys.
fn index<'a>(
    name: &'a str,
    unique: bool,
    method: &'a str,
    include: &'a str,
    predicate: Option<&'a str>,
    keys: &[[Option<&'a str>; 4]],
) -> Vec<Option<&'a str>> {
    let mut args = vec![
        Some("public"),
        Some("t"),
        Some(name),
        unique.then_some("unique"),
    ];
    args.extend([Some(method), Some(include), predicate]);
    args.extend(keys.iter().flatten());
    args
}

fn column(name: &str) -> [Option<&str>; 4] {
    [Some("column"), Some(name), None, None]
}

fn expression(sql: &str) -> [Option<&str>; 4] {
    [Some("expression"), Some(sql), None, None]
}

fn ordered<'a>(name: &'a str, order: &'a str) -> [Option<&'a str>; 4] {
    [Some("column"), Some(name), None, Some(order)]
}

fn class<'a>(name: &'a str, class: &'a str) -> [Option<&'a str>; 4] {
    [Some("column"), Some(name), Some(class), None]
}

#[test]
fn the_catalog_is_asked() {
    let database = Database::empty();
    database.sql(TABLES);
    database.sql(
        "ALTER TABLE public.t ADD PRIMARY KEY (a), ALTER b SET DEFAULT 'x', ADD CONSTRAINT ck CHECK (a > 0) NOT VALID;
         CREATE VIEW public.v AS SELECT 1 AS one; CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS one;
         CREATE SEQUENCE public.s; CREATE INDEX \"Odd\" ON public.t (\"Odd Name\" DESC)",
    );
    let relation = |name: &str| vec![Some("public".to_owned()), Some(name.to_owned())];
    let mut script = Script::default();
    for name in ["t", "v", "m", "s", "none", "T", "a\"b"] {
        let args = relation(name);
        let args: Vec<_> = args.iter().map(Option::as_deref).collect();
        script = script.step("up", "table-exists", &args);
    }
    let words = script
        .up("column", &["public", "t", "a"])
        .up("column", &["public", "t", "b"])
        .up("column", &["public", "t", "e"])
        .up("column", &["public", "t", "none"])
        .up("column", &["public", "none", "a"])
        .up("index", &["public", "Odd"])
        .up("index", &["public", "t"])
        .up("constraint", &["public", "t", "ck"])
        .up("constraint", &["public", "t", "t_pkey"])
        .up("constraint", &["public", "t", "none"])
        .up("extension", &["plpgsql"])
        .up("extension", &["none"])
        .up("available-extension", &["none"])
        .up("available-extension", &["plpgsql"])
        .words(&database);
    let exists: Vec<_> = words[..7].iter().map(|word| word[0].as_str()).collect();
    assert_eq!(
        exists,
        ["true", "true", "true", "false", "false", "false", "false"]
    );
    assert_eq!(words[7], ["integer", "false", ""]);
    assert_eq!(words[8], ["text", "true", "'x'::text"]);
    assert_eq!(words[9], ["timestamp with time zone", "true", ""]);
    assert_eq!(words[10], ["none"]);
    assert_eq!(words[11], ["none"]);
    let odd = r#"CREATE INDEX "Odd" ON public.t USING btree ("Odd Name" DESC)"#;
    assert_eq!(words[12], ["public.t", odd, "true"]);
    assert_eq!(words[13], ["none"]);
    assert_eq!(words[14], ["CHECK ((a > 0)) NOT VALID", "false"]);
    assert_eq!(words[15], ["PRIMARY KEY (a)", "true"]);
    assert_eq!(words[16], ["none"]);
    assert_eq!(words[17][0], "pg_catalog");
    assert_eq!(words[18], ["none"]);
    assert_eq!(words[19], ["none"]);
    assert_eq!(words[20].len(), 1);
}

#[test]
fn an_index_stands_as_it_does_in_every_property() {
    let database = Database::empty();
    database.sql(TABLES);
    // what is there, what is wanted, and how that stands
    let ab = [column("a"), column("b")];
    let lower = [expression("lower(b)")];
    let same = |name| index(name, false, "btree", "", None, &ab);
    #[rustfmt::skip]
    let cases = [
        ("", same("i"), "absent"),
        ("CREATE INDEX i ON public.t (a, b)", same("i"), "equal"),
        (
            "CREATE INDEX i ON public.t (a, b)",
            index("i", true, "btree", "", None, &ab),
            "it is not unique, not unique",
        ),
        (
            "CREATE UNIQUE INDEX i ON public.t (a, b)",
            same("i"),
            "it is unique, not not unique",
        ),
        (
            "CREATE INDEX i ON public.t USING brin (a, b)",
            same("i"),
            "its method is brin, not btree",
        ),
        (
            "CREATE INDEX i ON public.t (b, a)",
            same("i"),
            "its key 1 is b, not a",
        ),
        (
            "CREATE INDEX i ON public.t (a)",
            same("i"),
            "its number of keys is 1, not 2",
        ),
        (
            "CREATE INDEX i ON public.t (a, lower(b))",
            same("i"),
            "its key 2 is lower(b), not b",
        ),
        (
            "CREATE INDEX i ON public.t (lower(b))",
            index("i", false, "btree", "", None, &lower),
            "equal",
        ),
        (
            "CREATE INDEX i ON public.t (upper(b))",
            index("i", false, "btree", "", None, &lower),
            "its key 1 is upper(b), not lower(b)",
        ),
        (
            "CREATE INDEX i ON public.t (b)",
            index("i", false, "btree", "", None, &lower),
            "its key 1 is b, not lower(b)",
        ),
        (
            "CREATE INDEX i ON public.t ((a))",
            index("i", false, "btree", "", None, &[expression("\"a\"")]),
            "equal",
        ),
        // spelled otherwise, and with a comment at its end
        (
            "CREATE INDEX i ON public.t ((a + 1), (b || 'x')) WHERE a > 5 AND b <> 'q'",
            index(
                "i",
                false,
                "btree",
                "",
                Some("((a) > (5)) and b != 'q' -- the rest"),
                &[expression("(\"a\"+ 1)"), expression("\"b\" || 'x'::text")],
            ),
            "equal",
        ),
        (
            "CREATE INDEX i ON public.t (a, b) WHERE a > 5",
            index("i", false, "btree", "", Some("a > 6"), &ab),
            "its predicate is (a > 5), not a > 6",
        ),
        (
            "CREATE INDEX i ON public.t (a, b) WHERE a > 5",
            same("i"),
            "it is partial (WHERE (a > 5))",
        ),
        (
            "CREATE INDEX i ON public.t (a, b)",
            index("i", false, "btree", "", Some("a > 6"), &ab),
            "it is not partial",
        ),
        (
            "CREATE INDEX i ON public.t (b text_pattern_ops)",
            index("i", false, "btree", "", None, &[column("b")]),
            "operator class text_pattern_ops",
        ),
        (
            "CREATE INDEX i ON public.t (b)",
            index(
                "i",
                false,
                "btree",
                "",
                None,
                &[class("b", "pg_catalog.text_pattern_ops")],
            ),
            "operator class text_ops",
        ),
        (
            "CREATE INDEX i ON public.t (b text_pattern_ops)",
            index(
                "i",
                false,
                "btree",
                "",
                None,
                &[class("b", "pg_catalog.text_pattern_ops")],
            ),
            "equal",
        ),
        (
            "CREATE INDEX i ON public.t (b text_pattern_ops)",
            index(
                "i",
                false,
                "btree",
                "",
                None,
                &[class("b", "public.text_pattern_ops")],
            ),
            "operator class text_pattern_ops",
        ),
        (
            "CREATE INDEX i ON public.t USING gin (d)",
            index("i", false, "gin", "", None, &[column("d")]),
            "equal",
        ),
        (
            "CREATE INDEX i ON public.t USING gist (public.tsv(b) tsvector_ops(siglen = 100))",
            index("i", false, "gist", "", None, &[expression("public.tsv(b)")]),
            "operator class parameters (siglen=100)",
        ),
        (
            "CREATE INDEX i ON public.t (a) INCLUDE (b)",
            index("i", false, "btree", "b", None, &[column("a")]),
            "equal",
        ),
        (
            "CREATE INDEX i ON public.t (a) INCLUDE (b)",
            index("i", false, "btree", "", None, &[column("a")]),
            "its INCLUDE is b, not ",
        ),
        (
            "CREATE INDEX i ON public.t (a)",
            index("i", false, "btree", "b,c", None, &[column("a")]),
            "its INCLUDE is , not b, c",
        ),
        (
            "CREATE INDEX i ON public.t (a DESC, b)",
            index(
                "i",
                false,
                "btree",
                "",
                None,
                &[ordered("a", "desc"), column("b")],
            ),
            "equal",
        ),
        (
            "CREATE INDEX i ON public.t (a DESC NULLS LAST)",
            index("i", false, "btree", "", None, &[ordered("a", "desc")]),
            "sorted differently",
        ),
        (
            "CREATE INDEX i ON public.t (a DESC NULLS LAST)",
            index(
                "i",
                false,
                "btree",
                "",
                None,
                &[ordered("a", "desc nulls last")],
            ),
            "equal",
        ),
        (
            "CREATE INDEX i ON public.t (a NULLS FIRST)",
            index(
                "i",
                false,
                "btree",
                "",
                None,
                &[ordered("a", "nulls first")],
            ),
            "equal",
        ),
        (
            "CREATE INDEX i ON public.t (a NULLS FIRST)",
            index("i", false, "btree", "", None, &[column("a")]),
            "sorted differently",
        ),
        (
            "CREATE INDEX i ON public.t (b COLLATE \"C\")",
            index("i", false, "btree", "", None, &[column("b")]),
            "key 1 has a collation",
        ),
        (
            "CREATE INDEX i ON public.t (a, lower(b) COLLATE \"C\")",
            index("i", false, "btree", "", None, &[column("a"), lower[0]]),
            "key 2 has a collation",
        ),
        // a column's own collation, and that of an expression over it, are no difference
        (
            "CREATE INDEX i ON public.t (c)",
            index("i", false, "btree", "", None, &[column("c")]),
            "equal",
        ),
        (
            "CREATE INDEX i ON public.t (a, lower(c) DESC, c)",
            index(
                "i",
                false,
                "btree",
                "",
                None,
                &[
                    column("a"),
                    [Some("expression"), Some("lower(c)"), None, Some("desc")],
                    column("c"),
                ],
            ),
            "equal",
        ),
        (
            "CREATE INDEX i ON public.t (a) WITH (fillfactor = 50)",
            index("i", false, "btree", "", None, &[column("a")]),
            "storage options (fillfactor=50)",
        ),
        (
            "CREATE INDEX i ON public.other (a, b)",
            same("i"),
            "its table is public.other, not public.t",
        ),
        (
            "CREATE TABLE public.i ()",
            same("i"),
            "no index has that name",
        ),
        (
            "CREATE VIEW public.i AS SELECT 1 AS one",
            same("i"),
            "no index has that name",
        ),
        (
            "ALTER TABLE public.t ADD CONSTRAINT i UNIQUE (a)",
            index("i", true, "btree", "", None, &[column("a")]),
            "equal",
        ),
        (
            "ALTER TABLE public.t ADD CONSTRAINT i UNIQUE (a) DEFERRABLE",
            index("i", true, "btree", "", None, &[column("a")]),
            "deferrable constraint",
        ),
        (
            "ALTER TABLE public.t ADD CONSTRAINT i EXCLUDE (a WITH =)",
            index("i", false, "btree", "", None, &[column("a")]),
            "exclusion",
        ),
        (
            "CREATE INDEX i ON public.t (\"Odd Name\")",
            index("i", false, "btree", "", None, &[column("Odd Name")]),
            "equal",
        ),
    ];
    database.sql("CREATE FUNCTION public.tsv(text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $$ SELECT to_tsvector('pg_catalog.simple'::regconfig, $1) $$");
    // each index has a name of its own, so that all stand at once
    let mut script = Script::default();
    for (number, (sql, wanted, _)) in cases.iter().enumerate() {
        let name = format!("i{number}");
        let sql = [(" i ", format!(" {name} ")), (".i ", format!(".{name} "))]
            .iter()
            .fold((*sql).to_owned(), |sql, (from, to)| sql.replace(from, to));
        if !sql.is_empty() {
            database.sql(&format!("SET search_path = public; {sql}"));
        }
        let mut args = wanted.clone();
        args[2] = Some(&name);
        script = script.step("up", "index-standing", &args);
    }
    let words = script.words(&database);
    for ((sql, _, expected), words) in cases.iter().zip(&words) {
        let plain = matches!(*expected, "equal" | "absent");
        assert!(
            if plain {
                words[0] == *expected
            } else {
                words[0].contains(expected)
            },
            "{sql}: {words:?}"
        );
        assert_eq!(
            words[0].starts_with("different"),
            !plain,
            "{sql}: {words:?}"
        );
    }
}

#[test]
fn nulls_not_distinct_and_partitions() {
    let database = Database::empty();
    database.sql(TABLES);
    database.sql(
        "CREATE TABLE public.p (a int, b text) PARTITION BY RANGE (a);
         CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES FROM (0) TO (100);
         CREATE INDEX ip ON public.p (lower(b)) WHERE a > 3;
         CREATE INDEX ip2 ON ONLY public.p (a);
         CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS a, 'x'::text AS b; CREATE INDEX im ON public.m (lower(b))",
    );
    let new = database.value("SELECT current_setting('server_version_num')::int >= 150000") == "t";
    if new {
        database.sql("CREATE UNIQUE INDEX inn ON public.t (a) NULLS NOT DISTINCT");
    }
    let on = |table, name, predicate, key: [Option<&'static str>; 4]| {
        let mut args = index(name, false, "btree", "", predicate, &[key]);
        args[1] = Some(table);
        args
    };
    let words = Script::default()
        .step(
            "up",
            "index-standing",
            &on("p", "ip", Some("a > 3"), expression("lower(b)")),
        )
        .step(
            "up",
            "index-standing",
            &on("p", "ip", Some("a > 4"), expression("lower(b)")),
        )
        .step("up", "index-standing", &on("p", "ip2", None, column("a")))
        .step(
            "up",
            "index-standing",
            &on("m", "im", None, expression("lower(b)")),
        )
        .step(
            "up",
            "index-standing",
            &index("inn", true, "btree", "", None, &[column("a")]),
        )
        .words(&database);
    assert_eq!(words[0], ["equal"]);
    assert!(words[1][0].contains("its predicate"), "{words:?}");
    // until every partition has one that is attached
    assert_eq!(words[2], ["invalid"]);
    assert_eq!(words[3], ["equal"]);
    assert!(
        words[4][0].contains(if new { "NULLS NOT DISTINCT" } else { "absent" }),
        "{words:?}"
    );
}

/// Leaves an INVALID index, as a concurrent build that fails does.
fn failed_build(database: &Database) {
    database.sql("INSERT INTO public.t (a) VALUES (1)");
    let psql = std::process::Command::new(server().bin_dir().join("psql"))
        .args([
            &database.url,
            "-c",
            "CREATE UNIQUE INDEX CONCURRENTLY i ON public.t (a)",
        ])
        .output()
        .unwrap();
    assert!(!psql.status.success());
    assert_eq!(
        database.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'public.i'::regclass"),
        "f"
    );
}

#[test]
fn an_invalid_index_is_seen_and_built_again() {
    let database = Database::empty();
    database.sql(TABLES);
    failed_build(&database);
    let wanted = index("i", true, "btree", "", None, &[column("a")]);
    let other = index("i", true, "btree", "", None, &[column("b")]);
    let words = Script::default()
        .step("up", "index-standing", &wanted)
        .up("index", &["public", "i"])
        .words(&database);
    assert_eq!(words[0], ["invalid"]);
    assert_eq!(words[1][2], "false");
    Script::default()
        .step("up", "require-index", &wanted)
        .fails(
            &database,
            6,
            "check-failed",
            "expected unique btree index on public.t (\"a\"), seen there, but not valid",
        );
    Script::default().step("up", "ensure-index", &other).fails(
        &database,
        6,
        "migration-failed",
        "taken by something else: its key 1 is a, not b",
    );
    // the duplicate is still there, so building it again fails, and the INVALID one is still there too
    Script::default().step("up", "ensure-index", &wanted).fails(
        &database,
        6,
        "statement-failed",
        "SQLSTATE: 23505",
    );
    database.sql("DELETE FROM public.t WHERE b IS NULL");
    let words = Script::default()
        .step("up", "ensure-index", &wanted)
        .step("up", "index-standing", &wanted)
        .step("up", "ensure-index", &wanted)
        .step("up", "require-index", &wanted)
        .step("up", "drop-index", &wanted)
        .step("up", "drop-index", &wanted)
        .step("up", "ensure-index", &wanted)
        .words(&database);
    let words: Vec<_> = words.iter().flatten().collect();
    assert_eq!(
        words,
        ["Mended", "equal", "Kept", "true", "false", "Created"]
    );
    // an index of another table is not dropped
    let mut elsewhere = wanted.clone();
    elsewhere[1] = Some("other");
    Script::default()
        .step("up", "drop-index", &elsewhere)
        .fails(&database, 6, "migration-failed", "it is an index of");
}

#[test]
fn extensions_come_and_go_with_what_was_noted() {
    let database = Database::empty();
    database.sql("CREATE SCHEMA ext");
    let script = Script::default()
        .up("ensure-extension", &["pg_trgm", "ext"])
        .up("ensure-extension", &["pg_trgm", "ext"])
        .up("require-extension", &["pg_trgm"])
        .up("remember", &["a key", "one"])
        .up("remember", &["a key", "two, é"])
        .up("recall", &["a key"])
        .up("recall", &["none"])
        .step("down", "recall", &[Some("a key")])
        .step("down", "recall", &[Some("none")])
        .step("down", "drop-extension", &[Some("pg_trgm")])
        .step("down", "drop-extension", &[Some("plpgsql")]);
    script.write(&database);
    database.run(probe::folder(), &["up"]).ok();
    let words = || {
        probe::answers(&database)
            .into_iter()
            .map(|answer| answer.value.unwrap())
    };
    let expected = ["ext true", "ext false", "Some(\"two, é\")", "None"];
    assert_eq!(words().collect::<Vec<_>>(), expected);
    database.run(probe::folder(), &["down"]).ok();
    let down = ["Some(\"two, é\")", "None", "true", "false"];
    assert_eq!(words().collect::<Vec<_>>(), [expected, down].concat());
    assert_eq!(
        database.value("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"),
        "0"
    );
    Script::default()
        .up("ensure-extension", &["no_such_extension", "ext"])
        .fails(
            &database,
            6,
            "migration-failed",
            "the server has no files for the extension",
        );
    Script::default()
        .up("require-extension", &["no_such_extension"])
        .fails(
            &database,
            6,
            "check-failed",
            "expected installed, seen not installed",
        );
    // notes are small, and `down` makes none
    let huge = "x".repeat(1 << 20);
    Script::default().up("remember", &["k", &huge]).fails(
        &database,
        6,
        "call-unsupported",
        "1 MiB at most",
    );
    Script::default()
        .up("remember", &["k", &huge[1..]])
        .up("remember", &["k", &huge[1..]])
        .answers(&database);
    let script = Script::default().step("down", "remember", &[Some("k"), Some("v")]);
    script.write(&database);
    database.run(probe::folder(), &["up"]).ok();
    database
        .run(probe::folder(), &["down"])
        .failed(6, "call-unsupported");
}

#[test]
fn settings_are_the_operators() {
    let database = Database::empty();
    let script = Script::default().up("setting", &["colour"]);
    script.write(&database);
    for (set, colour) in [
        (None, "red"),
        (Some("colour=blue"), "blue"),
        (Some("colour=red"), "red"),
    ] {
        let args = ["up", "--set", set.unwrap_or_default()];
        database
            .run(
                probe::folder(),
                if set.is_some() { &args } else { &args[..1] },
            )
            .ok();
        let answers = probe::answers(&database);
        assert_eq!(answers.last().unwrap().value.as_deref(), Some(colour));
        database.run(probe::folder(), &["down"]).ok();
        database.sql("DELETE FROM public.probe_answer");
    }
    let unknown = database.run(probe::folder(), &["up", "--set", "color=red"]);
    let unknown = unknown.failed(2, "setting-invalid");
    assert!(
        unknown.stderr.contains("the settings are: colour"),
        "{unknown:?}"
    );
    for wrong in ["colour=green", "colour=", "colour=Red"] {
        let wrong = database
            .run(probe::folder(), &["up", "--set", wrong])
            .failed(2, "setting-invalid");
        assert!(wrong.stderr.contains("red, blue"), "{wrong:?}");
    }
    assert_eq!(
        database.value("SELECT count(*) FROM wasmigrate.migration"),
        "0"
    );
    Script::default().up("setting", &["none"]).fails(
        &database,
        6,
        "migration-failed",
        "declares no setting",
    );
}
