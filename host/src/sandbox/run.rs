//! One run of one function of a guest, from a fresh instance to a verdict.

use std::sync::Arc;

use wasmtime::{CallHook, Store, Trap, UpdateDeadline};

use super::actor::Left;
use super::bulk::unfinished;
use super::engine::Prepared;
use super::limits::{Stop, exceeded};
use super::state::{Fault, State};
use super::steps::Steps;
use super::talk::{Events, cut};
use crate::database::Session;
use crate::error::{Code, Error};
use crate::finding::Finding;
use crate::guard::Held;
use crate::guard::record::Record;
use crate::limits::{Limits, size};
use crate::migration::{Mode, Phase, Remembered, Settings};
use crate::points;

/// What is to be run.
pub struct Job {
    /// Which function.
    pub phase: Phase,
    /// How the migration runs.
    pub mode: Mode,
    /// What that function may do, or that it is to be found out.
    pub held: Held,
    /// The budgets.
    pub limits: Limits,
    /// The operator's choices, with the defaults filled in.
    pub settings: Settings,
    /// What an earlier `up` remembered.
    pub remembered: Remembered,
    /// The name of the run role, if one is made.
    pub role: String,
    /// The statements that pin the session's settings, after whatever may have changed them.
    pub pins: String,
    /// Keeps the steps, in stepwise mode; none where the transaction is open already and is all.
    pub steps: Option<Box<dyn Steps>>,
    /// Hears what happens meanwhile.
    pub events: Arc<dyn Events>,
}

/// How it ended.
#[derive(Debug)]
pub enum Verdict {
    /// The function returned ok, and no call failed before.
    Done,
    /// It failed; the transaction must not be committed.
    Failed(Error),
    /// The server had contention; the same may succeed in a new transaction.
    Contention(Error),
}

/// What is left of a run.
pub struct Ended {
    /// The session, its transaction still open.
    pub session: Session,
    /// How it ended.
    pub verdict: Verdict,
    /// What the requiring checks found, in order.
    pub findings: Vec<Finding>,
    /// How many rows its statements affected.
    pub rows_affected: u64,
    /// What is remembered now.
    pub remembered: Remembered,
    /// What is to be put right before the transaction commits.
    pub left: Left,
    /// What was needed, where that was to be found out.
    pub recorded: Record,
}

/// Runs a function of a migration on a fresh instance, on a session with an open transaction.
pub async fn run(prepared: &Prepared, mut session: Session, job: Job) -> Ended {
    let limits = job.limits;
    session.limit_row_bytes(usize::try_from(limits.row_bytes).unwrap_or(usize::MAX));
    let phase = job.phase;
    let state = State::new(job, session);
    let mut store = Store::new(&prepared.engine, state);
    store.limiter(|state| &mut state.meter);
    store.call_hook(|mut store, hook| {
        store.data_mut().meter.hook(hook);
        match hook {
            CallHook::CallingHost => points::reached("before a call"),
            CallHook::ReturningFromHost => points::reached("after a call"),
            _ => {}
        }
        Ok(())
    });
    // every tick the host gets a turn, so that a signal is heard even while a guest computes
    store.epoch_deadline_callback(|store| {
        store.data().meter.check_time()?;
        Ok(UpdateDeadline::Yield(1))
    });
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(usize::try_from(limits.call_bytes).unwrap_or(usize::MAX));

    let mut returned = call(&mut store, prepared, phase).await;
    let mut state = store.into_data();
    if matches!(returned, Ok(Ok(()))) && state.ready().is_ok() {
        match state.end_batch().await {
            Err(Fault::Stop(stop)) => returned = Err(stop.into()),
            answer => drop(state.answer(answer)),
        }
    }
    let verdict = verdict(&mut state, returned);
    Ended {
        session: state.session,
        verdict,
        findings: state.findings,
        rows_affected: state.rows_affected,
        remembered: state.remembered,
        left: state.acting.end(),
        recorded: state.guard.recorded(),
    }
}

async fn call(
    store: &mut Store<State>,
    prepared: &Prepared,
    phase: Phase,
) -> wasmtime::Result<Result<(), String>> {
    let guest = prepared.instance.instantiate_async(&mut *store).await?;
    match phase {
        Phase::Up => guest.call_up(store).await,
        Phase::Down => guest.call_down(store).await,
        Phase::Verify => guest.call_verify(store).await,
    }
}

fn verdict(state: &mut State, returned: wasmtime::Result<Result<(), String>>) -> Verdict {
    let said = match returned {
        Ok(said) => said,
        Err(trap) => match trap.downcast_ref::<Stop>() {
            Some(Stop::Contention(error)) => return Verdict::Contention(error.clone()),
            stopped => {
                let panic = state.panic.take();
                let error = match stopped {
                    Some(Stop::Failed(error)) => error.clone(),
                    _ => trapped(state.meter.limits(), panic, &trap),
                };
                // what failed first is the reason; what the migration then ran into belongs to it
                return Verdict::Failed(match state.take_poison() {
                    Some(first) => first.cause(format!("and then {error}")),
                    None => error,
                });
            }
        },
    };
    let said = said.map_err(|text| cut(&text).to_owned());
    if state.copy.take().is_some() {
        state.poison(unfinished());
    }
    match (state.take_poison(), said) {
        (None, Ok(())) => Verdict::Done,
        (None, Err(text)) => {
            Verdict::Failed(Error::new(Code::MigrationFailed, format!("failed: {text}")))
        }
        (Some(error), Ok(())) => Verdict::Failed(error),
        // what the migration makes of the failure often says which part of its work it was
        (Some(error), Err(text))
            if text.contains(error.message())
                || error.causes().iter().any(|cause| text.contains(cause)) =>
        {
            Verdict::Failed(error)
        }
        (Some(error), Err(text)) => {
            Verdict::Failed(error.cause(format!("the migration says: {text}")))
        }
    }
}

/// What a trap that was not the host's own doing means.
fn trapped(limits: &Limits, panic: Option<String>, trap: &wasmtime::Error) -> Error {
    if let Some(message) = panic {
        return Error::new(
            Code::GuestPanicked,
            format!("failed: the migration panicked: {message}"),
        );
    }
    if matches!(trap.downcast_ref::<Trap>(), Some(Trap::StackOverflow)) {
        let limit = size(limits.stack);
        return exceeded(
            Code::LimitStack,
            "nests its calls deeper than allowed",
            "stack",
            &limit,
        );
    }
    let text = trap.root_cause().to_string();
    if text.contains("fuel allocated for hostcalls") {
        let limit = size(limits.call_bytes);
        let what = "hands over more data in one call than allowed";
        return exceeded(Code::LimitCallBytes, what, "call-bytes", &limit);
    }
    Error::new(
        Code::GuestTrapped,
        "failed: the migration's code was stopped",
    )
    .cause(text)
}
