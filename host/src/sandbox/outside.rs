//! Statements that the server runs outside of transactions only. That one is begun is committed first; after a
//! crash the database itself tells what became of it. Whether an index is whole is looked at before its build
//! and behind it: what an interrupted build has left, ours or anybody's, is dropped and built again.

use look::{Found, Plan, Same, drop_index, look, plan, spec};

use super::execute::Admitted;
use super::state::{Answer, Fault, State, excerpt};
use super::talk::Level;
use super::wit::types;
use crate::database::{Built, Duplicates, Failure, IndexSpec, Session, label, quoted};
use crate::error::{Code, Error};
use crate::finding::Finding;
use crate::guard::outside::{Outside, outside};
use crate::guard::statement::{Change, Class};
use crate::points;

mod look;

/// The server's word for a key that is there twice.
const UNIQUE_VIOLATION: &str = "23505";

/// What follows a statement: the host's own statements have all the time.
const BEHIND: &str = "RESET ROLE; SET statement_timeout = 0";

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
        // what is refused was never begun; and what was begun, nothing of that name stood in the way of
        let plan = self.plan_outside(sql, &outside, begun).await?;
        let (first, run) = match plan {
            Plan::Refused(why) => {
                let what = format!("failed to run `{}`", excerpt(sql));
                return Err(Fault::unsupported(what, why));
            }
            Plan::Done if !begun => return Ok(0),
            Plan::Done => (Vec::new(), None),
            Plan::Instead(other) => (Vec::new(), Some(other)),
            Plan::Run(first) => (first, Some(sql.clone())),
        };
        self.leave_transaction().await?;
        let mut rows = 0;
        if let Some(run) = run {
            let sent = async |state: &mut State| {
                for drop in &first {
                    let dropped = state.send_outside(&owner, drop).await;
                    dropped.map_err(|failure| state.fault(drop, failure))?;
                }
                Ok(state.send_outside(&owner, &run).await)
            };
            rows = match self.watched(sql, sent).await?? {
                Ok(rows) => rows,
                Err(failure) => return Err(self.clear_up(sql, &outside, &owner, failure).await),
            };
        }
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
        let asking = async |session: &Session| look(session, outside, begun).await;
        let found = self.ask(sql, asking).await?;
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

    /// A build that ended must have left a whole index of the wanted definition.
    async fn look_after(&mut self, sql: &str, outside: &Outside) -> Answer<()> {
        let Outside::BuildIndex { index, .. } = outside else {
            return Ok(());
        };
        let found = look(&self.session, outside, true).await;
        let why = match found.map_err(|failure| self.fault(sql, failure))? {
            Found::Index(Built::Whole, Same::No(how)) => {
                format!(
                    "the server said that it is built, but an index of another definition has the name: {how}"
                )
            }
            Found::Index(Built::Whole, _) => return Ok(()),
            _ => "the server said that it is built, but it is not valid".to_owned(),
        };
        let what = format!("failed to build index {}", label(&index.0, &index.1));
        let error = Error::new(Code::StatementFailed, what).cause(why);
        let told = error.to_string();
        Err(Fault::failed(error, types::Error::CheckFailed(told)))
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
        let duplicates = match (outside, &failure) {
            (
                Outside::BuildIndex {
                    index,
                    definition: Some(definition),
                    ..
                },
                Failure::Server(refusal),
            ) if refusal.sqlstate == UNIQUE_VIOLATION => {
                self.duplicates(&spec(index, definition), owner).await
            }
            _ => None,
        };
        let refused = match &failure {
            Failure::Server(refusal) => !refusal.is_contention(),
            _ => false,
        };
        if refused {
            let cleared = match (outside, look(&self.session, outside, true).await) {
                (Outside::BuildIndex { index, .. }, Ok(Found::Index(Built::Broken, _))) => {
                    self.send_outside(owner, &drop_index(index)).await.is_ok()
                }
                (_, Ok(found)) => found.is_settled(),
                (_, Err(_)) => false,
            };
            if cleared && let Err(fault) = self.take_step_back().await {
                return fault;
            }
        }
        match (self.fault(sql, failure), duplicates) {
            (Fault::Told { error, answer }, Some(duplicates)) => Fault::Told {
                error: error.cause(duplicates),
                answer,
            },
            (fault, _) => fault,
        }
    }

    /// The keys for which a unique index could not be built, of which the server names one; none where they cannot be
    /// found in time. Whoever owns the index asks, and cannot write meanwhile.
    async fn duplicates(&mut self, index: &IndexSpec, owner: &str) -> Option<Duplicates> {
        let pins = self.stepping.as_ref()?.steps.outside();
        let ahead =
            format!("BEGIN READ ONLY; {pins}; {owner}; SET LOCAL statement_timeout = '30s'");
        let found = self.session.duplicates(index);
        let behind = format!("ROLLBACK; {BEHIND}");
        let found = self.session.between(&ahead, found, &behind).await;
        found.ok().filter(|found| !found.keys.is_empty())
    }
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
