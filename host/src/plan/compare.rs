//! Files and history side by side, and the refusal of what does not fit together.

use std::fmt;

use serde::Serialize;

use super::{Applied, History};
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
    pub(super) fn label(&self) -> String {
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
    use crate::plan::samples::{history, migration};

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
