//! `wasmigrate.toml`, the environment and the command line: who wins.

use std::path::Path;
use std::process::Command;

use crate::guests::{Small, folder_of};
use crate::support::{Database, Ended, bare};

/// A project whose file names a folder of components, and a database if there is one to name.
fn project(url: Option<&str>) -> tempfile::TempDir {
    let project = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(project.path().join("built/deep/er")).unwrap();
    Small::new("1", "one").write(&project.path().join("built"));
    let url = url.map_or(String::new(), |url| {
        format!("[database]\nurl = \"{url}\"\n")
    });
    let text = format!("migrations = \"built\"\n{url}");
    std::fs::write(project.path().join("wasmigrate.toml"), text).unwrap();
    project
}

fn status_in(folder: &Path, adjust: impl Fn(&mut Command)) -> Ended {
    let mut command = bare(&["status"]);
    command.current_dir(folder);
    adjust(&mut command);
    Ended::of(command.output().unwrap())
}

#[test]
fn the_file_is_found_from_a_folder_below() {
    let database = Database::empty();
    let project = project(Some(&database.url));
    let below = project.path().join("built/deep/er");
    let found = status_in(&below, |_| {}).ok();
    assert!(found.stdout.contains("one"), "{found:?}");
    let up = Ended::of(bare(&["up"]).current_dir(&below).output().unwrap()).ok();
    assert!(up.stdout.contains("applied, verified"), "{up:?}");
}

#[test]
fn a_file_can_be_named_and_the_option_wins_over_it() {
    let database = Database::empty();
    let project = project(Some(&database.url));
    let elsewhere = tempfile::tempdir().unwrap();
    status_in(elsewhere.path(), |_| {}).failed(2, "config-invalid");
    let file = project.path().join("wasmigrate.toml");
    let found = status_in(elsewhere.path(), |command| {
        command.arg("--config").arg(&file);
    });
    assert!(found.ok().stdout.contains("one"));
    let other = folder_of(&[Small::new("2", "two")]);
    let found = status_in(project.path(), |command| {
        command.arg("--migrations").arg(other.path());
    });
    let found = found.ok();
    assert!(
        found.stdout.contains("two") && !found.stdout.contains("one"),
        "{found:?}"
    );
    let missing = status_in(project.path(), |command| {
        command.args(["--config", "no-such.toml"]);
    });
    let missing = missing.failed(2, "config-invalid");
    assert!(missing.stderr.contains("no-such.toml"), "{missing:?}");
}

#[test]
fn a_typo_in_the_file_is_named() {
    let project = project(None);
    let file = project.path().join("wasmigrate.toml");
    std::fs::write(&file, "migration = \"built\"\n").unwrap();
    let typo = status_in(project.path(), |_| {}).failed(2, "config-invalid");
    assert!(typo.stderr.contains("line 1"), "{typo:?}");
    assert!(
        typo.stderr.contains("did you mean `migrations`?"),
        "{typo:?}"
    );
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let [in_file, in_environment, on_line, by_variables] = [(); 4].map(|()| Database::empty());
    for (database, version) in [
        (&in_file, "1"),
        (&in_environment, "2"),
        (&on_line, "3"),
        (&by_variables, "4"),
    ] {
        let folder = folder_of(&[Small::new(version, &format!("m{version}"))]);
        database.run(folder.path(), &["up"]).ok();
    }
    let project = project(Some(&in_file.url));
    let applied = |adjust: &dyn Fn(&mut Command)| {
        let ended = status_in(project.path(), |command| {
            command.arg("--json");
            adjust(command);
        });
        let json = ended.ok().json();
        let lines = json.as_array().unwrap().clone();
        let line = lines
            .into_iter()
            .find(|line| line["applied_at"].is_string());
        line.unwrap()["version"].as_str().unwrap().to_owned()
    };
    let host = crate::support::server().socket_dir().display().to_string();
    let variables = |command: &mut Command| {
        command
            .env("PGHOST", &host)
            .env("PGUSER", "postgres")
            .env("PGDATABASE", &by_variables.name);
    };
    let url = |command: &mut Command| {
        command.env("DATABASE_URL", &in_environment.url);
    };
    assert_eq!(applied(&|_| {}), "1");
    assert_eq!(applied(&variables), "4");
    assert_eq!(
        applied(&|c| {
            variables(c);
            url(c);
        }),
        "2"
    );
    let line = |command: &mut Command| {
        command.args(["--database-url", &on_line.url]);
    };
    assert_eq!(
        applied(&|c| {
            variables(c);
            url(c);
            line(c);
        }),
        "3"
    );
    // an empty variable is none
    assert_eq!(
        applied(&|c| {
            c.env("DATABASE_URL", "");
        }),
        "1"
    );
}
