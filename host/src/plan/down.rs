//! What `down` has to undo.

use super::compare::{Entry, State, compare, refuse};
use super::open::{self, Open};
use super::{Applied, History, find};
use crate::error::{Code, Error, Result};
use crate::migration::{Migration, Version};

/// What `down` cannot undo.
const REFUSED: &[(State, &str)] = &[
    (
        State::Missing,
        "put the component back: its `down` is needed",
    ),
    (
        State::Divergent,
        "restore the component that was applied: its `down` is the one that fits",
    ),
];

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

impl Undo {
    /// Whether a migration may be among what is undone, before the history is known.
    pub fn may_reach(&self, migration: &Migration) -> bool {
        match self {
            Undo::Last | Undo::All => true,
            Undo::To(to) => migration.version() > to,
            Undo::Only(word) => migration.is_called(word),
        }
    }
}

const GO_ON: &str =
    "go on with it, or undo it: `wasmigrate down` without arguments undoes what is half-way";

/// What `down` has to undo, what is half-way first and then the newest. Refuses to undo what a migration needs that stays applied.
pub fn down<'a>(
    migrations: &'a [Migration],
    history: &'a History,
    undo: &Undo,
) -> Result<Vec<&'a Migration>> {
    let reached = |open: &Open| match undo {
        Undo::Last | Undo::All => true,
        Undo::To(to) => open.version > *to,
        Undo::Only(word) => {
            open.name == *word || word.parse().is_ok_and(|v: Version| v == open.version)
        }
    };
    open::refuse_open(history, reached, GO_ON)?;
    let first = match &history.open {
        Some(open) => Some(open::resume(open, migrations, None, &[])?),
        None => None,
    };
    let targets: Vec<&Applied> = match undo {
        // what is half-way is the last that was worked on
        Undo::Last | Undo::Only(_) if first.is_some() => Vec::new(),
        Undo::Last => history.applied.last().into_iter().collect(),
        Undo::All => history.applied.iter().collect(),
        Undo::To(to) => {
            find::known(migrations, history, to)?;
            let above = |applied: &&Applied| applied.version > *to;
            history.applied.iter().filter(above).collect()
        }
        Undo::Only(wanted) => vec![find::applied(history, wanted)?],
    };
    let target = |version: &Version| targets.iter().any(|target| target.version == *version);
    let (undone, staying): (Vec<Entry<'a>>, Vec<Entry<'a>>) = compare(migrations, history)
        .into_iter()
        .filter(|entry| entry.applied.is_some())
        .partition(|entry| {
            entry
                .applied
                .is_some_and(|applied| target(&applied.version))
        });
    for entry in staying {
        let after = entry.migration.map(|migration| &migration.manifest.after);
        if let Some(needed) = after.into_iter().flatten().find(|after| target(after)) {
            let what = entry.label();
            return Err(Error::new(
                Code::HistoryDependent,
                format!("failed to undo {needed}: {what} depends on it and is applied"),
            )
            .hint(format!("undo {what} first")));
        }
    }
    refuse(&undone, REFUSED)?;
    let newest_first = undone.into_iter().rev().filter_map(|entry| entry.migration);
    let others =
        newest_first.filter(|one| first.is_none_or(|first| first.version() != one.version()));
    Ok(first.into_iter().chain(others).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::Phase;
    use crate::plan::samples::{history, migration, open, versions};

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
    fn what_is_half_way_is_undone_first() {
        let files = [
            migration("1", &[]),
            migration("2", &[]),
            migration("3", &[]),
        ];
        let mut done = history(&[&files[0], &files[2]]);
        done.open = Some(open(&files[1], Phase::Up));
        assert_eq!(versions(down(&files, &done, &Undo::Last)).unwrap(), ["2"]);
        assert_eq!(
            versions(down(&files, &done, &Undo::All)).unwrap(),
            ["2", "3", "1"]
        );
        assert_eq!(
            versions(down(&files, &done, &Undo::Only("m2".into()))).unwrap(),
            ["2"]
        );
        let passed = [Undo::Only("m3".into()), Undo::To("2".parse().unwrap())];
        for undo in passed {
            assert_eq!(versions(down(&files, &done, &undo)), Err(Code::RunOpen));
        }
        done.open = Some(open(&files[2], Phase::Down));
        assert_eq!(
            versions(down(&files, &done, &Undo::All)).unwrap(),
            ["3", "1"]
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
}
