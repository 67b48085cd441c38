//! Attacks on a database from a migration with few grants: each is refused, and for the right reason.

use super::super::required;
use crate::guard::grants::Grants;

/// What the attacker of the next tests was granted.
const GRANTED: &[&str] = &[
    "read public.logs",
    "delete public.logs",
    "update public.logs",
    "index public.logs",
    "read public.patients",
    "alter public.logs: add-constraint",
    "reference public.patients",
];

fn refusal(sql: &str, granted: &[&str]) -> Option<String> {
    let grants = Grants::parse(granted.iter().copied()).unwrap();
    let demand = required(sql);
    let denied = demand.denied.first().map(ToString::to_string);
    denied.or_else(|| {
        Some(format!(
            "not granted: {}",
            grants.missing(&demand.needs).first()?
        ))
    })
}

/// Attacks on a database from a migration with few grants, and the words of the first reason.
const ATTACKS: &[(&str, &str)] = &[
    ("SELECT 1; DROP TABLE public.patients", "two statements"),
    ("COMMIT", "transaction control"),
    ("SAVEPOINT guest", "transaction control"),
    ("PREPARE TRANSACTION 'steal'", "transaction control"),
    ("SET SESSION AUTHORIZATION DEFAULT", "SET or RESET"),
    (
        "SELECT set_config('role','none',true)",
        "function set_config",
    ),
    (
        "SELECT query_to_xml('delete from public.logs',true,false,'')",
        "function query_to_xml",
    ),
    (
        "SELECT query_to_xml('select public.secdef()',true,false,'')",
        "function query_to_xml",
    ),
    ("SET TRANSACTION READ WRITE", "SET or RESET"),
    ("SET LOCAL statement_timeout = 0", "SET or RESET"),
    (
        "SELECT pg_advisory_unlock_all()",
        "function pg_advisory_unlock_all",
    ),
    ("SELECT pg_advisory_lock(42)", "function pg_advisory_lock"),
    (
        "INSERT INTO hist.history VALUES (99,'forged')",
        "insert hist.history",
    ),
    (
        "WITH x AS (DELETE FROM hist.history RETURNING id) SELECT count(*) FROM x",
        "delete hist.history",
    ),
    (
        "CREATE TRIGGER t BEFORE INSERT ON public.logs FOR EACH ROW EXECUTE FUNCTION public.tf()",
        "code trigger public.t sha256=",
    ),
    (
        "CREATE RULE r AS ON INSERT TO public.logs DO ALSO DELETE FROM public.patients",
        "CREATE RULE",
    ),
    (
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES",
    ),
    ("GRANT SELECT ON public.patients TO PUBLIC", "GRANT"),
    ("COPY public.logs FROM '/etc/passwd'", "COPY"),
    (
        "COPY (DELETE FROM public.logs RETURNING *) TO STDOUT",
        "COPY",
    ),
    ("SELECT lo_import('/etc/passwd')", "function lo_import"),
    ("SELECT lo_create(0)", "function lo_create"),
    ("SELECT public.secdef()", "call public.secdef()"),
    ("EXPLAIN SELECT public.lying()", "EXPLAIN"),
    ("EXPLAIN ANALYZE DELETE FROM public.logs", "EXPLAIN"),
    (
        "ALTER TABLE public.logs ADD CONSTRAINT c CHECK (public.lying() = 1)",
        "call public.lying()",
    ),
    ("CREATE TEMP TABLE history (id int)", "temporary"),
    ("SELECT * INTO TEMP t FROM public.patients", "temporary"),
    ("SELECT * FROM public.secret2", "read public.secret2"),
    (
        "SELECT * FROM ts_stat('select to_tsvector(ssn) from public.patients')",
        "function ts_stat",
    ),
    (
        "SELECT table_to_xml('hist.history',true,false,'')",
        "function table_to_xml",
    ),
    ("PREPARE p AS DELETE FROM public.logs", "PREPARE"),
    ("LISTEN host_channel", "LISTEN"),
    (
        "LOCK TABLE public.patients IN ACCESS EXCLUSIVE MODE",
        "lock public.patients",
    ),
    ("ALTER TABLE public.logs DISABLE TRIGGER ALL", "TRIGGER"),
    ("ALTER TABLE public.logs OWNER TO app_user", "OWNER TO"),
    ("ALTER SYSTEM SET archive_command = 'x'", "ALTER SYSTEM"),
    ("TRUNCATE public.patients CASCADE", "CASCADE"),
    ("DROP SCHEMA public CASCADE", "CASCADE"),
    ("DROP SCHEMA public", "DROP of an object"),
    (
        "ALTER TABLE public.logs ADD COLUMN c int DEFAULT nextval('public.s')",
        "alter public.logs: add-column",
    ),
    (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
        "unqualified relation pg_stat_activity",
    ),
    (
        "SELECT rolpassword FROM pg_catalog.pg_authid",
        "pg_catalog.pg_authid",
    ),
    (
        "SELECT prosrc FROM pg_catalog.pg_proc",
        "pg_catalog.pg_proc",
    ),
    (
        "SELECT * FROM information_schema.tables",
        "information_schema.tables",
    ),
    (
        "SELECT id OPERATOR(public.+) 1 FROM public.logs",
        "operator public",
    ),
    (
        "SELECT id::public.evil FROM public.logs",
        "use-type public.evil",
    ),
    (
        "DELETE FROM public.logs USING public.secret2 s WHERE s.id = logs.id",
        "read public.secret2(id)",
    ),
    (
        "SELECT * FROM public.patients FOR UPDATE",
        "update public.patients(?)",
    ),
    (
        "SET LOCAL session_replication_role = replica",
        "SET or RESET",
    ),
    ("SET CONSTRAINTS ALL DEFERRED", "SET CONSTRAINTS"),
    ("CALL public.some_proc()", "CALL"),
    ("VACUUM FULL public.logs", "vacuum public.logs"),
    (
        "CREATE POLICY p ON public.logs USING (true)",
        "code policy public.p",
    ),
    (
        "SECURITY LABEL ON TABLE public.logs IS 'x'",
        "SECURITY LABEL",
    ),
    ("REASSIGN OWNED BY app_owner TO mig_run", "REASSIGN OWNED"),
    (
        "CREATE VIEW public.v2 AS SELECT * FROM public.patients",
        "create view public.v2",
    ),
    (
        "SELECT U&\"d\\0061t\\+000061\" FROM U&\"p\\0061tients\"",
        "unqualified relation patients",
    ),
    ("SELECT 1 FROM U&\"w\\0061smigrate\".history", "host's own"),
    (
        "SELECT 1 FROM public.logs ORDER BY x USING OPERATOR(evil.<)",
        "operator evil",
    ),
    (
        "ALTER TABLE public.logs ADD EXCLUDE USING gist (x WITH OPERATOR(evil.&&))",
        "operator evil",
    ),
    (
        "CREATE INDEX ON public.logs USING btree (x evil.opclass)",
        "operator class evil.opclass",
    ),
    ("SELECT (l).attr_fn FROM public.logs l", "(...).attr_fn"),
    ("SELECT p FROM public.secret p", "read public.secret"),
    (
        "INSERT INTO public.logs VALUES (1) ON CONFLICT DO NOTHING",
        "insert public.logs",
    ),
    (
        "INSERT INTO public.patients VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1",
        "update public.patients(a)",
    ),
    (
        "MERGE INTO public.patients p USING public.logs l ON true WHEN MATCHED THEN DELETE",
        "delete public.patients",
    ),
    (
        "CREATE TABLE public.new (LIKE hist.history INCLUDING ALL)",
        "LIKE",
    ),
    (
        "CREATE TABLE public.new (LIKE hist.history)",
        "read hist.history",
    ),
    (
        "CREATE TABLE public.x () INHERITS (hist.history)",
        "INHERITS",
    ),
    (
        "ALTER TABLE public.logs ATTACH PARTITION hist.history DEFAULT",
        "attach-partition",
    ),
    (
        "ALTER TABLE public.logs RENAME TO patients",
        "alter public.logs: rename",
    ),
    ("ALTER TABLE public.logs SET SCHEMA hist", "SET SCHEMA"),
    (
        "CREATE STATISTICS public.s ON a, b FROM pg_catalog.pg_class",
        "pg_catalog.pg_class",
    ),
    (
        "UPDATE pg_catalog.pg_class SET relname = 'x'",
        "pg_catalog.pg_class",
    ),
    (
        "SELECT 1 FROM public.logs WHERE 1/(CASE WHEN EXISTS(SELECT 1 FROM public.secret) THEN 0 ELSE 1 END)=1",
        "read public.secret(?)",
    ),
    // not in the samples
    ("SELECT (0.3::float8).pg_sleep", "(...).pg_sleep"),
    (
        "SELECT ('/etc/passwd'::text).pg_read_file",
        "(...).pg_read_file",
    ),
    ("SELECT (logs).pg_sleep FROM public.logs", "(...).pg_sleep"),
    (
        "SELECT (g).pg_sleep FROM generate_series(1, 9) g",
        "(...).pg_sleep",
    ),
    ("SELECT ((x).y).pg_sleep FROM public.logs", "(...)"),
    // a call of a function in FROM is no row, so what follows its name may be one more call
    (
        "SELECT g.pg_sleep FROM generate_series(1, 9) g",
        "the column pg_sleep of a function",
    ),
    (
        "SELECT pg_sleep.pg_sleep FROM generate_series(1, 9) pg_sleep(n)",
        "the column pg_sleep of a function",
    ),
    (
        "SELECT pg_read_file.pg_read_file FROM jsonb_array_elements_text('[]') pg_read_file",
        "the column pg_read_file of a function",
    ),
    (
        "SELECT u.pg_read_file FROM CURRENT_USER AS u",
        "the column pg_read_file of a function",
    ),
    (
        "SELECT u.pg_read_file FROM ROWS FROM (unnest('{a}'::text[])) AS u",
        "the column pg_read_file of a function",
    ),
    (
        "SELECT pg_sleep.pg_sleep FROM public.pg_sleep()",
        "the column pg_sleep of a function",
    ),
    (
        "SELECT (SELECT g.pg_sleep) FROM public.logs, generate_series(1, 9) g",
        "the column pg_sleep of a function",
    ),
    (
        "DELETE FROM public.logs USING generate_series(1, 9) g WHERE g.pg_sleep IS NULL",
        "the column pg_sleep of a function",
    ),
    (
        "SELECT g.g, x.value, e.key, n.i, o.ordinality, u.a, lower.lower \
      FROM generate_series(1, 9) g, jsonb_array_elements('[]') x, jsonb_each('{}') e, generate_series(1, 9) n(i), \
      unnest('{a}'::text[]) WITH ORDINALITY o, unnest('{a}'::text[], '{b}'::text[]) u(a, b), lower('a')",
        "",
    ),
    (
        "UPDATE public.logs SET a = 1 WHERE CURRENT OF c",
        "a cursor",
    ),
    ("SELECT * FROM db.public.logs", "name of a database"),
    ("SELECT * FROM pg_temp.logs", "temporary"),
    ("SELECT * FROM pg_temp_3.logs", "temporary"),
    ("SELECT * FROM pg_toast.pg_toast_1", "server's own"),
    ("SELECT pg_temp.f()", "temporary"),
    ("SELECT wasmigrate.f()", "host's own"),
    ("SELECT '{}'::wasmigrate.t", "host's own"),
    ("SELECT 'a' COLLATE wasmigrate.c", "collation"),
    ("SELECT '1'::wasmigrate.t[]", "host's own"),
    ("SELECT '1'::pg_catalog.pg_authid", "type pg_authid"),
    (
        "SELECT '1'::public.t%TYPE FROM public.logs",
        "use-type public.t",
    ),
    ("SELECT CAST('public.secret' AS regclass)", "type regclass"),
    ("SELECT regclass 'public.secret'", "type regclass"),
    ("SELECT '1'::regrole[]", "type regrole"),
    ("SELECT '1'::cstring", "type cstring"),
    (
        "SELECT pg_catalog.pg_read_file('/etc/passwd')",
        "function pg_read_file",
    ),
    ("SELECT \"pg_catalog\".\"pg_sleep\"(1)", "function pg_sleep"),
    ("SELECT U&\"pg_\\0073leep\"(1)", "function pg_sleep"),
    ("SELECT dblink_exec('x')", "function dblink_exec"),
    (
        "SELECT * FROM ROWS FROM (pg_ls_dir('.')) x",
        "function pg_ls_dir",
    ),
    ("SELECT * FROM pg_ls_dir('.')", "function pg_ls_dir"),
    (
        "SELECT count(*) FILTER (WHERE pg_sleep(1) IS NULL) FROM public.logs",
        "function pg_sleep",
    ),
    (
        "SELECT sum(1) OVER (ORDER BY pg_sleep(1)) FROM public.logs",
        "function pg_sleep",
    ),
    (
        "SELECT sum(1) OVER w FROM public.logs WINDOW w AS (PARTITION BY pg_sleep(1))",
        "function pg_sleep",
    ),
    (
        "SELECT sum(1) OVER (ROWS BETWEEN lo_create(1) PRECEDING AND CURRENT ROW) FROM public.logs",
        "function lo_create",
    ),
    (
        "SELECT 1 FROM public.logs LIMIT (SELECT pg_sleep(1)::text::int)",
        "function pg_sleep",
    ),
    (
        "SELECT 1 FROM public.logs GROUP BY CUBE (pg_sleep(1)::text)",
        "function pg_sleep",
    ),
    (
        "SELECT DISTINCT ON (pg_sleep(1)::text) 1 FROM public.logs",
        "function pg_sleep",
    ),
    (
        "SELECT array_agg(a ORDER BY pg_sleep(1)::text) FROM public.logs",
        "function pg_sleep",
    ),
    (
        "SELECT 1 FROM public.logs TABLESAMPLE public.evil (1)",
        "method of sampling",
    ),
    (
        "SELECT 1 FROM public.logs TABLESAMPLE system (lo_create(1))",
        "function lo_create",
    ),
    (
        "SELECT XMLELEMENT(NAME a, XMLATTRIBUTES(lo_create(1) AS b))",
        "function lo_create",
    ),
    (
        "SELECT JSON_OBJECT('a': lo_create(1))",
        "function lo_create",
    ),
    (
        "SELECT JSON_ARRAY(SELECT x FROM public.secret)",
        "read public.secret(x)",
    ),
    (
        "SELECT JSON_VALUE('{}', '$' DEFAULT lo_create(1) ON EMPTY)",
        "function lo_create",
    ),
    (
        "SELECT JSON_VALUE('{}', '$' PASSING lo_create(1) AS x)",
        "function lo_create",
    ),
    (
        "SELECT JSON_ARRAYAGG(1 ORDER BY lo_create(1))",
        "function lo_create",
    ),
    (
        "SELECT * FROM JSON_TABLE('{}', '$' COLUMNS (a public.evil PATH '$'))",
        "use-type public.evil",
    ),
    (
        "SELECT * FROM JSON_TABLE('{}', '$' COLUMNS (NESTED '$' COLUMNS (a int PATH '$' DEFAULT lo_create(1) ON ERROR)))",
        "function lo_create",
    ),
    (
        "SELECT * FROM XMLTABLE('/' PASSING '<a/>' COLUMNS a int PATH 'a' DEFAULT lo_create(1))",
        "function lo_create",
    ),
    (
        "SELECT a[lo_create(1)] FROM public.logs",
        "function lo_create",
    ),
    (
        "UPDATE public.logs SET a[lo_create(1)] = 2",
        "function lo_create",
    ),
    (
        "UPDATE public.logs SET (a, b) = (SELECT x, y FROM public.secret)",
        "read public.secret(?)",
    ),
    (
        "SELECT 1 = ANY (SELECT ssn FROM public.secret)",
        "read public.secret",
    ),
    ("SELECT 1 OPERATOR(evil.=) ANY (SELECT 1)", "operator evil"),
    ("SELECT ROW(1) OPERATOR(evil.=) ROW(2)", "operator evil"),
    (
        "SELECT 1 FROM public.logs l, LATERAL (SELECT * FROM public.secret s WHERE s.id = l.id) x",
        "read public.secret",
    ),
    (
        "SELECT (SELECT s FROM public.secret s)",
        "read public.secret",
    ),
    (
        "SELECT (SELECT s.* FROM public.secret s)",
        "read public.secret",
    ),
    ("SELECT count(s) FROM public.secret s", "read public.secret"),
    (
        "SELECT j FROM (public.secret a CROSS JOIN public.logs b) AS j",
        "read public.secret",
    ),
    (
        "SELECT j.* FROM (public.secret a JOIN public.logs b USING (id)) AS j",
        "read public.secret",
    ),
    (
        "WITH logs AS (SELECT 1) SELECT * FROM logs, public.secret",
        "read public.secret",
    ),
    (
        "WITH a AS (WITH b AS (SELECT * FROM public.secret) SELECT * FROM b) SELECT * FROM b",
        "unqualified relation b",
    ),
    (
        "SELECT * FROM (WITH b AS (SELECT 1) SELECT 1) x, b",
        "unqualified relation b",
    ),
    (
        "WITH x AS MATERIALIZED (INSERT INTO public.secret VALUES (1)) SELECT 1",
        "insert public.secret",
    ),
    (
        "INSERT INTO public.logs2 DEFAULT VALUES",
        "insert public.logs2",
    ),
    ("DELETE FROM ONLY public.secret", "delete public.secret"),
    (
        "DELETE FROM public.logs RETURNING (SELECT max(ssn) FROM public.secret)",
        "read public.secret(?)",
    ),
    ("SELECT 1 FROM public.logs FOR SHARE OF logs", ""),
    (
        "SELECT 1 FROM public.patients FOR KEY SHARE",
        "update public.patients(?)",
    ),
    (
        "SELECT 1 FROM (SELECT * FROM public.patients) p FOR UPDATE",
        "update public.patients(?)",
    ),
    (
        "SELECT 1 FROM public.logs, (SELECT * FROM public.patients) p FOR UPDATE OF p",
        "update public.patients(?)",
    ),
    (
        "CREATE TABLE IF NOT EXISTS wasmigrate.x (a int)",
        "host's own",
    ),
    ("CREATE SCHEMA IF NOT EXISTS pg_x", "server's own"),
    ("CREATE SCHEMA x AUTHORIZATION postgres", "AUTHORIZATION"),
    ("CREATE SCHEMA x CREATE TABLE t (a int)", "its contents"),
    ("CREATE EXTENSION pg_trgm", "without SCHEMA"),
    (
        "CREATE EXTENSION plpython3u SCHEMA public",
        "extension plpython3u in public",
    ),
    (
        "ALTER EXTENSION pg_trgm ADD TABLE public.logs",
        "guard does not know",
    ),
    ("ALTER EXTENSION pg_trgm UPDATE", "guard does not know"),
    (
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE c AS 'lib', 'f'",
        "language c",
    ),
    (
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE plpython3u AS 'x'",
        "language plpython3u",
    ),
    (
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE internal AS 'pg_backend_pid'",
        "language internal",
    ),
    (
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql RETURN (SELECT 1 FROM public.secret)",
        "code function",
    ),
    (
        "CREATE PROCEDURE public.f() LANGUAGE sql AS 'x'",
        "PROCEDURE",
    ),
    (
        "CREATE FUNCTION pg_catalog.f() RETURNS int LANGUAGE sql AS 'x'",
        "pg_catalog.f",
    ),
    (
        "CREATE AGGREGATE public.a (int) (SFUNC = public.evil, STYPE = int)",
        "CREATE of an operator",
    ),
    (
        "CREATE CAST (int AS text) WITH FUNCTION public.evil(int)",
        "CREATE CAST",
    ),
    (
        "CREATE TYPE public.r AS RANGE (SUBTYPE = int, SUBTYPE_DIFF = public.evil)",
        "RANGE",
    ),
    (
        "CREATE TYPE public.t (INPUT = public.i, OUTPUT = public.o)",
        "CREATE of an operator",
    ),
    (
        "CREATE DOMAIN public.d AS int CHECK (public.evil(VALUE))",
        "call public.evil(?)",
    ),
    (
        "CREATE DOMAIN public.d AS int DEFAULT lo_create(1)",
        "function lo_create",
    ),
    (
        "CREATE TABLE public.n PARTITION OF public.secret DEFAULT",
        "attach-partition",
    ),
    (
        "CREATE TABLE public.n PARTITION OF public.logs FOR VALUES IN (lo_create(1))",
        "function lo_create",
    ),
    (
        "CREATE TABLE public.n (a int) PARTITION BY RANGE ((lo_create(a)))",
        "function lo_create",
    ),
    ("CREATE TABLE public.n OF public.t", "OF type"),
    (
        "CREATE TABLE public.n (a int) USING evil",
        "access method evil",
    ),
    (
        "CREATE TABLE public.n (a int) TABLESPACE fast",
        "TABLESPACE",
    ),
    ("CREATE TABLE public.n AS EXECUTE p", "EXECUTE"),
    (
        "CREATE TABLE public.n (a int DEFAULT lo_create(1))",
        "function lo_create",
    ),
    (
        "CREATE FOREIGN TABLE public.n (a int) SERVER s",
        "foreign table",
    ),
    (
        "CREATE VIEW public.v WITH (evil = true) AS SELECT 1",
        "option evil",
    ),
    (
        "ALTER VIEW public.v SET (security_invoker = false)",
        "ALTER VIEW",
    ),
    (
        "ALTER TABLE public.v SET (security_invoker = false)",
        "option security_invoker",
    ),
    (
        "CREATE INDEX ON public.logs USING evil (a)",
        "index method evil",
    ),
    (
        "CREATE INDEX ON public.logs (a) WHERE EXISTS (SELECT 1 FROM public.secret)",
        "a sub-select here",
    ),
    (
        "CREATE UNIQUE INDEX ON public.logs ((JSON_ARRAY(SELECT 1 FROM public.secret)))",
        "guard does not know",
    ),
    (
        "CREATE INDEX ON public.logs (a) INCLUDE (b) WITH (evil = 1)",
        "option evil",
    ),
    (
        "ALTER TABLE public.logs ADD CHECK (EXISTS (SELECT 1 FROM public.secret))",
        "a sub-select here",
    ),
    (
        "ALTER TABLE public.logs ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES public.secret",
        "reference public.secret",
    ),
    (
        "ALTER TABLE public.logs ADD CONSTRAINT c UNIQUE (a) USING INDEX TABLESPACE x",
        "TABLESPACE",
    ),
    (
        "ALTER TABLE public.logs ADD CONSTRAINT a CHECK (true), DROP CONSTRAINT b",
        "drop-constraint",
    ),
    (
        "ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b",
        "tablespace",
    ),
    (
        "ALTER TABLE public.logs ALTER COLUMN a SET DEFAULT lo_create(1)",
        "function lo_create",
    ),
    (
        "ALTER INDEX public.ix SET TABLESPACE b",
        "only its parameters",
    ),
    (
        "ALTER INDEX public.ix ATTACH PARTITION public.iy",
        "only its parameters",
    ),
    ("ALTER SEQUENCE public.s OWNER TO x", "ALTER SEQUENCE"),
    (
        "ALTER SEQUENCE public.s OWNED BY public.logs.id",
        "ALTER SEQUENCE",
    ),
    (
        "CREATE SEQUENCE public.s OWNED BY public.logs.id",
        "alter public.logs: default",
    ),
    (
        "ALTER TYPE public.t ADD ATTRIBUTE a int",
        "guard does not know",
    ),
    ("ALTER TYPE public.t RENAME TO u", "RENAME of this"),
    (
        "ALTER FUNCTION public.f() SECURITY DEFINER",
        "ALTER FUNCTION",
    ),
    ("ALTER FUNCTION public.f() RENAME TO g", "RENAME of this"),
    ("ALTER ROLE x SET search_path = public", "ALTER ROLE"),
    (
        "ALTER DATABASE x SET search_path = public",
        "ALTER DATABASE",
    ),
    ("COMMENT ON DATABASE x IS 'a'", "COMMENT ON"),
    ("COMMENT ON ROLE x IS 'a'", "COMMENT ON"),
    (
        "COMMENT ON COLUMN public.secret.a IS 'a'",
        "comment public.secret",
    ),
    ("REINDEX DATABASE x", "REINDEX of a schema"),
    ("REINDEX SCHEMA public", "REINDEX of a schema"),
    (
        "REINDEX (TABLESPACE x) TABLE public.logs",
        "option tablespace",
    ),
    ("VACUUM", "of all tables"),
    ("ANALYZE", "of all tables"),
    ("CLUSTER public.logs USING ix", "CLUSTER"),
    ("SHOW ALL", "SHOW"),
    ("DROP OWNED BY x", "DROP OWNED"),
    ("DROP FUNCTION public.f(int)", "code function public.f"),
    ("DROP TRIGGER t ON public.logs", "code trigger public.t"),
    ("DROP RULE r ON public.logs", "DROP of an object"),
    ("DROP TABLE logs", "unqualified relation logs"),
    ("DROP INDEX ix", "unqualified index ix"),
    ("DROP EXTENSION pg_trgm", "extension pg_trgm in ?"),
    ("DROP CAST (int AS text)", "DROP of an object"),
    ("TRUNCATE public.logs", "truncate public.logs"),
    ("TRUNCATE public.logs RESTART IDENTITY", "RESTART IDENTITY"),
    ("REFRESH MATERIALIZED VIEW public.mv", "refresh public.mv"),
    ("SELECT merge_action()", ""),
    (
        "SELECT ssn FROM public.\"p\u{430}tients\"",
        "printable ASCII",
    ),
    ("SELECT NULL::record", "type record"),
];

#[test]
fn attacks_are_refused() {
    let mut wrong = Vec::new();
    for (sql, words) in ATTACKS {
        let said = refusal(sql, GRANTED).unwrap_or_default();
        if !said.contains(words) || (words.is_empty() != said.is_empty()) {
            wrong.push(format!("{sql}\n    {said:?} has no {words:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
