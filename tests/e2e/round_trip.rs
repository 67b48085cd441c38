//! `test`: up, down and up again on copies of a scratch database, and what is found when `down` leaves something behind.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::embedded::assert_nothing_left;
use crate::guests::{Small, folder_of};
use crate::probe::{self, Script};
use crate::support::{Ended, VERSIONS, bare, white_cross, white_cross_sql};

/// Runs it on a folder of components, on what this SQL makes, and sees that nothing stays behind.
#[track_caller]
fn tried(folder: &Path, sql: &str, args: &[&str]) -> Ended {
    let temp = tempfile::tempdir().unwrap();
    let open = std::fs::Permissions::from_mode(0o1777);
    std::fs::set_permissions(temp.path(), open).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), sql).unwrap();
    let mut command = bare(&["test", "--migrations"]);
    command
        .arg(folder)
        .arg("--from")
        .arg(file.path())
        .args(args);
    // neither is used: the server is its own, and pg_dump goes there alone
    command
        .env("DATABASE_URL", "postgres://nowhere")
        .env("PGHOST", "nowhere");
    let ended = Ended::of(command.env("TMPDIR", temp.path()).output().unwrap());
    assert_nothing_left(temp.path());
    ended
}

fn down(script: Script, sql: &str) -> Script {
    script.step("down", "execute", &[Some(sql)])
}

const TABLE: &str = "CREATE TABLE public.t (n int);\n";
const INDEX: &str = "CREATE INDEX IF NOT EXISTS left_behind ON public.t (n)";

#[test]
fn the_four_come_back_to_where_they_were_in_both_modes() {
    let ended = tried(white_cross(), &white_cross_sql(40, 7), &["--json"]);
    assert_eq!(ended.status, 0, "{ended:?}");
    let json = ended.json();
    let trials = json["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 8, "{json}");
    for (place, trial) in trials.iter().enumerate() {
        assert_eq!(trial["version"], VERSIONS[place / 2], "{trial}");
        assert_eq!(trial["mode"], ["transactional", "stepwise"][place % 2]);
        for step in ["up", "down", "up_again"] {
            assert_eq!(trial[step], "done", "{trial}");
        }
        assert_eq!(trial["schema_equal"], true, "{trial}");
        assert!(trial["error"].is_null(), "{trial}");
    }
    // the repair's row stays when the foreign key goes
    let warning = "warning: public.medications has 41 rows behind `down` of 20251106000000";
    assert_eq!(ended.stderr.matches(warning).count(), 2, "{ended:?}");
    assert_eq!(trials[0]["rows"][0]["before"], 40, "{json}");
    assert_eq!(trials[2]["rows"], serde_json::json!([]), "{json}");
}

#[test]
fn what_down_leaves_behind_is_shown() {
    let script = Script::default().up("execute", &[INDEX]);
    let sql = format!("{TABLE}{}", script.text());
    let ended = tried(probe::folder(), &sql, &[]).failed(6, "test-schema-differs");
    assert_eq!(
        ended.stdout.matches("done  done  done      no").count(),
        2,
        "{ended:?}"
    );
    assert!(
        ended
            .stderr
            .contains("\n+CREATE INDEX left_behind ON public.t"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("\n-"), "{ended:?}");
    let mended = down(script, "DROP INDEX public.left_behind");
    let sql = format!("{TABLE}{}", mended.text());
    let ended = tried(probe::folder(), &sql, &["--mode", "stepwise"]).ok();
    assert_eq!(
        ended.stdout.matches("done  done  done      yes").count(),
        1,
        "{ended:?}"
    );
}

#[test]
fn a_second_up_that_comes_to_something_else_is_shown() {
    // the first finds an index of that name, which `down` then drops
    let other = "CREATE INDEX IF NOT EXISTS left_behind ON public.t (n DESC)";
    let script = Script::default().up("execute", &[other]);
    let script = down(script, "DROP INDEX public.left_behind");
    let sql = format!("{TABLE}{INDEX};\n{}", script.text());
    let ended = tried(probe::folder(), &sql, &["--json"]);
    assert_eq!(ended.status, 6, "{ended:?}");
    let json = ended.json();
    assert_eq!(json["error"]["code"], "test-schema-differs");
    let trial = &json["trials"][0];
    assert_eq!(trial["schema_equal"], false);
    for (key, line) in [
        (
            "after_down",
            "\n-CREATE INDEX left_behind ON public.t USING btree (n);",
        ),
        (
            "after_up_again",
            "\n+CREATE INDEX left_behind ON public.t USING btree (n DESC);",
        ),
    ] {
        let difference = trial[key].as_str().unwrap();
        assert!(difference.contains(line), "{difference}");
    }
}

#[test]
fn what_fails_is_told_and_nothing_behind_it_is_run() {
    let failing = [
        Small::new("1", "one").up_fails("no"),
        Small::new("2", "two"),
    ];
    let folder = folder_of(&failing);
    let ended = tried(folder.path(), "", &["--json"]);
    assert_eq!(ended.status, 6, "{ended:?}");
    let json = ended.json();
    assert_eq!(json["error"]["code"], "test-failed");
    assert_eq!(json["error"]["first_code"], "migration-failed");
    let states = |place: usize| [&json["trials"][place]["up"], &json["trials"][place]["down"]];
    assert_eq!(states(0), ["failed", "not-run"], "{json}");
    assert_eq!(states(1), ["not-run", "not-run"], "{json}");
    tried(folder.path(), "", &["--mode", "stepwise"]).failed(5, "mode-unsupported");
    tried(folder.path(), "", &["--set", "x=y"]).failed(2, "setting-invalid");
    tried(folder.path(), "SELEC 1", &[]).failed(2, "usage");
}
