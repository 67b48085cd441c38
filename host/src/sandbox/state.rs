//! The host's side of one run of a guest: what it may use, and whether the run is already lost.

use std::sync::Arc;

use wasmtime::component::{ResourceTable, ResourceTableError};

use super::actor::Acting;
use super::limits::{Meter, Stop, exceeded, statement_took_too_long};
use super::run::Job;
use super::steps::Stepping;
use super::talk::Events;
use super::wit::types;
use crate::database::{CopyIn, Failure, Rows, Session, Value};
use crate::error::{Code, Error};
use crate::finding::Finding;
use crate::guard::Guard;
use crate::limits::Limits;
use crate::migration::{Mode, Phase, Remembered, Settings};

/// The host's side of one run of a guest.
pub struct State {
    pub(super) table: ResourceTable,
    pub(super) meter: Meter,
    pub(super) session: Session,
    pub(super) phase: Phase,
    pub(super) mode: Mode,
    pub(super) guard: Guard,
    pub(super) acting: Acting,
    pub(super) settings: Settings,
    pub(super) remembered: Remembered,
    /// The bytes of what this run itself remembered.
    pub(super) remembered_bytes: usize,
    pub(super) events: Arc<dyn Events>,
    pub(super) findings: Vec<Finding>,
    pub(super) rows_affected: u64,
    pub(super) panic: Option<String>,
    pub(super) copy: Option<CopyIn>,
    /// Rows that were dropped while a bulk write was open, when the server could not be told.
    pub(super) dropped: Vec<Rows>,
    /// Where the run stands among its steps, in stepwise mode.
    pub(super) stepping: Option<Stepping>,
    poison: Option<Error>,
}

/// Why a call of a guest is not answered as it hoped.
pub enum Fault {
    /// The guest is told `answer`; the run has failed with `error`, whatever the guest does next.
    Told {
        error: Error,
        answer: Box<types::Error>,
    },
    /// The run has failed before; the guest is told so again.
    Poisoned,
    /// The guest is ended at once.
    Stop(Stop),
}

/// The answer to a call before it takes the form that the bindings ask for.
pub type Answer<T> = Result<T, Fault>;

impl State {
    pub(super) fn new(job: Job, session: Session) -> Self {
        let limits = job.limits;
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(limits.handles).unwrap_or(usize::MAX));
        State {
            table,
            meter: Meter::new(limits),
            session,
            phase: job.phase,
            mode: job.mode,
            acting: Acting::new(&job.held, job.role, job.pins),
            guard: Guard::of(job.held),
            settings: job.settings,
            remembered: job.remembered,
            remembered_bytes: 0,
            events: job.events,
            findings: Vec::new(),
            rows_affected: 0,
            panic: None,
            copy: None,
            dropped: Vec::new(),
            stepping: job.steps.map(Stepping::new),
            poison: None,
        }
    }

    /// Whether a call may go to the server now.
    pub(super) fn ready(&self) -> Answer<()> {
        if self.poison.is_some() {
            return Err(Fault::Poisoned);
        }
        if self.copy.is_some() {
            let why = "a bulk write is open: finish it before the next call";
            return Err(Fault::told(
                Code::CopyOpen,
                why,
                types::Error::CopyOpen(why.into()),
            ));
        }
        Ok(())
    }

    /// Whether a call that writes may go to the server now.
    pub(super) fn ready_to_write(&self) -> Answer<()> {
        self.ready()?;
        if self.phase == Phase::Verify {
            return Err(Fault::denied(
                "verify only reads; what it changes belongs into up",
            ));
        }
        Ok(())
    }

    /// Gives an answer to the guest. The first failure loses the run, even if the guest swallows it.
    pub(super) fn answer<T>(
        &mut self,
        answer: Answer<T>,
    ) -> wasmtime::Result<Result<T, types::Error>> {
        match answer {
            Ok(value) => Ok(Ok(value)),
            Err(Fault::Told { error, answer }) => {
                self.poison(error);
                Ok(Err(*answer))
            }
            Err(Fault::Poisoned) => {
                let first = self
                    .poison
                    .as_ref()
                    .map(Error::to_string)
                    .unwrap_or_default();
                Ok(Err(types::Error::Poisoned(format!(
                    "an earlier call failed: {first}"
                ))))
            }
            Err(Fault::Stop(stop)) => Err(stop.into()),
        }
    }

    /// Loses the run; the first reason stays.
    pub(super) fn poison(&mut self, error: Error) {
        self.poison.get_or_insert(error);
    }

    /// The reason for which the run is lost.
    pub(super) fn take_poison(&mut self) -> Option<Error> {
        self.poison.take()
    }

    /// What a failed request of the statement `sql` means for the run and for the guest.
    pub(super) fn fault(&mut self, sql: &str, failure: Failure) -> Fault {
        self.fault_of(sql, self.acting.is_confined(), failure)
    }

    /// The same of a statement of which it is known whether the server judged it by the phase's grants.
    pub(super) fn fault_of(&mut self, sql: &str, confined: bool, failure: Failure) -> Fault {
        let what = format!("failed to run `{}`", excerpt(sql));
        match failure {
            Failure::Lost(_) => Fault::Stop(Stop::Failed(
                Error::new(Code::DatabaseLost, what).cause(failure),
            )),
            Failure::Server(refusal) if refusal.is_contention() => Fault::Stop(Stop::Contention(
                Error::new(Code::ContentionGivenUp, what)
                    .cause(&refusal.message)
                    .server(refusal.report()),
            )),
            // "query canceled"
            Failure::Server(refusal)
                if refusal.sqlstate == "57014" && self.meter.is_over_statement_time() =>
            {
                let error = statement_took_too_long(self.meter.limits());
                Fault::limit(error.cause(what).server(refusal.report()))
            }
            // "object in use": the server will not change a table under its own open cursor
            Failure::Server(refusal)
                if refusal.sqlstate == "55006" && self.session.cursors_open() > 0 =>
            {
                let hint = "drain or drop the rows first";
                let error = Error::new(Code::RowsOpen, what)
                    .cause(&refusal.message)
                    .hint(hint);
                let answer = types::Error::RowsOpen(format!("{}: {hint}", refusal.message));
                Fault::failed(error, answer)
            }
            Failure::Server(refusal) if refusal.sqlstate == "42501" && confined => {
                self.denied_by_server(sql, &refusal)
            }
            Failure::Server(refusal) => {
                let error = Error::new(Code::StatementFailed, what)
                    .cause(&refusal.message)
                    .server(refusal.report());
                let answer = types::Error::Database(types::DatabaseError {
                    sqlstate: refusal.sqlstate,
                    message: refusal.message,
                    detail: refusal.detail,
                    hint: refusal.hint,
                    schema: refusal.schema,
                    table: refusal.table,
                    column: refusal.column,
                    constraint: refusal.constraint,
                    position: refusal.position,
                });
                Fault::failed(error, answer)
            }
            Failure::TooLarge(limit) => Fault::limit(exceeded(
                Code::LimitRowBytes,
                "reads a batch of rows that is larger than allowed",
                "row-bytes",
                &crate::limits::size(limit as u64),
            )),
            Failure::Unusable(why) => Fault::unsupported(what, why),
        }
    }
}

impl Fault {
    pub(super) fn failed(error: Error, answer: types::Error) -> Self {
        let answer = Box::new(answer);
        Fault::Told { error, answer }
    }

    pub(super) fn told(code: Code, what: impl Into<String>, answer: types::Error) -> Self {
        Fault::failed(Error::new(code, what), answer)
    }

    pub(super) fn denied(why: impl Into<String>) -> Self {
        let why = why.into();
        Fault::told(
            Code::Denied,
            format!("failed to allow a call: {why}"),
            types::Error::Denied(why),
        )
    }

    pub(super) fn limit(error: Error) -> Self {
        let answer = types::Error::Limit(error.message().to_owned());
        Fault::failed(error, answer)
    }

    pub(super) fn unsupported(what: impl Into<String>, why: impl Into<String>) -> Self {
        let why = why.into();
        let error = Error::new(Code::CallUnsupported, what).cause(&why);
        Fault::failed(error, types::Error::Unsupported(why))
    }

    /// The host's table of handles refuses one more.
    pub(super) fn handles(error: &ResourceTableError, limits: &Limits) -> Self {
        match error {
            ResourceTableError::Full => {
                let limit = limits.handles.to_string();
                let what = "has more rows and bulk writes open than allowed";
                Fault::limit(exceeded(Code::LimitHandles, what, "handles", &limit))
            }
            _ => Fault::unsupported("failed to use a handle", "the handle is not open"),
        }
    }
}

/// A statement on one line, shortened, for messages.
pub fn excerpt(sql: &str) -> String {
    const MOST: usize = 160;
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line,
    }
}

pub(super) fn values(params: Vec<types::Value>) -> Vec<Value> {
    params
        .into_iter()
        .map(|param| match param {
            types::Value::Null => Value::Null,
            types::Value::Boolean(value) => Value::Boolean(value),
            types::Value::Int64(value) => Value::Int64(value),
            types::Value::Float64(value) => Value::Float64(value),
            types::Value::Text(value) => Value::Text(value),
            types::Value::Bytes(value) => Value::Bytes(value),
        })
        .collect()
}

/// `types` has only data, so there is nothing to answer.
impl types::Host for State {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_shown_on_one_line_and_shortened() {
        assert_eq!(excerpt("select\n   1"), "select 1");
        let long = excerpt(&"é".repeat(1000));
        assert_eq!(long.chars().count(), 163);
    }
}
