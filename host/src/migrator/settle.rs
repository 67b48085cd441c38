//! The end of a transaction: what is deferred runs, the role goes, the history is written, the catalog is
//! compared, and it commits.

use std::collections::BTreeSet;

use super::pins::pins;
use super::transaction::Failed;
use super::workplace::{Workplace, given_up};
use crate::database::comparison::{self, Change, Scope, Written};
use crate::database::role::Role;
use crate::database::{Failure, Session, history, locks, runs};
use crate::error::{Code, Error, Result};
use crate::finding::Finding;
use crate::guard::grants::{Grants, Subject};
use crate::limits::Limits;
use crate::migration::{Migration, Mode, Phase, Remembered};
use crate::points;
use crate::sandbox::{self, Ended, Left};

/// What is deferred, where no run role was made; at COMMIT it would be done all the same, but after the
/// history is written.
const SETTLE: &str = "SET LOCAL ROLE NONE; SET CONSTRAINTS ALL IMMEDIATE; CLOSE ALL";
/// How many changes of the catalog an error names; the findings name all.
const MOST_SHOWN: usize = 10;

/// What comes to its end.
pub struct End<'a> {
    /// Of which migration.
    pub migration: &'a Migration,
    /// Which phase.
    pub phase: Phase,
    /// As which run.
    pub run: i64,
    /// How it ran.
    pub mode: Mode,
    /// A run that was half-way and is over with this one.
    pub closes: Option<i64>,
    /// How long the guest took.
    pub took_ms: u64,
    /// What the phase was granted.
    pub grants: &'a Grants,
    /// What its checks found.
    pub findings: &'a [Finding],
}

/// The end of a transaction but for its COMMIT.
pub(super) struct Closing<'a> {
    /// The session that holds the run lock.
    pub lock: &'a Session,
    /// What pins the settings for what the host still does.
    pub pins: &'a str,
    /// What the migration may use up.
    pub limits: &'a Limits,
    /// What the phase was granted.
    pub grants: &'a Grants,
    /// Which phase.
    pub phase: Phase,
}

/// Why a transaction cannot be committed.
pub(super) enum Unsettled {
    /// The server refused something.
    Refused(Failure, &'static str),
    /// Something else failed.
    Failed(Error),
    /// The catalog has changes that no grant explains.
    Changed(Vec<Change>),
}

impl Closing<'_> {
    /// Runs what is deferred, drops the role, records, makes sure that the run lock is held, and compares the
    /// catalog where it may have changed.
    pub async fn settle(
        &self,
        session: &Session,
        left: &Left,
        record: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Unsettled> {
        let role = &left.role;
        let deferred = async {
            match role {
                Some(role) => session.settle_role(role).await,
                None => session.batch(SETTLE).await,
            }
        };
        let dropped = async {
            match role {
                Some(role) => session.drop_role(role).await,
                None => Ok(()),
            }
        };
        // code that ran may have stopped the server's counting
        let counts = left.changed && !left.ran_code;
        let written = async {
            match counts {
                true => comparison::written(session).await.map(Some),
                false => Ok(None),
            }
        };
        // sent at once, answered in order: what is recorded only counts where nothing deferred failed
        let (deferred, dropped, pinned, written, recorded, held) = tokio::join!(
            biased;
            deferred,
            dropped,
            session.batch(self.pins),
            written,
            record,
            locks::still_held(self.lock),
        );
        if let Err(failure) = deferred {
            let what = "failed to check the deferred constraints";
            let over = || took_too_long(&failure, self.limits);
            return Err(match denied(&failure, role, self.phase).or_else(over) {
                Some(error) => Unsettled::Failed(error),
                None => Unsettled::Refused(failure, what),
            });
        }
        let refused = |what| move |failure| Unsettled::Refused(failure, what);
        (dropped.and(pinned)).map_err(refused("failed to drop the run's role"))?;
        recorded.map_err(refused("failed to record what is done"))?;
        held.map_err(Unsettled::Failed)?;
        if left.changed {
            let written = written.map_err(|failure| Unsettled::Failed(not_compared(failure)))?;
            self.compare(session, written).await?;
        }
        Ok(())
    }

    /// Compares the catalog with what the lock session sees, which knows nothing of this transaction.
    #[tracing::instrument(target = "wasmigrate::walls", level = "trace", skip_all)]
    async fn compare(&self, session: &Session, written: Option<Written>) -> Result<(), Unsettled> {
        let granted = self.grants.iter().filter_map(|grant| match &grant.subject {
            Subject::Extension(name, _) => Some(name.as_str()),
            _ => None,
        });
        let scope = Scope {
            beside: granted.collect(),
            written,
        };
        let look = async || {
            let seen = comparison::changes_in(session, self.lock, &scope).await;
            let seen = seen.map_err(|failure| Unsettled::Failed(not_compared(failure)))?;
            Ok(comparison::unexplained(seen, self.grants))
        };
        let first = look().await?;
        if first.is_empty() {
            return Ok(());
        }
        // somebody may have committed between the two answers of a look
        match comparison::lasting(first, &look().await?) {
            lasting if lasting.is_empty() => Ok(()),
            lasting => Err(Unsettled::Changed(lasting)),
        }
    }
}

impl Workplace<'_> {
    /// Runs what is deferred, writes the history and commits.
    pub async fn settle(&mut self, end: End<'_>, ended: Ended) -> Result<Remembered, Failed> {
        let End {
            migration,
            phase,
            run,
            took_ms,
            ..
        } = end;
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
            mode: end.mode,
            took_ms,
            rows_affected: ended.rows_affected,
            remembered: &ended.remembered,
        };
        let record = async {
            match phase {
                Phase::Up => history::record(&session, migration, &outcome).await?,
                Phase::Down | Phase::Verify => {
                    history::forget(&session, migration.version(), run).await?;
                }
            }
            match end.closes {
                Some(open) => runs::close(&session, open, run).await,
                None => Ok(()),
            }
        };
        let pins = pins(self.lock_timeout, None);
        let closing = Closing {
            lock: ledger.session(),
            pins: &pins,
            limits: &migration.manifest.limits,
            grants: end.grants,
            phase,
        };
        match closing.settle(&session, &ended.left, record).await {
            Ok(()) => {}
            Err(Unsettled::Refused(failure, what)) => {
                return Err(self.refused(session, failure, what).await);
            }
            Err(Unsettled::Failed(error)) => return Err(Failed::Final(error)),
            Err(Unsettled::Changed(changes)) => {
                let mut findings = end.findings.to_vec();
                for finding in unexplained(&changes, phase) {
                    self.observer.finding(&finding);
                    findings.push(finding);
                }
                self.record(run, phase, &findings).map_err(Failed::Final)?;
                return Err(Failed::Final(catalog_changed(&changes, phase)));
            }
        }
        points::reached("before the history is committed");
        let committed = session.batch("COMMIT").await;
        points::reached("after the history is committed");
        match committed {
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
}

pub(super) fn not_compared(failure: Failure) -> Error {
    failure.error(Code::Internal, "failed to compare the catalog")
}

/// What a change would be explained by, in words.
fn remedy(line: Option<&str>) -> String {
    match line {
        Some(line) => format!("{line:?} would explain it"),
        None => "no grant explains it".to_owned(),
    }
}

/// What is recorded of changes that no grant explains.
pub(super) fn unexplained(changes: &[Change], phase: Phase) -> Vec<Finding> {
    let finding = |(change, line): (&Change, Option<String>)| Finding {
        kind: "catalog".into(),
        subject: change.what.clone(),
        expected: format!("what {phase} is granted; {}", remedy(line.as_deref())),
        seen: change.to_string(),
        met: false,
    };
    let remedies = comparison::remedies(changes);
    changes.iter().zip(remedies).map(finding).collect()
}

/// What the operator is told of them.
pub(super) fn catalog_changed(changes: &[Change], phase: Phase) -> Error {
    let what = format!("failed to commit: {phase} changed what no grant of it explains");
    listed(changes, phase, Error::new(Code::CatalogChanged, what))
}

/// The same of what a statement has changed that commits by itself, or somebody else while it ran.
pub(super) fn changed_behind(changes: &[Change], phase: Phase, statement: &str) -> Error {
    let what = format!(
        "failed to go on behind `{statement}`: while it ran, what no grant of {phase} explains was changed"
    );
    let why = "it ran outside of transactions, so this is committed; whether it did it or another session, \
        the server does not say";
    listed(
        changes,
        phase,
        Error::new(Code::CatalogChanged, what).cause(why),
    )
}

fn listed(changes: &[Change], phase: Phase, error: Error) -> Error {
    let remedies = comparison::remedies(changes);
    let shown = changes.iter().zip(&remedies).take(MOST_SHOWN);
    let shown = shown.map(|(change, line)| format!("{change}; {}", remedy(line.as_deref())));
    let error = shown.fold(error, Error::cause);
    let error = match changes.len().checked_sub(MOST_SHOWN) {
        None | Some(0) => error,
        Some(more) => error.cause(format!("and {more} more")),
    };
    let lines: BTreeSet<_> = remedies.iter().flatten().take(MOST_SHOWN).collect();
    let lines: Vec<_> = lines.iter().map(|line| format!("{line:?}")).collect();
    let add = match &lines[..] {
        [] => "what no grant explains it must not change".to_owned(),
        lines => format!(
            "if it is meant to do this, add {} to `{phase}` in [grants] of its migration.toml and build it again",
            lines.join(", ")
        ),
    };
    error.hint(format!(
        "look for a function, a trigger or an event trigger that the migration sets off; {add}"
    ))
}

/// A deferred trigger, or a deferred constraint's check, took longer than a statement may.
fn took_too_long(failure: &Failure, limits: &Limits) -> Option<Error> {
    match failure {
        Failure::Server(refusal) if refusal.sqlstate == "57014" => {
            limits.statement_timeout()?;
            let error = sandbox::statement_took_too_long(limits);
            Some(
                error
                    .cause("failed to run what is deferred")
                    .server(refusal.report()),
            )
        }
        _ => None,
    }
}

/// A deferred trigger did what the run role may not.
fn denied(failure: &Failure, role: &Option<Role>, phase: Phase) -> Option<Error> {
    match failure {
        Failure::Server(refusal) if refusal.sqlstate == "42501" && role.is_some() => {
            let what =
                format!("failed to run what is deferred: it does more than {phase} is granted");
            let error = Error::new(Code::GrantDenied, what).cause(&refusal.message);
            Some(error.server(refusal.report()).hint(format!(
                "if it is meant to do this, grant what the server names to `{phase}` in [grants] of the \
                 migration's migration.toml and build it again"
            )))
        }
        _ => None,
    }
}
