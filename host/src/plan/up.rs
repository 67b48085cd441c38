//! What `up` has to apply.

use super::compare::{State, compare, refuse};
use super::open::{self, Open};
use super::{History, find};
use crate::error::{Code, Error, Result};
use crate::migration::{Migration, Phase, Version};

/// What `up` does not apply anything on top of.
const REFUSED: &[(State, &str)] = &[
    (
        State::Missing,
        "put the component back, or point --migrations at the folder that holds it",
    ),
    (
        State::Divergent,
        "restore the component that was applied; a further change is a new migration",
    ),
];
const LATE: &[(State, &str)] = &[(
    State::Late,
    "give it a version above the newest applied one and build it again, or say --allow-late",
)];

const GO_ON: &str = "go on with it first: `wasmigrate up`, without a --to below it, where its up is half-way; \
    `wasmigrate down` where its down is, or to undo it";

/// What `up` has to apply, in order; what is half-way first. Refuses a history that the folder does not continue.
pub fn up<'a>(
    migrations: &'a [Migration],
    history: &History,
    to: Option<&Version>,
    allow_late: bool,
) -> Result<Vec<&'a Migration>> {
    let entries = compare(migrations, history);
    refuse(&entries, REFUSED)?;
    if !allow_late {
        refuse(&entries, LATE)?;
    }
    if let Some(to) = to {
        find::known(migrations, history, to)?;
    }
    let reached = |open: &Open| open.phase == Phase::Up && to.is_none_or(|to| open.version <= *to);
    open::refuse_open(history, reached, GO_ON)?;
    let mut pending: Vec<&Migration> = migrations
        .iter()
        .filter(|migration| history.find(migration.version()).is_none())
        .filter(|migration| to.is_none_or(|to| migration.version() <= to))
        .collect();
    // what is half-way comes first, also before what is older and was added since
    let is_open = |one: &&Migration| {
        history
            .open
            .as_ref()
            .is_some_and(|open| open.version == *one.version())
    };
    pending.sort_by_key(|one| !is_open(one));
    in_order(&pending, history)?;
    Ok(pending)
}

/// Refuses a migration whose `after` is neither applied nor to be applied before it.
fn in_order(pending: &[&Migration], history: &History) -> Result<()> {
    for (place, migration) in pending.iter().enumerate() {
        let before = &pending[..place];
        let unmet = migration.manifest.after.iter().find(|after| {
            history.find(after).is_none() && !before.iter().any(|m| m.version() == *after)
        });
        if let Some(unmet) = unmet {
            return Err(Error::new(
                Code::HistoryOrder,
                format!(
                    "failed to order {} {}: it must come after {unmet}, which is not applied and does not come before it",
                    migration.version(),
                    migration.name()
                ),
            )
            .hint(format!(
                "add the migration {unmet}, or correct `after` in the manifest"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::samples::{history, migration, open, versions};

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
    fn what_is_half_way_comes_first_and_nothing_passes_it() {
        let files = [
            migration("1", &[]),
            migration("2", &[]),
            migration("3", &[]),
        ];
        let mut done = History {
            open: Some(open(&files[1], Phase::Up)),
            ..History::default()
        };
        assert_eq!(
            versions(up(&files, &done, None, false)).unwrap(),
            ["2", "1", "3"]
        );
        let to = "1".parse().unwrap();
        assert_eq!(
            versions(up(&files, &done, Some(&to), false)),
            Err(Code::RunOpen)
        );
        done.open = Some(open(&files[1], Phase::Down));
        assert_eq!(versions(up(&files, &done, None, false)), Err(Code::RunOpen));
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
}
