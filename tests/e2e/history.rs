//! Files and history that disagree, and moving in the history by hand.

use std::path::Path;

use crate::guests::{Small, change_manifest, file_of, folder_of};
use crate::probe::{self, Script};
use crate::support::{Database, Ended, VERSIONS, only, white_cross};

fn applied(database: &Database) -> String {
    database.value("SELECT string_agg(version, ' ' ORDER BY version) FROM wasmigrate.migration")
}

fn states(database: &Database, folder: &Path) -> Vec<String> {
    let status = database.run(folder, &["status", "--json"]).ok().json();
    let lines = status.as_array().unwrap();
    lines
        .iter()
        .map(|line| {
            format!(
                "{} {}",
                line["version"].as_str().unwrap(),
                line["state"].as_str().unwrap()
            )
        })
        .collect()
}

/// Three small migrations: 2 comes after 1.
fn three() -> tempfile::TempDir {
    folder_of(&[
        Small::new("1", "one"),
        Small::new("2", "two").manifest("after = [\"1\"]\n"),
        Small::new("3", "three"),
    ])
}

#[test]
fn a_late_version_is_refused_unless_allowed() {
    let database = Database::empty();
    let folder = folder_of(&[Small::new("1", "one"), Small::new("3", "three")]);
    database.run(folder.path(), &["up"]).ok();
    Small::new("2", "two").write(folder.path());
    assert_eq!(
        states(&database, folder.path()),
        ["1 applied", "2 late", "3 applied"]
    );
    let late = database
        .run(folder.path(), &["up"])
        .failed(4, "history-late");
    assert!(late.stderr.contains("2 two"), "{late:?}");
    assert!(late.stderr.contains("--allow-late"), "{late:?}");
    assert_eq!(applied(&database), "1 3");
    database.run(folder.path(), &["up", "--allow-late"]).ok();
    assert_eq!(applied(&database), "1 2 3");
}

#[test]
fn unmet_after_is_refused_before_anything_runs() {
    let database = Database::empty();
    let folder = folder_of(&[
        Small::new("1", "one"),
        Small::new("2", "two").manifest("after = [\"7\"]\n"),
    ]);
    let unmet = database
        .run(folder.path(), &["up"])
        .failed(4, "history-order");
    assert!(
        unmet.stderr.contains("2 two") && unmet.stderr.contains('7'),
        "{unmet:?}"
    );
    // the first could have run, but nothing was begun
    assert_eq!(database.value("SELECT to_regnamespace('wasmigrate')"), "");
}

#[test]
fn a_missing_file_and_a_divergent_digest_are_refused() {
    let database = Database::white_cross(40, 0);
    database
        .run(white_cross(), &["up", "--to", VERSIONS[1]])
        .ok();
    let schema = database.schema();

    let without = only(white_cross(), &[VERSIONS[1], VERSIONS[2]]);
    for args in [&["up"][..], &["verify"], &["down", "--all"]] {
        let missing = database
            .run(without.path(), args)
            .failed(4, "history-missing");
        assert!(missing.stderr.contains(VERSIONS[0]), "{missing:?}");
    }
    // what is not to be undone need not be there
    let still = database.run(without.path(), &["down", "--only", "nothing"]);
    still.failed(2, "migration-unknown");

    let other = only(white_cross(), &VERSIONS);
    change_manifest(&file_of(other.path(), VERSIONS[0]), |text| {
        format!("{text}# a second thought\n")
    });
    for args in [&["up"][..], &["verify"], &["down", "--all"]] {
        let divergent = database
            .run(other.path(), args)
            .failed(4, "history-divergent");
        assert!(divergent.stderr.contains("applied digest"), "{divergent:?}");
    }
    assert_eq!(
        states(&database, other.path()),
        [
            format!("{} divergent", VERSIONS[0]),
            format!("{} applied", VERSIONS[1]),
            format!("{} pending", VERSIONS[2]),
            format!("{} pending", VERSIONS[3]),
        ]
    );
    assert_eq!(database.schema(), schema);
}

#[test]
fn up_to_a_version_and_down_step_by_step() {
    let database = Database::empty();
    let folder = three();
    let (run, path) = (
        |args: &[&str]| database.run(folder.path(), args),
        folder.path(),
    );
    run(&["up", "--to", "2"]).ok();
    assert_eq!(
        states(&database, path),
        ["1 applied", "2 applied", "3 pending"]
    );
    let nothing = run(&["up", "--to", "1"]).ok();
    assert!(nothing.stdout.contains("nothing to do"), "{nothing:?}");
    run(&["up", "--to", "9"]).failed(2, "migration-unknown");
    run(&["up"]).ok();
    run(&["down"]).ok();
    assert_eq!(applied(&database), "1 2");
    run(&["up"]).ok();
    run(&["down", "--to", "1"]).ok();
    assert_eq!(applied(&database), "1");
    run(&["down", "--to", "9"]).failed(2, "migration-unknown");
    run(&["down", "--all"]).ok();
    let nothing = run(&["down"]).ok();
    assert!(nothing.stdout.contains("nothing to do"), "{nothing:?}");
}

#[test]
fn one_is_undone_by_name_unless_another_needs_it() {
    let database = Database::empty();
    let folder = three();
    let run = |args: &[&str]| database.run(folder.path(), args);
    run(&["up"]).ok();
    let needed = run(&["down", "--only", "one"]).failed(4, "history-dependent");
    assert!(needed.stderr.contains("2 two"), "{needed:?}");
    assert_eq!(applied(&database), "1 2 3");
    run(&["down", "--only", "two"]).ok();
    assert_eq!(applied(&database), "1 3");
    // from now on it is late
    run(&["up"]).failed(4, "history-late");
    run(&["up", "--allow-late"]).ok();
    run(&["down", "--only", "2"]).ok();
    run(&["down", "--only", "1"]).ok();
    assert_eq!(applied(&database), "3");
}

#[test]
fn verify_names_the_damage() {
    let database = Database::white_cross(40, 0);
    let before = database.run(white_cross(), &["verify"]).ok();
    assert!(before.stdout.contains("nothing to verify"), "{before:?}");
    database.run(white_cross(), &["up"]).ok();
    let whole = database.run(white_cross(), &["verify"]).ok();
    assert_eq!(whole.stdout.matches(" verified, ").count(), 4, "{whole:?}");

    database.sql("DROP INDEX idx_users_oauth_provider");
    let damaged = database.run(white_cross(), &["verify"]);
    assert_eq!(damaged.status, 6, "{damaged:?}");
    assert!(
        damaged.stdout.contains("idx_users_oauth_provider"),
        "{damaged:?}"
    );
    assert!(
        damaged.stdout.contains("error[check-failed]"),
        "{damaged:?}"
    );
    assert_eq!(
        damaged.stdout.matches(" verified, ").count(),
        3,
        "{damaged:?}"
    );
    let json = database.run(white_cross(), &["verify", "--json"]);
    assert_eq!(json.status, 6);
    let json = json.json();
    let third = &json[2];
    assert_eq!(third["verified"], false);
    assert_eq!(third["error"]["code"], "check-failed");
    let unmet: Vec<_> = third["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["met"] == false)
        .collect();
    assert_eq!(unmet.len(), 1, "{third}");
    assert_eq!(unmet[0]["subject"], "public.idx_users_oauth_provider");
    assert_eq!(unmet[0]["seen"], "absent");

    // only the one that is asked for
    database
        .run(white_cross(), &["verify", "--only", VERSIONS[1]])
        .ok();
    let one = database.run(
        white_cross(),
        &["verify", "--only", "add-user-security-indexes"],
    );
    assert_eq!(one.status, 6, "{one:?}");
    database
        .run(white_cross(), &["verify", "--only", "no-such"])
        .failed(2, "migration-unknown");
}

#[test]
fn a_failed_verification_leaves_the_migration_applied() {
    let database = Database::empty();
    let folder = folder_of(&[
        Small::new("1", "one").verify_fails("one looks wrong"),
        Small::new("2", "two"),
    ]);
    let failed = database
        .run(folder.path(), &["up"])
        .failed(6, "verification-failed");
    assert!(failed.stderr.contains("one looks wrong"), "{failed:?}");
    assert!(
        failed.stderr.contains("applied and committed"),
        "{failed:?}"
    );
    assert!(
        failed.stdout.contains("applied, not verified"),
        "{failed:?}"
    );
    assert_eq!(states(&database, folder.path()), ["1 applied", "2 pending"]);
    let json = database.run(folder.path(), &["down", "--json"]).ok().json();
    assert_eq!(json["ran"][0]["version"], "1");
    let json = database.run(folder.path(), &["up", "--json"]);
    assert_eq!(json.status, 6);
    let json = json.json();
    assert_eq!(json["error"]["code"], "verification-failed");
    assert_eq!(json["ran"][0]["phase"], "up");
    assert_eq!(json["ran"][0]["passed"], true);
    assert_eq!(json["ran"][1]["phase"], "verify");
    assert_eq!(json["ran"][1]["passed"], false);
}

#[test]
fn the_findings_of_a_failed_verification_are_in_the_json() {
    let database = Database::empty();
    let require = |extension| [Some(extension)];
    Script::default()
        .step("verify", "require-extension", &require("plpgsql"))
        .step("verify", "require-extension", &require("no_such"))
        .write(&database);
    let up = database.run(probe::folder(), &["up", "--json"]);
    assert_eq!(up.status, 6, "{up:?}");
    let json = up.json();
    assert_eq!(json["error"]["code"], "verification-failed");
    let found = |place: usize, key: &str| json["ran"][1]["findings"][place][key].clone();
    assert_eq!(
        (found(0, "subject"), found(0, "met")),
        ("plpgsql".into(), true.into())
    );
    assert_eq!(
        (found(1, "subject"), found(1, "met")),
        ("no_such".into(), false.into())
    );
    assert_eq!(found(1, "seen"), "not installed");
}

fn status(database: &Database, folder: &Path) -> Ended {
    database.run(folder, &["status", "--exit-code"])
}

#[test]
fn status_tells_every_state_and_writes_nothing() {
    let database = Database::empty();
    let folder = three();
    assert_eq!(status(&database, folder.path()).status, 3);
    database.run(folder.path(), &["status"]).ok();
    assert_eq!(database.value("SELECT to_regnamespace('wasmigrate')"), "");
    database.run(folder.path(), &["up", "--to", "2"]).ok();
    assert_eq!(status(&database, folder.path()).status, 3);
    database.run(folder.path(), &["up"]).ok();
    let done = status(&database, folder.path());
    assert_eq!(done.status, 0);
    for word in ["one", "two", "three", "applied", "postgres"] {
        assert!(done.stdout.contains(word), "{done:?}");
    }

    let short = folder_of(&[
        Small::new("1", "one").manifest("# other\n"),
        Small::new("3", "three"),
    ]);
    Small::new("4", "four").write(short.path());
    let before = database.value("SELECT count(*) FROM wasmigrate.run");
    assert_eq!(
        states(&database, short.path()),
        ["1 divergent", "2 missing", "3 applied", "4 pending"]
    );
    assert_eq!(status(&database, short.path()).status, 4);
    assert_eq!(
        database.value("SELECT count(*) FROM wasmigrate.run"),
        before
    );
}

#[test]
fn nothing_is_compiled_while_nothing_is_pending() {
    let database = Database::empty();
    let folder = three();
    let cache = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = database.command(folder.path(), args);
        let output = command.env("XDG_CACHE_HOME", cache.path()).output();
        Ended::of(output.unwrap()).ok();
        std::fs::read_dir(cache.path()).unwrap().count()
    };
    database.run(folder.path(), &["up"]).ok();
    assert_eq!(run(&["up"]), 0);
    assert_eq!(run(&["status"]), 0);
    assert_eq!(
        run(&["inspect", folder.path().join("1.wasm").to_str().unwrap()]),
        0
    );
    // and that is where compiled code would be
    assert_eq!(run(&["verify"]), 1);
}

#[test]
fn a_newer_releases_history_is_left_alone() {
    let database = Database::empty();
    let folder = three();
    database.run(folder.path(), &["up"]).ok();
    database.sql("INSERT INTO wasmigrate.layout (version, host_version) VALUES (99, '99.0')");
    for args in [&["up"][..], &["status"], &["down"], &["verify"]] {
        database.run(folder.path(), args).failed(4, "history-newer");
    }
}
