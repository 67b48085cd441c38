//! What the imports let a migration do, and which grants they leave without effect.

use serde::Serialize;

use crate::guard::grants::Kind;
use crate::migration::Phase;

/// Something that a migration can or cannot do, whatever is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Power {
    /// What, as the end of "it can".
    pub what: &'static str,
    /// Whether it can.
    pub can: bool,
    /// The imports by which it can.
    pub by: Vec<&'static str>,
}

/// Each power, and the interfaces of which any gives it.
const POWERS: &[(&str, &[&str])] = &[
    ("get rows of a query", &["query"]),
    ("go through a table by ranges of its key", &["batches"]),
    ("write rows", WRITING),
    ("write many rows by COPY", &["bulk"]),
    ("change definitions", CHANGING),
    ("ask what the catalog says, and require it", &["checks"]),
    ("keep notes from up to down", &["remember"]),
    ("read the operator's choices", &["settings"]),
    ("tell the operator something", &["log", "progress", "diag"]),
    ("reach a clock, random numbers, files or the network", &[]),
];

/// What is no command on objects, `query` sends too, if it returns rows.
const CHANGING: &[&str] = &["execute"];
const CHANGING_ROWS: &[&str] = &["execute", "query"];
const WRITING: &[&str] = &["execute", "query", "bulk"];
const READING: &[&str] = &["execute", "query", "batches", "checks"];
const ANY: &[&str] = &["execute", "query", "bulk", "checks"];

/// What these interfaces let a migration do.
pub(super) fn powers(interfaces: &[&str]) -> Vec<Power> {
    let power = |(what, any): &(&'static str, &[&'static str])| {
        let by: Vec<_> = any
            .iter()
            .copied()
            .filter(|one| interfaces.contains(one))
            .collect();
        Power {
            what,
            can: !by.is_empty(),
            by,
        }
    };
    POWERS.iter().map(power).collect()
}

/// The interfaces' names in imports as they are written.
pub(super) fn interfaces<'a>(imports: &'a [String]) -> Vec<&'a str> {
    let name = |import: &'a String| {
        let rest = import
            .rsplit_once('/')
            .map_or(import.as_str(), |(_, rest)| rest);
        rest.split('@').next().unwrap_or(rest)
    };
    imports.iter().map(name).collect()
}

/// Whether a migration writes by what a grant of this kind allows, or may.
pub(super) fn writes(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Read | Kind::Catalog | Kind::UseType | Kind::Lock
    )
}

/// Why a grant of this kind has no effect in a phase of a migration that imports these interfaces.
pub(super) fn idle(kind: Kind, phase: Phase, interfaces: &[&str]) -> Option<&'static str> {
    let in_verify = matches!(
        kind,
        Kind::Read
            | Kind::Call
            | Kind::Catalog
            | Kind::Extension
            | Kind::UseSequence
            | Kind::UseType
    );
    if phase == Phase::Verify && !in_verify {
        return Some("verify only reads");
    }
    let by = match kind {
        Kind::Catalog => &["checks"],
        Kind::Read => READING,
        Kind::Insert | Kind::Fires => WRITING,
        Kind::Update | Kind::Delete => CHANGING_ROWS,
        Kind::Call | Kind::Extension | Kind::UseSequence | Kind::UseType => ANY,
        _ => CHANGING,
    };
    // in verify a call that writes is refused before it is looked at
    let usable = |one: &&str| match phase {
        Phase::Verify => matches!(*one, "query" | "checks"),
        Phase::Up | Phase::Down => true,
    };
    let any = by
        .iter()
        .filter(|one| usable(one))
        .any(|one| interfaces.contains(one));
    match any {
        true => None,
        false => Some("it imports nothing that could use it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::INTERFACES;

    #[test]
    fn every_interface_gives_a_power_and_no_other_is_named() {
        let named: Vec<_> = POWERS.iter().flat_map(|(_, by)| *by).collect();
        for interface in INTERFACES.iter().filter(|one| **one != "types") {
            assert!(named.contains(&interface), "{interface}");
        }
        assert!(named.iter().all(|one| INTERFACES.contains(one)));
        assert!(powers(&["types"]).iter().all(|power| !power.can));
        let all = powers(INTERFACES);
        assert_eq!(all.iter().filter(|power| !power.can).count(), 1);
        assert_eq!(all[2].by, WRITING);
    }

    #[test]
    fn the_name_of_an_interface_is_without_package_and_version() {
        let imports = ["wasmigrate:migration/query@0.1.0", "log", "a/b/c@1@2"].map(str::to_owned);
        assert_eq!(interfaces(&imports), ["query", "log", "c"]);
    }

    #[test]
    fn no_grant_writes_without_an_import_that_does() {
        for kind in Kind::ALL {
            for phase in [Phase::Up, Phase::Down] {
                let harmless = ["checks", "log", "remember"];
                let idle = idle(*kind, phase, &harmless);
                // what a function does is not known, nor what comes with an extension
                let may = matches!(kind, Kind::Call | Kind::Extension | Kind::UseSequence);
                assert_eq!(
                    idle.is_some(),
                    writes(*kind) && !may || *kind == Kind::Lock,
                    "{kind:?}"
                );
                let idle = super::idle(*kind, phase, &["execute"]);
                assert_eq!(idle.is_some(), *kind == Kind::Catalog, "{kind:?}");
            }
            let verify = idle(*kind, Phase::Verify, INTERFACES);
            assert!(
                verify.is_none() || writes(*kind) || *kind == Kind::Lock,
                "{kind:?}"
            );
            assert!(idle(*kind, Phase::Verify, &["execute", "bulk"]).is_some());
        }
        assert_eq!(idle(Kind::Delete, Phase::Up, &["query"]), None);
        assert!(idle(Kind::Alter, Phase::Up, &["query"]).is_some());
        assert!(idle(Kind::Truncate, Phase::Up, &["query"]).is_some());
        assert_eq!(idle(Kind::Insert, Phase::Up, &["bulk"]), None);
        assert!(idle(Kind::Update, Phase::Up, &["bulk"]).is_some());
        assert_eq!(
            idle(Kind::Delete, Phase::Verify, INTERFACES),
            Some("verify only reads")
        );
    }
}
