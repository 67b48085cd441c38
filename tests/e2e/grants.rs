//! Which grants SQL needs, as `grants` tells an author; and what the guard takes for granted of a server.

mod component;
mod lines;

use std::io::Write as _;
use std::process::Stdio;

use wasmigrate::guard::functions::{ALLOWED, VOLATILE};

use crate::guests::{change_manifest, file_of};
use crate::probe::Script;
use crate::probe::literal;
use crate::support::{Database, Ended, VERSIONS, bare, only, white_cross};

fn grants(args: &[&str], sql: &[u8]) -> Ended {
    let mut child = bare(&["grants", "--sql", "-"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(sql).unwrap();
    Ended::of(child.wait_with_output().unwrap())
}

#[test]
fn each_statement_of_a_file_is_told_what_it_needs() {
    let ended = grants(&[], b"DELETE FROM public.a; SELECT 1").ok();
    assert_eq!(
        ended.stdout,
        "DELETE FROM public.a\n  needs  delete public.a\nSELECT 1\n  needs no grant\n"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "TABLE public.a").unwrap();
    let path = file.path().to_str().unwrap();
    let ended = Ended::of(bare(&["grants", "--sql", path]).output().unwrap()).ok();
    assert!(ended.stdout.contains("needs  read public.a"), "{ended:?}");
    let missing = bare(&["grants", "--sql", "/no/such/file"]).output();
    Ended::of(missing.unwrap()).failed(2, "usage");
    let odd = grants(&[], b"SELECT '\xff'").failed(2, "usage");
    assert!(
        odd.stderr.contains("failed to read standard input"),
        "{odd:?}"
    );
}

#[test]
fn what_only_the_server_knows_is_explained_once_where_it_is_shown() {
    let note = "? stands for what only the server knows";
    for (sql, times) in [
        ("SELECT 1 FROM public.t; SELECT public.f(1)", 1),
        (
            "SELECT a.x, public.f() FROM public.a; DROP INDEX public.i",
            0,
        ),
    ] {
        let ended = grants(&[], sql.as_bytes()).ok();
        assert_eq!(ended.stdout.contains("(?)"), times == 1, "{ended:?}");
        assert_eq!(ended.stderr.matches(note).count(), times, "{ended:?}");
    }
}

#[test]
fn a_program_gets_a_line_each_and_the_status_says_that_one_never_runs() {
    let ended = grants(
        &["--json"],
        "SELECT x FROM public.a; COMMIT; SELECT '\u{202e}'".as_bytes(),
    );
    assert_eq!(ended.status, 7, "{ended:?}");
    let lines: Vec<serde_json::Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["statement"], "SELECT x FROM public.a");
    assert_eq!(
        lines[0]["required"],
        serde_json::json!(["read public.a(x)"])
    );
    assert_eq!(lines[0]["denied"], serde_json::json!([]));
    assert_eq!(lines[1]["denied"].as_array().unwrap().len(), 1);
    assert!(!ended.stdout.contains('\u{202e}'), "{ended:?}");
}

/// On this server's version each function of the allow-list is what its head says; no row means that nothing
/// is wrong.
#[test]
fn the_functions_that_need_no_grant_are_harmless_here() {
    let array = |names: &[&str]| {
        let list: Vec<_> = names.iter().map(|name| literal(name)).collect();
        format!("ARRAY[{}]", list.join(", "))
    };
    let proof = include_str!("../../host/src/guard/functions_proof.sql");
    let faults = |allowed: &[&str]| {
        let sql = proof
            .replace("$1", &array(allowed))
            .replace("$2", &array(VOLATILE));
        Database::empty().sql(&sql).len()
    };
    assert_eq!(faults(ALLOWED), 0);
    let worse = [ALLOWED, &["pg_sleep", "set_config"]].concat();
    assert!(faults(&worse) > 0);
}

/// A line of the manifest that is taken away is the one that the refusal asks for.
#[test]
fn what_the_manifest_does_not_grant_is_refused_and_rolled_back() {
    let database = Database::white_cross(40, 7);
    let before = (database.schema(), database.checksum("medications"));
    for (line, set) in [
        ("insert public.medications", "orphans=placeholder"),
        ("delete public.medication_logs", "orphans=delete"),
        ("reference public.medications", "orphans=placeholder"),
        ("catalog", "orphans=placeholder"),
    ] {
        let folder = only(white_cross(), &[VERSIONS[0]]);
        change_manifest(&file_of(folder.path(), VERSIONS[0]), |manifest| {
            let (head, lists) = manifest.split_once("up = [").unwrap();
            let (up, rest) = lists.split_once(']').unwrap();
            let up: Vec<_> = up
                .split_inclusive("\n")
                .filter(|entry| !entry.contains(line))
                .collect();
            format!("{head}up = [{}]{rest}", up.concat())
        });
        let ended = database.run(folder.path(), &["up", "--set", set]);
        let ended = ended.failed(7, "grant-denied");
        assert!(
            ended.stderr.contains(&format!("add \"{line}\"")),
            "{ended:?}"
        );
        assert_eq!(
            (database.schema(), database.checksum("medications")),
            before
        );
    }
    let refused = "SELECT count(*) FROM wasmigrate.finding WHERE kind = 'grant' AND NOT met";
    assert_eq!(database.value(refused), "4");
    database.run(white_cross(), &["up"]).ok();
}

#[test]
fn an_index_that_is_not_there_is_said_to_be_missing() {
    let script = Script::default().up("execute", &["DROP INDEX elsewhere.i"]);
    script.fails(&Database::empty(), 7, "grant-denied", "(no such index)");
}
