//! What is to be done: files and history compared. Pure functions; nothing here reads or writes.

use std::fmt;

use serde::Serialize;

use crate::error::{Code, Error, Result};
use crate::manifest::Manifest;
use crate::migration::{Digest, Migration, Mode, Settings, Version};

/// A migration that the history says is applied.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Its version.
    pub version: Version,
    /// Its name.
    pub name: String,
    /// The digest of the component that was applied.
    pub digest: Digest,
    /// How it ran.
    pub mode: Mode,
    /// The run that applied it.
    pub run: i64,
    /// The database user who applied it.
    pub by: String,
    /// When, in UTC, as ISO 8601.
    pub at: String,
    /// How long `up` took, in milliseconds.
    pub took_ms: u64,
    /// The rows that its statements affected.
    pub rows_affected: u64,
}

/// What the database says is applied, ordered by version.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The layout of the schema `wasmigrate`; 0 where there is none.
    pub layout: usize,
    /// The applied migrations.
    pub applied: Vec<Applied>,
}

impl History {
    /// The applied migration of that version.
    pub fn find(&self, version: &Version) -> Option<&Applied> {
        self.applied
            .iter()
            .find(|applied| applied.version == *version)
    }
}

/// How files and history stand to each other in one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Applied from the component that is in the folder.
    Applied,
    /// Not applied, and newer than everything that is.
    Pending,
    /// Not applied, though a newer one is.
    Late,
    /// Applied from a component with another digest.
    Divergent,
    /// Applied, but there is no component.
    Missing,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Applied => "applied",
            State::Pending => "pending",
            State::Late => "late",
            State::Divergent => "divergent",
            State::Missing => "missing",
        })
    }
}

/// One version in the comparison.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The component in the folder.
    pub migration: Option<&'a Migration>,
    /// The row of the history.
    pub applied: Option<&'a Applied>,
    /// How the two stand to each other.
    pub state: State,
}

impl Entry<'_> {
    /// The version and name, from whichever side has them.
    fn label(&self) -> String {
        match (self.migration, self.applied) {
            (Some(migration), _) => format!("{} {}", migration.version(), migration.name()),
            (None, Some(applied)) => format!("{} {}", applied.version, applied.name),
            (None, None) => String::new(),
        }
    }
}

/// Compares the folder (ordered by version) with the history: an entry a version, in order.
pub fn compare<'a>(migrations: &'a [Migration], history: &'a History) -> Vec<Entry<'a>> {
    let newest = history.applied.last().map(|applied| &applied.version);
    let mut entries: Vec<Entry<'a>> = migrations
        .iter()
        .map(|migration| {
            let applied = history.find(migration.version());
            let state = match applied {
                Some(applied) if applied.digest == migration.digest => State::Applied,
                Some(_) => State::Divergent,
                None if newest.is_some_and(|newest| migration.version() < newest) => State::Late,
                None => State::Pending,
            };
            Entry {
                migration: Some(migration),
                applied,
                state,
            }
        })
        .collect();
    let missing = history
        .applied
        .iter()
        .filter(|applied| !migrations.iter().any(|m| *m.version() == applied.version))
        .map(|applied| Entry {
            migration: None,
            applied: Some(applied),
            state: State::Missing,
        });
    entries.extend(missing);
    entries.sort_by(|a, b| version(a).cmp(&version(b)));
    entries
}

fn version<'a>(entry: &Entry<'a>) -> Option<&'a Version> {
    entry
        .migration
        .map(Migration::version)
        .or(entry.applied.map(|applied| &applied.version))
}

/// What `up` has to apply, in order. Refuses a history that the folder does not continue.
pub fn up<'a>(
    migrations: &'a [Migration],
    history: &History,
    to: Option<&Version>,
    allow_late: bool,
) -> Result<Vec<&'a Migration>> {
    let entries = compare(migrations, history);
    refuse(
        &entries,
        State::Missing,
        Code::HistoryMissing,
        "applied, but not in the folder",
        "put the component back, or point --migrations at the folder that holds it",
    )?;
    refuse(
        &entries,
        State::Divergent,
        Code::HistoryDivergent,
        "applied from another component",
        "restore the component that was applied; a further change is a new migration",
    )?;
    if !allow_late {
        refuse(
            &entries,
            State::Late,
            Code::HistoryLate,
            "older than what is applied",
            "give it a version above the newest applied one and build it again, or say --allow-late",
        )?;
    }
    if let Some(to) = to {
        known(migrations, history, to)?;
    }
    let pending: Vec<&Migration> = migrations
        .iter()
        .filter(|migration| history.find(migration.version()).is_none())
        .filter(|migration| to.is_none_or(|to| migration.version() <= to))
        .collect();
    for (place, migration) in pending.iter().enumerate() {
        let unmet = migration.manifest.after.iter().find(|after| {
            history.find(after).is_none() && !pending[..place].iter().any(|m| m.version() == *after)
        });
        if let Some(unmet) = unmet {
            return Err(Error::new(
                Code::HistoryOrder,
                format!("failed to order {}: it must come after {unmet}, which is not applied and does not come before it", label(migration)),
            )
            .hint(format!("add the migration {unmet}, or correct `after` in the manifest")));
        }
    }
    Ok(pending)
}

/// What to undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undo {
    /// The newest applied one.
    Last,
    /// Everything above that version.
    To(Version),
    /// One, by name or version.
    Only(String),
    /// Everything.
    All,
}

/// What `down` has to undo, the newest first.
pub fn down<'a>(
    migrations: &'a [Migration],
    history: &'a History,
    undo: &Undo,
) -> Result<Vec<&'a Migration>> {
    let targets: Vec<&Applied> = match undo {
        Undo::Last => history.applied.last().into_iter().collect(),
        Undo::All => history.applied.iter().collect(),
        Undo::To(to) => {
            known(migrations, history, to)?;
            history
                .applied
                .iter()
                .filter(|applied| applied.version > *to)
                .collect()
        }
        Undo::Only(wanted) => vec![find_applied(history, wanted)?],
    };
    let mut chosen = Vec::new();
    for entry in compare(migrations, history) {
        let Some(applied) = entry.applied else {
            continue;
        };
        let target = targets
            .iter()
            .any(|target| target.version == applied.version);
        if !target {
            let needed = entry.migration.and_then(|migration| {
                migration
                    .manifest
                    .after
                    .iter()
                    .find(|after| targets.iter().any(|t| t.version == **after))
            });
            if let Some(needed) = needed {
                return Err(Error::new(
                    Code::HistoryDependent,
                    format!(
                        "failed to undo {needed}: {} depends on it and is applied",
                        entry.label()
                    ),
                )
                .hint(format!("undo {} first", applied.version)));
            }
            continue;
        }
        let one = std::slice::from_ref(&entry);
        refuse(
            one,
            State::Missing,
            Code::HistoryMissing,
            "to be undone, but not in the folder",
            "put the component back: its `down` is needed",
        )?;
        refuse(
            one,
            State::Divergent,
            Code::HistoryDivergent,
            "applied from another component",
            "restore the component that was applied: its `down` is the one that fits",
        )?;
        chosen.extend(entry.migration);
    }
    chosen.reverse();
    Ok(chosen)
}

/// Whose `verify` is to run: every applied migration, or the one of that name or version.
pub fn verify<'a>(
    migrations: &'a [Migration],
    history: &'a History,
    only: Option<&str>,
) -> Result<Vec<&'a Migration>> {
    let only = only
        .map(|wanted| find_applied(history, wanted))
        .transpose()?;
    let chosen = |applied: &Applied| only.is_none_or(|only| applied.version == only.version);
    let entries: Vec<Entry<'a>> = compare(migrations, history)
        .into_iter()
        .filter(|entry| entry.applied.is_some_and(chosen))
        .collect();
    refuse(
        &entries,
        State::Missing,
        Code::HistoryMissing,
        "applied, but not in the folder",
        "put the component back: its `verify` is needed",
    )?;
    refuse(
        &entries,
        State::Divergent,
        Code::HistoryDivergent,
        "applied from another component",
        "restore the component that was applied: its `verify` is the one that fits",
    )?;
    Ok(entries
        .into_iter()
        .filter_map(|entry| entry.migration)
        .collect())
}

/// The operator's choices for a migration, with the defaults of its manifest filled in. Choices that it
/// does not declare are another migration's.
pub fn settings(manifest: &Manifest, chosen: &[(String, String)]) -> Result<Settings> {
    let mut settings = Settings::new();
    for (name, setting) in &manifest.settings {
        let choice = chosen
            .iter()
            .rev()
            .find(|(chosen, _)| chosen == name.as_str());
        let value = choice.map_or(&setting.default, |(_, value)| value);
        if !setting.values.contains(value) {
            return Err(Error::new(
                Code::SettingInvalid,
                format!("failed to set `{name}` of {} to `{value}`", manifest.name),
            )
            .hint(format!("its values are: {}", setting.values.join(", "))));
        }
        settings.insert(name.to_string(), value.clone());
    }
    Ok(settings)
}

fn find_applied<'a>(history: &'a History, wanted: &str) -> Result<&'a Applied> {
    let version: Option<Version> = wanted.parse().ok();
    let mut found = history
        .applied
        .iter()
        .filter(|applied| applied.name == wanted || version.as_ref() == Some(&applied.version));
    match (found.next(), found.next()) {
        (Some(applied), None) => Ok(applied),
        (Some(_), Some(_)) => Err(Error::new(
            Code::MigrationUnknown,
            format!("failed to choose: more than one applied migration is named {wanted}"),
        )
        .hint("give its version instead")),
        (None, _) => Err(Error::new(
            Code::MigrationUnknown,
            format!("failed to find an applied migration {wanted}"),
        )
        .hint("`wasmigrate status` lists what is applied")),
    }
}

fn label(migration: &Migration) -> String {
    format!("{} {}", migration.version(), migration.name())
}

fn known(migrations: &[Migration], history: &History, version: &Version) -> Result<()> {
    let known = migrations
        .iter()
        .any(|migration| migration.version() == version)
        || history.find(version).is_some();
    if known {
        return Ok(());
    }
    Err(Error::new(
        Code::MigrationUnknown,
        format!("failed to find a migration {version}"),
    )
    .hint("`wasmigrate status` lists the versions"))
}

fn refuse(entries: &[Entry<'_>], state: State, code: Code, what: &str, hint: &str) -> Result<()> {
    let mut found = entries.iter().filter(|entry| entry.state == state);
    let Some(first) = found.next() else {
        return Ok(());
    };
    let mut error = Error::new(
        code,
        format!(
            "failed to match files and history: {} is {what}",
            first.label()
        ),
    );
    if let (Some(migration), Some(applied)) = (first.migration, first.applied) {
        error = error.cause(format!(
            "applied digest {}, the file's {}",
            applied.digest, migration.digest
        ));
    }
    for entry in found {
        error = error.cause(format!("{} too", entry.label()));
    }
    Err(error.hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn migration(version: &str, after: &[&str]) -> Migration {
        let text = format!("version = \"{version}\"\nname = \"m{version}\"\nafter = {after:?}\n");
        let manifest = Manifest::parse("test", &text).unwrap();
        Migration::new(format!("{version}.wasm"), Bytes::from(text), manifest)
    }

    fn history(applied: &[&Migration]) -> History {
        let applied = applied
            .iter()
            .map(|migration| Applied {
                version: migration.version().clone(),
                name: migration.name().to_string(),
                digest: migration.digest,
                mode: Mode::Transactional,
                run: 1,
                by: "me".into(),
                at: "2025-11-06T00:00:00Z".into(),
                took_ms: 1,
                rows_affected: 0,
            })
            .collect();
        History { layout: 1, applied }
    }

    fn versions(migrations: Result<Vec<&Migration>>) -> Result<Vec<String>, Code> {
        migrations
            .map(|list| list.iter().map(|m| m.version().to_string()).collect())
            .map_err(|error| error.code())
    }

    #[test]
    fn up_applies_what_is_pending_in_order() {
        let files = [
            migration("1", &[]),
            migration("2", &["1"]),
            migration("3", &["1"]),
        ];
        let done = history(&[&files[0]]);
        assert_eq!(
            versions(up(&files, &done, None, false)).unwrap(),
            ["2", "3"]
        );
        let to = "2".parse().unwrap();
        assert_eq!(
            versions(up(&files, &done, Some(&to), false)).unwrap(),
            ["2"]
        );
        let all = history(&[&files[0], &files[1], &files[2]]);
        assert!(versions(up(&files, &all, None, false)).unwrap().is_empty());
    }

    #[test]
    fn up_refuses_a_history_that_the_folder_does_not_continue() {
        let [one, two, three] = [
            migration("1", &[]),
            migration("2", &[]),
            migration("3", &[]),
        ];
        let missing = history(&[&one, &two]);
        assert_eq!(
            versions(up(std::slice::from_ref(&two), &missing, None, false)),
            Err(Code::HistoryMissing)
        );
        let other = migration("1", &["0"]);
        assert_eq!(
            versions(up(&[other], &history(&[&one]), None, false)),
            Err(Code::HistoryDivergent)
        );
        let files = [one, two.clone(), three];
        let late = history(&[&two]);
        assert_eq!(
            versions(up(&files, &late, None, false)),
            Err(Code::HistoryLate)
        );
        assert_eq!(versions(up(&files, &late, None, true)).unwrap(), ["1", "3"]);
        let unknown = "9".parse().unwrap();
        let none = History::default();
        assert_eq!(
            versions(up(&files, &none, Some(&unknown), false)),
            Err(Code::MigrationUnknown)
        );
    }

    #[test]
    fn up_refuses_an_order_that_after_forbids() {
        let none = History::default();
        let files = [migration("1", &["2"]), migration("2", &[])];
        assert_eq!(
            versions(up(&files, &none, None, false)),
            Err(Code::HistoryOrder)
        );
        let alone = [migration("2", &["1"])];
        assert_eq!(
            versions(up(&alone, &none, None, false)),
            Err(Code::HistoryOrder)
        );
    }

    #[test]
    fn down_goes_backwards_and_keeps_what_others_need() {
        let files = [
            migration("1", &[]),
            migration("2", &["1"]),
            migration("3", &[]),
        ];
        let all = history(&[&files[0], &files[1], &files[2]]);
        assert_eq!(versions(down(&files, &all, &Undo::Last)).unwrap(), ["3"]);
        assert_eq!(
            versions(down(&files, &all, &Undo::All)).unwrap(),
            ["3", "2", "1"]
        );
        let to = Undo::To("1".parse().unwrap());
        assert_eq!(versions(down(&files, &all, &to)).unwrap(), ["3", "2"]);
        assert_eq!(
            versions(down(&files, &all, &Undo::Only("m2".into()))).unwrap(),
            ["2"]
        );
        assert_eq!(
            versions(down(&files, &all, &Undo::Only("3".into()))).unwrap(),
            ["3"]
        );
        let needed = Undo::Only("m1".into());
        assert_eq!(
            versions(down(&files, &all, &needed)),
            Err(Code::HistoryDependent)
        );
        let unknown = Undo::Only("m9".into());
        assert_eq!(
            versions(down(&files, &all, &unknown)),
            Err(Code::MigrationUnknown)
        );
        assert!(
            versions(down(&files, &History::default(), &Undo::Last))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn down_needs_the_very_component_that_was_applied() {
        let [one, two] = [migration("1", &[]), migration("2", &[])];
        let all = history(&[&one, &two]);
        assert_eq!(
            versions(down(std::slice::from_ref(&one), &all, &Undo::Last)),
            Err(Code::HistoryMissing)
        );
        let other = migration("2", &["1"]);
        assert_eq!(
            versions(down(&[one, other], &all, &Undo::Last)),
            Err(Code::HistoryDivergent)
        );
    }

    #[test]
    fn verify_names_what_does_not_fit() {
        let [one, two] = [migration("1", &[]), migration("2", &[])];
        let all = history(&[&one, &two]);
        let files = [one.clone(), two];
        assert_eq!(versions(verify(&files, &all, None)).unwrap(), ["1", "2"]);
        assert_eq!(
            versions(verify(&files[..1], &all, Some("m1"))).unwrap(),
            ["1"]
        );
        let missing = verify(&files[..1], &all, None).unwrap_err();
        assert_eq!(missing.code(), Code::HistoryMissing);
        assert!(missing.message().contains("2 m2 is applied"), "{missing}");
        let other = [migration("1", &["0"]), files[1].clone()];
        let divergent = verify(&other, &all, None).unwrap_err();
        assert_eq!(divergent.code(), Code::HistoryDivergent);
        assert!(
            divergent.to_string().contains("applied digest"),
            "{divergent}"
        );
    }

    #[test]
    fn every_version_has_one_state() {
        let [one, two, three] = [
            migration("1", &[]),
            migration("2", &[]),
            migration("4", &[]),
        ];
        let done = history(&[&two, &migration("3", &[])]);
        let files = [one, two, three];
        let states: Vec<State> = compare(&files, &done)
            .iter()
            .map(|entry| entry.state)
            .collect();
        assert_eq!(
            states,
            [State::Late, State::Applied, State::Missing, State::Pending]
        );
    }
}
