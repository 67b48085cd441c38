//! What else is reached by what is granted on a table, as a database says: cascades, triggers, children, the tables
//! behind a view.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Granted;
use crate::guard::grants::name::{Ident, Name};
use crate::guard::grants::{Grants, Kind, Subject};
use crate::guard::resolve::{Reached as Resolved, Resolution};
use crate::migration::Phase;
use crate::touched::{Verb, Write};

/// What a grant on a table reaches beside the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// The phase.
    pub phase: Phase,
    /// The grant.
    pub grant: String,
    /// What was found.
    #[serde(flatten)]
    pub found: Found,
}

/// What was found out about a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "found", rename_all = "lowercase")]
pub enum Found {
    /// There is no such table, or none yet.
    Missing,
    /// The server would not say.
    Unknown {
        /// Why.
        why: String,
    },
    /// It was told.
    Told {
        /// What is reached.
        needs: Vec<Also>,
        /// What is reached and nothing can grant: the statement is refused.
        never: Vec<String>,
    },
}

/// Something that is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Also {
    /// The grant that it takes.
    pub need: String,
    /// What leads to it.
    pub through: Option<String>,
    /// Whether the phase has that grant; without it the statement is refused.
    pub granted: bool,
}

/// What a database is asked about a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What reading these columns touches, or all where there are none.
    Read(Name, BTreeSet<Ident>),
    /// What this write sets off.
    Write(Name, Write),
}

impl Question {
    /// The question about a grant, if there is something to ask.
    pub fn about(granted: &Granted) -> Option<Self> {
        let kind = granted.grant.kind;
        let (name, columns) = match &granted.grant.subject {
            Subject::Columns(name, columns) => (name, columns.clone()),
            Subject::Name(name) => (name, BTreeSet::new()),
            _ => return None,
        };
        let verb = match kind {
            Kind::Read => return Some(Question::Read(name.clone(), columns)),
            Kind::Insert => Verb::Insert,
            Kind::Delete => Verb::Delete,
            Kind::Truncate => Verb::Truncate,
            Kind::Update if columns.is_empty() => Verb::Update(None),
            Kind::Update => {
                let columns = columns.iter().map(|column| column.as_str().to_owned());
                Verb::Update(Some(columns.collect()))
            }
            _ => return None,
        };
        let write = Write {
            schema: name.schema.as_str().to_owned(),
            table: name.name.as_str().to_owned(),
            verb,
        };
        Some(Question::Write(name.clone(), write))
    }

    /// The table.
    pub fn name(&self) -> &Name {
        match self {
            Question::Read(name, _) | Question::Write(name, _) => name,
        }
    }
}

impl Reached {
    /// What the server's answer about a grant comes to in a phase that has these grants.
    pub fn told(granted: &Granted, resolution: &Resolution, grants: &Grants) -> Self {
        // what the grant itself allows is no news
        let own = |need: &&Resolved| need.way.is_some() || need.need.kind() != granted.grant.kind;
        let also = |reached: &Resolved| Also {
            need: reached.need.to_string(),
            through: reached.way.clone(),
            granted: grants.allows(&reached.need),
        };
        let needs = resolution.needs.iter().filter(own).map(also);
        let never = resolution.denied.iter().map(ToString::to_string);
        Reached::new(
            granted,
            Found::Told {
                needs: needs.collect(),
                never: never.collect(),
            },
        )
    }

    /// What was found about a grant.
    pub fn new(granted: &Granted, found: Found) -> Self {
        Reached {
            phase: granted.phase,
            grant: granted.grant.to_string(),
            found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::guard::grants::Need;

    #[test]
    fn reads_and_writes_of_tables_are_asked_about() {
        let review = sample(
            &["execute"],
            "[grants]\nup = ['read public.a(x)', 'update public.a(x)', 'update public.b', 'truncate public.a', \
             'index public.a', 'call public.f()', 'alter public.a: rename', 'drop table public.a']\n",
        );
        let asked: Vec<_> = review.grants.iter().filter_map(Question::about).collect();
        let words: Vec<_> = asked
            .iter()
            .map(|question| match question {
                Question::Read(name, columns) => format!("read {name} {}", columns.len()),
                Question::Write(name, write) => format!("{name} {:?}", write.verb),
            })
            .collect();
        assert_eq!(
            words,
            [
                "public.a Truncate",
                "public.a Update(Some([\"x\"]))",
                "public.b Update(None)",
                "read public.a 1",
            ]
        );
    }

    #[test]
    fn what_is_reached_is_held_against_the_grants_of_the_phase() {
        let review = sample(
            &["execute"],
            "[grants]\nup = ['delete public.a', 'delete public.b']\n",
        );
        let delete = |table: &str| Need::on(Kind::Delete, Name::new("public", table).unwrap());
        let by = |need, way: Option<&str>| Resolved {
            need,
            way: way.map(str::to_owned),
        };
        let resolution = Resolution {
            needs: vec![
                by(delete("a"), None),
                by(delete("b"), Some("a cascade")),
                by(delete("c"), Some("a cascade")),
            ],
            denied: Vec::new(),
        };
        let reached = Reached::told(&review.grants[0], &resolution, &review.manifest.grants.up);
        let Found::Told { needs, .. } = reached.found else {
            panic!("{reached:?}")
        };
        let needs: Vec<_> = needs
            .iter()
            .map(|also| (&also.need[..], also.granted))
            .collect();
        assert_eq!(
            needs,
            [("delete public.b", true), ("delete public.c", false)]
        );
    }
}
