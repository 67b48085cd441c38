//! Transactional mode: a phase of a migration and its history row in one transaction, all or nothing.

use std::time::{Duration, Instant};

use super::Ran;
use super::pins::{begin, pins};
use super::settle::End;
use super::watch::{ASK, Asking, Halt, interrupted, watched};
use super::workplace::{Workplace, given_up};
use crate::database::history::Kept;
use crate::database::locks::Holder;
use crate::database::runs::Event;
use crate::database::{Failure, Session, role};
use crate::error::{Code, Error, Result};
use crate::finding::Finding;
use crate::guard::Held;
use crate::migration::{Migration, Mode, Phase, Remembered};
use crate::sandbox::{self, Ended, Job, Prepared, Verdict};

/// How often a transaction is tried that runs into contention.
pub(super) const ATTEMPTS: u32 = 6;
/// The pause before the second attempt; each later one is twice as long.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// How an attempt failed.
pub(super) enum Failed {
    /// The same may succeed in a new transaction.
    Contention(Error),
    /// It would fail again.
    Final(Error),
}

impl Workplace<'_> {
    /// Runs `up` or `down` and writes the history, in one transaction; contention is met with new attempts. A run that
    /// was half-way and that this one undoes is closed with it.
    #[tracing::instrument(target = "wasmigrate::talk", name = "migration", skip_all, fields(version = %migration.version(), phase = %phase, run))]
    pub async fn transact(
        &mut self,
        migration: &Migration,
        prepared: &Prepared,
        phase: Phase,
        run: i64,
        kept: &Kept,
        closes: Option<i64>,
    ) -> Result<(Ran, Remembered)> {
        self.observer
            .started(migration, phase, self.place.0, self.place.1);
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            let started = Instant::now();
            let job = self.job(migration, phase, Some(run), kept);
            match self
                .attempt(migration, prepared, job, (run, closes), started)
                .await
            {
                Ok(ran) => return Ok(ran),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::Contention(error)) if attempt == ATTEMPTS => {
                    return Err(error
                        .hint("run again when the tables are less busy, or raise --lock-timeout"));
                }
                Err(Failed::Contention(error)) => self.back_off(&error, &mut pause).await?,
            }
        }
        Err(given_up())
    }

    /// Runs `verify`, which only reads, in a transaction that is rolled back; contention is met with new attempts.
    /// With a run, what it finds is recorded. What it found is told also where it failed.
    #[tracing::instrument(target = "wasmigrate::talk", name = "migration", skip_all, fields(version = %migration.version(), phase = %Phase::Verify, run))]
    pub async fn verify(
        &mut self,
        migration: &Migration,
        prepared: &Prepared,
        run: Option<i64>,
        kept: &Kept,
    ) -> Result<(Ran, Result<()>)> {
        self.observer
            .started(migration, Phase::Verify, self.place.0, self.place.1);
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            let started = Instant::now();
            let job = self.job(migration, Phase::Verify, run, kept);
            // what the guest runs only reads, each piece in a savepoint: the walls around it must write
            let ended = self.run(prepared, job).await;
            let (ended, blockers) = ended.map_err(Failed::into_error)?;
            if let Some(run) = run {
                self.record(run, Phase::Verify, &ended.findings)?;
            }
            let back = ended.session.batch("ROLLBACK").await;
            let ran = Ran {
                passed: matches!(ended.verdict, Verdict::Done),
                ..ran(migration, Phase::Verify, started, 0, ended.findings)
            };
            // rolled back, so the session can serve the next attempt and the next migration's verify
            self.work = back.is_ok().then_some(ended.session);
            match ended.verdict {
                Verdict::Done => {
                    back.map_err(|failure| {
                        failure.error(Code::DatabaseLost, "failed to end the verification")
                    })?;
                    self.observer.ended(&ran);
                    return Ok((ran, Ok(())));
                }
                Verdict::Failed(error) => return Ok((ran, Err(error))),
                Verdict::Contention(error) if attempt == ATTEMPTS || self.work.is_none() => {
                    return Ok((ran, Err(blamed(error, &blockers))));
                }
                Verdict::Contention(error) => {
                    self.back_off(&blamed(error, &blockers), &mut pause).await?;
                }
            }
        }
        Err(given_up())
    }

    async fn attempt(
        &mut self,
        migration: &Migration,
        prepared: &Prepared,
        job: Job,
        (run, closes): (i64, Option<i64>),
        started: Instant,
    ) -> Result<(Ran, Remembered), Failed> {
        let phase = job.phase;
        let grants = migration.manifest.grants.of(job.phase).clone();
        let (mut ended, blockers) = self.run(prepared, job).await?;
        let findings = std::mem::take(&mut ended.findings);
        match std::mem::replace(&mut ended.verdict, Verdict::Done) {
            Verdict::Done => {
                self.record(run, phase, &findings).map_err(Failed::Final)?;
                let took = millis(started);
                let rows_affected = ended.rows_affected;
                let end = End {
                    migration,
                    phase,
                    run,
                    mode: Mode::Transactional,
                    closes,
                    took_ms: took,
                    grants: &grants,
                    findings: &findings,
                };
                let remembered = self.settle(end, ended).await?;
                let ran = Ran {
                    took_ms: took,
                    ..ran(migration, phase, started, rows_affected, findings)
                };
                Ok((ran, remembered))
            }
            Verdict::Failed(error) => {
                // the connection is given up: nothing of its state reaches another migration
                drop(ended.session);
                let _ = self.record(run, phase, &findings);
                Err(Failed::Final(error))
            }
            Verdict::Contention(error) => Err(self
                .give_back(ended.session, blamed(error, &blockers))
                .await),
        }
    }

    /// Begins a transaction, pins the session and runs the guest; with it come who blocked it last.
    async fn run(&mut self, prepared: &Prepared, job: Job) -> Result<(Ended, Vec<Holder>), Failed> {
        let session = self.work.as_ref();
        let session = session.ok_or_else(|| Failed::Final(given_up()))?;
        // a verification too: the walls around it write, and are rolled back
        let begun = session.batch(&begin(&job.pins)).await;
        begun.map_err(|failure| {
            let what = "failed to begin a transaction that can write";
            let error = failure.error(Code::DatabaseReadOnly, what);
            Failed::Final(error.hint("a standby takes none: run on the primary"))
        })?;
        self.run_guest(prepared, job).await
    }

    /// Runs the guest on the session that works; with it come who blocked it last.
    pub(super) async fn run_guest(
        &mut self,
        prepared: &Prepared,
        job: Job,
    ) -> Result<(Ended, Vec<Holder>), Failed> {
        let session = self.work.take().ok_or_else(|| Failed::Final(given_up()))?;
        let most = job.limits.wall_time;
        let running = sandbox::run(prepared, session, job);
        let observer = self.observer.as_ref();
        let asking = self.ledger.as_ref().map(|ledger| Asking {
            session: ledger.session(),
            // before the lock timeout ends the wait
            every: (self.lock_timeout / 2).clamp(Duration::from_millis(50), ASK),
        });
        let (ended, blockers) = watched(
            running,
            most,
            &mut self.signals,
            asking,
            self.backend.pid,
            observer,
        )
        .await;
        match ended {
            Ok(ended) => Ok((ended, blockers)),
            Err(halt) => {
                // the guest and its session are dropped; the server is asked to stop as well
                // a second signal waits for nothing
                let _ = self.signals.unless(self.canceller.cancel()).await;
                Err(Failed::Final(match halt {
                    Halt::Signal => interrupted(),
                    Halt::TooLong => sandbox::took_too_long(most),
                }))
            }
        }
    }

    /// What a refusal at the end of the transaction means; the session is kept where it can be.
    pub(super) async fn refused(
        &mut self,
        session: Session,
        failure: Failure,
        what: &str,
    ) -> Failed {
        match failure {
            Failure::Server(refusal) if refusal.is_contention() => {
                let error = Error::new(Code::ContentionGivenUp, what).cause(&refusal.message);
                self.give_back(session, error.server(refusal.report()))
                    .await
            }
            failure => Failed::Final(failure.error(Code::StatementFailed, what)),
        }
    }

    /// Rolls back after contention, so that the session can serve the next attempt.
    pub(super) async fn give_back(&mut self, session: Session, error: Error) -> Failed {
        match session.batch("ROLLBACK").await {
            Ok(()) => {
                self.work = Some(session);
                Failed::Contention(error)
            }
            Err(_) => Failed::Final(error),
        }
    }

    pub(super) fn record(&self, run: i64, phase: Phase, findings: &[Finding]) -> Result<()> {
        if !findings.is_empty() {
            self.ledger()?.record(Event::found(run, phase, findings));
        }
        Ok(())
    }

    pub(super) fn job(
        &self,
        migration: &Migration,
        phase: Phase,
        run: Option<i64>,
        kept: &Kept,
    ) -> Job {
        Job {
            phase,
            mode: Mode::Transactional,
            held: Held::Grants(migration.manifest.grants.of(phase).clone()),
            limits: migration.manifest.limits,
            settings: kept.settings.clone(),
            remembered: kept.remembered.clone(),
            role: role::name(run, &self.backend),
            pins: pins(
                self.lock_timeout,
                migration.manifest.limits.statement_timeout(),
            ),
            steps: None,
            events: self.observer.clone(),
        }
    }

    /// Waits before the next attempt; each wait is twice as long as the one before.
    pub(super) async fn back_off(&mut self, why: &Error, pause: &mut Duration) -> Result<()> {
        self.observer.retrying(why, *pause);
        self.signals.unless(tokio::time::sleep(*pause)).await?;
        *pause *= 2;
        Ok(())
    }
}

impl Failed {
    fn into_error(self) -> Error {
        match self {
            Failed::Contention(error) | Failed::Final(error) => error,
        }
    }
}

pub(super) fn ran(
    migration: &Migration,
    phase: Phase,
    started: Instant,
    rows_affected: u64,
    findings: Vec<Finding>,
) -> Ran {
    Ran {
        version: migration.version().clone(),
        name: migration.name().to_string(),
        phase,
        passed: true,
        took_ms: millis(started),
        rows_affected,
        findings,
    }
}

pub(super) fn blamed(error: Error, blockers: &[Holder]) -> Error {
    blockers.iter().fold(error, |error, holder| {
        error.cause(format!("blocked by {holder}"))
    })
}

pub(super) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
