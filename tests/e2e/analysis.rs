//! As whom the server analyses what a guest sends, which is before the walls have its answer.

use crate::probe::{Script, answers};
use crate::role::{denied, granted, run};
use crate::support::Database;

/// Types whose literals run a function as they are read. Where that is not the run role, a step of the sequence tells,
/// which no rollback takes back.
const CHECKED: &str = "
    CREATE SEQUENCE public.ran;
    CREATE FUNCTION public.f(int) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN IF current_user !~ '^wasmigrate_run_' THEN PERFORM nextval('public.ran'); END IF; RETURN true; END $$;
    CREATE SCHEMA app;
    CREATE DOMAIN public.dom AS int CHECK (public.f(VALUE));
    CREATE TYPE public.rec AS (x public.dom);
    CREATE TABLE public.t (r public.rec, d public.dom[], a int);
    CREATE TABLE app.t (r public.rec, a int);
    CREATE INDEX i ON app.t ((r IS NULL));
    ALTER SEQUENCE public.ran RESTART;";

const GRANTS: &[&str] = &[
    "read public.t",
    "insert public.t",
    "create table public.n",
    "create view public.n",
    "use-type public.rec",
    "use-type public.dom",
    "catalog",
];

fn database() -> Database {
    let database = Database::empty();
    database.sql(CHECKED);
    database
}

#[track_caller]
fn none_ran(database: &Database, what: &str) {
    let ran = database.value("SELECT is_called FROM public.ran");
    assert_eq!(ran, "f", "{what}");
}

#[test]
fn what_a_literal_runs_as_it_is_parsed_is_never_run_by_the_login() {
    let database = database();
    for sql in [
        "INSERT INTO public.t (r) VALUES ('(5)')",
        "INSERT INTO public.t (r) VALUES ('(5)') -- $ has the host ask for parameters",
        "INSERT INTO public.t (d) VALUES ('{5}')",
        "SELECT a FROM public.t WHERE d = '{5}'",
        "SELECT '{5}'::public.dom[] IS NULL",
        "CREATE TABLE public.n AS SELECT '(5)'::public.rec IS NULL AS x",
        "CREATE VIEW public.n AS SELECT a FROM public.t WHERE d = '{5}'",
    ] {
        let script = Script::default().up("execute", &[sql]);
        let words = "call public.f(integer)";
        denied(&database, GRANTS, script, "grant-denied", words);
        none_ran(&database, sql);
    }
    // the phase is granted nothing in the schema of the index
    let script = |expression| {
        let text = "app t i - btree  - expression * - ";
        let args: Vec<_> = (text.split(' '))
            .map(|arg| match arg {
                "-" => None,
                "*" => Some(expression),
                arg => Some(arg),
            })
            .collect();
        Script::default().step("up", "require-index", &args)
    };
    let literal = script("r IS NULL OR '(5)'::public.rec IS NULL");
    let words = "call public.f(integer)";
    denied(&database, GRANTS, literal, "grant-denied", words);
    none_ran(&database, "an expression of an index");
    run(&database, GRANTS, script("r IS NULL")).ok();
}

/// What was made in the run, and so was not there when the run's role was, is found.
#[test]
fn a_query_in_a_command_finds_what_the_run_has_made() {
    let database = Database::empty();
    let script = Script::default()
        .up("execute", &["CREATE SCHEMA app"])
        .up("execute", &["CREATE TABLE app.t (x int)"])
        .up("execute", &["INSERT INTO app.t VALUES (7)"])
        .up("execute", &["CREATE SCHEMA other"])
        .up("execute", &["CREATE TABLE other.t (x int)"])
        .up(
            "execute",
            &["CREATE VIEW other.v AS SELECT t.x FROM app.t JOIN other.t AS o ON o.x = t.x"],
        )
        .up(
            "execute",
            &["CREATE TABLE other.n AS SELECT x FROM other.t"],
        );
    let grants = [
        "create schema app",
        "create table app.t",
        "insert app.t",
        "read app.t",
        "create schema other",
        "create table other.t",
        "read other.t",
        "create view other.v",
        "create table other.n",
    ];
    run(&database, &grants, script).ok();
    assert_eq!(database.value("SELECT count(*) FROM other.n"), "0");
}

#[test]
fn where_not_everybody_may_make_what_is_temporary_the_role_may() {
    let database = database();
    database.sql(&format!(
        "REVOKE TEMPORARY ON DATABASE {0} FROM PUBLIC; GRANT TEMPORARY ON DATABASE {0} TO pg_monitor",
        database.name
    ));
    let acl = format!(
        "SELECT datacl FROM pg_database WHERE datname = '{}'",
        database.name
    );
    let before = database.value(&acl);
    let script = || Script::default().up("execute", &["INSERT INTO public.t (r) VALUES ('(5)')"]);
    let words = "call public.f(integer)";
    denied(&database, GRANTS, script(), "grant-denied", words);
    run(&database, &[GRANTS, &[words]].concat(), script()).ok();
    none_ran(&database, "by a superuser");
    assert_eq!(database.value(&acl), before);
}

/// The login makes the procedure of a look-up there, after the run role has read the text.
#[test]
fn where_the_role_may_make_nothing_temporary_it_reads_the_text_first() {
    let database = database();
    let least = database.owned("CREATEROLE");
    let login = least.value("SELECT current_user");
    database.sql(&format!(
        "REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC; GRANT TEMPORARY ON DATABASE {} TO {login};
         CREATE FUNCTION public.g(int) RETURNS boolean LANGUAGE plpgsql AS
            $$ BEGIN PERFORM nextval('public.ran'); RETURN true; END $$;
         GRANT ALL ON SEQUENCE public.ran TO {login};
         CREATE DOMAIN public.bad AS int CHECK (public.g(VALUE));
         CREATE TABLE public.bads (b public.bad[]); ALTER TABLE public.bads OWNER TO {login};",
        database.name, database.name
    ));
    let up = |sql: &str, lines: &[&str]| {
        Script::default().up("execute", &[sql]).write(&database);
        for table in ["probe_step", "probe_answer"] {
            database.sql(&format!("ALTER TABLE public.{table} OWNER TO {login}"));
        }
        least.run(granted(lines).path(), &["up", "--verbose"])
    };
    let lines = ["insert public.bads", "use-type public.bad"];
    let refused = up("INSERT INTO public.bads VALUES ('{5}')", &lines).failed(7, "grant-denied");
    assert!(
        refused
            .stderr
            .contains("permission denied for sequence ran"),
        "{refused:?}"
    );
    none_ran(&database, "by the least login");
    // of what runs nothing the server still tells all
    let refused = up(
        "INSERT INTO public.bads VALUES (ARRAY[5]::public.bad[])",
        &lines,
    );
    let refused = refused.failed(7, "grant-denied");
    assert!(
        refused.stderr.contains("call public.g(integer)"),
        "{refused:?}"
    );
    none_ran(&database, "by the least login");
    up("INSERT INTO public.bads VALUES ('{}')", &lines).failed(7, "grant-denied");
    let all = [&lines[..], &["call public.g(integer)"]].concat();
    up("INSERT INTO public.bads VALUES ('{}')", &all).ok();
}

/// An event trigger that fires at the look-up's procedure, and may do more than the run role.
#[test]
fn an_event_trigger_of_the_operators_stops_no_look_up() {
    let database = database();
    database.sql(
        "CREATE TABLE public.log (tag text);
         CREATE FUNCTION public.note() RETURNS event_trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO public.log VALUES (tg_tag); END $$;
         CREATE EVENT TRIGGER note ON ddl_command_end EXECUTE FUNCTION public.note();",
    );
    let literal = "INSERT INTO public.t (r) VALUES ('(5)')";
    let script = |sql| Script::default().up("execute", &[sql]);
    let words = "call public.f(integer)";
    denied(&database, GRANTS, script(literal), "grant-denied", words);
    run(&database, GRANTS, script("SELECT a FROM public.t")).ok();
}

#[test]
fn a_field_of_a_composite_column_is_read_as_its_column_is() {
    let database = Database::empty();
    database.sql(
        "CREATE TYPE public.inside AS (depth int); CREATE TYPE public.place AS (street text, inside public.inside);
         CREATE TABLE public.t (p public.place, ps public.place[], n int);
         INSERT INTO public.t VALUES (('a', ROW(7)), ARRAY[('b', ROW(8))::public.place], 0);
         CREATE FUNCTION public.there() RETURNS public.place LANGUAGE sql AS $$ SELECT ('c', ROW(9))::public.place $$;",
    );
    let script = || {
        Script::default()
            .up(
                "query",
                &[
                    "SELECT (p).street, ((p).inside).depth, (t.p).inside.depth, (ps[1]).street,
                    (SELECT p).street, (public.there()).street, (('d', ROW(1))::public.place).street
                   FROM public.t WHERE (p).street = 'a'",
                ],
            )
            .up(
                "execute",
                &["UPDATE public.t SET n = ((p).inside).depth RETURNING (p).street"],
            )
    };
    let mut grants = vec![
        "read public.t(p, ps)",
        "update public.t(n)",
        "call public.there()",
    ];
    let words = "use-type public.place";
    denied(&database, &grants, script(), "grant-denied", words);
    grants.extend(["use-type public.place", "use-type public.inside"]);
    run(&database, &grants, script()).ok();
    let seen: Vec<_> = (answers(&database).into_iter())
        .filter_map(|answer| answer.value)
        .collect();
    assert_eq!(seen[..7], ["a", "7", "7", "b", "a", "c", "d"], "{seen:?}");
    assert_eq!(database.value("SELECT n FROM public.t"), "7");

    database.sql("DELETE FROM wasmigrate.migration");
    grants[0] = "read public.t(ps)";
    denied(
        &database,
        &grants,
        script(),
        "grant-denied",
        "read public.t(p, ps)",
    );
}
