//! What differs between two components.

use serde::Serialize;

use super::Review;
use crate::migration::{Digest, Phase};

/// How a component differs from an older one.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// The older one.
    pub old: Side,
    /// The newer one.
    pub new: Side,
    /// Whether what it may do is the same: imports, grants, settings, modes and limits.
    pub may_do_the_same: bool,
    /// What differs; what is the same is not listed.
    pub changes: Vec<Change>,
}

/// One of the two.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// The file, as the user named it.
    pub file: String,
    /// Its SHA-256.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: usize,
}

/// A part in which they differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The part.
    pub part: &'static str,
    /// What only the newer one has.
    pub added: Vec<String>,
    /// What only the older one has.
    pub removed: Vec<String>,
}

/// A part of a page as lines, and whether it says what a migration may do.
type Part = (&'static str, bool, Vec<String>);

impl Difference {
    /// How `new` differs from `old`.
    pub fn between(old: &Review, new: &Review) -> Self {
        let mut may_do_the_same = true;
        let mut changes = Vec::new();
        for ((part, power, old), (.., new)) in parts(old).into_iter().zip(parts(new)) {
            let only = |these: &[String], those: &[String]| -> Vec<String> {
                let these = these.iter().filter(|line| !those.contains(line));
                these.cloned().collect()
            };
            let change = Change {
                part,
                added: only(&new, &old),
                removed: only(&old, &new),
            };
            if !change.added.is_empty() || !change.removed.is_empty() {
                may_do_the_same &= !power;
                changes.push(change);
            }
        }
        Difference {
            old: Side::of(old),
            new: Side::of(new),
            may_do_the_same,
            changes,
        }
    }
}

impl Side {
    fn of(review: &Review) -> Self {
        Side {
            file: review.file.clone(),
            digest: review.digest,
            size: review.size,
        }
    }
}

/// Everything that can differ, always in the same order; grants stay sorted by danger.
fn parts(review: &Review) -> Vec<Part> {
    let manifest = &review.manifest;
    let texts = |list: &[_]| {
        list.iter()
            .map(ToString::to_string)
            .collect::<Vec<String>>()
    };
    let grants = |phase: Phase| {
        let of_phase = review.grants.iter().filter(|one| one.phase == phase);
        of_phase.map(|one| one.grant.to_string()).collect()
    };
    let settings = manifest.settings.iter().map(|(name, setting)| {
        format!(
            "{name}: {:?}, by default {:?}",
            setting.values, setting.default
        )
    });
    let limits = review.limits.iter();
    let sql = review.texts.found.iter();
    // the first is the one that a run has where nobody chooses
    let modes: Vec<_> = manifest.modes.iter().map(ToString::to_string).collect();
    let description = Some(manifest.description.clone()).filter(|text| !text.is_empty());
    vec![
        ("grants of up", true, grants(Phase::Up)),
        ("grants of down", true, grants(Phase::Down)),
        ("grants of verify", true, grants(Phase::Verify)),
        ("imports", true, review.imports.clone()),
        ("settings", true, settings.collect()),
        ("modes", true, vec![modes.join(", ")]),
        (
            "limits",
            true,
            limits
                .map(|limit| format!("{} {}", limit.key, limit.value))
                .collect(),
        ),
        ("protected data", false, manifest.phi.clone()),
        ("after", false, texts(&manifest.after)),
        ("version", false, vec![manifest.version.to_string()]),
        ("name", false, vec![manifest.name.to_string()]),
        ("description", false, description.into_iter().collect()),
        ("exports", false, review.exports.clone()),
        (
            "SQL in its data",
            false,
            sql.map(|text| text.sql.clone()).collect(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn what_is_added_and_removed_is_told_by_part_and_by_danger() {
        let old = sample(
            &["execute"],
            "[grants]\nup = ['read public.a', 'catalog']\n[limits]\nrows = 5\n",
        );
        let new = sample(
            &["execute", "query"],
            "description = 'x'\n[grants]\nup = ['read public.a', 'insert public.a', 'delete public.a']\n",
        );
        let found = Difference::between(&old, &new);
        assert!(!found.may_do_the_same);
        let change = |part, added: &[&str], removed: &[&str]| Change {
            part,
            added: added.iter().map(ToString::to_string).collect(),
            removed: removed.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(
            found.changes,
            [
                change(
                    "grants of up",
                    &["delete public.a", "insert public.a"],
                    &["catalog"]
                ),
                change("imports", &["wasmigrate:migration/query@0.1.0"], &[]),
                change("limits", &["rows 100000000"], &["rows 5"]),
                change("description", &["x"], &[]),
            ]
        );
    }

    #[test]
    fn words_alone_make_no_difference_in_what_it_may_do() {
        let old = sample(&["execute"], "description = 'x'\nphi = ['public.a(b)']\n");
        let new = sample(&["execute"], "description = 'y'\nafter = ['3']\n");
        let found = Difference::between(&old, &new);
        assert!(found.may_do_the_same);
        assert_eq!(found.changes.len(), 3);
        let same = Difference::between(&old, &old);
        assert!(same.may_do_the_same && same.changes.is_empty());
    }
}
