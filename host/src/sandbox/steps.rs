//! Stepwise mode: every call that can steer a guest is a step, with a transaction of its own or the one of a
//! batch. Its answer is kept in the journal beside its effect; when the guest is run again after a crash, the
//! calls that are in the journal are answered from it, and the first one that is not goes to the server.

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::actor::Left;
use super::limits::Stop;
use super::state::{Answer, Fault, State, excerpt};
use crate::database::Session;
use crate::database::journal::{Kept, Step};
use crate::error::{Code, Error};
use crate::finding::Finding;
use crate::limits::{Limits, size};
use crate::migration::Remembered;

/// The answer of the migrator, which keeps the journal.
pub type Told<'a, T> = BoxFuture<'a, Result<T, Broken>>;

/// Why a step could not be kept.
pub enum Broken {
    /// The same may succeed in another attempt.
    Contention(Error),
    /// It would fail again.
    Failed(Error),
    /// The catalog has changes that no grant explains.
    Unexplained(Error, Vec<Finding>),
}

/// Keeps the steps of a run. Nobody but the migrator implements it: it alone begins and commits transactions.
pub trait Steps: Send + Sync {
    /// The place of the last step that an earlier attempt has done or begun; 0 where there is none.
    fn last(&self) -> i64;
    /// The step of that place, where an earlier attempt has done or begun it.
    fn kept(&mut self, ordinal: i64) -> Told<'_, Option<Kept>>;
    /// Begins a transaction, and writes in it that a step is begun.
    fn begin<'a>(&'a mut self, session: &'a Session, step: Option<&'a Step>) -> Told<'a, ()>;
    /// Writes that a step is done, in the open transaction.
    fn done<'a>(
        &'a mut self,
        session: &'a Session,
        step: &'a Step,
        answer: &'a [u8],
    ) -> Told<'a, ()>;
    /// Settles what the transaction leaves, writes what is done and remembered, and commits.
    fn commit<'a>(
        &'a mut self,
        session: &'a Session,
        left: Left,
        done: Option<(&'a Step, &'a [u8])>,
        remembered: Option<&'a Remembered>,
    ) -> Told<'a, ()>;
    /// Takes back that a step is begun, where nothing of it is left; outside of a transaction.
    fn take_back<'a>(&'a mut self, session: &'a Session, ordinal: i64) -> Told<'a, ()>;
    /// The statements that pin the session's settings for a statement outside of transactions.
    fn outside(&self) -> &str;
    /// Looks at the catalogs before such a statement.
    fn look_before(&mut self) -> Told<'_, ()>;
    /// Looks at them behind it: what no grant explains stops the run. The statement is told so.
    fn look_behind<'a>(&'a mut self, statement: &'a str) -> Told<'a, ()>;
}

/// Where a run stands among its steps.
pub struct Stepping {
    pub(super) steps: Box<dyn Steps>,
    /// The place of the next step.
    next: i64,
    current: Option<Current>,
    /// Whether the last step was answered from the journal.
    repeated: bool,
    /// Whether the open transaction is that of a batch, and so of all steps until it ends.
    pub(super) in_batch: bool,
    /// Whether something was remembered that is not written yet.
    pub(super) remembers: bool,
}

/// The step that is being done.
struct Current {
    step: Step,
    /// Whether an earlier attempt had begun it outside of a transaction.
    begun: bool,
    findings: usize,
    affected: u64,
}

/// A call of the guest, as the journal knows it again.
pub struct Call {
    what: String,
    digest: String,
    changes: bool,
}

impl Call {
    /// A call that only asks, with all that it was given.
    pub fn asking(kind: &str, what: &str, given: &impl Serialize) -> Self {
        let mut hash = Sha256::new();
        hash.update(kind.as_bytes());
        hash.update([0]);
        // what cannot be written down would be a value of ours without a form
        hash.update(postcard::to_allocvec(given).unwrap_or_default());
        let what = excerpt(what).replace('\0', "\u{fffd}");
        Call {
            what,
            digest: hex::encode(hash.finalize()),
            changes: false,
        }
    }

    /// A call that may change the database.
    pub fn changing(kind: &str, what: &str, given: &impl Serialize) -> Self {
        Call {
            changes: true,
            ..Call::asking(kind, what, given)
        }
    }
}

/// What the journal keeps of a step beside the answer to the guest.
#[derive(Serialize, Deserialize)]
struct Answered<T> {
    value: T,
    findings: Vec<Finding>,
    affected: u64,
}

impl Stepping {
    pub(super) fn new(steps: Box<dyn Steps>) -> Self {
        Stepping {
            steps,
            next: 1,
            current: None,
            repeated: false,
            in_batch: false,
            remembers: false,
        }
    }

    /// Whether what the guest says now, an earlier attempt has said already.
    fn repeats(&self) -> bool {
        self.next <= self.steps.last()
    }
}

impl State {
    /// Begins a step. With an answer, an earlier attempt has done it; without one the call is to be done now, and
    /// ended by [`State::end_step`]. In transactional mode there are no steps, and this does nothing.
    pub(super) async fn begin_step<T: DeserializeOwned>(
        &mut self,
        call: Call,
    ) -> Answer<Option<T>> {
        let Some(stepping) = &mut self.stepping else {
            return Ok(None);
        };
        let step = Step {
            ordinal: stepping.next,
            call: call.digest,
            what: call.what,
            changes: call.changes,
        };
        let kept = stepping.steps.kept(step.ordinal).await;
        let kept = kept.map_err(|broken| broken.fault(&mut self.findings))?;
        let begun = match kept {
            Some(kept) if kept.call != step.call => return Err(divergent(&step, &kept)),
            Some(Kept {
                answer: Some(answer),
                ..
            }) => {
                stepping.next += 1;
                stepping.repeated = true;
                return self.repeat(&step, &answer).map(Some);
            }
            Some(Kept { answer: None, .. }) => true,
            None => false,
        };
        stepping.next += 1;
        stepping.repeated = false;
        if !stepping.in_batch {
            self.begin_transaction((!begun).then_some(&step)).await?;
        }
        if let Some(stepping) = &mut self.stepping {
            stepping.current = Some(Current {
                step,
                begun,
                findings: self.findings.len(),
                affected: self.rows_affected,
            });
        }
        Ok(None)
    }

    /// Ends a step with its answer, which is kept. It tells whether the database was changed.
    pub(super) async fn end_step<T: Serialize>(&mut self, value: &T, changed: bool) -> Answer<()> {
        let Some(stepping) = &mut self.stepping else {
            return Ok(());
        };
        let Some(Current {
            mut step,
            findings,
            affected,
            ..
        }) = stepping.current.take()
        else {
            return Ok(());
        };
        step.changes = changed;
        let answered = Answered {
            value,
            findings: self.findings.get(findings..).unwrap_or_default().to_vec(),
            affected: self.rows_affected.saturating_sub(affected),
        };
        let answer = postcard::to_allocvec(&answered).map_err(|error| {
            Fault::Stop(Stop::Failed(
                Error::new(Code::Internal, "failed to keep a step").cause(error),
            ))
        })?;
        if !self.meter.fits_journal(answer.len()) {
            return Err(too_large(&step, self.meter.limits()));
        }
        if !stepping.in_batch {
            return self.commit_transaction(Some((&step, &answer))).await;
        }
        let host = self.acting.as_host();
        let done = stepping.steps.done(&self.session, &step, &answer);
        let (switched, done) = tokio::join!(biased; self.session.send_ahead(&host), done);
        switched.map_err(|failure| self.fault("the journal", failure))?;
        done.map_err(|broken| broken.fault(&mut self.findings))
    }

    /// Whether the step that is being done was begun by an earlier attempt, outside of a transaction.
    pub(super) fn step_was_begun(&self) -> bool {
        let current = self.stepping.as_ref().and_then(|one| one.current.as_ref());
        current.is_some_and(|current| current.begun)
    }

    /// Commits that the step is begun, so that what follows runs outside of transactions.
    pub(super) async fn leave_transaction(&mut self) -> Answer<()> {
        self.commit_transaction(None).await
    }

    /// Runs statements outside of transactions, and looks at the catalogs before and behind them: what they change is
    /// committed, and can only be told.
    pub(super) async fn watched<T>(
        &mut self,
        sql: &str,
        run: impl AsyncFnOnce(&mut Self) -> T,
    ) -> Answer<T> {
        if let Some(stepping) = &mut self.stepping {
            let looked = stepping.steps.look_before().await;
            looked.map_err(|broken| broken.fault(&mut self.findings))?;
        }
        let ran = run(self).await;
        if let Some(stepping) = &mut self.stepping {
            let looked = stepping.steps.look_behind(&excerpt(sql)).await;
            looked.map_err(|broken| broken.fault(&mut self.findings))?;
        }
        Ok(ran)
    }

    /// Takes back that the step is begun, where nothing of it is left.
    pub(super) async fn take_step_back(&mut self) -> Answer<()> {
        let Some(stepping) = &mut self.stepping else {
            return Ok(());
        };
        let Some(current) = stepping.current.take() else {
            return Ok(());
        };
        let taken = stepping
            .steps
            .take_back(&self.session, current.step.ordinal);
        let taken = taken.await;
        taken.map_err(|broken| broken.fault(&mut self.findings))
    }

    /// Begins a transaction, in which the guest's statements are judged anew.
    pub(super) async fn begin_transaction(&mut self, step: Option<&Step>) -> Answer<()> {
        let Some(stepping) = &mut self.stepping else {
            return Ok(());
        };
        self.acting.begin();
        // between two transactions others may have changed what a statement reaches
        self.guard.forget_resolved();
        let begun = stepping.steps.begin(&self.session, step).await;
        begun.map_err(|broken| broken.fault(&mut self.findings))
    }

    /// Settles and commits the open transaction, with the end of a step and what was remembered.
    pub(super) async fn commit_transaction(&mut self, done: Option<(&Step, &[u8])>) -> Answer<()> {
        let Some(stepping) = &mut self.stepping else {
            return Ok(());
        };
        let remembered = stepping.remembers.then_some(&self.remembered);
        let left = self.acting.end();
        let committed = stepping
            .steps
            .commit(&self.session, left, done, remembered)
            .await;
        committed.map_err(|broken| broken.fault(&mut self.findings))?;
        stepping.remembers = false;
        Ok(())
    }

    /// Whether the last step was answered from the journal.
    pub(super) fn was_repeated(&self) -> bool {
        self.stepping
            .as_ref()
            .is_some_and(|stepping| stepping.repeated)
    }

    /// Whether what the guest says now was said before the crash already.
    pub(super) fn repeats(&self) -> bool {
        self.stepping.as_ref().is_some_and(Stepping::repeats)
    }

    fn repeat<T: DeserializeOwned>(&mut self, step: &Step, answer: &[u8]) -> Answer<T> {
        let answered: Answered<T> = postcard::from_bytes(answer).map_err(|error| {
            let what = format!("failed to read step {} of the journal", step.ordinal);
            let error = Error::new(Code::JournalDivergent, what).cause(error);
            Fault::Stop(Stop::Failed(error.hint(ABANDON)))
        })?;
        self.findings.extend(answered.findings);
        self.rows_affected = self.rows_affected.saturating_add(answered.affected);
        Ok(answered.value)
    }
}

/// What to do where a run cannot go on.
pub(super) const ABANDON: &str = "restore the component and the wasmigrate that began the run; or undo what it has done with \
    `wasmigrate down`, or give it up with `wasmigrate repair VERSION --abandon --reason TEXT`";

fn divergent(step: &Step, kept: &Kept) -> Fault {
    let what = format!(
        "failed to go on: step {} is another than before the interruption",
        step.ordinal
    );
    let error = Error::new(Code::JournalDivergent, what)
        .cause(format!("now: {}", step.what))
        .cause(format!("then: {}", kept.what));
    Fault::Stop(Stop::Failed(error.hint(ABANDON)))
}

fn too_large(step: &Step, limits: &Limits) -> Fault {
    let what = format!(
        "failed to keep the answer to `{}`: it is larger than allowed (step-bytes = {})",
        step.what,
        size(limits.step_bytes)
    );
    let error = Error::new(Code::LimitStepBytes, what).hint(
        "in stepwise mode what is read must be kept: go through the table in `batches`, let the server work, or raise \
         `step-bytes` in [limits] of its migration.toml",
    );
    Fault::limit(error)
}

impl Broken {
    fn fault(self, findings: &mut Vec<Finding>) -> Fault {
        Fault::Stop(match self {
            Broken::Contention(error) => Stop::Contention(error),
            Broken::Failed(error) => Stop::Failed(error),
            Broken::Unexplained(error, found) => {
                findings.extend(found);
                Stop::Failed(error)
            }
        })
    }
}
