//! The run role, commands under the owner, the comparison of the catalog and the pinned settings, in real runs.

use tempfile::TempDir;

use crate::guests::{change_manifest, file_of};
use crate::probe::{Script, VERSION, answers, folder};
use crate::support::{Database, Ended, only, white_cross};

/// The probe with just these grants in each phase, beside what it needs for itself.
pub fn granted(lines: &[&str]) -> TempDir {
    let copy = only(folder(), &[VERSION]);
    change_manifest(&file_of(copy.path(), VERSION), |manifest| {
        let (head, _) = manifest.split_once("[grants]").unwrap();
        let own = ["read public.probe_step", "insert public.probe_answer"];
        let list = [&own, lines].concat().join("', '");
        let phases = ["up", "down", "verify"].map(|phase| format!("{phase} = ['{list}']\n"));
        format!("{head}[grants]\n{}", phases.concat())
    });
    copy
}

/// Runs the script with these grants; whatever comes of it, no role of a run is left.
#[track_caller]
pub fn run(database: &Database, lines: &[&str], script: Script) -> Ended {
    script.write(database);
    let ended = database.run(granted(lines).path(), &["up", "--verbose"]);
    let left = "SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolname LIKE 'wasmigrate%'";
    assert_eq!(database.value(left), "");
    ended
}

/// Runs the script, which must fail with this code and these words, and change nothing.
#[track_caller]
pub fn denied(
    database: &Database,
    lines: &[&str],
    script: Script,
    code: &str,
    words: &str,
) -> Ended {
    script.write(database);
    let before = database.schema();
    let ended = run(database, lines, script).failed(7, code);
    assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    assert_eq!(database.schema(), before);
    let run =
        "SELECT concat_ws(' ', state, error_code) FROM wasmigrate.run ORDER BY id DESC LIMIT 1";
    assert_eq!(database.value(run), format!("failed {code}"));
    ended
}

fn words(database: &Database) -> Vec<String> {
    let values = answers(database).into_iter();
    values
        .map(|answer| answer.value.unwrap_or_default())
        .collect()
}

const TABLES: &str = "
    CREATE TABLE public.t (n int, who text);
    CREATE TABLE public.secret (v int);
    INSERT INTO public.secret VALUES (7);
    CREATE FUNCTION public.who() RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
    CREATE FUNCTION public.peek() RETURNS int LANGUAGE sql AS 'SELECT v FROM public.secret';";

fn database(sql: &str) -> Database {
    let database = Database::empty();
    database.sql(&format!("{TABLES}{sql}"));
    database
}

#[test]
fn queries_writes_copies_and_checks_run_as_the_run_role() {
    let database = database(
        "ALTER TABLE public.t ALTER who SET DEFAULT public.who();
         INSERT INTO public.t (n) SELECT generate_series(1, 100);",
    );
    let other = "SELECT 1 WHERE public.who() !~ '^wasmigrate_run_[0-9]'";
    let script = Script::default()
        .up("query", &["SELECT public.who()"])
        .up("execute", &["INSERT INTO public.t (n) VALUES (-1)"])
        .up("copy-open", &["public", "t", "n"])
        .up("copy-row", &["i:-2"])
        .up("copy-finish", &[])
        .up(
            "query",
            &["INSERT INTO public.t (n) VALUES (-3) RETURNING who"],
        )
        .up("require-no-rows", &["another", other])
        // many FETCHes, each of which runs the function
        .up(
            "query",
            &["SELECT DISTINCT who FROM (SELECT public.who() AS who FROM public.t) AS x"],
        )
        .step("verify", "require-no-rows", &[Some("another"), Some(other)]);
    let lines = ["read public.t", "insert public.t", "call public.who()"];
    run(&database, &lines, script).ok();
    let seen = words(&database);
    let roles: Vec<_> = seen
        .iter()
        .filter(|word| word.starts_with("wasmigrate_run_"))
        .collect();
    assert_eq!(roles.len(), 3, "{seen:?}");
    let written = "SELECT string_agg(DISTINCT who, ' ') FROM public.t WHERE n < 0";
    assert_eq!(&database.value(written), roles[0]);
}

#[test]
fn a_function_and_a_trigger_may_do_what_is_granted_and_no_more() {
    let database = database(
        "CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO public.secret VALUES (8); RETURN NEW; END $$;",
    );
    let peek = || Script::default().up("query", &["SELECT public.peek()"]);
    let words = "permission denied for table secret";
    let ended = denied(
        &database,
        &["call public.peek()"],
        peek(),
        "grant-denied",
        words,
    );
    assert!(ended.stderr.contains("SQLSTATE: 42501"), "{ended:?}");
    let found =
        "SELECT f ->> 'seen' FROM wasmigrate.run r, jsonb_array_elements(r.findings -> 'up') f
        WHERE f ->> 'kind' = 'grant'";
    assert_eq!(database.value(found), words);
    run(
        &database,
        &["call public.peek()", "read public.secret"],
        peek(),
    )
    .ok();

    for when in [
        "BEFORE INSERT ON public.t",
        "AFTER INSERT ON public.t DEFERRABLE INITIALLY DEFERRED",
    ] {
        let constraint = if when.contains("DEFERR") {
            "CONSTRAINT"
        } else {
            ""
        };
        database.sql(&format!(
            "DELETE FROM wasmigrate.migration; DROP TRIGGER IF EXISTS spy ON public.t;
             CREATE {constraint} TRIGGER spy {when} FOR EACH ROW EXECUTE FUNCTION public.spy()"
        ));
        let insert = || Script::default().up("execute", &["INSERT INTO public.t VALUES (1)"]);
        let fires = ["insert public.t", "fires public.spy()"];
        denied(&database, &fires, insert(), "grant-denied", words);
        assert_eq!(database.value("SELECT count(*) FROM public.secret"), "1");
        let all = [&fires[..], &["insert public.secret"]].concat();
        run(&database, &all, insert()).ok();
        assert_eq!(database.value("SELECT count(*) FROM public.secret"), "2");
        database.sql("DELETE FROM public.secret WHERE v = 8");
    }
}

#[test]
fn commands_run_as_the_owner_and_what_is_new_is_the_logins() {
    let database = database("");
    let boss = format!("boss_{}", database.name);
    database.sql(&format!(
        "CREATE ROLE {boss}; GRANT CREATE ON SCHEMA public TO {boss}; ALTER TABLE public.t OWNER TO {boss};
         CREATE TABLE public.log (tag text, who text); GRANT INSERT ON public.log TO PUBLIC;
         CREATE FUNCTION public.note() RETURNS event_trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO public.log VALUES (tg_tag, current_user); END $$;
         CREATE EVENT TRIGGER note ON ddl_command_start EXECUTE FUNCTION public.note();"
    ));
    let script = Script::default()
        .up("execute", &["CREATE INDEX i ON public.t (n)"])
        .up("execute", &["ALTER TABLE public.t ADD COLUMN more int"])
        // granted since the role was made: the columns, and the new table
        .up("execute", &["UPDATE public.t SET more = 1"])
        .up("execute", &["CREATE TABLE public.v (n int)"])
        .up("execute", &["INSERT INTO public.v VALUES (1)"])
        .up("execute", &["DROP INDEX public.i"]);
    let lines = [
        "index public.t",
        "alter public.t: add-column",
        "update public.t(more)",
        "create table public.v",
        "insert public.v",
        "fires public.note()",
    ];
    run(&database, &lines, script).ok();
    let log = |tags: &str| {
        let sql =
            format!("SELECT string_agg(DISTINCT who, ' ') FROM public.log WHERE tag IN ({tags})");
        database.value(&sql)
    };
    assert_eq!(log("'CREATE INDEX', 'ALTER TABLE', 'DROP INDEX'"), boss);
    let owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'v'";
    assert_eq!(database.value(owner), "postgres");
    database.sql(&format!(
        "DROP EVENT TRIGGER note; DROP OWNED BY {boss}; DROP ROLE {boss}"
    ));
}

#[test]
fn what_a_command_sets_off_runs_once_it_is_granted() {
    let database = database(
        "CREATE SEQUENCE public.ran;
         CREATE FUNCTION public.f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
             $$ BEGIN PERFORM nextval('public.ran'); RETURN 1; END $$;
         CREATE INDEX i ON public.t ((public.f(n)));
         ALTER TABLE public.t ADD CONSTRAINT c CHECK (public.f(n) > 0) NOT VALID;
         CREATE DOMAIN public.d AS int CHECK (public.f(VALUE) > 0);
         CREATE MATERIALIZED VIEW public.m AS SELECT public.f(n) AS x FROM public.t;",
    );
    let script = || {
        Script::default()
            .up("execute", &["CREATE INDEX j ON public.t (n)"])
            .up("execute", &["ALTER TABLE public.t VALIDATE CONSTRAINT c"])
            .up("execute", &["ALTER TABLE public.t ADD COLUMN d public.d"])
            .up("execute", &["REFRESH MATERIALIZED VIEW public.m"])
            .up("execute", &["REINDEX TABLE public.t"])
    };
    let mut lines = vec![
        "index public.t",
        "alter public.t: add-column, validate-constraint",
        "use-type public.d",
        "refresh public.m",
    ];
    let missing = "up is not granted `call public.f(integer)` (through index public.i)";
    denied(&database, &lines, script(), "grant-denied", missing);
    lines.push("call public.f(integer)");
    run(&database, &lines, script()).ok();
    // what changes nothing that runs needs no such grant
    database.sql("DELETE FROM wasmigrate.migration");
    let script = Script::default()
        .up("execute", &["DROP INDEX public.j"])
        .up("execute", &["ALTER TABLE public.t DROP CONSTRAINT c"]);
    let lines = ["index public.t", "alter public.t: drop-constraint"];
    run(&database, &lines, script).ok();
}

#[test]
fn what_a_function_sets_does_not_outlast_its_statement() {
    let database = database(
        "CREATE SCHEMA evil; CREATE FUNCTION evil.length(text) RETURNS int LANGUAGE sql AS 'SELECT 666';
         CREATE FUNCTION public.turn() RETURNS text LANGUAGE sql AS $$
             SELECT pg_catalog.set_config('search_path', 'evil, pg_catalog', true)
                 || pg_catalog.set_config('role', 'none', true)
                 || pg_catalog.set_config('DateStyle', 'German', true) $$;
         CREATE FUNCTION public.hook() RETURNS event_trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM public.turn(); END $$;
         CREATE EVENT TRIGGER hook ON ddl_command_end WHEN TAG IN ('CREATE INDEX')
             EXECUTE FUNCTION public.hook();",
    );
    let script = Script::default()
        .up("query", &["SELECT public.turn()"])
        .up("query", &["SELECT length('four'), date '2026-01-02'::text"])
        .up(
            "execute",
            &["INSERT INTO public.t (who) VALUES (public.turn())"],
        )
        .up(
            "query",
            &["INSERT INTO public.t (n, who) VALUES (length('four'), public.who()) RETURNING n"],
        );
    let lines = [
        "insert public.t",
        "read public.t",
        "call public.turn()",
        "call public.who()",
    ];
    run(&database, &lines, script).ok();
    let seen = words(&database);
    assert_eq!(seen[1..3], ["4", "2026-01-02"], "{seen:?}");
    assert_eq!(seen.last().unwrap(), "4", "{seen:?}");
    let who = database.value("SELECT who FROM public.t WHERE n = 4");
    assert!(who.starts_with("wasmigrate_run_"), "{who}");

    // nor what an event trigger's sets
    database.sql("DELETE FROM wasmigrate.migration");
    let script = Script::default()
        .up("execute", &["CREATE INDEX i ON public.t (n)"])
        .up("query", &["SELECT length('four'), date '2026-01-02'::text"]);
    run(
        &database,
        &["index public.t", "fires public.hook()"],
        script,
    )
    .ok();
    assert_eq!(words(&database)[1..], ["4", "2026-01-02"]);
}

#[test]
fn what_no_grant_explains_in_the_catalog_fails_the_run() {
    let database = database(
        "CREATE FUNCTION public.open() RETURNS int SECURITY DEFINER LANGUAGE plpgsql AS
             $$ BEGIN GRANT SELECT ON public.secret TO PUBLIC; RETURN 1; END $$;",
    );
    let open = Script::default().up("query", &["SELECT public.open()"]);
    let words = "relation public.secret has another acl; no grant explains it";
    denied(
        &database,
        &["call public.open()"],
        open,
        "catalog-changed",
        words,
    );
    let found =
        "SELECT f ->> 'seen' FROM wasmigrate.run r, jsonb_array_elements(r.findings -> 'up') f
        WHERE f ->> 'kind' = 'catalog'";
    assert_eq!(
        database.value(found),
        "relation public.secret has another acl"
    );

    // a command sets it off, which is granted
    database.sql(
        "CREATE FUNCTION public.hook() RETURNS event_trigger LANGUAGE plpgsql AS
             $$ BEGIN EXECUTE 'CREATE POLICY p ON public.secret USING (true)'; END $$;
         CREATE EVENT TRIGGER hook ON ddl_command_end WHEN TAG IN ('CREATE INDEX')
             EXECUTE FUNCTION public.hook();",
    );
    let index = || Script::default().up("execute", &["CREATE INDEX i ON public.t (n)"]);
    let words = "policy p on public.secret is new; no grant explains it";
    denied(
        &database,
        &["index public.t", "fires public.hook()"],
        index(),
        "catalog-changed",
        words,
    );
    database.sql("DROP EVENT TRIGGER hook");
    run(&database, &["index public.t"], index()).ok();
}

#[test]
fn a_change_of_the_catalog_is_refused_with_the_line_that_would_explain_it() {
    let database = database(
        "CREATE FUNCTION public.make() RETURNS int SECURITY DEFINER LANGUAGE plpgsql AS
             $$ BEGIN CREATE TABLE public.made (id serial); RETURN 1; END $$;",
    );
    let make = || Script::default().up("query", &["SELECT public.make()"]);
    let lines = ["call public.make()"];
    let words = "relation public.made is new; \"create table public.made\" would explain it";
    let refused = denied(&database, &lines, make(), "catalog-changed", words);
    let hint = "add \"create table public.made\" to `up` in [grants]";
    assert!(refused.stderr.contains(hint), "{refused:?}");
    let found = "SELECT string_agg(DISTINCT f ->> 'expected', ' ') FROM wasmigrate.run r,
        jsonb_array_elements(r.findings -> 'up') f WHERE f ->> 'kind' = 'catalog'";
    assert_eq!(
        database.value(found),
        "what up is granted; \"create table public.made\" would explain it"
    );
    let lines = [lines[0], "create table public.made"];
    run(&database, &lines, make()).ok();
}

#[test]
fn verify_only_reads_whatever_it_calls() {
    let database = database(
        "INSERT INTO public.t SELECT generate_series(1, 1000);
         CREATE FUNCTION public.insert_one() RETURNS int LANGUAGE sql AS
             'INSERT INTO public.t VALUES (0) RETURNING n';",
    );
    let lines = [
        "read public.t",
        "insert public.t",
        "call public.insert_one()",
    ];
    let calls = "SELECT public.insert_one()";
    for step in [
        vec![Some("query"), Some(calls)],
        vec![
            Some("query"),
            Some("INSERT INTO public.t VALUES (0) RETURNING n"),
        ],
        vec![Some("require-no-rows"), Some("x"), Some(calls)],
        vec![
            Some("require-latency"),
            Some("x"),
            Some("1000"),
            Some(calls),
        ],
    ] {
        let script = Script::default().step("verify", step[0].unwrap(), &step[1..]);
        let ended = run(&database, &lines, script);
        if ended.status == 7 {
            let ended = ended.failed(7, "denied");
            assert!(ended.stderr.contains("verify only reads"), "{ended:?}");
        } else {
            let ended = ended.failed(6, "verification-failed");
            assert!(ended.stderr.contains("read-only transaction"), "{ended:?}");
        }
        database.sql("DELETE FROM wasmigrate.migration");
    }
    // each FETCH is in a savepoint of its own, and the cursor goes on
    let script = Script::default()
        .step(
            "verify",
            "open",
            &[Some("a"), Some("SELECT n FROM public.t")],
        )
        .step("verify", "read-on", &[Some("a")]);
    let ended = run(&database, &lines, script).ok();
    assert!(ended.stderr.contains("Text(\"1000\")"), "{ended:?}");
    assert_eq!(database.value("SELECT count(*) FROM public.t"), "1000");
}

#[test]
fn the_least_login_applies_and_undoes_the_four() {
    let database = Database::white_cross(40, 7);
    let least = database.owned("CREATEROLE");
    let before = database.schema();
    let up = least.run(white_cross(), &["up", "--verbose"]).ok();
    assert!(!up.stderr.contains("without a role"), "{up:?}");
    assert_eq!(
        database.value("SELECT count(*) FROM wasmigrate.migration"),
        "4"
    );
    least.run(white_cross(), &["verify"]).ok();
    least.run(white_cross(), &["down", "--all"]).ok();
    assert_eq!(database.schema(), before);
    let left = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'wasmigrate%'";
    assert_eq!(database.value(left), "0");
}

#[test]
fn a_login_without_createrole_runs_with_a_warning() {
    let plain = Database::white_cross(40, 7).owned("");
    let up = plain.run(white_cross(), &["up", "--verbose"]).ok();
    let warning = "does not have CREATEROLE";
    assert_eq!(up.stderr.matches(warning).count(), 1, "{up:?}");
    plain.run(white_cross(), &["down", "--all"]).ok();
}
