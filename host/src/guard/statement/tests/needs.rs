//! What migrations write runs with the grants that say so, and is classed as what it is.

use super::super::{ChangeKind, Class, Role, required};
use crate::guard::grants::Grants;

/// Statements, and the least grants with which they run.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "SELECT a, b FROM public.t t WHERE t.a > 1",
        &["read public.t(a, b)"],
    ),
    (
        "SELECT t.a, u.b FROM public.t t JOIN public.u USING (id)",
        &["read public.t(a, id)", "read public.u(b, id)"],
    ),
    ("SELECT 1 FROM public.t", &["read public.t(a)"]),
    (
        "SELECT count(*) FROM public.t WHERE a = $1",
        &["read public.t(a)"],
    ),
    (
        "SELECT a AS b FROM public.t ORDER BY b",
        &["read public.t(a)"],
    ),
    (
        "SELECT a, count(*) FROM public.t GROUP BY a ORDER BY count",
        &["read public.t(a)"],
    ),
    (
        "SELECT DISTINCT ON (a) a FROM public.t ORDER BY a",
        &["read public.t(a)"],
    ),
    ("SELECT public.t.a FROM public.t", &["read public.t(a)"]),
    (
        "SELECT * FROM (SELECT a FROM public.t) x",
        &["read public.t(a)"],
    ),
    (
        "WITH x AS (SELECT a FROM public.t) SELECT x.a, x.* FROM x",
        &["read public.t(a)"],
    ),
    (
        "WITH t AS (SELECT a FROM public.t) SELECT * FROM t",
        &["read public.t(a)"],
    ),
    (
        "SELECT 1 FROM public.t FOR UPDATE",
        &["read public.t(a)", "update public.t(b)"],
    ),
    (
        "INSERT INTO public.t (a) SELECT b FROM public.u RETURNING id",
        &["insert public.t", "read public.t(id)", "read public.u(b)"],
    ),
    (
        "INSERT INTO public.t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = excluded.b",
        &[
            "insert public.t",
            "read public.t(a, b)",
            "update public.t(b)",
        ],
    ),
    ("INSERT INTO public.t DEFAULT VALUES", &["insert public.t"]),
    ("UPDATE public.t SET a = 1", &["update public.t(a)"]),
    (
        "UPDATE public.t SET a = b",
        &["update public.t(a)", "read public.t(b)"],
    ),
    ("DELETE FROM public.t", &["delete public.t"]),
    (
        "DELETE FROM public.t AS x WHERE x.a IS NULL AND NOT EXISTS (SELECT 1 FROM public.u AS y WHERE y.id = x.a)",
        &["delete public.t", "read public.t(a)", "read public.u(id)"],
    ),
    (
        "SELECT public.f(1, 'a'), public.g()",
        &["call public.f(integer, text)", "call public.g()"],
    ),
    (
        "SELECT x OPERATOR(public.%) 'a' FROM public.t",
        &["read public.t(x)", "extension pg_trgm in public"],
    ),
    ("SELECT nextval('public.s')", &["use-sequence public.s"]),
    ("SELECT 'a'::public.mood", &["use-type public.mood"]),
    (
        "CREATE INDEX CONCURRENTLY i ON public.t USING gin (a public.gin_trgm_ops)",
        &["index public.t", "extension pg_trgm in public"],
    ),
    (
        "CREATE INDEX i ON public.t (lower(a)) WHERE b IS NULL",
        &["index public.t"],
    ),
    (
        "DROP INDEX CONCURRENTLY IF EXISTS public.i",
        &["index public.t"],
    ),
    ("VACUUM (ANALYZE 'OFF') public.t", &["vacuum public.t"]),
    ("VACUUM (ANALYZE, ANALYZE 0) public.t", &["vacuum public.t"]),
    (
        "VACUUM (ANALYZE False, ANALYZE \"On\") public.t",
        &["vacuum public.t", "analyze public.t"],
    ),
    ("REINDEX INDEX CONCURRENTLY public.i", &["index public.t"]),
    (
        "ALTER TABLE public.t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES public.u (id) NOT VALID",
        &[
            "alter public.t: add-constraint, validate-constraint",
            "reference public.u",
        ],
    ),
    (
        "ALTER TABLE public.t VALIDATE CONSTRAINT f",
        &["alter public.t: add-constraint, validate-constraint"],
    ),
    (
        "ALTER TABLE public.t ADD COLUMN a int NOT NULL DEFAULT 1, ALTER b TYPE text USING b::text, ALTER c SET NOT NULL",
        &["alter public.t: add-column, column-type, nullability"],
    ),
    (
        "ALTER TABLE public.t RENAME TO u",
        &["alter public.t: rename", "create table public.u"],
    ),
    (
        "CREATE TABLE public.t (id bigserial PRIMARY KEY, a text NOT NULL DEFAULT '', b int REFERENCES public.u)",
        &["create table public.t", "reference public.u"],
    ),
    (
        "CREATE VIEW public.v AS SELECT a FROM public.t",
        &["create view public.v", "read public.t(a)"],
    ),
    (
        "CREATE TYPE public.mood AS ENUM ('sad', 'ok')",
        &["create type public.mood"],
    ),
    (
        "ALTER TYPE public.mood ADD VALUE 'happy' AFTER 'ok'",
        &["enum-value public.mood"],
    ),
    (
        "CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public",
        &["extension pg_trgm in public"],
    ),
    ("DROP EXTENSION pg_trgm", &["extension pg_trgm in public"]),
    ("CREATE SCHEMA app", &["create schema app"]),
    (
        "CREATE STATISTICS public.s ON a, b FROM public.t",
        &["statistics public.t"],
    ),
    ("DROP STATISTICS public.s", &["statistics public.t"]),
    ("DROP TABLE public.t", &["drop table public.t"]),
    ("TRUNCATE public.t", &["truncate public.t"]),
    ("LOCK TABLE public.t IN SHARE MODE", &["lock public.t"]),
    ("ANALYZE public.t (a)", &["analyze public.t"]),
    ("VACUUM (FREEZE) public.t", &["vacuum public.t"]),
    ("COMMENT ON INDEX public.i IS 'x'", &["comment public.t"]),
    (
        "REFRESH MATERIALIZED VIEW CONCURRENTLY public.m",
        &["refresh public.m"],
    ),
    (
        "SELECT json_object('a': b RETURNING jsonb), xmlelement(NAME x, b) FROM public.t",
        &["read public.t(b)"],
    ),
    (
        "SELECT a BETWEEN SYMMETRIC 1 AND 2, b AT TIME ZONE 'UTC', extract(year FROM b), (a, 1) < (2, 3), a IN (1, 2) FROM public.t",
        &["read public.t(a, b)"],
    ),
];

#[test]
fn statements_run_with_the_grants_that_say_so_and_not_with_fewer() {
    let mut wrong = Vec::new();
    for (sql, lines) in ALLOWED {
        let demand = required(sql);
        let missing = |lines: &[&str]| -> Vec<String> {
            let grants = Grants::parse(lines.iter().copied()).unwrap();
            let missing = grants.missing(&demand.needs);
            missing.iter().map(ToString::to_string).collect()
        };
        if !demand.denied.is_empty() || !missing(lines).is_empty() {
            wrong.push(format!(
                "{sql}\n    {:?} {:?}",
                demand.denied,
                missing(lines)
            ));
        }
        for (at, line) in lines.iter().enumerate() {
            let mut fewer = lines.to_vec();
            fewer.remove(at);
            if missing(&fewer).is_empty() {
                wrong.push(format!("{sql}\n    runs without {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn statements_are_classed() {
    for sql in [
        "SELECT 1",
        "VALUES (1)",
        "TABLE public.t",
        "WITH a AS (SELECT 1) SELECT * FROM a",
    ] {
        assert_eq!(required(sql).class, Class::Query, "{sql}");
    }
    for sql in [
        "SELECT 1 FROM public.t FOR SHARE",
        "WITH d AS (DELETE FROM public.t RETURNING a) SELECT * FROM d",
        "INSERT INTO public.t VALUES (1) RETURNING a",
        "MERGE INTO public.t USING public.u ON true WHEN MATCHED THEN DO NOTHING",
    ] {
        assert_eq!(required(sql).class, Class::Write, "{sql}");
    }
    for sql in ["COMMIT", "", "SELEC", "EXPLAIN SELECT 1"] {
        assert_eq!(required(sql).class, Class::Refused, "{sql}");
    }
    use ChangeKind::*;
    for (sql, kind, outside) in [
        (
            "CREATE INDEX CONCURRENTLY ON public.t (a)",
            CreateIndex,
            true,
        ),
        ("CREATE INDEX ON public.t (a)", CreateIndex, false),
        ("DROP INDEX CONCURRENTLY public.i", Drop, true),
        ("REINDEX TABLE CONCURRENTLY public.t", Reindex, true),
        (
            "REINDEX (CONCURRENTLY false) TABLE public.t",
            Reindex,
            false,
        ),
        ("VACUUM public.t", Vacuum, true),
        ("ANALYZE public.t", Analyze, false),
        (
            "ALTER TABLE public.p DETACH PARTITION public.c CONCURRENTLY",
            AlterTable,
            true,
        ),
        ("SELECT 1 AS a INTO public.t", CreateTableAs, false),
        (
            "CREATE MATERIALIZED VIEW public.m AS SELECT 1",
            CreateMatview,
            false,
        ),
    ] {
        match required(sql).class {
            Class::Change(change) => {
                assert_eq!(
                    (change.kind, change.outside_transaction),
                    (kind, outside),
                    "{sql}"
                );
            }
            class => panic!("{sql}: {class:?}"),
        }
    }
}

#[test]
fn the_objects_of_a_change_have_their_parts() {
    let sql = "ALTER TABLE public.t ADD FOREIGN KEY (a) REFERENCES app.u, ATTACH PARTITION public.p DEFAULT";
    // the server takes ATTACH alone, but each subcommand is judged
    let parts = |sql: &str| -> Vec<(Role, String)> {
        match required(sql).class {
            Class::Change(change) => change
                .touched
                .into_iter()
                .map(|t| (t.role, t.name.to_string()))
                .collect(),
            _ => Vec::new(),
        }
    };
    assert_eq!(parts(sql), []);
    assert_eq!(
        parts("ALTER TABLE public.t ADD FOREIGN KEY (a) REFERENCES app.u"),
        [
            (Role::Altered, "public.t".into()),
            (Role::Referenced, "app.u".into())
        ]
    );
    assert_eq!(
        parts("ALTER TABLE public.t ATTACH PARTITION public.p DEFAULT"),
        [
            (Role::Altered, "public.t".into()),
            (Role::Partition, "public.p".into())
        ]
    );
    assert_eq!(
        parts("ALTER TABLE public.t RENAME TO u"),
        [
            (Role::Altered, "public.t".into()),
            (Role::Created, "public.u".into())
        ]
    );
    assert_eq!(
        parts("DROP INDEX public.i"),
        [(Role::Index, "public.i".into())]
    );
    assert_eq!(
        parts("DROP TABLE public.t"),
        [(Role::Dropped, "public.t".into())]
    );
}

#[test]
fn code_is_granted_by_the_digest_of_the_statement() {
    let sql = "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'";
    let line = required(sql).needs[0].line().unwrap();
    assert!(line.starts_with("code function public.f sha256="), "{line}");
    for same in [format!("  {sql} ;\n"), sql.to_owned()] {
        assert_eq!(required(&same).needs[0].line().as_ref(), Some(&line));
    }
    let other = sql.replace("SELECT 1", "SELECT 2");
    assert_ne!(required(&other).needs[0].line(), Some(line));
}

#[test]
fn a_denial_says_where() {
    let demand = required("SELECT 1 FROM public.a, b");
    assert_eq!(demand.denied[0].at, Some(24));
    assert_eq!(demand.denied[0].what, "unqualified relation b");
    let hidden = required("SELECT 1 FROM \"a\u{1b}[2Jb\"");
    assert_eq!(hidden.denied[0].what, "unqualified relation a\\u{1b}[2Jb");
}
