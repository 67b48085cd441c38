//! A migration that is half-way: some of its steps are committed, and its run is open.

use std::fmt;

use super::History;
use crate::error::{Code, Error, Result};
use crate::migration::{Digest, Migration, Mode, Phase, Settings, Version};

/// A migration that is half-way.
#[derive(Debug, Clone)]
pub struct Open {
    /// Its version.
    pub version: Version,
    /// Its name.
    pub name: String,
    /// The digest of the component that began.
    pub digest: Digest,
    /// The open run.
    pub run: i64,
    /// Whether it is applied or undone.
    pub phase: Phase,
    /// The operator's choices.
    pub settings: Settings,
    /// Whether a runner is at it, as far as the database knows: a killed one could not say goodbye.
    pub runs: bool,
    /// The code of the error at which it stopped; none where the runner died.
    pub stopped_by: Option<String>,
    /// What the server said then.
    pub sqlstate: Option<String>,
    /// Since when, in UTC, as ISO 8601.
    pub since: String,
    /// How many steps are done or begun.
    pub steps: u64,
    /// The last of them, in words.
    pub at: String,
    /// Whether that one was begun, and not seen to its end.
    pub in_it: bool,
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version, self.name)
    }
}

/// The migration with which a half-way run goes on: the component that began it, in its mode and with its settings.
pub fn resume<'a>(
    open: &Open,
    migrations: &'a [Migration],
    mode: Option<Mode>,
    settings: &[(String, String)],
) -> Result<&'a Migration> {
    let what = format!("failed to go on with {open}, which is half-way");
    let mut found = migrations
        .iter()
        .filter(|one| *one.version() == open.version);
    let Some(migration) = found.next() else {
        return Err(Error::new(Code::HistoryMissing, what)
            .cause("its component is not in the folder")
            .hint("put the component back, or give the run up with `wasmigrate repair`"));
    };
    let changed = |why: String, hint: &str| {
        Err(Error::new(Code::RunChanged, what.clone())
            .cause(why)
            .hint(hint))
    };
    if migration.digest != open.digest {
        return changed(
            format!(
                "it was begun by the component {}, the file's is {}",
                open.digest, migration.digest
            ),
            "restore the component that began; a further change is a new migration",
        );
    }
    if mode.is_some_and(|mode| mode != Mode::Stepwise) {
        return changed(
            "it was begun in stepwise mode".to_owned(),
            "leave --mode away: it goes on as it began",
        );
    }
    for (name, value) in settings {
        match open.settings.get(name) {
            Some(begun) if begun != value => {
                return changed(
                    format!("it was begun with {name}={begun}"),
                    "leave --set away: it goes on as it began; or undo it first with `wasmigrate down`",
                );
            }
            _ => {}
        }
    }
    Ok(migration)
}

/// Refuses what would go past a migration that is half-way.
pub(super) fn refuse_open(
    history: &History,
    reached: impl Fn(&Open) -> bool,
    hint: &str,
) -> Result<()> {
    match &history.open {
        Some(open) if !reached(open) => Err(Error::new(
            Code::RunOpen,
            format!("failed to begin: {open} is half-way in its {}", open.phase),
        )
        .hint(hint)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::samples::{migration, open};

    #[test]
    fn a_run_goes_on_only_as_it_began() {
        let files = [migration("1", &[]), migration("2", &[])];
        let begun = open(&files[1], Phase::Up);
        let code = |mode, settings: &[(&str, &str)]| {
            let settings: Vec<_> = (settings.iter())
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            resume(&begun, &files, mode, &settings).map_err(|error| error.code())
        };
        assert_eq!(code(None, &[]).unwrap().version(), files[1].version());
        assert!(code(Some(Mode::Stepwise), &[("a", "x")]).is_ok());
        assert!(code(None, &[("other", "y")]).is_ok());
        assert_eq!(
            code(Some(Mode::Transactional), &[]).unwrap_err(),
            Code::RunChanged
        );
        assert_eq!(code(None, &[("a", "y")]).unwrap_err(), Code::RunChanged);
        let other = [migration("2", &["1"])];
        let error = resume(&begun, &other, None, &[]).unwrap_err();
        assert_eq!(error.code(), Code::RunChanged);
        let error = resume(&begun, &files[..1], None, &[]).unwrap_err();
        assert_eq!(error.code(), Code::HistoryMissing);
    }
}
