//! What is printed: for people, for programs, and never a password.

use crate::connection::servers::SERVER;
use crate::guests::{Small, file_of, folder_of};
use crate::support::{Database, Ended, VERSIONS, bare, white_cross};
use wasmigrate::error::Code;

fn run(args: &[&str]) -> Ended {
    Ended::of(bare(args).output().unwrap())
}

#[test]
fn every_code_is_explained() {
    for code in Code::ALL {
        let explained = run(&["explain", code.name()]).ok();
        assert!(explained.stdout.contains(code.name()), "{explained:?}");
        assert!(explained.stdout.contains(code.help()), "{explained:?}");
        assert!(
            explained
                .stdout
                .contains(&format!("exit status {}", code.exit())),
            "{explained:?}"
        );
    }
    let all = run(&["explain", "--json"]).ok().json();
    assert_eq!(all.as_array().unwrap().len(), Code::ALL.len());
    let one = run(&["--json", "explain", "history-late"]).ok().json();
    assert_eq!(one["exit"], 4);
    let near = run(&["explain", "histroy-late"]).failed(2, "usage");
    assert!(
        near.stderr.contains("did you mean `history-late`?"),
        "{near:?}"
    );
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]).ok();
        assert!(script.stdout.contains("wasmigrate"), "{shell}");
        assert!(script.stdout.contains("fence-after"), "{shell}");
        assert!(script.stderr.is_empty(), "{script:?}");
    }
    assert_eq!(run(&["completions", "tcsh"]).status, 2);
}

#[test]
fn inspect_shows_all_that_a_component_can_reach() {
    for version in VERSIONS {
        let file = file_of(white_cross(), version);
        let file = file.to_str().unwrap();
        let inspected = run(&["inspect", file, "--json"]).ok().json();
        let imports = inspected["imports"].as_array().unwrap();
        let imports: Vec<_> = imports.iter().map(|name| name.as_str().unwrap()).collect();
        for import in &imports {
            assert!(import.starts_with("wasmigrate:migration/"), "{import}");
        }
        let reads = imports.iter().any(|import| import.contains("/query@"));
        // only the repair of orphans reads rows
        assert_eq!(reads, version == VERSIONS[0], "{imports:?}");
        assert_eq!(inspected["manifest"]["version"], version);
        let bytes = std::fs::read(file).unwrap();
        assert_eq!(inspected["size"], bytes.len());
        assert_eq!(
            inspected["digest"],
            wasmigrate::migration::Digest::of(&bytes).to_string()
        );
        let text = run(&["inspect", file]).ok().stdout;
        assert!(text.contains("execute") && !text.contains("wasi"), "{text}");
        for export in ["up", "down", "verify"] {
            assert!(
                inspected["exports"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|name| name == export)
            );
        }
    }
    let missing = run(&["inspect", "no-such.wasm"]);
    missing.failed(2, "directory-unreadable");
}

/// Standard output is one JSON document, whatever happens.
#[test]
fn json_is_parsed_from_every_verb() {
    let database = Database::white_cross(40, 7);
    let pending = folder_of(&[Small::new("1", "one").up_fails("no")]);
    for (args, status) in [
        (&["status"][..], 0),
        (&["up", "--set", "orphans=refuse"], 6),
        (&["up"], 0),
        (&["up"], 0),
        (&["up", "-v"], 0),
        (&["verify", "-v"], 0),
        (&["down", "--only", "no-such"], 2),
        (&["down"], 0),
        (&["status", "--exit-code"], 3),
        (&["down", "--all", "-q"], 0),
    ] {
        let mut args = args.to_vec();
        args.push("--json");
        let ended = database.run(white_cross(), &args);
        assert_eq!(ended.status, status, "{args:?}: {ended:?}");
        let json = ended.json();
        let error = json.get("error");
        assert_eq!(error.is_some(), ![0, 3].contains(&status), "{json}");
    }
    let failed = database.run(pending.path(), &["up", "--json"]);
    assert_eq!(failed.status, 6);
    assert_eq!(failed.json()["error"]["code"], "migration-failed");
    let usage = run(&["up", "--nonsense", "--json"]);
    assert_eq!(usage.status, 2);
    assert_eq!(usage.json()["error"]["code"], "usage");
}

#[test]
fn data_goes_to_standard_output_and_talk_does_not() {
    let database = Database::white_cross(40, 7);
    let quiet = database.run(white_cross(), &["up", "--quiet"]).ok();
    assert!(quiet.stderr.is_empty(), "{quiet:?}");
    assert!(quiet.stdout.starts_with("version "), "{quiet:?}");
    let nothing = database.run(white_cross(), &["up", "--quiet"]).ok();
    assert!(
        nothing.stdout.is_empty() && nothing.stderr.is_empty(),
        "{nothing:?}"
    );
    let coloured = database
        .run(white_cross(), &["status", "--color", "always"])
        .ok();
    let plain = database.run(white_cross(), &["status"]).ok();
    assert!(!plain.stdout.contains('\x1b'), "{plain:?}");
    assert!(coloured.stdout.contains("applied"), "{coloured:?}");
    let error = database.run(white_cross(), &["down", "--only", "x", "--color", "always"]);
    assert!(error.stderr.contains("\x1b["), "{error:?}");
}

const SECRET: &str = "hunter2-%41b";

/// Everything that can show an address or an argument, and nowhere the password.
#[test]
fn a_password_is_never_shown() {
    let port = SERVER.embedded.tcp_port().unwrap();
    let folder = white_cross().to_str().unwrap();
    let address = |host: &str| format!("postgres://scram:{SECRET}@{host}/postgres?sslmode=disable");
    let urls = [
        address(&format!("127.0.0.1:{port}")),
        address("127.0.0.1:1"),
        address("db.invalid"),
        address(&format!("127.0.0.1:{port}")) + "&nonsense=1",
        format!("postgres://postgres:{SECRET}@127.0.0.1:{port}/postgres?sslmode=disable"),
        format!("postgres://postgres:{SECRET}@127.0.0.1:{port}/missing?sslmode=disable"),
        format!("postgres://scram@127.0.0.1:{port}/postgres?password={SECRET}&sslmode=nonsense"),
        format!("host=127.0.0.1 port={port} user=scram password={SECRET} sslmode=disable"),
        format!("host=127.0.0.1 port={port} user=scram password='a {SECRET}' sslmode=disable"),
        format!("host=127.0.0.1 password='a {SECRET}' nonsense=1"),
        format!("host=127.0.0.1 password='a {SECRET}"),
        format!("host=127.0.0.1 password = 'a \\' {SECRET}' nonsense=1"),
        format!("mysql://u:{SECRET}@h/d"),
        format!("postgres://u:a b{SECRET}@h:x/d"),
        format!("postgres://u:a/{SECRET}@h/d"),
    ];
    let decoded = SECRET.replace("%41", "A");
    let unseen = |ended: &Ended, how: &str| {
        for text in [&ended.stdout, &ended.stderr] {
            for secret in [SECRET, &decoded, "hunter2"] {
                assert!(!text.contains(secret), "{how}: {ended:?}");
            }
        }
    };
    for url in &urls {
        for more in [
            &["status"][..],
            &["status", "--json"],
            &["status", "-v", "--json"],
            &["verify", "-v"],
        ] {
            let command = || {
                let mut command = bare(more);
                command
                    .args(["--migrations", folder])
                    .env("PGPASSWORD", SECRET);
                command
            };
            let by_variable = command().env("DATABASE_URL", url).output().unwrap();
            unseen(&Ended::of(by_variable), url);
            let by_option = command().args(["--database-url", url]).output().unwrap();
            unseen(&Ended::of(by_option), url);
        }
        // a mistake on the command line is repeated to the user
        for json in [&[][..], &["--json"]] {
            for args in [
                &["status", url][..],
                &[url],
                &["status", "--databse-url", url],
                &["up", "--set", url],
                &["up", "--wait", url],
            ] {
                let ended = Ended::of(bare(args).args(json).output().unwrap());
                assert_eq!(ended.status, 2, "{ended:?}");
                unseen(&ended, &format!("{args:?}"));
            }
        }
    }
    let project = tempfile::tempdir().unwrap();
    for url in &urls {
        let text = format!("migrations = {folder:?}\n[database]\nurl = {url:?}\n");
        for text in [
            text.clone(),
            text.replace("url", "urll"),
            text.replace("]\nurl", "]\nurl = 1\nurl"),
        ] {
            std::fs::write(project.path().join("wasmigrate.toml"), text).unwrap();
            for json in [&["status"][..], &["status", "--json"]] {
                let ended = bare(json).current_dir(project.path()).output();
                unseen(&Ended::of(ended.unwrap()), url);
            }
        }
    }
}

#[test]
fn a_password_that_fits_is_not_shown_either() {
    let port = SERVER.embedded.tcp_port().unwrap();
    let folder = folder_of(&[Small::new("1", "one").up_fails("no")]);
    for args in [
        &["up", "-v"][..],
        &["up", "--json"],
        &["status", "-v"],
        &["up", "-v", "--json"],
    ] {
        let url = format!("postgres://scram@127.0.0.1:{port}/postgres");
        let mut command = bare(args);
        command.arg("--migrations").arg(folder.path());
        let output = command
            .env("DATABASE_URL", url)
            .env("PGPASSWORD", "right")
            .output();
        let ended = Ended::of(output.unwrap());
        assert!(!ended.stderr.contains("database-auth"), "{ended:?}");
        assert!(!format!("{ended:?}").contains("right"), "{ended:?}");
    }
}
