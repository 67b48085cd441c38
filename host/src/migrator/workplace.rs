//! The sessions of a run: one that works and holds the fence, and one that holds the run lock, on
//! which events and findings are recorded.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::ledger::Ledger;
use super::watch::Signals;
use super::{Observer, Options};
use crate::database::address::Address;
use crate::database::history::{self, Kept};
use crate::database::locks::{self, Backend, Patience};
use crate::database::runs::{self, Event};
use crate::database::{Canceller, Connection, Failure, Session, schema};
use crate::error::{Code, Error, Result};
use crate::migration::{Migration, Mode, Phase, Settings, Version};
use crate::plan::History;

/// One of the two sessions is idle while the other works or waits, for hours if need be.
const PATIENT: &str = "SET idle_session_timeout = 0; SET statement_timeout = 0";

/// The sessions of a run and what goes with them.
pub struct Workplace<'a> {
    pub(super) address: &'a Address,
    /// None while a guest has it, and after a failure, when the connection is given up.
    pub(super) work: Option<Session>,
    pub(super) canceller: Canceller,
    pub(super) backend: Backend,
    pub(super) ledger: Option<Ledger>,
    last_run: i64,
    pub(super) signals: Signals,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) wait: Duration,
    pub(super) fence_after: Option<Duration>,
    pub(super) lock_timeout: Duration,
    pub(super) outside_timeout: Duration,
    /// Which migration of how many it is, for messages.
    pub(super) place: (usize, usize),
}

/// Opens a connection for work.
pub async fn connect(address: &Address) -> Result<Connection> {
    address.connect("wasmigrate").await
}

/// Begins to open the connection for the run lock; the server is at it while other things are prepared.
pub async fn connect_lock(address: &Address) -> JoinHandle<Result<Connection>> {
    let address = address.clone();
    let opening = tokio::spawn(async move { address.connect("wasmigrate lock").await });
    tokio::task::yield_now().await;
    opening
}

impl<'a> Workplace<'a> {
    /// Takes the run lock, on the connection that is being opened for it, and the fence.
    pub async fn open(
        address: &'a Address,
        connection: Connection,
        lock: JoinHandle<Result<Connection>>,
        options: &Options,
        observer: Arc<dyn Observer>,
    ) -> Result<Self> {
        let mut workplace = Workplace::without_lock(address, connection, options, observer)?;
        let observer = Arc::clone(&workplace.observer);
        let mut waiting = |holder: &_| observer.waiting("the run lock", holder);
        let patience = Patience {
            wait: options.wait,
            end_after: None,
            waiting: &mut waiting,
        };
        let work = workplace.work.as_ref().ok_or_else(given_up)?;
        let locked = async {
            let lock = Session::new(lock.await.map_err(|_| given_up())??);
            // first of all: behind a pooler settings would reach others
            locks::refuse_pooled(&lock, work).await?;
            let (backend, ()) = tokio::try_join!(settle_in(work), prepare_lock(&lock))?;
            locks::acquire(&lock, patience).await?;
            Ok((backend, lock))
        };
        let (backend, lock) = workplace.signals.unless(locked).await??;
        lock.warm_up_beside();
        workplace.backend = backend;
        workplace.ledger = Some(Ledger::open(lock));
        workplace.take_fence().await?;
        Ok(workplace)
    }

    /// A place for work that only reads: no lock, no record.
    pub fn without_lock(
        address: &'a Address,
        connection: Connection,
        options: &Options,
        observer: Arc<dyn Observer>,
    ) -> Result<Self> {
        Ok(Workplace {
            address,
            canceller: connection.canceller(),
            work: Some(Session::new(connection)),
            backend: Backend::default(),
            ledger: None,
            last_run: 0,
            signals: Signals::hear()?,
            observer,
            wait: options.wait,
            fence_after: options.fence_after,
            lock_timeout: options.lock_timeout,
            outside_timeout: options.outside_timeout,
            place: (1, 1),
        })
    }

    /// Takes the fence on the work session.
    async fn take_fence(&mut self) -> Result<()> {
        let work = self.work.as_ref().ok_or_else(given_up)?;
        let observer = Arc::clone(&self.observer);
        let mut waiting = |holder: &_| {
            observer.waiting(
                "the fence: the server is still at the statement of an earlier run",
                holder,
            )
        };
        let patience = Patience {
            wait: self.wait,
            end_after: self.fence_after,
            waiting: &mut waiting,
        };
        let fence = locks::fence(work, patience);
        self.signals.unless(fence).await?
    }

    /// The history as it is under the lock. The schema `wasmigrate` is brought to its newest layout, and the
    /// runs of dead runners are closed.
    pub async fn history(&mut self) -> Result<History> {
        let work = self.work.as_ref().ok_or_else(given_up)?;
        let ledger = self.ledger.as_ref().ok_or_else(given_up)?;
        let looked = async {
            let found = history::look(work.connection()).await?;
            if found.layout == 0 {
                schema::may_create(work).await?;
                // beside the first migration: the flushes of new tables take as long as a small one
                ledger.upgrade(found.layout);
                return Ok((found, 0));
            }
            ledger.upgrade(found.layout);
            ledger.settled().await?;
            runs::close_lost(ledger.session()).await?;
            Ok((found, runs::last(ledger.session()).await?))
        };
        let (found, last_run) = self.signals.unless(looked).await??;
        self.last_run = last_run;
        Ok(found)
    }

    /// What is kept of the run that applied a migration.
    pub async fn kept(&self, version: &Version) -> Result<Option<Kept>> {
        history::kept(self.work()?, version).await
    }

    /// What is kept of a run that is half-way.
    pub async fn kept_of(&self, run: i64) -> Result<Kept> {
        runs::kept(self.work()?, run).await
    }

    /// Hands what a half-way run has done over to the one that undoes it.
    pub async fn hand_over(&self, open: i64, to: i64) -> Result<()> {
        let ledger = self.ledger()?;
        ledger.settled().await?;
        runs::hand_over(ledger.session(), open, to).await
    }

    /// Gives a half-way run up.
    pub async fn abandon(&self, open: i64, reason: &str) -> Result<()> {
        runs::abandon(self.ledger()?.session(), open, reason).await
    }

    /// The session that works.
    fn work(&self) -> Result<&Session> {
        self.work.as_ref().ok_or_else(given_up)
    }

    /// The session that holds the lock, and what is written on it.
    pub fn ledger(&self) -> Result<&Ledger> {
        self.ledger.as_ref().ok_or_else(given_up)
    }

    /// Records that a run begins, and gives its id.
    pub fn begin_run(
        &mut self,
        migration: &Migration,
        phase: Phase,
        mode: Mode,
        settings: &Settings,
    ) -> Result<i64> {
        self.last_run += 1;
        let event = Event::started(
            self.last_run,
            migration,
            phase,
            mode,
            settings,
            &self.backend,
        );
        self.ledger()?.record(event);
        Ok(self.last_run)
    }

    /// Records that a half-way run is gone on with.
    pub fn resume_run(&self, run: i64) -> Result<()> {
        self.ledger()?.record(Event::resumed(run, &self.backend));
        Ok(())
    }

    /// Records that a run failed, where it did. That one succeeded, its own transaction has recorded.
    pub fn end_run<T>(&self, run: i64, outcome: &Result<T>) -> Result<()> {
        if let Err(error) = outcome {
            self.ledger()?.record(Event::failed(run, error));
        }
        Ok(())
    }

    /// After a lost answer to COMMIT: a new work session, behind the fence, to see what became of it.
    pub async fn reconnect(&mut self) -> Result<()> {
        let connection = connect(self.address).await?;
        self.canceller = connection.canceller();
        self.backend = settle_in(self.work.insert(Session::new(connection))).await?;
        self.take_fence().await
    }

    /// Waits until all events are written, and says goodbye to the server on both sessions.
    pub async fn close(self) -> Result<()> {
        if let Some(work) = self.work {
            work.close_connection().await;
        }
        match self.ledger {
            Some(ledger) => ledger.close().await,
            None => Ok(()),
        }
    }
}

/// Prepares the session that works for long waits, and learns which process serves it.
async fn settle_in(work: &Session) -> Result<Backend> {
    // the server notices a dead client while a statement runs, and ends it; not every platform can
    let notice = "SET client_connection_check_interval = '500ms'";
    let (patient, noticing, backend, _) = tokio::join!(
        biased;
        work.batch(PATIENT),
        work.batch(notice),
        locks::backend(work),
        // who may not have one is told where it is needed
        work.open_temporary(),
    );
    let failed =
        |failure: Failure| failure.error(Code::Internal, "failed to prepare the work session");
    patient.map_err(failed)?;
    match noticing {
        Ok(()) | Err(Failure::Server(_)) => {}
        Err(failure) => return Err(failed(failure)),
    }
    work.warm_up();
    backend.map_err(failed)
}

/// Prepares the session that is to hold the run lock.
async fn prepare_lock(lock: &Session) -> Result<()> {
    // events may be lost with a crash of the server's machine; the history is on the work session
    // and a lock on wasmigrate's own tables ends the run: that of its own guest would never go away
    let sql = format!(
        "{PATIENT}; SET search_path = pg_catalog, pg_temp; SET synchronous_commit = off; SET lock_timeout = '10s'"
    );
    let failed =
        |failure: Failure| failure.error(Code::Internal, "failed to prepare the lock session");
    lock.batch(&sql).await.map_err(failed)
}

/// The session is gone, because an earlier step failed.
pub fn given_up() -> Error {
    Error::new(
        Code::Internal,
        "failed to go on: the connection was given up after a failure",
    )
}
