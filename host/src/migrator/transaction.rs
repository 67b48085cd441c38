//! Transactional mode: a phase of a migration and its history row in one transaction, all or nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Ran;
use super::watch::{ASK, Asking, interrupted, watched};
use super::workplace::{Workplace, given_up};
use crate::database::history::{self, Kept};
use crate::database::locks::{self, Holder};
use crate::database::runs::Event;
use crate::database::{Failure, Session};
use crate::error::{Code, Error, Result};
use crate::finding::Finding;
use crate::guard::Held;
use crate::migration::{Migration, Mode, Phase};
use crate::sandbox::{self, Ended, Job, Prepared, Verdict};

/// How often a transaction is tried that runs into contention.
const ATTEMPTS: u32 = 6;
/// The pause before the second attempt; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Everything that could make the same statement mean something else is set at the beginning of each
/// transaction, whatever the server, the database and the role have it at.
const PINS: &str = "\
    SET LOCAL search_path = pg_catalog, pg_temp; \
    SET LOCAL standard_conforming_strings = on; \
    SET LOCAL client_encoding = 'UTF8'; \
    SET LOCAL DateStyle = 'ISO, YMD'; \
    SET LOCAL IntervalStyle = 'postgres'; \
    SET LOCAL TimeZone = 'UTC'; \
    SET LOCAL extra_float_digits = 1; \
    SET LOCAL bytea_output = 'hex'; \
    SET LOCAL default_text_search_config = 'pg_catalog.simple'; \
    SET LOCAL xmloption = 'content'; \
    SET LOCAL row_security = off; \
    SET LOCAL cursor_tuple_fraction = 1; \
    SET LOCAL statement_timeout = 0; \
    SET LOCAL idle_in_transaction_session_timeout = 0; \
    SELECT set_config('session_replication_role', 'origin', true) \
      WHERE current_setting('session_replication_role') <> 'origin'; \
    SELECT set_config('transaction_timeout', '0', true) \
      WHERE current_setting('transaction_timeout', true) <> '0'; \
    SELECT 1";

/// The statements that begin a transaction, `READ WRITE` or `READ ONLY`, in which a guest can run.
pub fn begin(access: &str, lock_timeout: Duration) -> String {
    let timeout = lock_timeout.as_millis();
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED {access} NOT DEFERRABLE; \
         SET LOCAL lock_timeout = {timeout}; {PINS}"
    )
}

/// What a guest remembers for a later phase.
type Remembered = BTreeMap<String, String>;

/// How an attempt failed.
enum Failed {
    /// The same may succeed in a new transaction.
    Contention(Error),
    /// It would fail again.
    Final(Error),
}

impl Workplace<'_> {
    /// Runs `up` or `down` and writes the history, in one transaction; contention is met with new attempts.
    pub async fn transact(
        &mut self,
        migration: &Migration,
        prepared: &Prepared,
        phase: Phase,
        run: i64,
        kept: &Kept,
    ) -> Result<(Ran, Remembered)> {
        self.observer
            .started(migration, phase, self.place.0, self.place.1);
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            let started = Instant::now();
            let job = self.job(migration, phase, kept);
            match self.attempt(migration, prepared, job, run, started).await {
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

    /// Runs `verify` in a read-only transaction that is rolled back; contention is met with new attempts.
    /// With a run, what it finds is recorded. What it found is told also where it failed.
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
            let job = self.job(migration, Phase::Verify, kept);
            let ended = self.run(prepared, "READ ONLY", job).await;
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
        run: i64,
        started: Instant,
    ) -> Result<(Ran, Remembered), Failed> {
        let phase = job.phase;
        let (mut ended, blockers) = self.run(prepared, "READ WRITE", job).await?;
        let findings = std::mem::take(&mut ended.findings);
        match std::mem::replace(&mut ended.verdict, Verdict::Done) {
            Verdict::Done => {
                self.record(run, phase, &findings).map_err(Failed::Final)?;
                let took = millis(started);
                let rows_affected = ended.rows_affected;
                let remembered = self.settle(migration, phase, run, took, ended).await?;
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
    async fn run(
        &mut self,
        prepared: &Prepared,
        access: &str,
        job: Job,
    ) -> Result<(Ended, Vec<Holder>), Failed> {
        let session = self.work.take().ok_or_else(|| Failed::Final(given_up()))?;
        let begun = session.batch(&begin(access, self.lock_timeout)).await;
        begun.map_err(|failure| {
            Failed::Final(failure.error(Code::Internal, "failed to begin a transaction"))
        })?;
        let running = sandbox::run(prepared, session, job);
        let observer = self.observer.as_ref();
        let asking = self.ledger.as_ref().map(|ledger| Asking {
            session: ledger.session(),
            // before the lock timeout ends the wait
            every: (self.lock_timeout / 2).clamp(Duration::from_millis(50), ASK),
        });
        let (ended, blockers) = watched(
            running,
            &mut self.signals,
            asking,
            self.backend.pid,
            observer,
        )
        .await;
        match ended {
            Some(ended) => Ok((ended, blockers)),
            None => {
                // the guest and its session are dropped; the server is asked to stop as well
                let _ = self.canceller.cancel().await;
                Err(Failed::Final(interrupted()))
            }
        }
    }

    /// Runs what is deferred, writes the history and commits.
    async fn settle(
        &mut self,
        migration: &Migration,
        phase: Phase,
        run: i64,
        took_ms: u64,
        ended: Ended,
    ) -> Result<Remembered, Failed> {
        let session = ended.session;
        let ledger = self
            .ledger
            .as_ref()
            .ok_or_else(|| Failed::Final(given_up()))?;
        // the history row refers to the run's row
        let settled = self.signals.unless(ledger.settled()).await;
        settled.and_then(|settled| settled).map_err(Failed::Final)?;
        let outcome = history::Outcome {
            run,
            mode: Mode::Transactional,
            took_ms,
            rows_affected: ended.rows_affected,
            remembered: &ended.remembered,
        };
        let record = async {
            match phase {
                Phase::Up => history::record(&session, migration, &outcome).await,
                Phase::Down | Phase::Verify => {
                    history::forget(&session, migration.version(), run).await
                }
            }
        };
        // sent at once, answered in order: the history row only counts where nothing deferred failed
        let (deferred, recorded, held) = tokio::join!(
            biased;
            session.batch("SET CONSTRAINTS ALL IMMEDIATE; CLOSE ALL"),
            record,
            locks::still_held(ledger.session()),
        );
        if let Err(failure) = deferred {
            let what = "failed to check the deferred constraints";
            return Err(self.refused(session, failure, what).await);
        }
        if let Err(failure) = recorded {
            let what = "failed to write the history";
            return Err(self.refused(session, failure, what).await);
        }
        held.map_err(Failed::Final)?;
        match session.batch("COMMIT").await {
            Ok(()) => self.work = Some(session),
            Err(Failure::Lost(why)) => {
                drop(session);
                self.find_out(migration, phase, run, &why)
                    .await
                    .map_err(Failed::Final)?;
            }
            Err(failure) => return Err(self.refused(session, failure, "failed to commit").await),
        }
        Ok(ended.remembered)
    }

    /// The answer to COMMIT was lost: the history says whether it happened.
    async fn find_out(
        &mut self,
        migration: &Migration,
        phase: Phase,
        run: i64,
        why: &str,
    ) -> Result<()> {
        self.reconnect().await?;
        let work = self.work.as_ref().ok_or_else(given_up)?;
        let history = history::look(work.connection()).await?;
        let applied = history.find(migration.version());
        let committed = match phase {
            Phase::Up => applied.is_some_and(|applied| applied.run == run),
            Phase::Down | Phase::Verify => applied.is_none(),
        };
        if committed {
            return Ok(());
        }
        Err(Error::new(
            Code::DatabaseLost,
            "failed to commit: the connection was lost, and the server rolled back",
        )
        .cause(why)
        .hint("run again"))
    }

    /// What a refusal at the end of the transaction means; the session is kept where it can be.
    async fn refused(&mut self, session: Session, failure: Failure, what: &str) -> Failed {
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
    async fn give_back(&mut self, session: Session, error: Error) -> Failed {
        match session.batch("ROLLBACK").await {
            Ok(()) => {
                self.work = Some(session);
                Failed::Contention(error)
            }
            Err(_) => Failed::Final(error),
        }
    }

    fn record(&self, run: i64, phase: Phase, findings: &[Finding]) -> Result<()> {
        if !findings.is_empty() {
            self.ledger()?.record(Event::found(run, phase, findings));
        }
        Ok(())
    }

    fn job(&self, migration: &Migration, phase: Phase, kept: &Kept) -> Job {
        Job {
            phase,
            mode: Mode::Transactional,
            held: Held::Grants(migration.manifest.grants.of(phase).clone()),
            limits: migration.manifest.limits,
            settings: kept.settings.clone(),
            remembered: kept.remembered.clone(),
            events: self.observer.clone(),
        }
    }

    /// Waits before the next attempt; each wait is twice as long as the one before.
    async fn back_off(&mut self, why: &Error, pause: &mut Duration) -> Result<()> {
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

fn ran(
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

fn blamed(error: Error, blockers: &[Holder]) -> Error {
    blockers.iter().fold(error, |error, holder| {
        error.cause(format!("blocked by {holder}"))
    })
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
