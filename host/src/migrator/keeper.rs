//! Keeps the steps of a run in the journal: begins and commits their transactions, and looks at what a statement outside
//! of transactions leaves.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::settle::{
    Closing, Unsettled, catalog_changed, changed_behind, not_compared, unexplained,
};
use crate::database::comparison::{self, Picture};
use crate::database::journal::{self, Reached, Step};
use crate::database::{Failure, Session, runs};
use crate::error::{Code, Error};
use crate::guard::grants::Grants;
use crate::limits::Limits;
use crate::migration::{Phase, Remembered};
use crate::points;
use crate::sandbox::{Broken, Left, Steps, Told};

/// How far a run has come, as the one who keeps its steps has seen.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How many steps this runner has committed.
    pub committed: AtomicI64,
    /// Whether the database was changed, by this runner or an earlier one.
    pub changed: AtomicBool,
    /// Whether a COMMIT of a change is under way: who stops waiting for its answer does not know.
    pub committing: AtomicBool,
}

/// Keeps the steps of one attempt.
pub(super) struct Keeper {
    pub lock: Arc<Session>,
    pub run: i64,
    pub phase: Phase,
    pub grants: Grants,
    pub limits: Limits,
    pub begin: String,
    pub pins: String,
    pub outside: String,
    pub reached: Reached,
    pub page: VecDeque<journal::Kept>,
    pub progress: Arc<Progress>,
    /// What stood in the catalogs before the statement that runs outside of transactions.
    pub before: Option<Picture>,
}

impl Steps for Keeper {
    fn last(&self) -> i64 {
        self.reached.last
    }

    fn kept(&mut self, ordinal: i64) -> Told<'_, Option<journal::Kept>> {
        Box::pin(async move {
            if ordinal > self.reached.last {
                return Ok(None);
            }
            if self.page.is_empty() {
                let page = journal::page(&self.lock, self.run, ordinal).await;
                let page = page.map_err(|failure| Broken::Failed(unreadable(failure)))?;
                self.page = page.into();
            }
            match self.page.pop_front() {
                Some(kept) if kept.ordinal == ordinal => Ok(Some(kept)),
                _ => {
                    let what = format!("failed to read the journal: step {ordinal} is missing");
                    let error = Error::new(Code::JournalDivergent, what);
                    Err(Broken::Failed(error.hint(
                        "the schema wasmigrate belongs to wasmigrate alone; restore its tables from a backup",
                    )))
                }
            }
        })
    }

    fn begin<'a>(&'a mut self, session: &'a Session, step: Option<&'a Step>) -> Told<'a, ()> {
        Box::pin(async move {
            let written = async {
                match step {
                    Some(step) => journal::begin(session, self.run, step).await,
                    None => Ok(()),
                }
            };
            let (begun, written) = tokio::join!(biased; session.batch(&self.begin), written);
            points::reached("after a step is begun");
            begun
                .and(written)
                .map_err(|failure| broken(failure, "failed to begin a step"))
        })
    }

    fn done<'a>(
        &'a mut self,
        session: &'a Session,
        step: &'a Step,
        answer: &'a [u8],
    ) -> Told<'a, ()> {
        Box::pin(async move {
            let written = journal::end(session, self.run, step, answer).await;
            points::reached("after a step of a batch is kept");
            written.map_err(|failure| broken(failure, "failed to keep a step"))
        })
    }

    fn commit<'a>(
        &'a mut self,
        session: &'a Session,
        left: Left,
        done: Option<(&'a Step, &'a [u8])>,
        remembered: Option<&'a Remembered>,
    ) -> Told<'a, ()> {
        Box::pin(async move {
            let record = async {
                if let Some((step, answer)) = done {
                    journal::end(session, self.run, step, answer).await?;
                }
                match remembered {
                    Some(remembered) => runs::remember(session, self.run, remembered).await,
                    None => Ok(()),
                }
            };
            let closing = Closing {
                lock: &self.lock,
                pins: &self.pins,
                limits: &self.limits,
                grants: &self.grants,
                phase: self.phase,
            };
            let settled = closing.settle(session, &left, record).await;
            settled.map_err(|unsettled| match unsettled {
                Unsettled::Refused(failure, what) => refused(failure, what),
                Unsettled::Failed(error) => Broken::Failed(error),
                Unsettled::Changed(changes) => Broken::Unexplained(
                    catalog_changed(&changes, self.phase),
                    unexplained(&changes, self.phase),
                ),
            })?;
            // a step that is only begun runs next, and may leave something
            let changed = done.is_none_or(|(step, _)| step.changes);
            points::reached("before a step is committed");
            let committing = &self.progress.committing;
            committing.store(changed, Ordering::Relaxed);
            let committed = session.batch("COMMIT").await;
            committing.store(false, Ordering::Relaxed);
            points::reached("after a step is committed");
            committed.map_err(|failure| refused(failure, "failed to commit a step"))?;
            self.progress.committed.fetch_add(1, Ordering::Relaxed);
            self.progress.changed.fetch_or(changed, Ordering::Relaxed);
            Ok(())
        })
    }

    fn take_back<'a>(&'a mut self, session: &'a Session, ordinal: i64) -> Told<'a, ()> {
        Box::pin(async move {
            points::reached("before a step is taken back");
            let taken = journal::take_back(session, self.run, ordinal).await;
            taken.map_err(|failure| broken(failure, "failed to take a step back"))?;
            let reached = journal::reached(&self.lock, self.run).await;
            let reached = reached.map_err(|failure| Broken::Failed(unreadable(failure)))?;
            self.progress
                .changed
                .store(reached.changed, Ordering::Relaxed);
            Ok(())
        })
    }

    fn outside(&self) -> &str {
        &self.outside
    }

    fn look_before(&mut self) -> Told<'_, ()> {
        Box::pin(async move {
            let before = comparison::picture(&self.lock).await;
            self.before = Some(before.map_err(|failure| Broken::Failed(not_compared(failure)))?);
            Ok(())
        })
    }

    fn look_behind<'a>(&'a mut self, statement: &'a str) -> Told<'a, ()> {
        Box::pin(async move {
            let Some(before) = self.before.take() else {
                return Ok(());
            };
            let changes = comparison::changes_since(&self.lock, &before).await;
            let changes = changes.map_err(|failure| Broken::Failed(not_compared(failure)))?;
            match comparison::unexplained(changes, &self.grants) {
                changes if changes.is_empty() => Ok(()),
                changes => Err(Broken::Unexplained(
                    changed_behind(&changes, self.phase, statement),
                    unexplained(&changes, self.phase),
                )),
            }
        })
    }
}

pub(super) fn unreadable(failure: Failure) -> Error {
    failure.error(Code::Internal, "failed to read the journal")
}

/// What a refusal of the journal's own statements means.
fn broken(failure: Failure, what: &str) -> Broken {
    match failure {
        Failure::Server(refusal) if refusal.is_contention() => Broken::Contention(
            Error::new(Code::ContentionGivenUp, what)
                .cause(&refusal.message)
                .server(refusal.report()),
        ),
        Failure::Server(refusal) if refusal.sqlstate == "23505" => Broken::Failed(
            Error::new(Code::JournalDivergent, what)
                .cause("another runner has written the same step")
                .hint("end the other wasmigrate that works on this database, and run again"),
        ),
        failure => Broken::Failed(failure.error(Code::Internal, what)),
    }
}

/// What a refusal at the end of a step means.
fn refused(failure: Failure, what: &str) -> Broken {
    match failure {
        Failure::Server(refusal) if !refusal.is_contention() => {
            Broken::Failed(Failure::Server(refusal).error(Code::StatementFailed, what))
        }
        failure => broken(failure, what),
    }
}
