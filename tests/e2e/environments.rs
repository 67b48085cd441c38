//! `[env.NAME]` of wasmigrate.toml: what it changes of a run, and what wins over it.

use std::path::Path;

use crate::guests::Small;
use crate::probe::{self, Script};
use crate::support::{Database, Ended, bare};

/// What a project chooses for all, and for three environments.
const CHOICES: &str = r#"
mode = "stepwise"
[settings]
colour = "blue"
[env.production]
mode = "transactional"
database-url-env = "PRODUCTION_URL"
[env.production.settings]
colour = "red"
[env.strict]
approval = "required"
[env.hasty]
lock-timeout = "60ms"
"#;

/// A project of the probe, which may run in both modes.
fn project() -> tempfile::TempDir {
    let project = tempfile::tempdir().unwrap();
    let text = format!("migrations = \"{}\"\n{CHOICES}", probe::folder().display());
    std::fs::write(project.path().join("wasmigrate.toml"), text).unwrap();
    project
}

/// Runs a verb there, with these variables and without any other of the database.
fn run(project: &Path, variables: &[(&str, &str)], args: &[&str]) -> Ended {
    let mut command = bare(args);
    command.current_dir(project).envs(variables.iter().copied());
    Ended::of(command.output().unwrap())
}

/// The mode and the settings of the last `up`, as its history has them.
fn recorded(database: &Database) -> String {
    database.value(
        "SELECT concat_ws(' ', mode, settings) FROM wasmigrate.run WHERE direction = 'up' ORDER BY id DESC LIMIT 1",
    )
}

#[test]
fn the_environment_wins_over_the_top_and_the_command_line_over_both() {
    let database = Database::empty();
    Script::default()
        .up("setting", &["colour"])
        .write(&database);
    let project = project();
    let url = ("DATABASE_URL", database.url.as_str());
    let production = ("PRODUCTION_URL", database.url.as_str());
    let variable = ("WASMIGRATE_ENV", "production");
    let up = |variables: &[(&str, &str)], args: &[&str]| {
        let ended = run(project.path(), variables, args).ok();
        let seen = recorded(&database);
        run(project.path(), &[url], &["down"]).ok();
        (ended, seen)
    };
    let (plain, seen) = up(&[url], &["up"]);
    assert_eq!(seen, r#"stepwise {"colour": "blue"}"#);
    assert!(!plain.stderr.contains("environment"), "{plain:?}");
    let (chosen, seen) = up(&[production], &["up", "--env", "production"]);
    assert_eq!(seen, r#"transactional {"colour": "red"}"#);
    assert!(
        chosen.stderr.contains("environment production\n"),
        "{chosen:?}"
    );
    let (_, seen) = up(&[production, variable], &["up"]);
    assert_eq!(seen, r#"transactional {"colour": "red"}"#);
    let (hasty, seen) = up(&[url, variable], &["--env", "hasty", "up"]);
    assert_eq!(seen, r#"stepwise {"colour": "blue"}"#);
    assert!(hasty.stderr.contains("environment hasty\n"), "{hasty:?}");
    let line = [
        "up",
        "--env",
        "production",
        "--mode",
        "stepwise",
        "--set",
        "colour=blue",
    ];
    assert_eq!(up(&[production], &line).1, r#"stepwise {"colour": "blue"}"#);
    let (empty, _) = up(&[url, ("WASMIGRATE_ENV", "")], &["up"]);
    assert!(!empty.stderr.contains("environment"), "{empty:?}");
}

#[test]
fn an_environment_names_its_database_and_reaches_no_other() {
    let [database, other] = [(); 2].map(|()| Database::empty());
    let project = project();
    let url = ("DATABASE_URL", other.url.as_str());
    let production = ["status", "--env", "production"];
    let unset = run(project.path(), &[url], &production).failed(2, "config-invalid");
    assert!(
        unset.stderr.contains("`PRODUCTION_URL` is not set"),
        "{unset:?}"
    );
    Script::default().write(&database);
    let both = [url, ("PRODUCTION_URL", database.url.as_str())];
    run(project.path(), &both, &["up", "--env", "production"]).ok();
    let applied = |args: &[&str]| {
        let ended = run(project.path(), &both, &[&["--json"], args].concat()).ok();
        ended.json()[0]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(applied(&production), "applied");
    assert_eq!(applied(&["status"]), "pending");
    let line = [&production[..], &["--database-url", &other.url]].concat();
    assert_eq!(applied(&line), "pending");
}

#[test]
fn an_environment_may_require_approval() {
    let database = Database::empty();
    Script::default().write(&database);
    let project = project();
    let url = ("DATABASE_URL", database.url.as_str());
    run(project.path(), &[url], &["up", "--env", "strict"]).failed(5, "lock-missing");
    run(project.path(), &[url], &["up"]).ok();
    run(project.path(), &[url], &["verify", "--env", "strict"]).failed(5, "lock-missing");
}

#[test]
fn an_environment_says_how_long_to_wait_for_a_lock() {
    let database = Database::empty();
    let seen = "SELECT public.setting('lock_timeout')";
    Script::default().up("query", &[seen]).write(&database);
    let project = project();
    let url = ("DATABASE_URL", database.url.as_str());
    for (args, time) in [
        (&["up"][..], "3s"),
        (&["up", "--env", "hasty"], "60ms"),
        (&["up", "--env", "hasty", "--lock-timeout", "70ms"], "70ms"),
    ] {
        run(project.path(), &[url], args).ok();
        let answers = probe::answers(&database);
        assert_eq!(
            answers.last().unwrap().value.as_deref(),
            Some(time),
            "{args:?}"
        );
        run(project.path(), &[url], &["down"]).ok();
        database.sql("DELETE FROM public.probe_answer");
    }
}

#[test]
fn what_is_half_way_goes_on_as_it_began_whatever_the_file_chooses() {
    let database = Database::empty();
    Script::default()
        .up("execute", &["INSERT INTO public.t VALUES (1)"])
        .up("execute", &["INSERT INTO public.other VALUES (1)"])
        .write(&database);
    database.sql("CREATE TABLE public.t (n int)");
    let project = project();
    let url = [
        ("DATABASE_URL", database.url.as_str()),
        ("PRODUCTION_URL", &database.url),
    ];
    run(project.path(), &url, &["up"]).failed(9, "half-way");
    database.sql("CREATE TABLE public.other (n int)");
    let production = ["up", "--env", "production"];
    let line = [&production[..], &["--set", "colour=red"]].concat();
    run(project.path(), &url, &line).failed(4, "run-changed");
    run(project.path(), &url, &production).ok();
    assert_eq!(recorded(&database), r#"stepwise {"colour": "blue"}"#);
}

#[test]
fn an_unknown_environment_is_refused_with_the_known_ones() {
    let project = project();
    for (variables, args) in [
        (&[][..], &["status", "--env", "produktion"][..]),
        (&[("WASMIGRATE_ENV", "produktion")], &["up"]),
    ] {
        let ended = run(project.path(), variables, args).failed(2, "environment-unknown");
        let hint = "did you mean `production`? It has hasty, production, strict";
        assert!(ended.stderr.contains(hint), "{ended:?}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    Small::new("1", "one").write(nowhere.path());
    run(
        nowhere.path(),
        &[],
        &["--migrations", ".", "status", "--env", "x"],
    )
    .failed(2, "environment-unknown");
}
