//! Whose `verify` is to run.

use super::compare::{Entry, State, compare, refuse};
use super::{Applied, History, find};
use crate::error::Result;
use crate::migration::Migration;

/// What cannot be verified.
const REFUSED: &[(State, &str)] = &[
    (
        State::Missing,
        "put the component back: its `verify` is needed",
    ),
    (
        State::Divergent,
        "restore the component that was applied: its `verify` is the one that fits",
    ),
];

/// Whose `verify` is to run: every applied migration, or the one of that name or version.
pub fn verify<'a>(
    migrations: &'a [Migration],
    history: &'a History,
    only: Option<&str>,
) -> Result<Vec<&'a Migration>> {
    let only = only
        .map(|wanted| find::applied(history, wanted))
        .transpose()?;
    let chosen = |applied: &Applied| only.is_none_or(|only| applied.version == only.version);
    let entries: Vec<Entry<'a>> = compare(migrations, history)
        .into_iter()
        .filter(|entry| entry.applied.is_some_and(chosen))
        .collect();
    refuse(&entries, REFUSED)?;
    Ok(entries
        .into_iter()
        .filter_map(|entry| entry.migration)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::plan::samples::{history, migration, versions};

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
}
