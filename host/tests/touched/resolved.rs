//! What the server tells, held against grants, with no wall over the text before it.

use super::in_transaction;
use wasmigrate::database::Session;
use wasmigrate::guard::Guard;
use wasmigrate::guard::grants::Grants;
use wasmigrate::guard::resolve::{Resolution, resolved};

async fn resolution(session: &Session, sql: &str) -> Resolution {
    let touched = super::touches(session, sql).await.expect(sql);
    let effects = session.effects(&touched.writes()).await.expect(sql);
    resolved(&touched, &effects)
}

fn guard(lines: &[&str]) -> Guard {
    Guard::new(Grants::parse(lines.iter().copied()).unwrap())
}

/// Each is granted what its text shows, and is refused for what the text does not.
#[test]
fn attacks_are_refused() {
    let table: &[(&str, &[&str], &str)] = &[
        (
            "SELECT (o).peep FROM s.other o",
            &["read s.other"],
            "function pg_catalog.peep: ",
        ),
        (
            "SELECT s.of_row(l) FROM s.logs l",
            &["read s.logs"],
            "not granted: call s.of_row(s.logs)",
        ),
        (
            "SELECT v::regclass FROM s.other",
            &["read s.other"],
            "function regclass: ",
        ),
        (
            "SELECT id::regclass FROM s.other",
            &["read s.other"],
            "type regclass: ",
        ),
        (
            "SELECT (x.n).pg_sleep FROM (SELECT 9.0::float8 AS n) x",
            &[],
            "function pg_sleep: ",
        ),
        (
            "SELECT id OPERATOR(s.===) 1 FROM s.other",
            &["read s.other", "call s.same(integer, integer)"],
            "operator s.===: ",
        ),
        (
            "SELECT m::json FROM s.logs",
            &["read s.logs"],
            "not granted: call s.mood_json(s.mood)",
        ),
        (
            "SELECT 1::s.checked",
            &["use-type s.checked"],
            "not granted: call s.f(integer) (through CHECK of domain s.checked), \
             call s.same(integer, integer) (through operator s.=== in CHECK of domain s.checked)",
        ),
        (
            "SELECT pg_catalog.to_json(m) FROM s.logs",
            &["read s.logs"],
            "not granted: call s.mood_json(s.mood) (through cast from s.mood to json)",
        ),
        (
            "SELECT v FROM s.near",
            &["read s.near"],
            "not granted: read s.logs(id, v) (through view s.near)",
        ),
        (
            "SELECT v FROM s.near FOR UPDATE",
            &["read s.near", "update s.near", "read s.logs"],
            "not granted: update s.logs(?) (through view s.near)",
        ),
        ("SELECT s.secret()", &[], "not granted: call s.secret()"),
        (
            "SELECT s.total(id) OVER () FROM s.other",
            &["read s.other"],
            "not granted: call s.total(integer)",
        ),
        (
            "SELECT relname FROM pg_catalog.pg_class",
            &["catalog"],
            "relation pg_catalog.pg_class: ",
        ),
        (
            "SELECT pg_catalog.set_config('role', 'none', true)",
            &[],
            "function set_config: ",
        ),
        (
            "SELECT pg_catalog.nextval('s.numbers')",
            &[],
            "not granted: use-sequence s.numbers",
        ),
        (
            "SELECT pg_catalog.nextval(id::regclass) FROM s.other",
            &["read s.other", "use-sequence s.numbers"],
            "function nextval: ",
        ),
        (
            "SELECT pg_catalog.nextval(('{s.numbers}'::regclass[])[1])",
            &["use-sequence s.numbers"],
            "function nextval: ",
        ),
        ("SELECT 's.other'::regclass::text", &[], "type regclass: "),
        (
            "SELECT id FROM s.parent",
            &["read s.parent"],
            "not granted: read s.child(id) (through child of s.parent), \
             read s.grandchild(id) (through child of s.parent)",
        ),
        (
            "DELETE FROM s.a",
            &[
                "delete s.a",
                "delete s.c",
                "update s.d",
                "call s.f(integer)",
                "fires s.fired()",
            ],
            "not granted: delete s.b (through ON DELETE CASCADE of constraint b_a on s.b)",
        ),
        (
            "UPDATE s.d SET c = 1",
            &["update s.d(c)"],
            "not granted: fires s.fired() (through trigger on_d on s.d)",
        ),
        (
            "INSERT INTO s.ruled (id) VALUES (1)",
            &["insert s.ruled"],
            "rule also on s.ruled: ",
        ),
        (
            "INSERT INTO s.defined (n) VALUES (1)",
            &["insert s.defined", "call s.same(integer, integer)"],
            "not granted: call s.f(integer) (through ",
        ),
        (
            "DELETE FROM s.over",
            &["delete s.over", "read s.a(id, note)"],
            "not granted: call s.f(integer) (through default of column code of s.d), fires s.fired() \
             (through trigger on_d on s.d), delete s.a (through view s.over), delete s.b",
        ),
        (
            "SELECT v COLLATE s.plain, to_tsvector('s.search', v) FROM s.other",
            &["read s.other"],
            "text search configuration s.search: ",
        ),
    ];
    let wrong = in_transaction(async |session| {
        // under the pinned path attribute notation finds what is in pg_catalog, and no schema else
        let more = "CREATE FUNCTION pg_catalog.peep(s.other) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'";
        session.batch(more).await.unwrap();
        let mut wrong = Vec::new();
        for (sql, granted, expected) in table {
            let resolution = resolution(session, sql).await;
            match guard(granted).judge_resolved(sql, &resolution) {
                Err(refusal) if refusal.to_string().starts_with(expected) => {}
                other => wrong.push(format!("{sql}\n  expected {expected}\n  seen {other:?}")),
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each runs with exactly these lines: no need is without one, and no line without its need.
#[test]
fn honest_statements_need_what_a_reviewer_expects() {
    let table: &[(&str, &[&str])] = &[
        (
            "SELECT l.id, count(*) FROM s.logs l LEFT JOIN s.other o ON o.id = l.id WHERE o.id IS NULL GROUP BY l.id",
            &["read s.logs(id)", "read s.other(id)"],
        ),
        (
            "SELECT id, v FROM s.logs WHERE lower(v) LIKE $1 GROUP BY id ORDER BY v LIMIT 3",
            &["read s.logs(id, v)"],
        ),
        ("SELECT count(*) FROM s.other", &["read s.other(id)"]),
        (
            "INSERT INTO s.plain (id, v) SELECT DISTINCT id, 'x' || v FROM s.other",
            &["insert s.plain", "read s.other(id, v)"],
        ),
        (
            "DELETE FROM s.plain WHERE id = $1 RETURNING v",
            &["delete s.plain", "read s.plain(id, v)"],
        ),
        (
            "INSERT INTO s.plain (id, v) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = excluded.v",
            &["insert s.plain", "update s.plain(v)", "read s.plain(id, v)"],
        ),
        (
            "WITH x AS (UPDATE s.plain SET v = '' RETURNING id) SELECT id FROM x",
            &["update s.plain(v)", "read s.plain(id)"],
        ),
        (
            "SELECT id FROM s.other WHERE v OPERATOR(ext.%) 'x' ORDER BY v OPERATOR(ext.<->) $1",
            &["extension pg_trgm in ext", "read s.other(id, v)"],
        ),
        (
            "SELECT ext.similarity(v, 'x') FROM s.other",
            &["call ext.similarity(text, text)", "read s.other(v)"],
        ),
        (
            "SELECT id FROM s.plain FOR UPDATE",
            &["read s.plain(id)", "update s.plain(id)"],
        ),
        (
            "SELECT pg_catalog.nextval('s.numbers'), setval('s.numbers'::regclass, 1)",
            &["use-sequence s.numbers"],
        ),
        (
            "SELECT to_tsvector('english', v) @@ plainto_tsquery('pg_catalog.english', $1) FROM s.other",
            &["read s.other(v)"],
        ),
        (
            "INSERT INTO s.lists (id, v) VALUES (1, '')",
            &["insert s.lists", "fires s.fired()"],
        ),
        (
            "SELECT id FROM s.other TABLESAMPLE bernoulli (10)",
            &["read s.other(id)"],
        ),
        (
            "SELECT v::varchar(3), id::text::numeric(5, 2), now()::date FROM s.other",
            &["read s.other(id, v)"],
        ),
        (
            "INSERT INTO s.serials DEFAULT VALUES",
            &["insert s.serials", "use-sequence s.numbers"],
        ),
        (
            "SELECT id FROM s.worded WHERE v = 'a'",
            &["read s.worded(id, v)"],
        ),
        ("SELECT id FROM s.given(1)", &["call s.given(integer)"]),
        (
            "INSERT INTO s.searched (t) VALUES ('x')",
            &["insert s.searched"],
        ),
        (
            "SELECT s.shapes(1, 'x', $1, VARIADIC ARRAY[1])",
            &[
                "call s.shapes(integer, character varying, s.\"Odd\"[], integer[])",
                "use-type s.\"Odd\"",
            ],
        ),
    ];
    let wrong = in_transaction(async |session| {
        let more = "CREATE TABLE s.serials (id serial, other integer DEFAULT nextval('s.numbers')); \
            CREATE TABLE s.worded (id integer, v varchar(9) COLLATE s.plain); \
            CREATE TABLE s.searched (t text); \
            CREATE INDEX searched_t ON s.searched USING gin (t ext.gin_trgm_ops); \
            CREATE FUNCTION s.given(integer) RETURNS SETOF s.other LANGUAGE sql AS 'SELECT 1, NULL::text'; \
            CREATE TYPE s.\"Odd\" AS ENUM ('a'); \
            CREATE FUNCTION s.shapes(integer, varchar(3), s.\"Odd\"[], OUT x integer, VARIADIC integer[]) \
              LANGUAGE sql AS 'SELECT 1'";
        session.batch(more).await.unwrap();
        let mut wrong = Vec::new();
        for (sql, lines) in table {
            let resolution = resolution(session, sql).await;
            let judged = guard(lines).judge_resolved(sql, &resolution);
            if let Err(refusal) = judged {
                wrong.push(format!("{sql}\n  {refusal}"));
            }
            for spare in *lines {
                let fewer: Vec<_> = lines.iter().copied().filter(|line| line != spare).collect();
                if guard(&fewer).judge_resolved(sql, &resolution).is_ok() {
                    wrong.push(format!("{sql}\n  needs no {spare}"));
                }
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
