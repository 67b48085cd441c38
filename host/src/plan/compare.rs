//! Files and history side by side, and the refusal of what does not fit together.

use std::fmt;

use serde::Serialize;

use super::{Applied, History, Open};
use crate::error::{Code, Error, Result};
use crate::migration::{Migration, Version};

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
    /// Some of its steps are committed, and its run is open.
    #[serde(rename = "half-way")]
    HalfWay,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Applied => "applied",
            State::Pending => "pending",
            State::Late => "late",
            State::Divergent => "divergent",
            State::Missing => "missing",
            State::HalfWay => "half-way",
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
    /// The run that is half-way.
    pub open: Option<&'a Open>,
    /// How the two stand to each other.
    pub state: State,
}

impl Entry<'_> {
    /// The version and name, from whichever side has them.
    pub(super) fn label(&self) -> String {
        match (self.migration, self.applied) {
            (Some(migration), _) => format!("{} {}", migration.version(), migration.name()),
            (None, Some(applied)) => format!("{} {}", applied.version, applied.name),
            (None, None) => self.open.map(Open::to_string).unwrap_or_default(),
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
            let open = (history.open.as_ref()).filter(|open| open.version == *migration.version());
            let state = match applied {
                _ if open.is_some() => State::HalfWay,
                Some(applied) if applied.digest == migration.digest => State::Applied,
                Some(_) => State::Divergent,
                None if newest.is_some_and(|newest| migration.version() < newest) => State::Late,
                None => State::Pending,
            };
            Entry {
                migration: Some(migration),
                applied,
                open,
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
            open: None,
            state: State::Missing,
        });
    entries.extend(missing);
    let known = |open: &&Open| {
        entries
            .iter()
            .any(|entry| version(entry) == Some(&open.version))
    };
    if let Some(open) = history.open.as_ref().filter(|open| !known(open)) {
        entries.push(Entry {
            migration: None,
            applied: None,
            open: Some(open),
            state: State::HalfWay,
        });
    }
    entries.sort_by(|a, b| version(a).cmp(&version(b)));
    entries
}

fn version<'a>(entry: &Entry<'a>) -> Option<&'a Version> {
    entry
        .migration
        .map(Migration::version)
        .or(entry.applied.map(|applied| &applied.version))
        .or(entry.open.map(|open| &open.version))
}

/// The states in which a verb may find itself unable to go on: the error's code, and the state in words.
const REFUSED: [(State, Code, &str); 3] = [
    (
        State::Missing,
        Code::HistoryMissing,
        "applied, but not in the folder",
    ),
    (
        State::Divergent,
        Code::HistoryDivergent,
        "applied from another component",
    ),
    (State::Late, Code::HistoryLate, "older than what is applied"),
];

/// Refuses entries in these states; with each state comes what the operator can do about it.
pub(super) fn refuse(entries: &[Entry<'_>], hints: &[(State, &str)]) -> Result<()> {
    for (state, code, what) in REFUSED {
        let mut found = entries.iter().filter(|entry| entry.state == state);
        let hint = hints.iter().find(|(refused, _)| *refused == state);
        let (Some(first), Some((_, hint))) = (found.next(), hint) else {
            continue;
        };
        let message = format!(
            "failed to match files and history: {} is {what}",
            first.label()
        );
        let mut error = Error::new(code, message);
        if let (Some(migration), Some(applied)) = (first.migration, first.applied) {
            error = error.cause(format!(
                "applied digest {}, the file's {}",
                applied.digest, migration.digest
            ));
        }
        for entry in found {
            error = error.cause(format!("{} too", entry.label()));
        }
        return Err(error.hint(*hint));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::Phase;
    use crate::plan::samples::{history, migration, open};

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

    /// It is shown where its component is gone too.
    #[test]
    fn what_is_half_way_is_neither_pending_nor_late() {
        let files = [migration("1", &[]), migration("2", &[])];
        let mut done = history(&[&files[1]]);
        done.open = Some(open(&files[0], Phase::Up));
        let states = |files: &[Migration]| -> Vec<State> {
            let entries = compare(files, &done);
            entries.iter().map(|entry| entry.state).collect()
        };
        assert_eq!(states(&files), [State::HalfWay, State::Applied]);
        assert_eq!(states(&files[1..]), [State::HalfWay, State::Applied]);
    }

    #[test]
    fn only_the_states_with_a_hint_are_refused_and_all_of_them_are_named() {
        let [one, two] = [migration("1", &[]), migration("2", &[])];
        let done = history(&[&one, &two]);
        let entries = compare(&[], &done);
        refuse(&entries, &[(State::Divergent, "a"), (State::Late, "b")]).unwrap();
        let error = refuse(&entries, &[(State::Late, "b"), (State::Missing, "c")]).unwrap_err();
        assert_eq!(error.code(), Code::HistoryMissing);
        assert!(error.message().contains("1 m1 is applied"), "{error}");
        assert_eq!(error.causes(), ["2 m2 too"]);
        assert_eq!(error.hint_text(), Some("c"));
    }
}
