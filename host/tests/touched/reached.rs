//! Each way on which a statement reaches something.

use super::{in_transaction, lines, major, reaches, touches};
use wasmigrate::database::role::Actor;
use wasmigrate::database::{Failure, Session};

#[test]
fn relations_with_their_columns() {
    reaches(&[
        (
            "SELECT id FROM s.logs WHERE v = $1",
            &["r s.logs read(id,v)"],
        ),
        (
            "SELECT count(*) FROM s.logs",
            &["builtin pg_catalog.count()", "r s.logs read()"],
        ),
        ("SELECT l FROM s.logs l WHERE id = 1", &["r s.logs read(*)"]),
        (
            "SELECT id, ctid FROM s.logs FOR UPDATE",
            &["r s.logs read(ctid,id) update()"],
        ),
        (
            "INSERT INTO s.logs (id, v) VALUES ($1, $2)",
            &["r s.logs insert(id,v)"],
        ),
        ("INSERT INTO s.logs DEFAULT VALUES", &["r s.logs insert()"]),
        (
            "UPDATE s.logs SET v = secret WHERE id = 1",
            &["r s.logs read(id,secret) update(v)"],
        ),
        (
            "DELETE FROM s.logs USING s.other o WHERE o.id = logs.id RETURNING logs.v",
            &["r s.logs read(id,v) delete", "r s.other read(id)"],
        ),
        (
            "INSERT INTO s.logs (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET v = excluded.secret",
            &["r s.logs read(id,secret) insert(id) update(v)"],
        ),
        (
            "WITH x AS (DELETE FROM s.other RETURNING id) SELECT id FROM x",
            &["r s.other read(id) delete"],
        ),
        (
            "SELECT 1 FROM s.logs TABLESAMPLE system ((SELECT max(id) FROM s.other))",
            &[
                "builtin pg_catalog.float4(integer)",
                "builtin pg_catalog.max(integer)",
                "builtin pg_catalog.system(internal)",
                "r s.logs read()",
                "r s.other read(id)",
            ],
        ),
        (
            "SELECT id FROM s.parent",
            &["r s.parent read(id) +child +grandchild"],
        ),
        ("SELECT id FROM ONLY s.parent", &["r s.parent read(id)"]),
        (
            "INSERT INTO s.parent (id) VALUES (1) RETURNING id",
            &["r s.parent read(id) insert(id)"],
        ),
        ("SELECT id FROM s.parts", &["p s.parts read(id)"]),
        (
            "SELECT relname FROM pg_catalog.pg_class",
            &["r pg_catalog.pg_class read(relname)"],
        ),
        (
            "SELECT (SELECT min(v) FROM s.other) UNION SELECT 'a' FROM s.logs",
            &[
                "builtin pg_catalog.min(text)",
                "r s.logs read()",
                "r s.other read(v)",
            ],
        ),
        (
            "SELECT pg_catalog.nextval('s.numbers'::regclass)",
            &[
                "S s.numbers",
                "builtin pg_catalog.nextval(regclass)",
                "type b pg_catalog.regclass",
            ],
        ),
        (
            "SELECT 's.other'::regclass::text",
            &["r s.other", "type b pg_catalog.regclass"],
        ),
    ]);
}

#[test]
fn merge() {
    if major() >= 15 {
        reaches(&[(
            "MERGE INTO s.logs l USING s.other o ON l.id = o.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id) VALUES (o.id)",
            &["r s.logs read(id) insert(id) delete", "r s.other read(id)"],
        )]);
    }
}

#[test]
fn views_down_to_the_tables() {
    reaches(&[
        (
            "SELECT v FROM s.near",
            &["r s.logs read(id,v) <- view s.near", "v s.near read(v)"],
        ),
        (
            "SELECT v FROM s.far",
            &[
                "call s.f(integer) <- view s.far",
                "operator s.=== s.same(integer, integer) <- view s.far",
                "r s.logs read(id,v) <- view s.near",
                "r s.other read(id) <- view s.far",
                "v s.far read(v)",
                "v s.near read(id,v) <- view s.far",
            ],
        ),
        (
            "SELECT 1 FROM s.whole",
            &["r s.logs read(*) <- view s.whole", "v s.whole read()"],
        ),
        // its rows are stored: the query behind it does not run
        ("SELECT id FROM s.kept", &["m s.kept read(id)"]),
        (
            "DELETE FROM s.over",
            &[
                "builtin pg_catalog.max(integer) <- view s.over",
                "r s.a read(id,note) <- view s.over",
                "v s.over delete",
            ],
        ),
    ]);
}

#[test]
fn functions_in_every_disguise() {
    reaches(&[
        ("SELECT s.f(1)", &["call s.f(integer)"]),
        (
            "SELECT s.with_default(1)",
            &[
                "call s.f(integer) <- default argument of s.with_default",
                "call s.with_default(integer, integer)",
            ],
        ),
        ("SELECT s.secret()", &["call s.secret() definer"]),
        ("SELECT * FROM s.f(1)", &["call s.f(integer)"]),
        (
            "SELECT s.total(id) FROM s.other",
            &["call s.total(integer)", "r s.other read(id)"],
        ),
        (
            "SELECT s.total(id) OVER (), row_number() OVER () FROM s.other",
            &[
                "builtin pg_catalog.row_number()",
                "call s.total(integer)",
                "r s.other read(id)",
            ],
        ),
        (
            "SELECT (l).row_to_json FROM s.other l",
            &[
                "builtin pg_catalog.row_to_json(record)",
                "r s.other read(*)",
            ],
        ),
        (
            "SELECT s.of_row(l) FROM s.logs l",
            &["call s.of_row(s.logs)", "r s.logs read(*)"],
        ),
        ("SELECT v(o) FROM s.other o", &["r s.other read(*)"]),
        (
            "SELECT c + 1 FROM s.logs",
            &["call s.calm_number(s.calm)", "r s.logs read(c)"],
        ),
        (
            "SELECT id OPERATOR(s.===) 1 FROM s.other",
            &[
                "operator s.=== s.same(integer, integer)",
                "r s.other read(id)",
            ],
        ),
        (
            "SELECT id FROM s.other WHERE id OPERATOR(s.===) ANY (ARRAY[1, 2])",
            &[
                "operator s.=== s.same(integer, integer)",
                "r s.other read(id)",
            ],
        ),
        (
            "SELECT v OPERATOR(ext.%) 'x' FROM s.other",
            &[
                "operator ext.% ext.similarity_op(text, text) of pg_trgm of pg_trgm",
                "r s.other read(v)",
            ],
        ),
        (
            "SELECT ext.similarity(v, 'x') FROM s.other",
            &[
                "call ext.similarity(text, text) of pg_trgm",
                "r s.other read(v)",
            ],
        ),
        (
            "SELECT id FROM s.other ORDER BY id LIMIT s.f(1)",
            &[
                "builtin pg_catalog.int8(integer)",
                "call s.f(integer)",
                "r s.other read(id)",
            ],
        ),
        (
            "SELECT GROUPING(id), CASE WHEN id = s.f(1) THEN 1 END FROM s.other GROUP BY id",
            &["call s.f(integer)", "r s.other read(id)"],
        ),
        (
            "SELECT pg_catalog.set_config('role', 'none', true)",
            &["builtin pg_catalog.set_config(text, text, boolean)"],
        ),
    ]);
}

#[test]
fn types_and_the_checks_of_domains() {
    let checks = [
        "call s.f(integer) <- CHECK of domain s.checked",
        "operator s.=== s.same(integer, integer) <- CHECK of domain s.checked",
    ];
    let with = |mut rest: Vec<&'static str>| {
        rest.extend(checks);
        rest.sort_unstable();
        rest
    };
    reaches(&[
        ("SELECT m FROM s.logs", &["r s.logs read(m)"]),
        ("SELECT 'sad'::s.mood", &["type e s.mood"]),
        ("SELECT '{sad}'::s.mood[]", &["type e s.mood"]),
        ("SELECT 1::s.checked", &with(vec!["type d s.checked"])),
        ("SELECT $1::s.checked", &with(vec!["type d s.checked"])),
        ("SELECT NULL::s.pair", &with(vec!["type c s.pair"])),
        (
            "SELECT pg_catalog.jsonb_populate_record(NULL::s.pair, '{}')",
            &with(vec![
                "builtin pg_catalog.jsonb_populate_record(anyelement, jsonb)",
                "type c s.pair",
            ]),
        ),
        (
            "SELECT x FROM pg_catalog.json_to_record('{}') AS r (x s.checked[])",
            &with(vec![
                "builtin pg_catalog.json_to_record(json)",
                "type d s.checked",
            ]),
        ),
        (
            "SELECT x FROM pg_catalog.json_to_record('{}') AS r (x regclass)",
            &[
                "builtin pg_catalog.json_to_record(json)",
                "type b pg_catalog.regclass",
            ],
        ),
        (
            "SELECT x FROM XMLTABLE('/' PASSING '<a/>' COLUMNS x regproc)",
            &["type b pg_catalog.regproc"],
        ),
        (
            "SELECT id::regclass::text FROM s.other",
            &["r s.other read(id)", "type b pg_catalog.regclass"],
        ),
    ]);
    if major() >= 17 {
        reaches(&[
            (
                "SELECT JSON_VALUE('1'::jsonb, '$' RETURNING s.checked)",
                &with(vec!["type d s.checked"]),
            ),
            (
                "SELECT x FROM JSON_TABLE('[1]'::jsonb, '$[*]' COLUMNS (x regclass PATH '$'))",
                &["type b pg_catalog.regclass"],
            ),
        ]);
    }
}

#[test]
fn casts_to_json_that_no_dependency_shows() {
    let cast = "call s.mood_json(s.mood) definer <- cast from s.mood to json";
    reaches(&[
        (
            "SELECT pg_catalog.to_json(m) FROM s.logs",
            &[
                "builtin pg_catalog.to_json(anyelement)",
                cast,
                "r s.logs read(m)",
            ],
        ),
        (
            "SELECT (l).row_to_json FROM s.logs l",
            &[
                "builtin pg_catalog.row_to_json(record)",
                cast,
                "r s.logs read(*)",
            ],
        ),
        (
            "SELECT jsonb_agg(ARRAY['sad'::s.mood])",
            &[
                "builtin pg_catalog.jsonb_agg(anyelement)",
                cast,
                "type e s.mood",
            ],
        ),
        (
            "SELECT pg_catalog.to_json(v) FROM s.other",
            &[
                "builtin pg_catalog.to_json(anyelement)",
                "r s.other read(v)",
            ],
        ),
        ("SELECT m FROM s.logs", &["r s.logs read(m)"]),
    ]);
    if major() >= 16 {
        let touched = in_transaction(async |session| {
            touches(session, "SELECT JSON_ARRAY(m) FROM s.logs")
                .await
                .unwrap()
        });
        assert!(lines(&touched).contains(&cast.to_owned()), "{touched:#?}");
    }
}

#[test]
fn other_objects() {
    reaches(&[
        (
            "SELECT v COLLATE s.plain FROM s.other",
            &["collation s.plain", "r s.other read(v)"],
        ),
        (
            "SELECT to_tsvector('s.search'::regconfig, v) FROM s.other",
            &[
                "builtin pg_catalog.to_tsvector(regconfig, text)",
                "r s.other read(v)",
                "text search configuration s.search",
                "type b pg_catalog.regconfig",
            ],
        ),
        (
            "SELECT ts_lexize('s.words'::regdictionary, 'x')",
            &[
                "builtin pg_catalog.ts_lexize(regdictionary, text)",
                "text search dictionary s.words",
                "type b pg_catalog.regdictionary",
            ],
        ),
    ]);
}

/// A type that a parameter has is told by the server, and so can be written.
#[test]
fn parameters_of_any_type_and_number() {
    in_transaction(async |session| {
        let sql = "SELECT id FROM s.logs WHERE m = $1 AND id = ANY ($2) AND v = $3 LIMIT $4";
        let types = session.parameter_types(sql, Actor::Host).await.unwrap();
        assert_eq!(
            types,
            [
                "\"s\".\"mood\"",
                "\"pg_catalog\".\"_int4\"",
                "\"pg_catalog\".\"text\"",
                "\"pg_catalog\".\"int8\""
            ]
        );
        let touched = session.touches(sql, &types, Actor::Host).await.unwrap();
        assert!(
            lines(&touched).contains(&"r s.logs read(id,m,v)".to_owned()),
            "{touched:#?}"
        );
        let rows: Vec<String> = (0..150)
            .map(|row| format!("(${}, ${})", 2 * row + 1, 2 * row + 2))
            .collect();
        let sql = format!(
            "INSERT INTO s.logs (id, v) VALUES {} -- $9",
            rows.join(", ")
        );
        assert_eq!(
            lines(&touches(session, &sql).await.unwrap()),
            ["r s.logs insert(id,v)"]
        );
    });
}

#[test]
fn a_refused_statement_leaves_the_transaction_as_it_was() {
    in_transaction(async |session| {
        session
            .batch("CREATE TABLE s.fresh (id integer)")
            .await
            .unwrap();
        for (sql, state) in [
            ("SELECT nothing FROM s.other", "42703"),
            ("SELECT 1; END; DROP TABLE s.other", "42601"),
            ("SELECT 1; END; DROP TABLE s.other; --", "42601"),
            ("SELECT 1 /*", "42601"),
            ("CREATE TABLE s.more (id integer)", "0A000"),
            ("DECLARE c CURSOR FOR SELECT 1", "0A000"),
        ] {
            match session.touches(sql, &[], Actor::Host).await {
                Err(Failure::Server(refusal)) => {
                    assert_eq!(refusal.sqlstate, state, "{sql}: {}", refusal.message)
                }
                other => panic!("{sql}: {other:?}"),
            }
        }
        let two = session
            .touches("SELECT 1; SELECT 2", &[], Actor::Host)
            .await;
        assert!(matches!(two, Err(Failure::Unusable(_))), "{two:?}");
        let position = match session
            .touches("SELECT nothing FROM s.other", &[], Actor::Host)
            .await
        {
            Err(Failure::Server(refusal)) => refusal.position,
            other => panic!("{other:?}"),
        };
        assert_eq!(position, Some(8));
        // a table of this transaction is seen
        let touched = touches(session, "SELECT id FROM s.fresh -- comment")
            .await
            .unwrap();
        assert_eq!(lines(&touched), ["r s.fresh read(id)"]);
        nothing_stays(session).await;
    });
}

#[test]
fn without_a_transaction_nothing_stays_either() {
    super::run(super::SERVER.url("postgres"), async |session| {
        let refused = session.touches("SELECT 1", &[], Actor::Host).await;
        assert!(matches!(refused, Err(Failure::Server(_))), "{refused:?}");
        nothing_stays(session).await;
    });
}

async fn nothing_stays(session: &Session) {
    let sql = "SELECT concat((SELECT count(*) FROM pg_proc WHERE proname LIKE 'wasmigrate%'), \
        current_setting('enable_seqscan'), current_setting('plan_cache_mode'))";
    assert_eq!(
        session.text(sql, &[]).await.unwrap().as_deref(),
        Some("0onauto")
    );
}

/// The look-ups tell of objects on which the session has no privilege.
#[test]
fn a_login_without_privileges_is_told_the_same() {
    in_transaction(async |session| {
        let sql = "UPDATE s.logs SET v = s.secret() WHERE id = (SELECT max(id) FROM s.near)";
        let all = lines(&touches(session, sql).await.unwrap());
        session
            .batch("CREATE ROLE walker; GRANT USAGE ON SCHEMA s TO walker; SET LOCAL ROLE walker; SELECT 1")
            .await
            .unwrap();
        assert_eq!(lines(&touches(session, sql).await.unwrap()), all);
        let writes = super::writes(session, "DELETE FROM s.a").await;
        let effects = session.effects(&writes).await.unwrap();
        assert_eq!((effects.tables.len(), effects.triggers.len()), (5, 1));
    });
}
