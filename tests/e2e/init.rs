//! `init`: the file that it writes is one to work with.

use crate::guests::Small;
use crate::support::{Database, Ended, bare};

#[test]
fn what_init_writes_is_worked_with_at_once() {
    let project = tempfile::tempdir().unwrap();
    let guest = project.path().join("migrations/one");
    std::fs::create_dir_all(&guest).unwrap();
    for name in ["Cargo.toml", "migration.toml"] {
        std::fs::write(guest.join(name), "").unwrap();
    }
    let database = Database::empty();
    let run = |args: &[&str]| {
        let mut command = bare(args);
        command
            .current_dir(project.path())
            .env("DATABASE_URL", &database.url);
        Ended::of(command.output().unwrap())
    };
    let written = run(&["init", "--json"]).ok().json();
    assert_eq!(written["file"], "./wasmigrate.toml");
    assert_eq!(written["migrations"], "target/migrations");
    assert_eq!(written["crates"], serde_json::json!(["migrations/one"]));
    let built = project.path().join("target/migrations");
    std::fs::create_dir_all(&built).unwrap();
    Small::new("1", "one").write(&built);
    assert!(run(&["status"]).ok().stdout.contains("pending"));
    run(&["up"]).ok();
    // it was this file that named the folder
    std::fs::remove_file(project.path().join("wasmigrate.toml")).unwrap();
    run(&["status"]).failed(2, "config-invalid");
}

#[test]
fn a_file_that_is_there_is_left_as_it_is() {
    let project = tempfile::tempdir().unwrap();
    let file = project.path().join("wasmigrate.toml");
    std::fs::write(&file, "mine").unwrap();
    let init = |args: &[&str]| {
        let mut command = bare(&["init", "--dir"]);
        command.arg(project.path()).args(args);
        Ended::of(command.output().unwrap())
    };
    let refused = init(&[]).failed(2, "config-exists");
    assert!(refused.stderr.contains("move it away"), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    std::fs::remove_file(&file).unwrap();
    init(&["--env", "x"]).failed(2, "usage");
    assert!(!file.exists());
    let built = project.path().join("built");
    let named = init(&["--migrations", built.to_str().unwrap()]).ok();
    assert!(
        named.stdout.contains("no guest crate was found"),
        "{named:?}"
    );
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\nmigrations = \"built\"\n"), "{text}");
    init(&["--dir", "/nowhere"]).failed(2, "usage");
}
