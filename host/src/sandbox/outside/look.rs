//! What the database says of a statement that runs outside of transactions: what is to be done with it before, and
//! behind it whether it has done it.

use crate::database::{Attached, Built, Failure, IndexKey, IndexSpec, Session, Target, qualified};
use crate::guard::outside::{Definition, Named, Outside};

/// What is done with a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// It is done already.
    Done,
    /// These run first, and then it.
    Run(Vec<String>),
    /// In its place this is run.
    Instead(String),
    /// It cannot be.
    Refused(String),
}

/// What the database knows of a statement's objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Index(Built, Same),
    Leftovers(Vec<Named>),
    Partition(Attached),
    Nothing,
}

impl Found {
    /// Whether nothing is half-done there.
    pub(super) fn is_settled(&self) -> bool {
        match self {
            Found::Index(built, _) => *built != Built::Broken,
            Found::Leftovers(left) => left.is_empty(),
            Found::Partition(attached) => *attached != Attached::Half,
            Found::Nothing => true,
        }
    }
}

/// Whether an index has the wanted definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Same {
    Yes,
    No(String),
    Unknown,
}

/// What the database knows of a statement's objects, now that it runs or runs again.
pub(super) async fn look(
    session: &Session,
    outside: &Outside,
    begun: bool,
) -> Result<Found, Failure> {
    Ok(match outside {
        Outside::BuildIndex {
            index,
            table,
            definition,
            ..
        } => {
            let built = session.built(&index.0, &index.1, Some(table)).await?;
            let same = match (built, definition) {
                (Built::Whole, Some(definition)) => {
                    let differs = session.differs(&spec(index, definition)).await?;
                    differs.map_or(Same::Yes, Same::No)
                }
                _ => Same::Unknown,
            };
            Found::Index(built, same)
        }
        Outside::DropIndex(index) => Found::Index(
            session.built(&index.0, &index.1, None).await?,
            Same::Unknown,
        ),
        Outside::RebuildIndex(index) if begun => {
            Found::Leftovers(session.leftovers_of(&index.0, &index.1).await?)
        }
        Outside::RebuildIndexes(table) if begun => {
            Found::Leftovers(session.leftovers_on(&table.0, &table.1).await?)
        }
        Outside::Detach { table, partition } => {
            let attached = session.attached((&table.0, &table.1), (&partition.0, &partition.1));
            Found::Partition(attached.await?)
        }
        Outside::RebuildIndex(_) | Outside::RebuildIndexes(_) | Outside::Again => Found::Nothing,
    })
}

/// What is to be done with a statement, from what is found; `begun` says whether an earlier attempt had begun it.
pub(super) fn plan(outside: &Outside, begun: bool, found: Found) -> Plan {
    match (outside, found) {
        (
            Outside::BuildIndex {
                index,
                if_not_exists,
                ..
            },
            Found::Index(built, same),
        ) => {
            match (built, same) {
                (Built::Absent | Built::Other, _) => Plan::Run(Vec::new()),
                (Built::Broken, _) => Plan::Run(vec![drop_index(index)]),
                (Built::Whole, Same::No(how)) if begun || *if_not_exists => Plan::Refused(format!(
                    "there is another index of that name: {how}; rename or drop that first"
                )),
                // ours, built to its end before the crash; or there already
                (Built::Whole, Same::Yes) if begun || *if_not_exists => Plan::Done,
                // begun by us, as none was there before, and not to be compared: only a new build is surely of that
                // definition
                (Built::Whole, Same::Unknown) if begun => Plan::Run(vec![drop_index(index)]),
                (Built::Whole, Same::Unknown) if *if_not_exists => Plan::Refused(
                    "there is an index of that name, and whether it is the wanted one can't be told where the \
                     statement has WITH, COLLATE, TABLESPACE or NULLS NOT DISTINCT; rename or drop that first"
                        .to_owned(),
                ),
                (Built::Whole, _) => Plan::Refused(
                    "there is an index of that name; rename or drop that first, or say IF NOT EXISTS"
                        .to_owned(),
                ),
            }
        }
        (Outside::DropIndex(_), Found::Index(Built::Absent, _)) if begun => Plan::Done,
        (_, Found::Leftovers(left)) => Plan::Run(left.iter().map(drop_index).collect()),
        (Outside::Detach { table, partition }, Found::Partition(Attached::Half)) => {
            Plan::Instead(format!(
                "ALTER TABLE {} DETACH PARTITION {} FINALIZE",
                qualified(&table.0, &table.1),
                qualified(&partition.0, &partition.1)
            ))
        }
        (Outside::Detach { .. }, Found::Partition(Attached::No)) if begun => Plan::Done,
        _ => Plan::Run(Vec::new()),
    }
}

pub(super) fn drop_index(index: &Named) -> String {
    format!("DROP INDEX CONCURRENTLY {}", qualified(&index.0, &index.1))
}

/// What an index of that name and definition would be.
pub(super) fn spec(index: &Named, definition: &Definition) -> IndexSpec {
    let keys = definition.keys.iter().map(|key| IndexKey {
        target: match &key.target {
            Ok(column) => Target::Column(column.clone()),
            Err(expression) => Target::Expression(expression.clone()),
        },
        operator_class: key.operator_class.clone(),
        descending: key.descending,
        nulls_first: key.nulls_first,
    });
    IndexSpec {
        schema: definition.table.0.clone(),
        table: definition.table.1.clone(),
        name: index.1.clone(),
        unique: definition.unique,
        method: definition.method.clone(),
        keys: keys.collect(),
        include: definition.include.clone(),
        predicate: definition.predicate.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(if_not_exists: bool) -> Outside {
        Outside::BuildIndex {
            index: ("s".into(), "i".into()),
            table: ("s".into(), "t".into()),
            if_not_exists,
            definition: None,
        }
    }

    #[test]
    fn a_build_is_done_once_and_a_broken_one_again() {
        let run = || Plan::Run(Vec::new());
        let again = || Plan::Run(vec!["DROP INDEX CONCURRENTLY \"s\".\"i\"".to_owned()]);
        let cases = [
            (false, Built::Absent, Same::Unknown, run()),
            (true, Built::Absent, Same::Unknown, run()),
            (false, Built::Broken, Same::Unknown, again()),
            (true, Built::Broken, Same::Unknown, again()),
            (true, Built::Whole, Same::Yes, Plan::Done),
            (true, Built::Whole, Same::Unknown, again()),
        ];
        for (begun, built, same, wanted) in cases {
            let planned = plan(&build(false), begun, Found::Index(built, same));
            assert_eq!(planned, wanted, "{begun} {built:?}");
        }
        let other = Found::Index(Built::Whole, Same::No("unique".into()));
        for (begun, if_not_exists) in [(true, false), (false, true)] {
            let planned = plan(&build(if_not_exists), begun, other.clone());
            assert!(matches!(planned, Plan::Refused(_)), "{planned:?}");
        }
        // what was there before is nobody's to drop
        for (if_not_exists, same) in [
            (false, Same::Yes),
            (false, Same::Unknown),
            (true, Same::Unknown),
        ] {
            let planned = plan(
                &build(if_not_exists),
                false,
                Found::Index(Built::Whole, same),
            );
            assert!(matches!(planned, Plan::Refused(_)), "{planned:?}");
        }
        let same = Found::Index(Built::Whole, Same::Yes);
        assert_eq!(plan(&build(true), false, same), Plan::Done);
    }

    #[test]
    fn other_statements_are_gone_on_with_where_they_stopped() {
        let named = |name: &str| ("s".to_owned(), name.to_owned());
        let absent = Found::Index(Built::Absent, Same::Unknown);
        let drop = Outside::DropIndex(named("i"));
        assert_eq!(plan(&drop, true, absent.clone()), Plan::Done);
        assert_eq!(plan(&drop, false, absent), Plan::Run(Vec::new()));
        let left = Found::Leftovers(vec![named("i_ccnew")]);
        let first = vec!["DROP INDEX CONCURRENTLY \"s\".\"i_ccnew\"".to_owned()];
        assert_eq!(
            plan(&Outside::RebuildIndexes(named("t")), true, left),
            Plan::Run(first)
        );
        let detach = Outside::Detach {
            table: named("t"),
            partition: named("p"),
        };
        let sql = "ALTER TABLE \"s\".\"t\" DETACH PARTITION \"s\".\"p\" FINALIZE";
        let half = Found::Partition(Attached::Half);
        assert_eq!(plan(&detach, true, half), Plan::Instead(sql.to_owned()));
        assert_eq!(
            plan(&detach, true, Found::Partition(Attached::No)),
            Plan::Done
        );
        assert_eq!(
            plan(&Outside::Again, true, Found::Nothing),
            Plan::Run(Vec::new())
        );
    }
}
