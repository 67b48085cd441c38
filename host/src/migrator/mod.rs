//! The only loop: lock, compare, run, check, record. Nobody else applies or undoes a migration, and
//! nobody else writes the history.

mod ledger;
mod pins;
mod settle;
mod stepwise;
mod transaction;
mod watch;
mod workplace;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

pub use self::pins::{begin, pins};
pub use self::watch::Signals;
use self::workplace::Workplace;
use crate::database::address::Address;
use crate::database::history::{self, Kept};
use crate::database::locks::Holder;
use crate::error::{Code, Error, Result};
use crate::finding::Finding;
use crate::migration::{Migration, Mode, Phase, Remembered, Settings, Version};
use crate::plan::{self, History, Open, Undo};
use crate::sandbox::{Compiler, Events, Prepared};

/// How a run goes about its work.
#[derive(Debug, Clone)]
pub struct Options {
    /// Apply nothing above that version.
    pub to: Option<Version>,
    /// Apply migrations that are older than what is applied.
    pub allow_late: bool,
    /// In which mode the operator wants it, where it was said.
    pub mode: Option<Mode>,
    /// Which mode is taken where it was not said and the manifest allows it.
    pub preferred: Mode,
    /// The operator's choices, as name and value.
    pub settings: Vec<(String, String)>,
    /// How long to wait for the run lock, and as long again for the fence.
    pub wait: Duration,
    /// After how long the backend of an earlier run is ended; none means never.
    pub fence_after: Option<Duration>,
    /// How long a statement waits for a lock of the server before the transaction is tried again.
    pub lock_timeout: Duration,
    /// The same of a statement outside of transactions, such as a concurrent build, which waits for every older
    /// transaction.
    pub outside_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            to: None,
            allow_late: false,
            mode: None,
            preferred: Mode::Transactional,
            settings: Vec::new(),
            wait: Duration::from_secs(600),
            fence_after: None,
            lock_timeout: Duration::from_secs(3),
            outside_timeout: Duration::from_secs(1800),
        }
    }
}

/// Hears what the migrator does, beside what the guests say.
pub trait Observer: Events {
    /// Another session stands in the way; `what` it holds.
    fn waiting(&self, what: &str, holder: &Holder);
    /// A phase of a migration begins; it is number `place` (from 1) of `count`.
    fn started(&self, migration: &Migration, phase: Phase, place: usize, count: usize);
    /// The statement that runs has waited for these sessions for a while.
    fn blocked(&self, holders: &[Holder]);
    /// The transaction is tried again, after `pause`.
    fn retrying(&self, why: &Error, pause: Duration);
    /// A phase of a migration is over and committed.
    fn ended(&self, ran: &Ran);
}

/// A phase of a migration that ran: `up` and `down` to their end, `verify` also where it failed.
#[derive(Debug, Clone, Serialize)]
pub struct Ran {
    /// The migration's version.
    pub version: Version,
    /// The migration's name.
    pub name: String,
    /// Which phase.
    pub phase: Phase,
    /// False where it is a `verify` that failed.
    pub passed: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The rows that its statements affected.
    pub rows_affected: u64,
    /// What its requiring checks found.
    pub findings: Vec<Finding>,
}

/// What was done, and why no more.
#[derive(Debug, Default)]
pub struct Summary {
    /// What ran, in order: what is committed, and the checks of it.
    pub ran: Vec<Ran>,
    /// Why it ended before its end.
    pub error: Option<Error>,
}

impl Summary {
    fn of(result: Result<()>, ran: Vec<Ran>) -> Self {
        Summary {
            ran,
            error: result.err(),
        }
    }
}

/// Applies what is pending, each migration followed by its `verify`.
pub async fn up(
    address: &Address,
    migrations: &[Migration],
    compiler: &mut Compiler,
    options: &Options,
    observer: Arc<dyn Observer>,
) -> Summary {
    let mut ran = Vec::new();
    let result = apply(address, migrations, compiler, options, observer, &mut ran).await;
    Summary::of(result, ran)
}

async fn apply(
    address: &Address,
    migrations: &[Migration],
    compiler: &mut Compiler,
    options: &Options,
    observer: Arc<dyn Observer>,
    ran: &mut Vec<Ran>,
) -> Result<()> {
    known_settings(migrations, &options.settings)?;
    let connection = workplace::connect(address).await?;
    let pending =
        |history: &History| plan::up(migrations, history, options.to.as_ref(), options.allow_late);
    let first_look = history::look(&connection).await?;
    let seen = pending(&first_look)?;
    if seen.is_empty() {
        return Ok(());
    }
    for migration in &seen {
        plan::settings(&migration.manifest, &options.settings)?;
        mode(migration, options)?;
    }
    let lock = workplace::connect_lock(address).await;
    // compiled before the lock is taken: what cannot run is refused before anything has happened
    let mut prepared = prepare(compiler, &seen)?;
    let mut workplace = Workplace::open(address, connection, lock, options, observer).await?;
    let done = async {
        let history = workplace.history().await?;
        // another runner may have been quicker
        let pending = pending(&history)?;
        if let Some(open) = &history.open {
            plan::resume(open, migrations, options.mode, &options.settings)?;
        }
        for migration in &pending {
            // undone by another runner meanwhile, so it must be applied before what comes after it
            if !seen.iter().any(|m| m.version() == migration.version()) {
                mode(migration, options)?;
                prepared.extend(prepare(compiler, &[migration])?);
            }
        }
        let todo = pending.iter().filter_map(|migration| {
            prepared
                .iter()
                .find(|(m, _)| m.version() == migration.version())
        });
        for (place, (migration, prepared)) in todo.enumerate() {
            workplace.place = (place + 1, pending.len());
            let begun = (history.open.as_ref()).filter(|open| open.version == *migration.version());
            let work = match begun {
                Some(open) => Work {
                    mode: Mode::Stepwise,
                    settings: open.settings.clone(),
                    begun: Some(open.run),
                },
                None => Work {
                    mode: mode(migration, options)?,
                    settings: plan::settings(&migration.manifest, &options.settings)?,
                    begun: None,
                },
            };
            apply_one(&mut workplace, migration, prepared, work, ran).await?;
        }
        Ok(())
    }
    .await;
    let closed = workplace.close().await;
    done.and(closed)
}

/// How a migration is applied.
struct Work {
    mode: Mode,
    settings: Settings,
    /// The run that is gone on with.
    begun: Option<i64>,
}

/// Applies a migration and verifies it.
async fn apply_one(
    workplace: &mut Workplace<'_>,
    migration: &Migration,
    prepared: &Prepared,
    work: Work,
    ran: &mut Vec<Ran>,
) -> Result<()> {
    let mut kept = Kept {
        remembered: Remembered::new(),
        settings: work.settings,
    };
    let run = match work.begun {
        Some(run) => {
            workplace.resume_run(run)?;
            run
        }
        None => workplace.begin_run(migration, Phase::Up, work.mode, &kept.settings)?,
    };
    let applied = match work.mode {
        Mode::Transactional => {
            workplace
                .transact(migration, prepared, Phase::Up, run, &kept, None)
                .await
        }
        Mode::Stepwise => {
            workplace
                .step_through(migration, prepared, Phase::Up, run, &kept)
                .await
        }
    };
    workplace.end_run(run, &applied)?;
    let (applied, remembered) = applied?;
    workplace.observer.ended(&applied);
    ran.push(applied);
    kept.remembered = remembered;
    let (found, verified) = workplace
        .verify(migration, prepared, Some(run), &kept)
        .await?;
    ran.push(found);
    verified.map_err(|error| verification_failed(migration, error))
}

/// Undoes applied migrations, the newest first.
pub async fn down(
    address: &Address,
    migrations: &[Migration],
    compiler: &mut Compiler,
    undo: &Undo,
    options: &Options,
    observer: Arc<dyn Observer>,
) -> Summary {
    let mut ran = Vec::new();
    let result = revert(
        address, migrations, compiler, undo, options, observer, &mut ran,
    )
    .await;
    Summary::of(result, ran)
}

async fn revert(
    address: &Address,
    migrations: &[Migration],
    compiler: &mut Compiler,
    undo: &Undo,
    options: &Options,
    observer: Arc<dyn Observer>,
    ran: &mut Vec<Ran>,
) -> Result<()> {
    let connection = workplace::connect(address).await?;
    let first_look = history::look(&connection).await?;
    let seen = plan::down(migrations, &first_look, undo)?;
    if seen.is_empty() {
        return Ok(());
    }
    for migration in &seen {
        mode(migration, options)?;
    }
    let lock = workplace::connect_lock(address).await;
    let prepared = prepare(compiler, &seen)?;
    let mut workplace = Workplace::open(address, connection, lock, options, observer).await?;
    let done = async {
        let history = workplace.history().await?;
        // another runner may have undone some meanwhile; nothing is undone that was not asked for
        let still = plan::down(migrations, &history, undo)?;
        let todo: Vec<_> = prepared
            .iter()
            .filter(|(m, _)| still.iter().any(|s| s.version() == m.version()))
            .collect();
        for (place, (migration, prepared)) in todo.iter().enumerate() {
            workplace.place = (place + 1, todo.len());
            let begun = (history.open.as_ref()).filter(|open| open.version == *migration.version());
            let (run, undone) =
                revert_one(&mut workplace, migration, prepared, begun, options).await?;
            workplace.end_run(run, &undone)?;
            let (undone, _) = undone?;
            workplace.observer.ended(&undone);
            ran.push(undone);
        }
        Ok(())
    }
    .await;
    let closed = workplace.close().await;
    done.and(closed)
}

/// Undoes one migration, which may be half-way; with its outcome comes the run.
async fn revert_one(
    workplace: &mut Workplace<'_>,
    migration: &Migration,
    prepared: &Prepared,
    open: Option<&Open>,
    options: &Options,
) -> Result<(i64, Result<(Ran, Remembered)>)> {
    let down = Phase::Down;
    let kept = match open {
        Some(open) if open.phase == Phase::Up => workplace.kept_of(open.run).await?,
        _ => match workplace.kept(migration.version()).await? {
            Some(kept) => kept,
            None => workplace.kept_of(open.map_or(0, |open| open.run)).await?,
        },
    };
    if let Some(open) = open.filter(|open| open.phase == Phase::Down) {
        plan::resume(open, std::slice::from_ref(migration), options.mode, &[])?;
        workplace.resume_run(open.run)?;
        let undone = workplace.step_through(migration, prepared, down, open.run, &kept);
        return Ok((open.run, undone.await));
    }
    let mode = mode(migration, options)?;
    let run = workplace.begin_run(migration, down, mode, &kept.settings)?;
    let undone = match mode {
        Mode::Transactional => {
            let closes = open.map(|open| open.run);
            workplace
                .transact(migration, prepared, down, run, &kept, closes)
                .await
        }
        Mode::Stepwise => {
            if let Some(open) = open {
                workplace.hand_over(open.run, run).await?;
            }
            workplace
                .step_through(migration, prepared, down, run, &kept)
                .await
        }
    };
    Ok((run, undone))
}

/// Gives a half-way migration up, for that reason: what it has done stays, and it counts as not applied, or where its
/// `down` was half-way, as applied. Tells what it was.
pub async fn abandon(
    address: &Address,
    version: &Version,
    reason: &str,
    options: &Options,
    observer: Arc<dyn Observer>,
) -> Result<Open> {
    let connection = workplace::connect(address).await?;
    let wanted = |history: &History| match &history.open {
        Some(open) if open.version == *version => Ok(open.clone()),
        other => {
            let what = format!("failed to give {version} up: it is not half-way");
            let hint = match other {
                Some(open) => format!("half-way is {open}"),
                None => "`wasmigrate status` shows where each migration stands".to_owned(),
            };
            Err(Error::new(Code::MigrationUnknown, what).hint(hint))
        }
    };
    wanted(&history::look(&connection).await?)?;
    let lock = workplace::connect_lock(address).await;
    let mut workplace = Workplace::open(address, connection, lock, options, observer).await?;
    let done = async {
        let open = wanted(&workplace.history().await?)?;
        workplace.abandon(open.run, reason).await?;
        Ok(open)
    }
    .await;
    let closed = workplace.close().await;
    let open = done?;
    closed.map(|()| open)
}

/// Runs the `verify` of applied migrations and goes on after one that fails; with each, what it found and
/// why it failed. Writes nothing and takes no lock.
pub async fn verify(
    address: &Address,
    migrations: &[Migration],
    compiler: &mut Compiler,
    only: Option<&str>,
    options: &Options,
    observer: Arc<dyn Observer>,
) -> Result<Vec<(Ran, Result<()>)>> {
    let connection = workplace::connect(address).await?;
    let history = history::look(&connection).await?;
    let applied = plan::verify(migrations, &history, only)?;
    let prepared = prepare(compiler, &applied)?;
    let mut workplace = Workplace::without_lock(address, connection, options, observer)?;
    let mut outcomes = Vec::new();
    for (place, (migration, prepared)) in prepared.iter().enumerate() {
        workplace.place = (place + 1, applied.len());
        let kept = workplace
            .kept(migration.version())
            .await?
            .unwrap_or_default();
        let outcome = workplace.verify(migration, prepared, None, &kept).await?;
        if let (_, Err(error)) = &outcome
            && error.code() == Code::DatabaseLost
        {
            return Err(error.clone());
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn prepare<'a>(
    compiler: &mut Compiler,
    migrations: &[&'a Migration],
) -> Result<Vec<(&'a Migration, Prepared)>> {
    migrations
        .iter()
        .map(|migration| Ok((*migration, compiler.prepare(migration)?)))
        .collect()
}

/// In which mode a migration runs: the one that was asked for; or else the preferred one, where its manifest allows
/// it, and the other where it does not.
fn mode(migration: &Migration, options: &Options) -> Result<Mode> {
    let modes = &migration.manifest.modes;
    match options.mode {
        Some(mode) => allowed(migration, mode).map(|()| mode),
        None if modes.contains(&options.preferred) => Ok(options.preferred),
        // nothing but one transaction is taken for granted
        None => allowed(migration, Mode::Transactional).map(|()| Mode::Transactional),
    }
}

/// Refuses a mode that the manifest does not allow.
pub fn allowed(migration: &Migration, mode: Mode) -> Result<()> {
    if migration.manifest.modes.contains(&mode) {
        return Ok(());
    }
    let (version, name) = (migration.version(), migration.name());
    let what = format!("failed to run {version} {name}: its manifest does not allow {mode} mode");
    Err(Error::new(Code::ModeUnsupported, what).hint(match mode {
        Mode::Transactional => {
            "run it with --mode stepwise; or add \"transactional\" to `modes` in its migration.toml, if it can run \
             in one transaction"
        }
        Mode::Stepwise => {
            "run it without --mode; or add \"stepwise\" to `modes` in its migration.toml, if each of its steps may \
             stand alone"
        }
    }))
}

/// Refuses a choice that no migration in the folder offers, so that a typo does not pass unseen.
fn known_settings(migrations: &[Migration], chosen: &[(String, String)]) -> Result<()> {
    let known: BTreeSet<&str> = migrations
        .iter()
        .flat_map(|m| m.manifest.settings.keys())
        .map(|name| name.as_str())
        .collect();
    match chosen
        .iter()
        .find(|(name, _)| !known.contains(name.as_str()))
    {
        None => Ok(()),
        Some((name, _)) => {
            let list = known.into_iter().collect::<Vec<_>>().join(", ");
            let hint = if list.is_empty() {
                "no migration has settings".to_owned()
            } else {
                format!("the settings are: {list}")
            };
            Err(Error::new(
                Code::SettingInvalid,
                format!("failed to set `{name}`: no migration declares it"),
            )
            .hint(hint))
        }
    }
}

fn verification_failed(migration: &Migration, error: Error) -> Error {
    // a broken connection says nothing about the migration
    if error.code() == Code::DatabaseLost {
        return error;
    }
    let what = format!(
        "failed to verify {} {}: it is applied and committed",
        migration.version(),
        migration.name()
    );
    let code = error.code().of_verification();
    let failed = Error::new(code, what).cause(error.message());
    let failed = error
        .causes()
        .iter()
        .fold(failed, |failed, cause| failed.cause(cause));
    let failed = match error.server_report() {
        Some(report) => failed.server(report.clone()),
        None => failed,
    };
    let mend = "mend what the findings name and run `wasmigrate verify`, or undo it with `wasmigrate down`";
    let undo = "undo it with `wasmigrate down`, mend the migration and build it again";
    // for what is denied or over a limit, no finding is to be mended
    failed.hint(match (code, error.hint_text()) {
        (Code::VerificationFailed, _) => mend,
        (_, Some(hint)) => hint,
        (_, None) => undo,
    })
}
