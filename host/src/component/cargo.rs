//! Calling cargo so that the same sources give the same bytes, wherever they lie and whoever builds.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::error::{Code, Error, Result};

const TARGET: &str = "wasm32-unknown-unknown";

/// The whole profile, so that the author's own does not count.
const PROFILE: &[&str] = &[
    "profile.release.opt-level=3",
    "profile.release.lto=true",
    "profile.release.strip=true",
    "profile.release.codegen-units=1",
    "profile.release.panic=\"abort\"",
    "profile.release.debug=false",
    "profile.release.debug-assertions=false",
    // a migration that counts wrongly must stop, not wrap around
    "profile.release.overflow-checks=true",
    "profile.release.incremental=false",
];

/// A package of a cargo workspace, from `cargo metadata`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Package {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) manifest_path: PathBuf,
}

/// A cargo workspace, from `cargo metadata`.
#[derive(Debug, Deserialize)]
pub(super) struct Workspace {
    pub(super) workspace_root: PathBuf,
    pub(super) packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    package_id: Option<String>,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

fn failed(message: impl Into<String>) -> Error {
    Error::new(Code::BuildFailed, message)
}

/// The cargo and the rustc that compile guests. A machine whose own toolchain lacks the target names
/// others (which then bring the standard library themselves) in WASMIGRATE_GUEST_CARGO and
/// WASMIGRATE_GUEST_RUSTC.
fn program(name: &str) -> Command {
    let upper = name.to_uppercase();
    let named = std::env::var_os(format!("WASMIGRATE_GUEST_{upper}"))
        .or_else(|| std::env::var_os(upper))
        .unwrap_or_else(|| name.into());
    Command::new(named)
}

/// The standard output of a program that only tells something.
fn ask(command: &mut Command, from: &Path) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .current_dir(from)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            failed(format!("failed to start `{name}`"))
                .cause(error)
                .hint("building migrations needs a Rust toolchain: https://rustup.rs")
        })?;
    if !output.status.success() {
        return Err(failed(format!("`{name}` failed"))
            .cause(String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout)
        .map_err(|error| failed(format!("`{name}` wrote no UTF-8")).cause(error))
}

/// The workspace that a crate belongs to.
pub(super) fn workspace(folder: &Path) -> Result<Workspace> {
    let mut cargo = program("cargo");
    cargo
        .args([
            "metadata",
            "--no-deps",
            "--format-version=1",
            "--manifest-path",
        ])
        .arg(folder.join("Cargo.toml"));
    let text = ask(&mut cargo, folder)?;
    serde_json::from_str(&text)
        .map_err(|error| failed("failed to understand `cargo metadata`").cause(error))
}

/// Compiles the packages of one workspace and returns the path of each one's module, by package id.
/// The compiler talks on our standard error.
pub(super) fn build(
    root: &Path,
    packages: &[Package],
    quiet: bool,
) -> Result<HashMap<String, PathBuf>> {
    if !root.join("Cargo.lock").exists() {
        let what = format!("there is no Cargo.lock in `{}`", root.display());
        return Err(failed(what).hint("run `cargo generate-lockfile` there and keep the file: by it every build gives the same component"));
    }
    let flags = encoded_flags(root)?;
    let mut cargo = program("cargo");
    cargo.args([
        "build",
        "--locked",
        "--release",
        "--message-format=json-render-diagnostics",
        "--target",
        TARGET,
    ]);
    // a folder of its own: an outer cargo may hold the lock of the usual one
    cargo.arg("--target-dir").arg(root.join("target/guests"));
    for setting in PROFILE {
        cargo.args(["--config", setting]);
    }
    for package in packages {
        cargo.args(["--package", &package.id]);
    }
    if quiet {
        cargo.arg("--quiet");
    }
    cargo
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env("CARGO_INCREMENTAL", "0")
        .env_remove("RUSTFLAGS");
    let mut child = cargo
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed("failed to start cargo").cause(error))?;
    let mut modules = HashMap::new();
    let mut unread = None;
    for line in child
        .stdout
        .take()
        .map(BufReader::new)
        .into_iter()
        .flat_map(BufRead::lines)
    {
        match line {
            Ok(line) => modules.extend(module(&line)),
            Err(error) => unread = Some(error),
        }
    }
    let status = child
        .wait()
        .map_err(|error| failed("failed to wait for cargo").cause(error))?;
    match unread {
        Some(error) => Err(failed("failed to read what cargo wrote").cause(error)),
        None if !status.success() => {
            let names: Vec<_> = packages
                .iter()
                .map(|package| package.name.as_str())
                .collect();
            Err(
                failed(format!("cargo failed to build {}", names.join(", ")))
                    .hint("the compiler's own words are above"),
            )
        }
        None => Ok(modules),
    }
}

/// The module that a line of cargo's JSON announces.
fn module(line: &str) -> Option<(String, PathBuf)> {
    let message: Message = serde_json::from_str(line).ok()?;
    let cdylib = message.target?.kind.iter().any(|kind| kind == "cdylib");
    let file = message
        .filenames
        .into_iter()
        .find(|file| file.extension().is_some_and(|ext| ext == "wasm"))?;
    (message.reason == "compiler-artifact" && cdylib).then_some((message.package_id?, file))
}

/// The flags that take every path of this machine out of the result, as CARGO_ENCODED_RUSTFLAGS has them.
fn encoded_flags(root: &Path) -> Result<OsString> {
    let printed = ask(
        program("rustc").args([
            "--print=sysroot",
            "--print=target-libdir",
            "--target",
            TARGET,
        ]),
        root,
    )?;
    let (sysroot, libraries) = printed
        .trim_end()
        .split_once('\n')
        .ok_or_else(|| failed("rustc names no sysroot"))?;
    let brings_its_own = std::env::var_os("WASMIGRATE_GUEST_CARGO").is_some();
    if !brings_its_own && !has_core(Path::new(libraries)) {
        return Err(failed(format!(
            "the Rust toolchain has no standard library for {TARGET}"
        ))
        .hint(format!("rustup target add {TARGET}")));
    }
    let version = ask(program("rustc").arg("-vV"), root)?;
    let commit = version
        .lines()
        .find_map(|line| line.strip_prefix("commit-hash: "))
        .unwrap_or("unknown");
    let home = cargo_home()?;
    let rust = Path::new(sysroot).join("lib/rustlib/src/rust");
    // of the remaps that fit a path the last one holds, so the widest goes first
    Ok(join([
        remap(root, "/source"),
        remap(&home, "/cargo"),
        remap(&rust, &format!("/rustc/{commit}")),
    ]))
}

fn has_core(libraries: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(libraries) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

fn cargo_home() -> Result<PathBuf> {
    match std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()) {
        Some(home) => std::path::absolute(home)
            .map_err(|error| failed("failed to find cargo's home").cause(error)),
        None => Ok(etcetera::home_dir()
            .map_err(|error| failed("failed to find cargo's home").cause(error))?
            .join(".cargo")),
    }
}

fn remap(from: &Path, to: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(from);
    flag.push("=");
    flag.push(to);
    flag
}

fn join(flags: [OsString; 3]) -> OsString {
    flags.join(&OsString::from("\x1f"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_of_a_cdylib_is_found_in_cargos_messages() {
        let line = |reason: &str, kind: &str, file: &str| {
            format!(
                r#"{{"reason":"{reason}","package_id":"p","target":{{"kind":["{kind}"]}},"filenames":["{file}"]}}"#
            )
        };
        let found = module(&line("compiler-artifact", "cdylib", "/t/a.wasm"));
        assert_eq!(found, Some(("p".to_owned(), PathBuf::from("/t/a.wasm"))));
        assert_eq!(module(&line("compiler-artifact", "lib", "/t/a.rlib")), None);
        assert_eq!(module(&line("compiler-artifact", "bin", "/t/a.wasm")), None);
        assert_eq!(
            module(r#"{"reason":"build-finished","success":true}"#),
            None
        );
        assert_eq!(module("no JSON"), None);
    }

    #[test]
    fn flags_are_joined_as_cargo_takes_them_apart() {
        let flags = join([
            remap(Path::new("/a b"), "/x"),
            remap(Path::new("/c"), "/y"),
            "z".into(),
        ]);
        assert_eq!(
            flags,
            "--remap-path-prefix=/a b=/x\x1f--remap-path-prefix=/c=/y\x1fz"
        );
    }
}
