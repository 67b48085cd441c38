//! What commands on objects reach beside what they name.

use crate::probe::Script;
use crate::role::{denied, run};
use crate::support::Database;

/// A function of somebody's that does what it likes, and a type that runs it wherever a literal of it is read.
const CHECKED: &str = "
    CREATE TABLE public.log (n int);
    CREATE FUNCTION public.f(int) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN INSERT INTO public.log VALUES ($1); RETURN true; END $$;
    CREATE DOMAIN public.dom AS int CHECK (public.f(VALUE));
    CREATE TYPE public.rec AS (x public.dom);
    CREATE TABLE public.tr (r public.rec);
    CREATE TABLE public.t (a int, b int);
    INSERT INTO public.t VALUES (1, 2);";

fn database(sql: &str) -> Database {
    let database = Database::empty();
    database.sql(sql);
    database
}

fn up(statements: &[&str]) -> Script {
    let step = |script: Script, sql: &&str| script.up("execute", &[*sql]);
    statements.iter().fold(Script::default(), step)
}

#[test]
fn what_a_literal_runs_as_it_is_parsed_leaves_nothing() {
    let database = database(
        "CREATE TABLE public.secret (v int); INSERT INTO public.secret VALUES (7);
         CREATE TABLE public.log (v int);
         CREATE FUNCTION public.copy(int) RETURNS boolean LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO public.log SELECT v FROM public.secret; RETURN true;
               EXCEPTION WHEN insufficient_privilege THEN RETURN true; END $$;
         CREATE DOMAIN public.dom AS int CHECK (public.copy(VALUE));
         CREATE TYPE public.rec AS (x public.dom); CREATE TABLE public.tr (r public.rec);",
    );
    // with a `$` in it the host prepares the text to learn its parameters
    let script = up(&["INSERT INTO public.tr VALUES ('(5)') -- $"]);
    let grants = [
        "insert public.tr",
        "use-type public.rec",
        "use-type public.dom",
        "call public.copy(integer)",
    ];
    run(&database, &grants, script).ok();
    assert_eq!(database.value("SELECT count(*) FROM public.tr"), "1");
    assert_eq!(database.value("SELECT count(*) FROM public.log"), "0");
}

#[test]
fn a_literal_in_what_is_made_asks_for_what_its_type_runs() {
    let database = database(CHECKED);
    for (sql, grant) in [
        (
            "CREATE TABLE public.n (x public.rec DEFAULT '(5)')",
            "create table public.n",
        ),
        (
            "CREATE TABLE public.n (x int CHECK ('(5)'::public.rec IS NULL))",
            "create table public.n",
        ),
        (
            "CREATE DOMAIN public.n AS int CHECK ('(5)'::public.rec IS NULL)",
            "create type public.n",
        ),
        (
            "CREATE STATISTICS public.n ON a, ('(5)'::public.rec IS NULL) FROM public.t",
            "statistics public.t",
        ),
    ] {
        let grants = [grant, "use-type public.rec"];
        let words = "call public.f(integer)";
        denied(&database, &grants, up(&[sql]), "grant-denied", words);
        assert_eq!(
            database.value("SELECT count(*) FROM public.log"),
            "0",
            "{sql}"
        );
        let script = up(&[sql]);
        run(&database, &[grants[0], grants[1], words], script).ok();
        database.run(crate::probe::folder(), &["down"]);
        database.sql(
            "DROP TABLE IF EXISTS public.n; DROP STATISTICS IF EXISTS public.n; TRUNCATE public.log;
             DROP SCHEMA wasmigrate CASCADE",
        );
        database.sql("DROP DOMAIN IF EXISTS public.n");
    }
}

#[test]
fn a_change_of_a_table_is_one_of_those_that_inherit_from_it() {
    let database = database(
        "CREATE TABLE public.p (a int, b text); CREATE TABLE public.kid (s text) INHERITS (public.p);
         CREATE TABLE public.grandkid () INHERITS (public.kid);
         INSERT INTO public.kid VALUES (1, 'kept', 's');",
    );
    for (sql, action) in [
        ("ALTER TABLE public.p DROP COLUMN b", "drop-column"),
        (
            "ALTER TABLE public.p ALTER b TYPE varchar USING 'x'",
            "column-type",
        ),
        ("ALTER TABLE public.p ADD COLUMN c int", "add-column"),
        ("ALTER TABLE public.p RENAME b TO c", "rename"),
    ] {
        let grant = format!("alter public.p: {action}");
        let words = format!("alter public.kid: {action}");
        let script = up(&[sql]);
        let refused = denied(&database, &[&grant], script, "grant-denied", &words);
        assert!(
            refused.stderr.contains("alter public.grandkid"),
            "{refused:?}"
        );
    }
    let all = ["p", "kid", "grandkid"].map(|table| format!("alter public.{table}: drop-column"));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    run(&database, &all, up(&["ALTER TABLE public.p DROP COLUMN b"])).ok();
}

/// PostgreSQL drops them with it, without CASCADE.
#[test]
fn a_drop_of_a_table_is_one_of_its_partitions() {
    let database = database(
        "CREATE TABLE public.p (a int, b int) PARTITION BY LIST (a);
         CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES IN (1) PARTITION BY LIST (b);
         CREATE TABLE public.p11 PARTITION OF public.p1 FOR VALUES IN (1);
         CREATE TABLE public.p2 PARTITION OF public.p DEFAULT;
         INSERT INTO public.p VALUES (1, 1), (2, 2); CREATE TABLE public.t (a int);",
    );
    let drops = |names: &[&str]| -> Vec<String> {
        names
            .iter()
            .map(|name| format!("drop table public.{name}"))
            .collect()
    };
    let run_with = |names: &[&str], script: Script, words: Option<&str>| {
        let lines = drops(names);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        match words {
            Some(words) => denied(&database, &lines, script, "grant-denied", words),
            None => run(&database, &lines, script).ok(),
        }
    };
    let words = "drop table public.p11` (through partition of public.p)";
    let refused = run_with(&["p", "p2"], up(&["DROP TABLE public.p"]), Some(words));
    let hint = "add \"drop table public.p1\", \"drop table public.p11\" to `up`";
    assert!(refused.stderr.contains(hint), "{refused:?}");
    // of a table that has none nothing is asked; of another that is dropped with it, all
    let words = "drop table public.p2";
    let both = up(&["DROP TABLE public.t, public.p1, public.p"]);
    run_with(&["t", "p", "p1", "p11"], both, Some(words));
    run_with(&["t"], up(&["DROP TABLE public.t"]), None);
    database.sql("DELETE FROM wasmigrate.migration");
    let all = ["p", "p1", "p11", "p2"];
    run_with(&all, up(&["DROP TABLE public.p"]), None);
    assert_eq!(database.value("SELECT to_regclass('public.p11')"), "");
}

/// The partition is not there yet when the steps are given.
#[test]
fn a_drop_among_several_steps_finds_the_partitions_that_those_ahead_make() {
    let database = database("CREATE TABLE public.p (a int) PARTITION BY LIST (a);");
    let steps = Script::default().up(
        "execute-all",
        &[
            "CREATE TABLE public.p1 PARTITION OF public.p DEFAULT",
            "DROP TABLE public.p",
        ],
    );
    let grants = [
        "create table public.p1",
        "alter public.p: attach-partition",
        "drop table public.p",
    ];
    let words = "drop table public.p1";
    denied(&database, &grants, steps, "grant-denied", words);
}

#[test]
fn truncate_sets_off_the_triggers_of_children() {
    let database = database(
        "CREATE TABLE public.log (n int); CREATE TABLE public.p (a int) PARTITION BY LIST (a);
         CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES IN (1);
         CREATE FUNCTION public.fd() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
            $$ BEGIN INSERT INTO public.log VALUES (1); RETURN NULL; END $$;
         CREATE TRIGGER g AFTER TRUNCATE ON public.p1 EXECUTE FUNCTION public.fd();",
    );
    let script = up(&["TRUNCATE public.p"]);
    denied(
        &database,
        &["truncate public.p"],
        script,
        "grant-denied",
        "fires public.fd()",
    );
}

#[test]
fn a_range_runs_what_measures_it() {
    let database = database(
        "CREATE TABLE public.log (n int);
         CREATE FUNCTION public.diff(int, int) RETURNS float8 LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER AS
            $$ BEGIN INSERT INTO public.log VALUES (1); RETURN $1 - $2; END $$;
         CREATE TYPE public.r AS RANGE (SUBTYPE = int, SUBTYPE_DIFF = public.diff);
         CREATE TABLE public.tg (r public.r);
         INSERT INTO public.tg SELECT public.r(n, n + 5) FROM generate_series(1, 500) AS n; TRUNCATE public.log",
    );
    for (sql, grant) in [
        (
            "CREATE INDEX ON public.tg USING gist (r)",
            "index public.tg",
        ),
        ("ANALYZE public.tg", "analyze public.tg"),
    ] {
        let words = "call public.diff(integer, integer)";
        denied(&database, &[grant], up(&[sql]), "grant-denied", words);
    }
    assert_eq!(database.value("SELECT count(*) FROM public.log"), "0");
}

#[test]
fn the_name_of_a_table_in_its_own_expressions_is_the_whole_row() {
    let database = database("CREATE TABLE public.secret (v text, g int)");
    let sql = "ALTER TABLE public.secret ALTER g TYPE text USING secret::text";
    let grants = [
        "alter public.secret: column-type",
        "read public.secret(secret)",
    ];
    denied(
        &database,
        &grants,
        up(&[sql]),
        "grant-denied",
        "`read public.secret`",
    );
}

#[test]
fn a_column_that_was_filled_in_the_same_run_can_be_dropped() {
    let database = database(CHECKED);
    let script = up(&[
        "UPDATE public.t SET b = a",
        "ALTER TABLE public.t DROP COLUMN b",
    ]);
    let grants = [
        "read public.t(a)",
        "update public.t(b)",
        "alter public.t: drop-column",
    ];
    run(&database, &grants, script).ok();
}

#[test]
fn a_query_in_a_command_finds_what_the_steps_before_it_make() {
    let database = database(CHECKED);
    let steps = [
        "CREATE INDEX ON public.t (a)",
        "ALTER TABLE public.t ADD COLUMN z int",
        "CREATE VIEW public.v AS SELECT z FROM public.t",
        "CREATE TABLE public.w AS SELECT z FROM public.t",
    ];
    let grants = [
        "index public.t",
        "alter public.t: add-column",
        "read public.t(z)",
        "create view public.v",
        "create table public.w",
    ];
    run(
        &database,
        &grants,
        Script::default().up("execute-all", &steps),
    )
    .ok();
}

#[test]
fn foreign_keys_follow_what_is_granted_of_either_table() {
    let database = database(
        "CREATE TABLE public.a (id int PRIMARY KEY); CREATE TABLE public.b (a int REFERENCES public.a);
         INSERT INTO public.a VALUES (1); INSERT INTO public.b VALUES (1);
         CREATE TABLE public.p (a int, n int) PARTITION BY LIST (n);
         CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES IN (1);
         CREATE TABLE public.p2 PARTITION OF public.p FOR VALUES IN (2);
         INSERT INTO public.p VALUES (1, 1), (1, 2);",
    );
    let script = up(&[
        "ALTER TABLE public.a ALTER id TYPE bigint",
        "ALTER TABLE public.p ADD FOREIGN KEY (a) REFERENCES public.a (id)",
        "ALTER TABLE public.p DETACH PARTITION public.p2",
    ]);
    let grants = [
        "alter public.a: column-type",
        "alter public.p: add-constraint, detach-partition",
        "alter public.p2: detach-partition",
        "reference public.a",
    ];
    run(&database, &grants, script).ok();
}
