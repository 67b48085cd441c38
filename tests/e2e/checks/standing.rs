//! How an index that is there stands to one that is wanted.

use super::{TABLES, class, column, expression, index, ordered};
use crate::probe::Script;
use crate::support::Database;

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
