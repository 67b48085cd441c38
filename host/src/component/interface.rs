//! Which imports and exports a migration may have: the first list of what it can do.

use crate::error::{Code, Error, Result};

/// The WIT package of the interface.
pub const PACKAGE: &str = "wasmigrate:migration";

/// The interfaces that this host offers.
pub const INTERFACES: &[&str] = &[
    "types", "query", "execute", "bulk", "batches", "checks", "remember", "log", "progress",
    "settings", "diag",
];

/// The functions that a migration exports.
pub(super) const EXPORTS: &[&str] = &["up", "down", "verify"];

/// The interface's version, as far as it decides who fits whom.
const MAJOR_MINOR: &str = "0.1.";

/// Refuses any import but our interfaces and tells the interface's version. An import is its name and
/// whether it is an instance under a plain name.
pub(super) fn check_imports(origin: &str, imports: &[(&str, bool)]) -> Result<Option<String>> {
    let foreign: Vec<_> = imports
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| ours(name).is_none())
        .collect();
    if let Some(first) = foreign.first() {
        let message = format!("`{origin}` imports `{first}`, which is no interface of wasmigrate");
        let error = foreign[1..]
            .iter()
            .take(20)
            .fold(Error::new(Code::ComponentImport, message), |error, name| {
                error.cause(format!("it also imports `{name}`"))
            });
        return Err(error.hint(if first.starts_with("wasi:") {
            "build it with `--target wasm32-unknown-unknown`, which has no WASI: `wasmigrate build` does"
        } else {
            "a migration reaches nothing but what the SDK offers; remove what needs this import"
        }));
    }
    let mut newest: Option<(u64, &str)> = None;
    for (name, instance) in imports {
        let (interface, version) = ours(name).unwrap_or_default();
        let Some(patch) = patch(version) else {
            let found = if version.is_empty() {
                "no version".to_owned()
            } else {
                format!("version {version}")
            };
            return Err(unfit(format!(
                "`{origin}` imports `{name}`: {found} of the interface; this wasmigrate has {MAJOR_MINOR}x"
            )));
        };
        if !instance || !INTERFACES.contains(&interface) {
            return Err(unfit(format!(
                "`{origin}` imports `{name}`, which this wasmigrate does not have"
            )));
        }
        newest = newest.max(Some((patch, version)));
    }
    Ok(newest.map(|(_, version)| version.to_owned()))
}

/// Requires `up`, `down` and `verify`. An export is its name and whether it is a function under a plain
/// name; further exports are nobody's concern, the host never calls them.
pub(super) fn check_exports(origin: &str, exports: &[(&str, bool)]) -> Result<()> {
    let missing: Vec<_> = EXPORTS
        .iter()
        .filter(|wanted| {
            !exports
                .iter()
                .any(|(name, function)| name == *wanted && *function)
        })
        .map(|name| format!("`{name}`"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(unfit(format!(
        "`{origin}` does not export the function {}",
        missing.join(", ")
    )))
}

/// The error of a component that was built for another interface.
pub fn unfit(message: String) -> Error {
    Error::new(Code::ComponentInterface, message)
        .hint("build it again with the SDK of this wasmigrate's release")
}

/// The interface and the version of an import from our package; the version is empty where there is none.
fn ours(import: &str) -> Option<(&str, &str)> {
    let rest = import.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    Some(rest.split_once('@').unwrap_or((rest, "")))
}

/// The last part of a version that fits this host.
fn patch(version: &str) -> Option<u64> {
    let patch = version.strip_prefix(MAJOR_MINOR)?;
    let canonical = patch.bytes().all(|byte| byte.is_ascii_digit())
        && (patch == "0" || !patch.starts_with('0'));
    if canonical { patch.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(names: &[&str]) -> Result<Option<String>> {
        let imports: Vec<_> = names.iter().map(|name| (*name, true)).collect();
        check_imports("x.wasm", &imports)
    }

    #[test]
    fn our_interfaces_pass_and_tell_the_newest_version() {
        assert_eq!(imports(&[]), Ok(None));
        for interface in INTERFACES {
            assert_eq!(
                imports(&[&format!("{PACKAGE}/{interface}@0.1.0")]),
                Ok(Some("0.1.0".to_owned()))
            );
        }
        let mixed = [
            "wasmigrate:migration/log@0.1.2",
            "wasmigrate:migration/query@0.1.10",
        ];
        assert_eq!(imports(&mixed), Ok(Some("0.1.10".to_owned())));
    }

    #[test]
    fn a_foreign_import_is_named_and_wasi_gets_the_flag() {
        let error = imports(&[
            "wasmigrate:migration/log@0.1.0",
            "wasi:cli/environment@0.2.6",
            "wasi:io/poll@0.2.6",
        ])
        .unwrap_err();
        assert_eq!(error.code(), Code::ComponentImport);
        assert!(
            error.message().contains("`wasi:cli/environment@0.2.6`"),
            "{error}"
        );
        assert_eq!(error.causes(), ["it also imports `wasi:io/poll@0.2.6`"]);
        assert!(
            error
                .hint_text()
                .unwrap()
                .contains("--target wasm32-unknown-unknown")
        );
        for foreign in [
            "env",
            "",
            "wasmigrate:migrations/log@0.1.0",
            "wasmigrate:migration",
            "url=<x>",
            "Wasmigrate:migration/log@0.1.0",
        ] {
            let error = imports(&[foreign]).unwrap_err();
            assert_eq!(error.code(), Code::ComponentImport, "{foreign}");
            assert!(!error.hint_text().unwrap().contains("wasm32"), "{foreign}");
        }
    }

    #[test]
    fn another_version_or_interface_of_ours_does_not_fit() {
        for name in [
            "log@0.2.0",
            "log@1.0.0",
            "log",
            "log@0.1.0-rc.1",
            "log@0.1.",
            "log@0.1.01",
            "log@0.1.+1",
            "later@0.1.0",
            "@0.1.0",
            "log/log@0.1.0",
        ] {
            let error = imports(&[&format!("{PACKAGE}/{name}")]).unwrap_err();
            assert_eq!(error.code(), Code::ComponentInterface, "{name}");
        }
        let function = [("wasmigrate:migration/log@0.1.0", false)];
        assert_eq!(
            check_imports("x", &function).unwrap_err().code(),
            Code::ComponentInterface
        );
    }

    #[test]
    fn the_three_functions_must_be_exported() {
        let whole = [
            ("up", true),
            ("more", false),
            ("down", true),
            ("verify", true),
        ];
        assert_eq!(check_exports("x", &whole), Ok(()));
        let error = check_exports("x", &[("up", true), ("down", false)]).unwrap_err();
        assert_eq!(error.code(), Code::ComponentInterface);
        assert!(error.message().ends_with("`down`, `verify`"), "{error}");
    }
}
