//! What the file chooses for runs: for all of them, or for those of one environment.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::error::Result;
use crate::migration::Mode;
use crate::toml_text::Document;

/// How an operator wants migrations to run, as far as it was said. What is said in two places is decided by
/// [`Choices::over`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// In which mode migrations run whose manifest allows it.
    pub mode: Option<Mode>,
    /// How long to wait for another runner.
    pub wait: Option<Duration>,
    /// How long a statement waits for a lock.
    pub lock_timeout: Option<Duration>,
    /// The same of a statement outside of transactions.
    pub concurrent_timeout: Option<Duration>,
    /// Whether only what is approved may run, also where there is no lock file.
    pub approval_required: Option<bool>,
    /// What is chosen of what migrations offer.
    pub settings: BTreeMap<String, String>,
    /// The environment variable that holds the database's address.
    pub database_url_env: Option<String>,
}

impl Choices {
    /// Each choice as it is made here, or else as it is made `below`.
    pub fn over(self, below: Choices) -> Choices {
        let mut settings = below.settings;
        settings.extend(self.settings);
        Choices {
            mode: self.mode.or(below.mode),
            wait: self.wait.or(below.wait),
            lock_timeout: self.lock_timeout.or(below.lock_timeout),
            concurrent_timeout: self.concurrent_timeout.or(below.concurrent_timeout),
            approval_required: self.approval_required.or(below.approval_required),
            settings,
            database_url_env: self.database_url_env.or(below.database_url_env),
        }
    }
}

/// An `[env.NAME]` of the file; the first five keys may stand at its top too.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawChoices {
    pub mode: Option<Spanned<String>>,
    pub wait: Option<Spanned<String>>,
    pub lock_timeout: Option<Spanned<String>>,
    pub concurrent_timeout: Option<Spanned<String>>,
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    pub approval: Option<Spanned<String>>,
    pub database_url_env: Option<Spanned<String>>,
}

impl RawChoices {
    pub fn read(self, document: &Document<'_>) -> Result<Choices> {
        let time = |text: Option<Spanned<String>>| {
            let time: Result<Option<humantime::Duration>> = value(document, text);
            time.map(|time| time.map(Duration::from))
        };
        let approval: Option<Approval> = value(document, self.approval)?;
        let variable: Option<Variable> = value(document, self.database_url_env)?;
        Ok(Choices {
            mode: value(document, self.mode)?,
            wait: time(self.wait)?,
            lock_timeout: time(self.lock_timeout)?,
            concurrent_timeout: time(self.concurrent_timeout)?,
            approval_required: approval.map(|approval| approval.required),
            settings: self.settings,
            database_url_env: variable.map(|variable| variable.0),
        })
    }
}

fn value<T: FromStr<Err: std::fmt::Display>>(
    document: &Document<'_>,
    text: Option<Spanned<String>>,
) -> Result<Option<T>> {
    text.map(|text| document.value(&text)).transpose()
}

struct Approval {
    required: bool,
}

impl FromStr for Approval {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "required" => Ok(Approval { required: true }),
            "optional" => Ok(Approval { required: false }),
            _ => Err(
                "it is \"required\", or \"optional\": then it is asked for where there is a wasmigrate.lock, or keys",
            ),
        }
    }
}

struct Variable(String);

impl FromStr for Variable {
    type Err = &'static str;

    /// Refuses what no variable is called, above all an address with its password.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match !text.is_empty() && text.chars().all(fits) {
            true => Ok(Variable(text.to_owned())),
            false => Err(
                "it is the name of the environment variable that holds the address, as in \"PRODUCTION_URL\"; never the address",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mode: Mode, seconds: u64, word: &str) -> Choices {
        let time = Some(Duration::from_secs(seconds));
        Choices {
            mode: Some(mode),
            wait: time,
            lock_timeout: time,
            concurrent_timeout: time,
            approval_required: Some(mode == Mode::Stepwise),
            settings: [(word.to_owned(), word.to_owned())].into(),
            database_url_env: Some(word.to_owned()),
        }
    }

    #[test]
    fn each_choice_is_taken_from_above_or_else_from_below() {
        let (above, below) = (
            all(Mode::Stepwise, 1, "a"),
            all(Mode::Transactional, 2, "b"),
        );
        let both: BTreeMap<String, String> = [("a", "a"), ("b", "b")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        let merged = above.clone().over(below.clone());
        assert_eq!(merged.settings, both);
        let settings = above.settings.clone();
        assert_eq!(Choices { settings, ..merged }, above);
        assert_eq!(Choices::default().over(below.clone()), below);
        assert_eq!(above.clone().over(Choices::default()), above);
        let same = |value: &str| Choices {
            settings: [("name".to_owned(), value.to_owned())].into(),
            ..Choices::default()
        };
        assert_eq!(same("above").over(same("below")), same("above"));
    }
}
