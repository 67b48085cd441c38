//! Which wall refused a run.

use std::fmt;

use serde::Deserialize;

use crate::support::Ended;

/// What stands between a guest's statement and the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wall {
    /// The guard, by the statement's text.
    Statement,
    /// The guard, by what the server said of the statement.
    Resolve,
    /// The host: a check, or `verify`, takes what only reads.
    ReadOnly,
    /// The run role, which lacks the privilege.
    Role,
    /// The comparison of the catalog.
    Catalog,
    /// PostgreSQL, as it analysed the statement: nothing has run.
    Server,
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// What refused a run; `by_text` says whether the statement wall does. None where it did not fail, or failed at
/// something that ran.
pub fn refused_by(ended: &Ended, by_text: bool) -> Option<Wall> {
    // what is wrong with a verification is data
    let said = format!("{}{}", ended.stderr, ended.stdout);
    let code = |names: &[&str]| {
        let error = |name: &&str| said.contains(&format!("error[{name}]"));
        ended.status != 0 && names.iter().any(error)
    };
    let state = said.split("SQLSTATE: ").nth(1).unwrap_or_default();
    if code(&["denied", "grant-denied"]) {
        return Some(match () {
            () if state.starts_with("42501") => Wall::Role,
            () if by_text => Wall::Statement,
            () if said.contains("only selects") || said.contains("verify only reads") => {
                Wall::ReadOnly
            }
            () => Wall::Resolve,
        });
    }
    if code(&["catalog-changed"]) {
        return Some(Wall::Catalog);
    }
    let analysis = state.starts_with("42") || state.starts_with("0A");
    (code(&["statement-failed"]) && analysis).then_some(Wall::Server)
}
