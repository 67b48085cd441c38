//! How long one statement may take: `statement-time` in `[limits]`.

use std::path::Path;

use tempfile::TempDir;

use crate::guests::{change_manifest, file_of};
use crate::probe::{Script, VERSION};
use crate::role::granted;
use crate::support::Database;

const LIMITS: &str = "\n[limits]\nstatement-time = \"1s\"\n";
const GRANTS: &[&str] = &[
    "read public.t",
    "insert public.t",
    "call public.pause(double precision)",
    "call public.longer()",
    "fires public.slow()",
];

fn limited(folder: TempDir) -> TempDir {
    change_manifest(&file_of(folder.path(), VERSION), |manifest| {
        format!("{manifest}{LIMITS}")
    });
    folder
}

fn database() -> Database {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE public.t (n int);
         CREATE FUNCTION public.longer() RETURNS text LANGUAGE sql AS
             $$ SELECT pg_catalog.set_config('statement_timeout', '0', true) $$;
         CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_catalog.pg_sleep(NEW.n); RETURN NULL; END $$;",
    );
    database
}

/// Runs it, which must end at the limit and leave nothing.
#[track_caller]
fn ends(database: &Database, folder: &Path, script: &Script) {
    script.write(database);
    let ended = database
        .run(folder, &["up"])
        .failed(7, "limit-statement-time");
    assert!(ended.stderr.contains("statement-time = 1s"), "{ended:?}");
    assert_eq!(database.value("SELECT count(*) FROM public.t"), "0");
    let run =
        "SELECT concat_ws(' ', state, error_code) FROM wasmigrate.run ORDER BY id DESC LIMIT 1";
    assert_eq!(database.value(run), "failed limit-statement-time");
}

#[test]
fn each_statement_has_its_own_time_and_ends_with_it() {
    let database = database();
    let folder = limited(granted(GRANTS));
    // more than the limit together, and a batch of rows counts by itself
    let within = "SELECT public.pause(0.4)";
    Script::default()
        .up("execute", &[within])
        .up("execute", &[within])
        .up("execute-all", &[within, within, within])
        .up(
            "query",
            &["SELECT public.pause(0.04) FROM generate_series(1, 30)"],
        )
        .write(&database);
    database.run(folder.path(), &["up"]).ok();
    database.run(folder.path(), &["down"]).ok();
    let past = "SELECT public.pause(5)";
    for (verb, args) in [
        ("execute", &[past][..]),
        ("execute-all", &[within, past]),
        ("query", &[past]),
        (
            "query",
            &["INSERT INTO public.t SELECT 1 FROM public.pause(5) RETURNING n"],
        ),
        ("require-no-rows", &["what", past]),
        ("require-latency", &["what", "60000", past]),
    ] {
        let script = Script::default().up("execute", &["INSERT INTO public.t VALUES (1)"]);
        ends(&database, folder.path(), &script.up(verb, args));
    }
    // a limit that is the run's own is none of a statement's
    Script::default()
        .up("execute", &["SELECT public.pause(1.5)"])
        .write(&database);
    database.run(granted(GRANTS).path(), &["up"]).ok();
}

#[test]
fn no_function_gives_a_statement_more_time() {
    let database = database();
    let folder = limited(granted(GRANTS));
    let script = Script::default()
        .up("execute", &["SELECT public.longer()"])
        .up("execute", &["SELECT public.pause(5)"]);
    ends(&database, folder.path(), &script);
    let script = Script::default().up("query", &["SELECT public.longer() || public.pause(5)"]);
    ends(&database, folder.path(), &script);
    // what is deferred runs at the end
    database.sql(
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON public.t DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION public.slow()",
    );
    let script = Script::default().up("execute", &["INSERT INTO public.t VALUES (5)"]);
    ends(&database, folder.path(), &script);
}

#[test]
fn a_bulk_write_ends_with_the_time_of_its_statement() {
    let database = database();
    database.sql(
        "CREATE TRIGGER slow BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.slow()",
    );
    let folder = limited(granted(GRANTS));
    let script = Script::default()
        .up("copy-open", &["public", "t", "n"])
        .up("copy-row", &["i:5"])
        .up("copy-finish", &[]);
    ends(&database, folder.path(), &script);
}

/// Not every statement that is cancelled was too slow.
#[test]
fn what_somebody_else_cancels_is_no_limit() {
    let database = database();
    database.sql(
        "CREATE FUNCTION public.cancel() RETURNS boolean LANGUAGE sql SECURITY DEFINER AS
             'SELECT pg_catalog.pg_cancel_backend(pg_catalog.pg_backend_pid())'",
    );
    let folder = limited(granted(&["call public.cancel()"]));
    let script = Script::default().up("execute", &["SELECT public.cancel()"]);
    script.write(&database);
    let ended = database.run(folder.path(), &["up"]);
    let ended = ended.failed(6, "statement-failed");
    assert!(ended.stderr.contains("SQLSTATE: 57014"), "{ended:?}");
}

#[test]
fn a_guest_with_an_endless_statement_ends_with_the_time_of_it() {
    let database = Database::empty();
    let folder = crate::confinement::alone("endless-statement");
    let file = std::fs::read_dir(folder.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    change_manifest(&file.path(), |manifest| {
        manifest.replace(
            "wall-time = \"1s\"",
            "statement-time = \"1s\"\nwall-time = \"30s\"",
        )
    });
    database
        .run(folder.path(), &["up"])
        .failed(7, "limit-statement-time");
}

/// A step by itself, in its transaction or outside of one, and what another runs behind it.
#[test]
fn in_steps_each_statement_has_its_own_time() {
    let database = database();
    database.sql(
        "INSERT INTO public.t VALUES (0), (0), (0);
         CREATE FUNCTION public.slowly(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_catalog.pg_sleep(1); RETURN 1; END $$;",
    );
    let grants = ["index public.t", "call public.slowly(integer)"];
    let folder = limited(granted(&[GRANTS, &grants].concat()));
    let build = "CREATE INDEX CONCURRENTLY i ON public.t (public.slowly(n))";
    for last in ["SELECT public.pause(5)", build] {
        let script = Script::default()
            .up("execute", &["INSERT INTO public.t VALUES (1)"])
            .up("execute", &["SELECT public.longer()"])
            .up("execute", &["SELECT public.pause(0.6)"])
            .up("execute", &["SELECT public.pause(0.6)"])
            .up("execute", &[last]);
        script.write(&database);
        let up = ["up", "--mode", "stepwise"];
        let ended = database.run(folder.path(), &up).failed(9, "half-way");
        assert!(ended.stderr.contains("limit-statement-time"), "{ended:?}");
        let left = "SELECT count(*) FROM pg_class WHERE relname = 'i'";
        assert_eq!(database.value(left), "0");
        // what was done in time stays done
        let kept = "SELECT count(*) FROM public.t WHERE n = 1";
        assert_eq!(database.value(kept), "1");
        database.sql("DROP SCHEMA wasmigrate CASCADE; DELETE FROM public.t WHERE n = 1");
    }
}
