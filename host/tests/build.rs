//! `wasmigrate build` with the real cargo: the same sources give the same bytes, wherever they lie.

#![allow(clippy::unwrap_used, reason = "a test may stop where it likes")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use wit_component::StringEncoding;
use wit_parser::Resolve;

/// A guest without dependencies, so that it compiles in a second. What it does after `HashMap` is only
/// there to bring in panics, whose messages hold paths.
const GUEST: &str = r#"
use std::collections::HashMap;

mod generated {
    include!(concat!(env!("OUT_DIR"), "/generated.rs"));
}

#[used]
#[unsafe(link_section = "component-type:guest")]
static WORLD: [u8; include_bytes!("../world").len()] = *include_bytes!("../world");

static OK: [u32; 3] = [0; 3];

#[unsafe(no_mangle)]
extern "C" fn up() -> *const u32 {
    let map: HashMap<u32, u32> = (0..generated::pick(2)).map(|n| (n, n)).collect();
    assert!(map.contains_key(&1), "one is missing");
    OK.as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn down() -> *const u32 {
    OK.as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn verify() -> *const u32 {
    OK.as_ptr()
}
"#;

const BUILD: &str = r#"
fn main() {
    let code = "pub fn pick(at: usize) -> u32 { [1, 2, 3][std::hint::black_box(at)] }";
    std::fs::write(format!("{}/generated.rs", std::env::var("OUT_DIR").unwrap()), code).unwrap();
}
"#;

fn world() -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve
        .push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit"))
        .unwrap();
    let text = "package test:guest; world guest {
        export up: func() -> result<_, string>;
        export down: func() -> result<_, string>;
        export verify: func() -> result<_, string>;
    }";
    let package = resolve.push_str("guest.wit", text).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    wit_component::metadata::encode(&resolve, world, StringEncoding::UTF8, None).unwrap()
}

/// A project with one guest; `profile` is what its author wrote about optimization.
fn project(root: &Path, profile: &str) {
    let write = |name: &str, content: &[u8]| {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    write(
        "wasmigrate.toml",
        b"migrations = \"out\"\n[build]\ncrates = [\"guests/*\"]\n",
    );
    write(
        "Cargo.toml",
        format!("[workspace]\nresolver = \"3\"\nmembers = [\"guests/*\"]\n{profile}").as_bytes(),
    );
    write(
        "Cargo.lock",
        b"version = 4\n\n[[package]]\nname = \"guest\"\nversion = \"0.1.0\"\n",
    );
    write(
        "guests/a/Cargo.toml",
        b"[package]\nname = \"guest\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n",
    );
    write(
        "guests/a/migration.toml",
        b"version = \"1\"\nname = \"a\"\n",
    );
    write("guests/a/build.rs", BUILD.as_bytes());
    write("guests/a/src/lib.rs", GUEST.as_bytes());
    write("guests/a/world", &world());
}

fn wasmigrate(root: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wasmigrate"))
        .args(args)
        .current_dir(root)
        .env("RUSTFLAGS", "--cfg not_taken")
        .output()
        .unwrap()
}

#[test]
fn two_folders_give_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let roots = [
        folder.path().join("one"),
        folder.path().join("two, much = deeper/in"),
    ];
    project(&roots[0], "");
    project(
        &roots[1],
        "[profile.release]\nopt-level = 0\ndebug = true\n",
    );
    let built = roots.map(|root| {
        let output = wasmigrate(&root, &["build"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        std::fs::read(root.join("out/1-a.wasm")).unwrap()
    });
    assert!(built[0] == built[1], "the bytes differ");
    let place = folder.path().file_name().unwrap().as_encoded_bytes();
    assert!(
        !built[0].windows(place.len()).any(|window| window == place),
        "a path is in the bytes"
    );
    let source = b"/source/target/guests";
    assert!(
        built[0]
            .windows(source.len())
            .any(|window| window == source),
        "the generated file's panic is gone"
    );
}

#[test]
fn what_the_compiler_refuses_is_an_error_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path(), "");
    std::fs::write(folder.path().join("guests/a/src/lib.rs"), "no Rust").unwrap();
    let output = wasmigrate(folder.path(), &["--json", "build"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("guests/a/src/lib.rs:1"), "{said}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["error"]["code"], "build-failed");
    assert!(!folder.path().join("out").exists());
}

/// A program that notes its arguments in the folder, as `NAME.log`, and then does this.
fn noting(folder: &Path, name: &str, then: &str) -> PathBuf {
    let path = folder.join(name);
    let log = folder.join(name).with_extension("log");
    let text = format!("#!/bin/sh\necho \"$@\" >> '{}'\n{then}\n", log.display());
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The program that compiles guests where the test does not say otherwise.
fn usual(name: &str) -> String {
    let upper = name.to_uppercase();
    [format!("WASMIGRATE_GUEST_{upper}"), upper]
        .iter()
        .find_map(|variable| std::env::var(variable).ok())
        .unwrap_or(name.to_owned())
}

#[test]
fn a_cargo_that_is_named_builds_and_brings_the_standard_library() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path(), "");
    // a compiler without the target, as Debian's is
    let without = format!(
        "'{}' \"$@\" | sed 's,^/.*wasm32-unknown-unknown/lib$,/nonexistent,'",
        usual("rustc")
    );
    let rustc = noting(folder.path(), "rustc", &without);
    let cargo = noting(
        folder.path(),
        "cargo",
        &format!("exec '{}' \"$@\"", usual("cargo")),
    );
    let said = |name: &str| {
        std::fs::read_to_string(folder.path().join(name).with_extension("log")).unwrap_or_default()
    };
    let mut build = Command::new(env!("CARGO_BIN_EXE_wasmigrate"));
    build.arg("build").current_dir(folder.path());
    build.env("WASMIGRATE_GUEST_RUSTC", &rustc);

    build.env_remove("WASMIGRATE_GUEST_CARGO");
    let output = build.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let refusal = String::from_utf8_lossy(&output.stderr);
    assert!(
        refusal.contains("hint: rustup target add wasm32-unknown-unknown"),
        "{refusal}"
    );
    assert!(said("rustc").contains("--print=target-libdir"));
    assert_eq!(said("cargo"), "");

    build.env("WASMIGRATE_GUEST_CARGO", &cargo);
    let output = build.output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{talk}");
    assert!(folder.path().join("out/1-a.wasm").exists());
    let calls = said("cargo");
    let calls: Vec<_> = calls.lines().collect();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls[0].starts_with("metadata "), "{calls:?}");
    assert!(
        calls[1].starts_with("build --locked --release"),
        "{calls:?}"
    );
}
