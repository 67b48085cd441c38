//! The manifest: what a migration's author declares in `migration.toml`, and what a reviewer reads.
//!
//! Unknown keys are errors, so a typo cannot take a declaration away silently.

mod grants;
mod lists;
mod settings;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::error::{Code, Result};
use crate::limits::{Limits, RawLimits};
use crate::migration::{Mode, Name, Version};
use crate::toml_text::Document;

pub use grants::Grants;
pub use lists::MAX_ENTRIES;
use lists::{List, distinct, filled, line};
pub use settings::Setting;
use settings::{RawSetting, settings};

/// The largest manifest, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// A migration's manifest.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// The place in the order of migrations.
    pub version: Version,
    /// A short name.
    pub name: Name,
    /// What the migration does, in a line; empty where the author says nothing.
    pub description: String,
    /// The modes it can run in, the author's first choice first; never empty.
    pub modes: Vec<Mode>,
    /// Versions that must be applied first.
    pub after: Vec<Version>,
    /// Columns of protected data that it concerns.
    pub phi: Vec<String>,
    /// What the operator can choose.
    pub settings: BTreeMap<Name, Setting>,
    /// What it may do, a list a phase.
    pub grants: Grants,
    /// What it may use up.
    pub limits: Limits,
    /// The TOML text, verbatim.
    #[serde(skip)]
    pub source: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawManifest {
    version: Spanned<String>,
    name: Spanned<String>,
    description: Option<Spanned<String>>,
    modes: Option<Spanned<List>>,
    #[serde(default)]
    after: List,
    #[serde(default)]
    phi: List,
    #[serde(default)]
    settings: BTreeMap<Spanned<String>, RawSetting>,
    #[serde(default)]
    grants: RawGrants,
    #[serde(default)]
    limits: RawLimits,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGrants {
    #[serde(default)]
    up: List,
    #[serde(default)]
    down: List,
    #[serde(default)]
    verify: List,
}

impl Manifest {
    /// Reads a manifest; `origin` names the text in errors, for example its path.
    pub fn parse(origin: &str, text: &str) -> Result<Manifest> {
        let document = Document {
            code: Code::ManifestInvalid,
            origin,
            text,
        };
        if text.len() > MAX_BYTES {
            let message = format!(
                "the manifest is {} bytes long; at most {MAX_BYTES} fit",
                text.len()
            );
            return Err(document.error(0..0, message));
        }
        let raw: RawManifest = document.parse()?;
        let version: Version = document.value(&raw.version)?;
        let after = distinct(&document, &raw.after, |entry| document.value(entry))?;
        if let Some(entry) = raw
            .after
            .iter()
            .find(|entry| entry.get_ref().parse().as_ref() == Ok(&version))
        {
            return Err(document.error(entry.span(), "a migration cannot come after itself"));
        }
        Ok(Manifest {
            name: document.value(&raw.name)?,
            description: match &raw.description {
                Some(text) => line(&document, text, 1000)?,
                None => String::new(),
            },
            modes: match &raw.modes {
                Some(modes) => filled(&document, modes, |entry| document.value(entry))?,
                None => vec![Mode::Transactional],
            },
            phi: distinct(&document, &raw.phi, |entry| line(&document, entry, 1000))?,
            settings: settings(&document, &raw.settings)?,
            grants: Grants {
                up: grants::read(&document, &raw.grants.up)?,
                down: grants::read(&document, &raw.grants.down)?,
                verify: grants::read(&document, &raw.grants.verify)?,
            },
            limits: raw.limits.resolve(&document)?,
            version,
            after,
            source: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::migration::Phase;
    use std::time::Duration;

    const WHOLE: &str = r#"
version = "20251106000000"
name = "add-medication-log-foreign-key"
description = "Repairs orphaned medication logs, then adds the foreign key"
modes = ["transactional", "stepwise"]
after = ["1"]
phi = ["public.medication_logs(medicationId)"]

[settings.orphans]
values = ["placeholder", "delete", "refuse"]
default = "placeholder"

[grants]
up = ["read public.medication_logs"]
verify = ["catalog"]

[limits]
memory = "1MiB"
guest-time = "5m"
rows = 5
"#;

    fn head(rest: &str) -> String {
        format!("version = \"1\"\nname = \"a\"\n{rest}")
    }

    fn failure(rest: &str) -> Error {
        let error = Manifest::parse("migration.toml", &head(rest)).unwrap_err();
        assert_eq!(error.code(), Code::ManifestInvalid);
        error
    }

    /// Fails the test unless these lines of a manifest are refused with that key and these words.
    #[track_caller]
    pub(super) fn refused(rest: &str, key: &str, words: &str) {
        let error = failure(rest);
        let key = format!("(`{key}`)");
        assert!(error.message().contains(&key), "{rest}: {error}");
        assert!(error.message().contains(words), "{rest}: {error}");
    }

    #[test]
    fn a_whole_manifest_is_read() {
        let manifest = Manifest::parse("migration.toml", WHOLE).unwrap();
        assert_eq!(manifest.version.as_str(), "20251106000000");
        assert_eq!(manifest.modes, [Mode::Transactional, Mode::Stepwise]);
        assert_eq!(manifest.after, ["1".parse().unwrap()]);
        assert_eq!(manifest.settings["orphans"].default, "placeholder");
        let up: Vec<_> = manifest
            .grants
            .of(Phase::Up)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(up, ["read public.medication_logs"]);
        assert_eq!(manifest.grants.of(Phase::Down).iter().count(), 0);
        assert_eq!(manifest.limits.memory, 1024 * 1024);
        assert_eq!(manifest.limits.guest_time, Duration::from_secs(300));
        assert_eq!(manifest.limits.rows, 5);
        assert_eq!(manifest.source, WHOLE);
    }

    #[test]
    fn the_least_manifest_has_defaults() {
        let manifest = Manifest::parse("migration.toml", &head("")).unwrap();
        assert_eq!(manifest.modes, [Mode::Transactional]);
        assert_eq!(manifest.limits, Limits::default());
        assert_eq!(manifest.description, "");
    }

    #[test]
    fn a_typo_is_named_with_line_key_and_suggestion() {
        let error = failure("modez = []\n");
        assert_eq!(
            error.message(),
            "migration.toml, line 3, column 1 (`modez`): there is no such key"
        );
        assert_eq!(error.hint_text(), Some("did you mean `modes`?"));
        for (rest, near) in [
            ("[grants]\nuo = []", "`up`"),
            ("[limits]\nmemroy = \"1MiB\"", "`memory`"),
            ("[settings.a]\nvalue = []", "`values`"),
        ] {
            assert!(failure(rest).hint_text().unwrap().contains(near), "{rest}");
        }
    }

    #[test]
    fn every_wrong_value_is_refused_with_its_key() {
        for (rest, key, words) in [
            (
                "modes = [\"fast\"]",
                "modes",
                "`transactional` or `stepwise`",
            ),
            ("after = [\"x\"]", "after", "digits"),
            ("after = [\"01\"]", "after", "itself"),
            ("[grants]\nup = \"read a\"", "grants.up", "invalid type"),
        ] {
            refused(rest, key, words);
        }
    }

    #[test]
    fn version_and_name_are_required_and_checked() {
        for (text, words) in [
            ("name = \"a\"", "missing key `version`"),
            ("version = \"1\"", "missing key `name`"),
            ("version = 1\nname = \"a\"", "(`version`): invalid type"),
            (
                "version = \"1x\"\nname = \"a\"",
                "(`version`): a version is",
            ),
            ("version = \"1\"\nname = \"A b\"", "(`name`): a name is"),
            (
                "version = \"1\"\nversion = \"2\"\nname = \"a\"",
                "duplicate key",
            ),
            ("version = ", "line 1"),
        ] {
            let error = Manifest::parse("m", text).unwrap_err();
            assert!(error.message().contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_manifest_has_a_size_limit() {
        let at = |bytes: usize| {
            let text = head("");
            format!("{text}#{}", "x".repeat(bytes - text.len() - 1))
        };
        assert!(Manifest::parse("m", &at(MAX_BYTES)).is_ok());
        assert!(Manifest::parse("m", &at(MAX_BYTES + 1)).is_err());
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let text = format!("phi = {}", "[".repeat(60_000));
        assert!(Manifest::parse("m", &text).is_err());
    }
}
