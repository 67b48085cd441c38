//! Statements that the server runs outside of transactions only. That one is begun is committed first; after a
//! crash the database itself tells what became of it. Whether an index is whole is looked at before its build
//! and behind it: what an interrupted build has left, ours or anybody's, is dropped and built again.

use super::execute::Admitted;
use super::state::{Answer, Fault, State, excerpt};
use super::talk::Level;
use crate::database::{
    Attached, Built, Failure, IndexKey, IndexSpec, Session, Target, label, qualified, quoted,
};
use crate::error::{Code, Error};
use crate::finding::Finding;
use crate::guard::outside::{Definition, Named, Outside, outside};
use crate::guard::statement::{Change, Class};
use crate::points;

/// What follows a statement: the host's own statements have all the time.
const BEHIND: &str = "RESET ROLE; SET statement_timeout = 0";

/// What is done with a statement.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// It is done already.
    Done,
    /// These run first, and then it.
    Run(Vec<String>),
    /// In its place this is run.
    Instead(String),
    /// It cannot be.
    Refused(String),
}

impl State {
    /// Runs a statement outside of transactions; its step is begun, and is to be ended.
    pub(super) async fn run_outside(
        &mut self,
        statement: &Admitted,
        change: &Change,
    ) -> Answer<u64> {
        let sql = &statement.sql;
        let Some(outside) = outside(sql) else {
            let what = format!("failed to run `{}`", excerpt(sql));
            let why = "in stepwise mode such a statement must say all names, that of the index too";
            return Err(Fault::unsupported(what, why));
        };
        let owner = self.session_owner(change).await?;
        let begun = self.step_was_begun();
        self.leave_transaction().await?;
        let plan = self.plan_outside(sql, &outside, begun).await?;
        let run = match plan {
            Plan::Done => None,
            Plan::Refused(why) => {
                return Err(Fault::unsupported(
                    format!("failed to run `{}`", excerpt(sql)),
                    why,
                ));
            }
            Plan::Instead(other) => Some(other),
            Plan::Run(first) => {
                for drop in &first {
                    let dropped = self.send_outside(&owner, drop).await;
                    dropped.map_err(|failure| self.fault(drop, failure))?;
                }
                Some(sql.clone())
            }
        };
        let rows = match run {
            None => 0,
            Some(run) => match self.send_outside(&owner, &run).await {
                Ok(rows) => rows,
                Err(failure) => return Err(self.clear_up(sql, &outside, &owner, failure).await),
            },
        };
        self.look_after(sql, &outside).await?;
        self.begin_transaction(None).await?;
        Ok(rows)
    }

    /// Sends one statement outside of transactions, under the pinned settings and as the objects' owner.
    async fn send_outside(&mut self, owner: &str, sql: &str) -> Result<u64, Failure> {
        let pins = self
            .stepping
            .as_ref()
            .map_or("", |stepping| stepping.steps.outside());
        let ahead = format!("{pins}; {owner}");
        points::reached("before a statement outside of transactions");
        let sent = self.session.execute(sql, &[]);
        let sent = self.session.between(&ahead, sent, BEHIND).await;
        points::reached("after a statement outside of transactions");
        sent
    }

    async fn plan_outside(&mut self, sql: &str, outside: &Outside, begun: bool) -> Answer<Plan> {
        let found = look(&self.session, outside, begun).await;
        let found = found.map_err(|failure| self.fault(sql, failure))?;
        if let (Outside::BuildIndex { index, .. }, Found::Index(Built::Broken, _)) =
            (outside, &found)
        {
            let name = label(&index.0, &index.1);
            let told = format!("index {name} was left broken: it is dropped, and built again");
            self.events.log(Level::Info, &told);
            self.find(Finding {
                kind: "index".into(),
                subject: name,
                expected: "whole, or absent".to_owned(),
                seen: "what an interrupted build has left: dropped, and built again".to_owned(),
                met: true,
            })?;
        }
        Ok(plan(outside, begun, found))
    }

    /// A build that ended must have left a whole index.
    async fn look_after(&mut self, sql: &str, outside: &Outside) -> Answer<()> {
        let Outside::BuildIndex { index, .. } = outside else {
            return Ok(());
        };
        let built = self.session.built(&index.0, &index.1).await;
        match built.map_err(|failure| self.fault(sql, failure))? {
            Built::Whole => Ok(()),
            _ => {
                let what = format!("failed to build index {}", label(&index.0, &index.1));
                let error = Error::new(Code::StatementFailed, what)
                    .cause("the server said that it is built, but it is not valid");
                let why = error.to_string();
                Err(Fault::failed(
                    error,
                    super::wit::types::Error::CheckFailed(why),
                ))
            }
        }
    }

    /// After a refusal: a build leaves an invalid index behind, which would slow every write from now on. Where it
    /// is gone, nothing of the step is left.
    async fn clear_up(
        &mut self,
        sql: &str,
        outside: &Outside,
        owner: &str,
        failure: Failure,
    ) -> Fault {
        let refused = match &failure {
            Failure::Server(refusal) => !refusal.is_contention(),
            _ => false,
        };
        if refused {
            let cleared = match outside {
                Outside::BuildIndex { index, .. } => {
                    match self.session.built(&index.0, &index.1).await {
                        Ok(Built::Broken) => {
                            self.send_outside(owner, &drop_index(index)).await.is_ok()
                        }
                        Ok(_) => true,
                        Err(_) => false,
                    }
                }
                Outside::Again => true,
                _ => false,
            };
            if cleared && let Err(fault) = self.take_step_back().await {
                return fault;
            }
        }
        self.fault(sql, failure)
    }
}

/// What the database knows of a statement's objects.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Index(Built, Same),
    Leftovers(Vec<Named>),
    Partition(Attached),
    Nothing,
}

/// Whether an index has the wanted definition.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Same {
    Yes,
    No(String),
    Unknown,
}

/// What the database knows of a statement's objects, now that it runs or runs again.
async fn look(session: &Session, outside: &Outside, begun: bool) -> Result<Found, Failure> {
    Ok(match outside {
        Outside::BuildIndex {
            index, definition, ..
        } => {
            let built = session.built(&index.0, &index.1).await?;
            let same = match (built, definition) {
                (Built::Whole, Some(definition)) => {
                    let differs = differs(session, index, definition).await?;
                    differs.map_or(Same::Yes, Same::No)
                }
                _ => Same::Unknown,
            };
            Found::Index(built, same)
        }
        Outside::DropIndex(index) => {
            Found::Index(session.built(&index.0, &index.1).await?, Same::Unknown)
        }
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
fn plan(outside: &Outside, begun: bool, found: Found) -> Plan {
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
                // ours, built to its end before the crash
                (Built::Whole, Same::Yes) if begun => Plan::Done,
                // begun by us and not to be compared: only a new build is surely of that definition
                (Built::Whole, Same::Unknown) if begun => Plan::Run(vec![drop_index(index)]),
                // the server says what it thinks of the name
                (Built::Whole, _) => Plan::Run(Vec::new()),
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

fn drop_index(index: &Named) -> String {
    format!("DROP INDEX CONCURRENTLY {}", qualified(&index.0, &index.1))
}

async fn differs(
    session: &Session,
    index: &Named,
    definition: &Definition,
) -> Result<Option<String>, Failure> {
    let keys = definition.keys.iter().map(|key| IndexKey {
        target: match &key.target {
            Ok(column) => Target::Column(column.clone()),
            Err(expression) => Target::Expression(expression.clone()),
        },
        operator_class: key.operator_class.clone(),
        descending: key.descending,
        nulls_first: key.nulls_first,
    });
    let spec = IndexSpec {
        schema: definition.table.0.clone(),
        table: definition.table.1.clone(),
        name: index.1.clone(),
        unique: definition.unique,
        method: definition.method.clone(),
        keys: keys.collect(),
        include: definition.include.clone(),
        predicate: definition.predicate.clone(),
    };
    session.differs(&spec).await
}

/// What makes the owner of a statement's objects the current role until it is reset; nothing for the login.
pub(super) fn set_role(owner: Option<&str>) -> String {
    match owner {
        Some(owner) => format!("SET ROLE {}", quoted(owner)),
        None => "RESET ROLE".to_owned(),
    }
}

/// Whether a statement runs outside of transactions only.
pub(super) fn is_outside(class: &Class) -> Option<&Change> {
    match class {
        Class::Change(change) if change.outside_transaction => Some(change),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(if_not_exists: bool) -> Outside {
        Outside::BuildIndex {
            index: ("s".into(), "i".into()),
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
            // the server refuses the name
            (false, Built::Whole, Same::Yes, run()),
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
