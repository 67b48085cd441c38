//! What cannot run is refused before anything has happened, each with its code, its hint and its status.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use wasmigrate::migration::Digest;

use crate::connection::servers::SERVER;
use crate::guests::{Small, change_manifest, file_of, folder_of, with_manifest};
use crate::processes::Other;
use crate::support::{Database, Ended, VERSIONS, bare, only, root, white_cross};

/// Runs `up` and `status`; both must end with that status, code and hint, and change nothing.
#[track_caller]
fn refused(folder: &Path, status: i32, code: &str, said: &[&str]) {
    let database = Database::empty();
    for args in [&["up"][..], &["status"], &["down", "--all"], &["verify"]] {
        let ended = database.run(folder, args).failed(status, code);
        assert!(ended.stderr.contains("\nhint: "), "{ended:?}");
        assert!(ended.stdout.is_empty(), "{ended:?}");
        for said in said {
            assert!(ended.stderr.contains(said), "{said}: {ended:?}");
        }
        let json = database.run(folder, &[args, &["--json"]].concat());
        assert_eq!(json.status, status);
        let error = &json.json()["error"];
        assert_eq!(error["code"], code);
        assert_eq!(error["exit"], status);
        assert!(error["hint"].is_string(), "{error}");
    }
    assert_eq!(database.value("SELECT to_regnamespace('wasmigrate')"), "");
}

/// A folder with the second of the four, changed.
fn changed(change: impl Fn(&mut Vec<u8>)) -> tempfile::TempDir {
    let folder = only(white_cross(), &[VERSIONS[1]]);
    let file = file_of(folder.path(), VERSIONS[1]);
    let mut bytes = std::fs::read(&file).unwrap();
    change(&mut bytes);
    std::fs::write(file, bytes).unwrap();
    folder
}

#[test]
fn a_folder_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    refused(
        &missing,
        2,
        "directory-unreadable",
        &["missing", "wasmigrate build"],
    );
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    refused(&file, 2, "directory-unreadable", &["file"]);
}

#[test]
fn a_folder_that_may_not_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let locked = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(folder.path(), locked).unwrap();
    if std::fs::read_dir(folder.path()).is_err() {
        refused(
            folder.path(),
            2,
            "directory-unreadable",
            &["ermission denied"],
        );
    }
    let file = folder_of(&[Small::new("1", "one")]);
    let path = file.path().join("1.wasm");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_err() {
        refused(file.path(), 2, "directory-unreadable", &["1.wasm"]);
    }
}

#[test]
fn a_file_that_is_no_component() {
    for (bytes, said) in [
        (&b""[..], "1.wasm"),
        (b"SELECT 1;", "1.wasm"),
        (b"\0asm\x01\0\0\0", "core"),
        (b"\0asm\x0d\0\x01\0\xff", "1.wasm"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("1.wasm"), bytes).unwrap();
        refused(folder.path(), 5, "component-invalid", &["1.wasm", said]);
    }
}

#[test]
fn a_truncated_component() {
    for part in [2, 3, 10] {
        let folder = changed(|bytes| bytes.truncate(bytes.len() / part * (part - 1)));
        refused(folder.path(), 5, "component-invalid", &[VERSIONS[1]]);
    }
}

#[test]
fn a_damaged_body_is_found_before_anything_runs() {
    let database = Database::white_cross(40, 0);
    let folder = only(white_cross(), &VERSIONS);
    let file = file_of(folder.path(), VERSIONS[2]);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle..middle + 64].fill(0xff);
    std::fs::write(file, bytes).unwrap();
    let ended = database
        .run(folder.path(), &["up"])
        .failed(5, "component-invalid");
    assert!(ended.stderr.contains(VERSIONS[2]), "{ended:?}");
    assert_eq!(database.value("SELECT to_regnamespace('wasmigrate')"), "");
}

#[test]
fn a_component_of_another_interface_version() {
    let folder = changed(|bytes| {
        let (old, new) = (b"@0.1.0", b"@0.9.0");
        for at in 0..bytes.len() - old.len() {
            if bytes[at..].starts_with(old) {
                bytes[at..at + new.len()].copy_from_slice(new);
            }
        }
    });
    refused(
        folder.path(),
        5,
        "component-interface",
        &["version 0.9.0", "this wasmigrate has 0.1", "SDK"],
    );
}

#[test]
fn a_function_of_another_type_is_refused_before_the_lock() {
    let database = Database::empty();
    let good = folder_of(&[Small::new("1", "one")]);
    let wrong = Small::new("1", "one").exports("verify", "func() -> u32");
    let folder = folder_of(std::slice::from_ref(&wrong));
    let file = folder.path().join("1.wasm");
    let said = "exports `verify`, but not as `func() -> result<_, string>`";
    let inspected = bare(&["inspect"]).arg(&file).output().unwrap();
    let inspected = Ended::of(inspected).failed(5, "component-interface");
    assert!(inspected.stderr.contains(said), "{inspected:?}");
    let refused = |args: &[&str]| {
        let ended = database.run(folder.path(), args);
        let ended = ended.failed(5, "component-interface");
        assert!(ended.stderr.contains(said), "{ended:?}");
    };
    refused(&["up"]);
    assert_eq!(database.value("SELECT to_regnamespace('wasmigrate')"), "");
    // as if an earlier wasmigrate had applied it: what is applied is not looked into before it is to run
    database.run(good.path(), &["up"]).ok();
    let digest = Digest::of(&wrong.bytes());
    database.sql(&format!(
        "UPDATE wasmigrate.migration SET digest = '{digest}'"
    ));
    let run_lock = "SELECT pg_advisory_lock(x'7761736d00000001'::int8)";
    let _holder = Other::open(&database, run_lock);
    let up = database.run(folder.path(), &["up"]).ok();
    assert!(up.stdout.contains("nothing to do"), "{up:?}");
    refused(&["down", "--wait", "0s"]);
    refused(&["verify"]);
    assert_eq!(database.value("SELECT count(*) FROM wasmigrate.run"), "1");
}

#[test]
fn two_components_with_one_version() {
    let folder = only(white_cross(), &VERSIONS);
    let second = file_of(folder.path(), VERSIONS[1]);
    std::fs::copy(&second, folder.path().join("again.wasm")).unwrap();
    refused(
        folder.path(),
        5,
        "version-duplicate",
        &["again.wasm", VERSIONS[1]],
    );
}

#[test]
fn a_manifest_with_a_typo() {
    let folder = only(white_cross(), &VERSIONS);
    let file = file_of(folder.path(), VERSIONS[0]);
    change_manifest(&file, |text| text.replacen("modes", "mods", 1));
    refused(
        folder.path(),
        5,
        "manifest-invalid",
        &["line 4, column 1", "did you mean `modes`?", VERSIONS[0]],
    );
    let none = with_manifest(
        &std::fs::read(file_of(white_cross(), VERSIONS[0])).unwrap(),
        |_| String::new(),
    );
    std::fs::write(&file, none).unwrap();
    let database = Database::empty();
    database
        .run(folder.path(), &["up"])
        .failed(5, "manifest-invalid");
}

#[test]
fn a_guest_with_a_typo_in_its_manifest_is_not_built() {
    let project = tempfile::tempdir().unwrap();
    let guest = project.path().join("guest");
    std::fs::create_dir_all(guest.join("src")).unwrap();
    let source = root().join("migrations-wasm/add-missing-critical-indexes");
    for file in ["Cargo.toml", "src/lib.rs"] {
        std::fs::copy(source.join(file), guest.join(file)).unwrap();
    }
    std::fs::write(
        guest.join("migration.toml"),
        "version = \"1\"\nname = \"one\"\n\n[grant]\nup = []\n",
    )
    .unwrap();
    let built = bare(&["build", "--migrations", "out", "guest"])
        .current_dir(project.path())
        .output();
    let built = Ended::of(built.unwrap()).failed(5, "manifest-invalid");
    assert!(built.stderr.contains("migration.toml, line 4"), "{built:?}");
    assert!(built.stderr.contains("did you mean `grants`?"), "{built:?}");
    assert!(!project.path().join("out").exists());
}

#[test]
fn settings_that_nobody_declares() {
    let database = Database::white_cross(40, 7);
    let up = |set: &str| database.run(white_cross(), &["up", "--set", set]);
    let unknown = up("orphan=delete").failed(2, "setting-invalid");
    assert!(
        unknown.stderr.contains("the settings are: orphans"),
        "{unknown:?}"
    );
    let value = up("orphans=drop").failed(2, "setting-invalid");
    assert!(
        value.stderr.contains("placeholder, delete, refuse"),
        "{value:?}"
    );
    assert_eq!(up("orphans").status, 2);
    assert_eq!(up("=delete").status, 2);
    assert_eq!(database.value("SELECT to_regnamespace('wasmigrate')"), "");
}

/// Runs with an address, to an error.
#[track_caller]
fn unconnected(url: &str, code: &str, status: i32, said: &[&str]) -> Ended {
    for verb in ["up", "status", "down", "verify"] {
        let mut command = bare(&[verb, "--migrations"]);
        let output = command.arg(white_cross()).env("DATABASE_URL", url).output();
        let ended = Ended::of(output.unwrap()).failed(status, code);
        for said in said {
            assert!(ended.stderr.contains(said), "{said}: {ended:?}");
        }
        if verb == "verify" {
            return ended;
        }
    }
    unreachable!()
}

#[test]
fn a_database_that_cannot_be_reached() {
    let port = SERVER.embedded.tcp_port().unwrap();
    let at = |user: &str, database: &str| {
        format!("postgres://{user}@127.0.0.1:{port}/{database}?sslmode=disable")
    };
    unconnected(
        &at("scram:hunter2", "postgres"),
        "database-auth",
        8,
        &["`scram`", "hint: "],
    );
    unconnected(&at("scram", "postgres"), "database-auth", 8, &["hint: "]);
    unconnected(
        &at("postgres", "missing"),
        "database-missing",
        8,
        &["`missing`", "hint: "],
    );
    unconnected(
        "postgres://u@127.0.0.1:1/d",
        "database-unreachable",
        8,
        &["127.0.0.1:1", "hint: "],
    );
    unconnected(
        "postgres://u@h/d?sslmode=perhaps",
        "config-invalid",
        2,
        &["sslmode: it must be one of"],
    );
    unconnected("mysql://u@h/d", "config-invalid", 2, &[]);
}

#[test]
fn a_login_that_may_not_make_the_schema() {
    let database = Database::empty();
    let name = format!("limited_{}", database.name);
    database.sql(&format!("CREATE ROLE {name} LOGIN"));
    let folder = folder_of(&[Small::new("1", "one")]);
    let url = database.url.replace("postgres@", &format!("{name}@"));
    let ended = bare(&["up", "--database-url", &url, "--migrations"])
        .arg(folder.path())
        .output();
    let ended = Ended::of(ended.unwrap()).failed(8, "database-privilege");
    assert!(ended.stderr.contains("CREATE on the database"), "{ended:?}");
    assert_eq!(database.value("SELECT to_regnamespace('wasmigrate')"), "");
    // nor may it read what another login has made
    database.run(folder.path(), &["up"]).ok();
    let ended = bare(&["status", "--database-url", &url, "--migrations"])
        .arg(folder.path())
        .output();
    let ended = Ended::of(ended.unwrap()).failed(8, "database-privilege");
    assert!(
        ended.stderr.contains("owns the schema wasmigrate"),
        "{ended:?}"
    );
}

#[test]
fn what_a_statement_broke_on_is_told() {
    let database = Database::white_cross(40, 0);
    // not the index that the migration means
    database.sql("CREATE INDEX idx_users_oauth_provider ON users (email)");
    let before = database.schema();
    let ended = database.run(white_cross(), &["up"]);
    assert_eq!(ended.status, 6, "{ended:?}");
    assert!(
        ended.stderr.contains("idx_users_oauth_provider"),
        "{ended:?}"
    );
    // the two before it stay
    assert_eq!(
        database.value("SELECT count(*) FROM wasmigrate.migration"),
        "2"
    );
    database.run(white_cross(), &["down", "--all"]).ok();
    assert_eq!(database.schema(), before);
    database.sql("DROP TABLE inventory_items");
    let ended = database.run(white_cross(), &["up"]);
    assert_eq!(ended.status, 6, "{ended:?}");

    let json = database.run(white_cross(), &["up", "--json"]);
    assert_eq!(json.status, 6);
    assert!(json.json()["error"]["code"].is_string());
}

#[test]
fn a_schema_of_that_name_that_is_not_ours() {
    let database = Database::empty();
    database.sql("CREATE SCHEMA wasmigrate; CREATE TABLE wasmigrate.migration (theirs int)");
    let before = database.schema();
    let folder = folder_of(&[Small::new("1", "one").up_fails("it was run")]);
    let ended = database.run(folder.path(), &["up"]);
    let ended = ended.failed(4, "history-foreign");
    assert!(!ended.stderr.contains("it was run"), "{ended:?}");
    assert_eq!(database.schema(), before);
}

#[test]
fn a_database_that_takes_no_writes() {
    let database = Database::empty();
    let folder = folder_of(&[Small::new("1", "one")]);
    database.run(folder.path(), &["up"]).ok();
    Small::new("2", "two").write(folder.path());
    database.sql(&format!(
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        database.name
    ));
    let ended = database.run(folder.path(), &["up"]);
    ended.failed(8, "database-read-only");
    database.run(folder.path(), &["status"]).ok();
}

#[test]
fn a_folder_without_migrations_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Database::empty().run(folder.path(), &["up"]).ok();
    assert!(ended.stdout.contains("holds no migration"), "{ended:?}");
}
