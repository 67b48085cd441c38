//! `grants --component`: what a migration turns out to need, found out without leaving a trace.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wasmigrate::manifest::Manifest;

use crate::guests::{change_manifest, file_of};
use crate::probe::{self, Script};
use crate::processes::{ASLEEP, Running, slow_insertions, until};
use crate::support::{Database, Ended, VERSIONS, bare, only, root, white_cross};

const TABLES: [&str; 7] = [
    "users",
    "students",
    "medications",
    "medication_logs",
    "allergies",
    "inventory_items",
    "student_medications",
];

/// Runs it on a component, and fails the test if it leaves anything.
#[track_caller]
fn found(database: &Database, file: &Path, tables: &[&str], args: &[&str]) -> Ended {
    let look = || {
        let rows: Vec<_> = tables
            .iter()
            .map(|table| database.checksum(table))
            .collect();
        let schemas =
            database.value("SELECT string_agg(nspname, ' ' ORDER BY oid) FROM pg_namespace");
        let roles =
            database.value("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'wasmigrate%'");
        let extensions = database.value("SELECT string_agg(extname, ' ') FROM pg_extension");
        (database.schema(), rows, schemas, roles, extensions)
    };
    let before = look();
    let mut command = bare(&["grants", "--component"]);
    let command = command
        .arg(file)
        .args(args)
        .env("DATABASE_URL", &database.url);
    let ended = Ended::of(command.output().unwrap());
    assert_eq!(look(), before, "{ended:?}");
    ended
}

/// The component with the printed section in the place of its own, in a folder of its own.
fn with_section(file: &Path, section: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join(file.file_name().unwrap());
    std::fs::copy(file, &copy).unwrap();
    change_manifest(&copy, |manifest| {
        let (head, _) = manifest.split_once("[grants]").unwrap();
        let manifest = format!("{head}{section}");
        Manifest::parse("printed", &manifest).unwrap();
        manifest
    });
    (folder, copy)
}

fn none() -> Value {
    json!({"up": [], "down": [], "verify": []})
}

/// The manifests of the four are what is needed, with orphans in the data and without. That `down` drops the
/// extensions takes what `up` remembered.
#[test]
fn the_four_need_what_their_manifests_grant() {
    for orphans in [0, 7] {
        let database = Database::white_cross(40, orphans);
        for version in VERSIONS {
            let file = file_of(white_cross(), version);
            let ended = found(&database, &file, &TABLES, &["--json"]);
            let repairs = version == VERSIONS[0];
            // one of the values of its setting is to stop at an orphan
            let stops = repairs && orphans > 0;
            assert_eq!(ended.status, if stops { 6 } else { 0 }, "{ended:?}");
            let json = ended.json();
            assert_eq!(json["missing"], none(), "{version}");
            assert_eq!(json["unused"], none(), "{version}");
            assert_eq!(json["unclear"], none(), "{version}");
            let runs = json["runs"].as_array().unwrap();
            let (first, second) = runs.split_at(runs.len() / 2);
            assert_eq!(first.len(), if repairs { 9 } else { 3 }, "{version}");
            assert!(first.iter().all(|run| run["mode"] == "transactional"));
            assert!(second.iter().all(|run| run["mode"] == "stepwise"));
            assert_eq!(first.len(), second.len());
            for run in runs {
                let refused = stops && run["settings"]["orphans"] == "refuse";
                let outcome = match run["phase"].as_str() {
                    _ if !refused => "done",
                    Some("up") => "failed",
                    _ => "not-run",
                };
                assert_eq!(run["outcome"], outcome, "{run}");
            }
        }
    }
}

/// What is printed is a manifest's section, and with just that the migration applies, verifies and is undone.
#[test]
fn what_is_printed_suffices_for_a_run() {
    let database = Database::white_cross(40, 7);
    for version in VERSIONS {
        let file = file_of(white_cross(), version);
        let ended = found(&database, &file, &TABLES, &[]);
        if version == VERSIONS[0] {
            let ended = found(&database, &file, &TABLES, &[]).failed(6, "migration-failed");
            let words = "up in stepwise mode with orphans=refuse failed";
            assert!(ended.stderr.contains(words), "{ended:?}");
        } else {
            let same = "the manifest grants just what was needed";
            assert!(ended.stderr.contains(same), "{ended:?}");
        }
        let (folder, copy) = with_section(&file, &ended.stdout);
        let again = found(&database, &copy, &TABLES, &["--json"]).json();
        assert_eq!(again["missing"], none(), "{version}");
        assert_eq!(again["unused"], none(), "{version}");
        for set in ["orphans=placeholder", "orphans=delete"] {
            let scratch = database.copy();
            let set = match version == VERSIONS[0] {
                true => &["up", "--set", set][..],
                false => &["up"],
            };
            scratch.run(folder.path(), set).ok();
            scratch.run(folder.path(), &["down"]).ok();
        }
    }
}

#[test]
fn a_throwaway_server_does_as_well() {
    let schema = root().join("migrations-wasm/white-cross/schema.sql");
    let file = file_of(white_cross(), VERSIONS[3]);
    let output = bare(&["grants", "--embedded", "--load"])
        .arg(schema)
        .arg("--component")
        .arg(file)
        .output();
    let ended = Ended::of(output.unwrap()).ok();
    assert!(ended.stdout.starts_with("[grants]\nup = [\n"), "{ended:?}");
    assert!(
        ended
            .stdout
            .contains("    \"extension pg_trgm in public\",\n")
    );
}

const PROBED: [&str; 3] = ["t", "probe_step", "probe_answer"];

fn probed() -> Database {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE public.t (x int, y text, z text);
         CREATE INDEX i ON public.t (x);
         CREATE STATISTICS public.st ON x, y FROM public.t;
         CREATE SCHEMA ext;
         CREATE EXTENSION pg_trgm SCHEMA ext;
         CREATE EXTENSION unaccent SCHEMA ext;
         CREATE FUNCTION public.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
         CREATE FUNCTION public.g(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
         CREATE FUNCTION public.g(text) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
         INSERT INTO public.t VALUES (1, 'a', 'b');",
    );
    database
}

fn lines<'a>(json: &'a Value, what: &str, phase: &str) -> Vec<&'a str> {
    let list = json[what][phase].as_array().unwrap();
    list.iter().map(|line| line.as_str().unwrap()).collect()
}

/// Each phase has its own list, and what the texts leave open is named by the server.
#[test]
fn each_phase_is_recorded_with_what_the_server_names() {
    let database = probed();
    let one = |phase: &str, script: Script, verb: &str, args: &[&str]| {
        let args: Vec<_> = args.iter().map(|arg| Some(*arg)).collect();
        script.step(phase, verb, &args)
    };
    let mut script = Script::default();
    for sql in [
        "UPDATE public.t SET y = 'c' WHERE t.x = 1",
        "UPDATE public.t SET z = 'c'",
        "DROP INDEX public.i",
        "DROP STATISTICS public.st",
        "CREATE INDEX j ON public.t USING gin (y ext.gin_trgm_ops)",
        "ALTER TABLE public.t ADD COLUMN n int DEFAULT public.g(1)",
        "ALTER TABLE public.t RENAME COLUMN n TO m",
        "SELECT public.f(t.x) FROM public.t",
    ] {
        script = one("up", script, "execute", &[sql]);
    }
    script = one("down", script, "execute", &["DROP INDEX public.j"]);
    script = one("down", script, "execute", &["DROP EXTENSION unaccent"]);
    script = one(
        "verify",
        script,
        "require-no-rows",
        &["none", "SELECT t.m FROM public.t WHERE t.x = 2"],
    );
    script.write(&database);
    let folder = only(probe::folder(), &[probe::VERSION]);
    let file = file_of(folder.path(), probe::VERSION);
    change_manifest(&file, |manifest| {
        let (head, _) = manifest.split_once("[grants]").unwrap();
        format!(
            "{head}[grants]\nup = ['update public.t(y)', 'read public.t', 'call public.g(integer)', \
             'call public.h()']\ndown = ['extension unaccent in ext']\nverify = []\n"
        )
    });
    let ended = found(&database, &file, &PROBED, &["--json"]);
    assert_eq!(ended.status, 0, "{ended:?}");
    let json = ended.json();
    let own = |line: &&str| !line.contains("public.probe_");
    let of = |what: &str, phase: &str| -> Vec<String> {
        let lines = lines(&json, what, phase).into_iter().filter(own);
        lines.map(str::to_owned).collect()
    };
    let up = [
        "call public.f(integer)",
        "extension pg_trgm in ext",
        "update public.t(y, z)",
        "read public.t(x)",
        "alter public.t: add-column, rename",
        "index public.t",
        "statistics public.t",
    ];
    assert_eq!(of("needed", "up"), up);
    // there are two of that name
    assert_eq!(of("unclear", "up"), ["call public.g(?)"]);
    let down = ["extension unaccent in ext", "index public.t"];
    assert_eq!(of("needed", "down"), down);
    assert_eq!(of("needed", "verify"), ["read public.t(m, x)"]);
    let missing = [
        "call public.f(integer)",
        "extension pg_trgm in ext",
        "update public.t(z)",
        "alter public.t: add-column, rename",
        "index public.t",
        "statistics public.t",
    ];
    assert_eq!(of("missing", "up"), missing);
    assert_eq!(of("missing", "down"), ["index public.t"]);
    assert_eq!(of("unused", "up"), ["call public.h()", "read public.t"]);
    assert_eq!(of("unused", "down"), [""; 0]);
    let colours: Vec<_> = json["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["settings"]["colour"])
        .collect();
    assert_eq!(
        colours,
        [[["red"; 3], ["blue"; 3]]; 2].as_flattened().as_flattened()
    );
    let text = found(&database, &file, &PROBED, &[]).ok();
    assert!(
        text.stdout.contains("    # fill in: call public.g(?)\n"),
        "{text:?}"
    );
    let line = "up needs and is not granted: update public.t(z)";
    assert!(text.stderr.contains(line), "{text:?}");
    with_section(&file, &text.stdout);
}

/// A run that fails is told with its reason, and what it needed until then is printed.
#[test]
fn a_failure_is_told_with_what_was_needed_until_then() {
    let file = file_of(probe::folder(), probe::VERSION);
    for (verb, args, status, code, words) in [
        (
            "execute",
            &["COMMIT"][..],
            7,
            "denied",
            "failed to allow `COMMIT`",
        ),
        ("execute", &["SELECT pg_sleep(1)"], 7, "denied", "pg_sleep"),
        ("fail", &["enough"], 6, "migration-failed", "enough"),
        (
            "execute",
            &["SELECT 1/0"],
            6,
            "statement-failed",
            "division by zero",
        ),
        (
            "copy-open",
            &["public", "t"],
            6,
            "copy-open",
            "not finished",
        ),
    ] {
        let database = probed();
        let script = Script::default().up("execute", &["DELETE FROM public.t"]);
        script.up(verb, args).write(&database);
        let ended = found(&database, &file, &PROBED, &[]).failed(status, code);
        assert!(ended.stderr.contains(words), "{ended:?}");
        assert!(
            ended
                .stderr
                .contains("up in stepwise mode with colour=blue failed"),
            "{ended:?}"
        );
        assert!(ended.stdout.contains("\"delete public.t\""), "{ended:?}");
        let json = found(&database, &file, &PROBED, &["--json"]);
        assert_eq!(json.status, status, "{json:?}");
        let runs = &json.json()["runs"];
        assert_eq!(runs[0]["error"]["code"], code, "{runs}");
        assert_eq!(runs[2]["outcome"], "not-run", "{runs}");
    }
    // what only reads here only reads there too, and `down` is tried all the same
    let database = probed();
    let insert = "INSERT INTO public.t VALUES (2)";
    let script =
        Script::default().step("verify", "query", &[Some(&format!("{insert} RETURNING x"))]);
    let script = script.step("down", "execute", &[Some(insert)]);
    script.write(&database);
    let ended = found(&database, &file, &PROBED, &["--json"]);
    assert_eq!(ended.status, 7, "{ended:?}");
    let runs = &ended.json()["runs"];
    assert_eq!(runs[1]["error"]["code"], "denied", "{runs}");
    assert_eq!(runs[2]["outcome"], "done", "{runs}");
}

#[test]
fn a_signal_rolls_back_and_cancels_the_statement() {
    let database = Database::white_cross(40, 7);
    slow_insertions(&database, 600);
    let before = database.schema();
    let file = file_of(white_cross(), VERSIONS[0]);
    let args = ["grants", "--component", file.to_str().unwrap()];
    let run = Running::start(&database, white_cross(), &args);
    until(&database, ASLEEP);
    run.signal("TERM");
    run.end().failed(130, "interrupted");
    // the statement does not notice that its client is gone: only the cancellation ends it
    until(
        &database,
        "SELECT 'gone' WHERE NOT EXISTS (SELECT FROM pg_stat_activity
         WHERE datname = current_database() AND application_name LIKE 'wasmigrate%')",
    );
    assert_eq!(database.schema(), before);
}

#[test]
fn it_is_refused_where_it_could_not_tell() {
    let database = Database::empty();
    Script::default().run(&database).ok();
    let file = file_of(probe::folder(), probe::VERSION);
    let ended = found(&database, &file, &[], &[]).failed(2, "usage");
    assert!(
        ended.stderr.contains("it is applied in this database"),
        "{ended:?}"
    );
    let no = |args: &[&str]| Ended::of(bare(args).output().unwrap()).failed(2, "usage");
    no(&["grants"]);
    no(&["grants", "--sql", "-", "--component", "x.wasm"]);
    // an option that could not matter is refused
    no(&["grants", "--sql", "-", "--embedded"]);
    no(&["grants", "--sql", "-", "--database-url", "postgres://h"]);
}
