//! Stepwise mode: a phase of a migration in steps, each committed with its row in the journal. Whatever stops it,
//! the next attempt runs the guest again and goes on where the journal ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Ran;
use super::keeper::{Keeper, Progress, unreadable};
use super::pins::{begin, pins, session_pins};
use super::settle::End;
use super::transaction::{ATTEMPTS, FIRST_PAUSE, Failed, blamed, millis, ran};
use super::workplace::Workplace;
use crate::database::history::Kept;
use crate::database::journal;
use crate::error::{Code, Error, Result};
use crate::guard::grants::Grants;
use crate::migration::{Migration, Mode, Phase, Remembered};
use crate::sandbox::{Ended, Prepared, Verdict};

impl Workplace<'_> {
    /// Runs `up` or `down` in steps and writes the history at its end. A lost connection and contention are met with
    /// new attempts, each of which goes on where the one before has stopped.
    #[tracing::instrument(target = "wasmigrate::talk", name = "migration", skip_all, fields(version = %migration.version(), phase = %phase, run))]
    pub async fn step_through(
        &mut self,
        migration: &Migration,
        prepared: &Prepared,
        phase: Phase,
        run: i64,
        kept: &Kept,
    ) -> Result<(Ran, Remembered)> {
        self.observer
            .started(migration, phase, self.place.0, self.place.1);
        let progress = Arc::new(Progress::default());
        let stepped = self.attempts(migration, prepared, phase, run, kept, &progress);
        let stepped = stepped.await;
        let [changed, committing] =
            [&progress.changed, &progress.committing].map(|one| one.load(Ordering::Relaxed));
        let changed = changed || committing;
        stepped.map_err(|error| match changed {
            true => half_way(migration, phase, error),
            false => error,
        })
    }

    async fn attempts(
        &mut self,
        migration: &Migration,
        prepared: &Prepared,
        phase: Phase,
        run: i64,
        kept: &Kept,
        progress: &Arc<Progress>,
    ) -> Result<(Ran, Remembered)> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        let mut committed = 0;
        loop {
            let started = Instant::now();
            let tried = self
                .attempt_steps(migration, prepared, phase, run, kept, progress, started)
                .await;
            let error = match tried {
                Ok(done) => return Ok(done),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::Contention(error)) => error,
            };
            // what gets on, however slowly, is not given up
            let now = progress.committed.load(Ordering::Relaxed);
            if now > committed {
                (attempt, pause, committed) = (1, FIRST_PAUSE, now);
            }
            if attempt == ATTEMPTS {
                return Err(match error.code() {
                    Code::ContentionGivenUp => error
                        .hint("run again when the database is less busy, or raise --lock-timeout"),
                    _ => error,
                });
            }
            attempt += 1;
            self.back_off(&error, &mut pause).await?;
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call, from the loop above")]
    async fn attempt_steps(
        &mut self,
        migration: &Migration,
        prepared: &Prepared,
        phase: Phase,
        run: i64,
        kept: &Kept,
        progress: &Arc<Progress>,
        started: Instant,
    ) -> Result<(Ran, Remembered), Failed> {
        let grants = migration.manifest.grants.of(phase).clone();
        if self.work.is_none() {
            self.reconnect().await.map_err(Failed::Contention)?;
        }
        let ledger = self.ledger().map_err(Failed::Final)?;
        // the run's row, and the journal's table
        ledger.settled().await.map_err(Failed::Final)?;
        let lock = ledger.shared();
        let reached = journal::reached(&lock, run).await;
        let reached = reached.map_err(|failure| Failed::Final(unreadable(failure)))?;
        progress
            .changed
            .fetch_or(reached.changed, Ordering::Relaxed);
        let limits = migration.manifest.limits;
        let most = limits.statement_timeout();
        let keeper = Keeper {
            lock,
            run,
            phase,
            grants: grants.clone(),
            limits,
            begin: begin(&pins(self.lock_timeout, most)),
            outside: session_pins(self.outside_timeout, most),
            pins: pins(self.lock_timeout, None),
            reached,
            page: VecDeque::new(),
            progress: Arc::clone(progress),
            before: None,
        };
        let mut job = self.job(migration, phase, Some(run), kept);
        job.mode = Mode::Stepwise;
        job.steps = Some(Box::new(keeper));
        let (mut ended, blockers) = self.run_guest(prepared, job).await?;
        let findings = std::mem::take(&mut ended.findings);
        match std::mem::replace(&mut ended.verdict, Verdict::Done) {
            Verdict::Done => {
                self.record(run, phase, &findings).map_err(Failed::Final)?;
                let took_ms = millis(started);
                let rows_affected = ended.rows_affected;
                let closed = self
                    .close_steps(migration, phase, run, took_ms, &grants, ended)
                    .await;
                closed
                    .map_err(|failed| match failed {
                        // all steps are done, so the next attempt only closes
                        Failed::Final(error) if error.code() == Code::DatabaseLost => {
                            Failed::Contention(error)
                        }
                        failed => failed,
                    })
                    .map(|remembered| {
                        let ran = Ran {
                            took_ms,
                            ..ran(migration, phase, started, rows_affected, findings)
                        };
                        (ran, remembered)
                    })
            }
            Verdict::Failed(error) => {
                drop(ended.session);
                let _ = self.record(run, phase, &findings);
                Err(match error.code() {
                    // what was committed is in the journal, and what was not is rolled back
                    Code::DatabaseLost => Failed::Contention(error),
                    _ => Failed::Final(error),
                })
            }
            Verdict::Contention(error) => {
                let error = blamed(error, &blockers);
                Err(self.give_back(ended.session, error).await)
            }
        }
    }

    /// The last transaction: the history row, and the end of the run.
    async fn close_steps(
        &mut self,
        migration: &Migration,
        phase: Phase,
        run: i64,
        took_ms: u64,
        grants: &Grants,
        ended: Ended,
    ) -> Result<Remembered, Failed> {
        let pins = pins(self.lock_timeout, None);
        if let Err(failure) = ended.session.batch(&begin(&pins)).await {
            return Err(self
                .refused(ended.session, failure, "failed to begin the last step")
                .await);
        }
        let end = End {
            migration,
            phase,
            run,
            mode: Mode::Stepwise,
            closes: Some(run),
            took_ms,
            grants,
            findings: &[],
        };
        self.settle(end, ended).await
    }
}

/// What the operator is told of a run of which steps are committed.
fn half_way(migration: &Migration, phase: Phase, error: Error) -> Error {
    let (version, name) = (migration.version(), migration.name());
    let what = format!("failed to finish {phase} of {version} {name}: it stopped half-way");
    let why = format!("{}: {}", error.code().name(), error.message());
    let failed = error
        .causes()
        .iter()
        .fold(Error::new(Code::HalfWay, what).cause(why), Error::cause);
    let failed = match error.server_report() {
        Some(report) => failed.server(report.clone()),
        None => failed,
    };
    let go_on = match phase {
        Phase::Up => {
            "`wasmigrate up` goes on where it stopped, `wasmigrate down` undoes what it has done"
        }
        Phase::Down | Phase::Verify => "`wasmigrate down` goes on where it stopped",
    };
    let failed = failed.stopped_by(error.code());
    failed.hint(match error.hint_text() {
        Some(hint) => format!("{hint}; {go_on}"),
        None => go_on.to_owned(),
    })
}
