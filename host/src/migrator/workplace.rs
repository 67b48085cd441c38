//! The sessions of a run: one that works and holds the fence, and one that holds the run lock, on
//! which events and findings are recorded.

use std::sync::Arc;
use std::time::Duration;

use super::watch::Signals;
use super::{Observer, Options, Ran};
use crate::database::address::Address;
use crate::database::history::{self, Kept};
use crate::database::locks::{self, Patience};
use crate::database::{Canceller, Connection, Failure, Session, runs, schema};
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
    pub(super) pid: i32,
    pub(super) lock: Option<Session>,
    pub(super) signals: Signals,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) wait: Duration,
    pub(super) fence_after: Option<Duration>,
    pub(super) lock_timeout: Duration,
    /// Which migration of how many it is, for messages.
    pub(super) place: (usize, usize),
}

/// Opens a connection for work.
pub async fn connect(address: &Address) -> Result<Connection> {
    address.connect("wasmigrate").await
}

impl<'a> Workplace<'a> {
    /// Takes the run lock and the fence, and sets up the schema `wasmigrate` where it must be.
    pub async fn open(
        address: &'a Address,
        connection: Connection,
        options: &Options,
        observer: Arc<dyn Observer>,
    ) -> Result<Self> {
        let mut workplace = Workplace::without_lock(address, connection, options, observer)?;
        workplace.work()?.batch(PATIENT).await.map_err(|failure| {
            failure.error(Code::Internal, "failed to prepare the work session")
        })?;
        let lock = Session::new(address.connect("wasmigrate lock").await?);
        let failed =
            |failure: Failure| failure.error(Code::Internal, "failed to prepare the lock session");
        // events may be lost with a crash of the server's machine; the history is on the work session
        let sql = format!(
            "{PATIENT}; SET search_path = pg_catalog, pg_temp; SET synchronous_commit = off"
        );
        lock.batch(&sql).await.map_err(failed)?;
        let observer = Arc::clone(&workplace.observer);
        let mut waiting = |holder: &_| observer.waiting("the run lock", holder);
        let patience = Patience {
            wait: options.wait,
            end_after: None,
            waiting: &mut waiting,
        };
        let acquired = locks::acquire(&lock, patience);
        workplace.signals.unless(acquired).await??;
        workplace.lock = Some(lock);
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
            pid: 0,
            lock: None,
            signals: Signals::hear()?,
            observer,
            wait: options.wait,
            fence_after: options.fence_after,
            lock_timeout: options.lock_timeout,
            place: (1, 1),
        })
    }

    /// Takes the fence on the work session and learns its process id.
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
        self.signals.unless(fence).await??;
        let failed =
            |failure: Failure| failure.error(Code::Internal, "failed to prepare the work session");
        // the server notices a dead client while a statement runs, and ends it
        let sql = "SELECT set_config('client_connection_check_interval', '500ms', false), pg_backend_pid()::text";
        let sql = format!("SELECT pid FROM ({sql}) AS s(set, pid)");
        let pid = work.text(&sql, &[]).await.map_err(failed)?;
        self.pid = pid.and_then(|pid| pid.parse().ok()).unwrap_or(0);
        Ok(())
    }

    /// The history as it is under the lock, after the schema `wasmigrate` has its newest layout and the
    /// runs of dead runners are closed.
    pub async fn history(&mut self) -> Result<History> {
        let work = self.work()?;
        let found = history::look(work.connection()).await?;
        schema::upgrade(self.lock()?, found.layout).await?;
        if found.layout > 0 {
            runs::close_lost(self.lock()?).await?;
        }
        Ok(found)
    }

    /// What is kept of the run that applied a migration.
    pub async fn kept(&self, version: &Version) -> Result<Kept> {
        history::kept(self.work()?, version).await
    }

    /// The session that works.
    fn work(&self) -> Result<&Session> {
        self.work.as_ref().ok_or_else(given_up)
    }

    /// The session that holds the lock.
    pub fn lock(&self) -> Result<&Session> {
        self.lock.as_ref().ok_or_else(given_up)
    }

    /// Records that a run begins.
    pub async fn begin_run(
        &self,
        migration: &Migration,
        phase: Phase,
        mode: Mode,
        settings: &Settings,
    ) -> Result<i64> {
        runs::start(self.lock()?, migration, phase, mode, settings, self.pid).await
    }

    /// Records how a run ended. A failure to record it does not hide why the run itself failed.
    pub async fn end_run(&self, run: i64, outcome: Result<Ran>) -> Result<Ran> {
        let recorded = runs::end(self.lock()?, run, outcome.as_ref().err()).await;
        let ran = outcome?;
        recorded?;
        self.observer.ended(&ran);
        Ok(ran)
    }

    /// After a lost answer to COMMIT: a new work session, behind the fence, to see what became of it.
    pub async fn reconnect(&mut self) -> Result<()> {
        let connection = connect(self.address).await?;
        self.canceller = connection.canceller();
        self.work = Some(Session::new(connection));
        self.take_fence().await
    }

    /// Says goodbye to the server on both sessions.
    pub async fn close(self) {
        for session in [self.work, self.lock].into_iter().flatten() {
            session.close_connection().await;
        }
    }
}

/// The session is gone, because an earlier step failed.
pub fn given_up() -> Error {
    Error::new(
        Code::Internal,
        "failed to go on: the connection was given up after a failure",
    )
}
