//! The only loop: lock, compare, run, check, record. Nobody else applies or undoes a migration, and
//! nobody else writes the history.

mod down;
mod keeper;
mod ledger;
mod options;
mod pins;
mod settle;
mod stepwise;
mod transaction;
mod watch;
mod workplace;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use self::down::{abandon, down};
use self::options::mode;
pub use self::options::{Observer, Options, Ran, Summary, allowed};
pub use self::pins::{begin, pins};
pub use self::watch::Signals;
use self::workplace::Workplace;
use crate::database::address::Address;
use crate::database::history::{self, Kept};
use crate::error::{Code, Error, Result};
use crate::migration::{Migration, Mode, Phase, Remembered, Settings};
use crate::plan::{self, History};
use crate::sandbox::{Compiler, Prepared};

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
    let chosen = options.chosen();
    known_settings(migrations, &chosen)?;
    let connection = workplace::connect(address).await?;
    let pending =
        |history: &History| plan::up(migrations, history, options.to.as_ref(), options.allow_late);
    let first_look = history::look(&connection).await?;
    let seen = pending(&first_look)?;
    if seen.is_empty() {
        return Ok(());
    }
    for migration in &seen {
        plan::settings(&migration.manifest, &chosen)?;
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
                    settings: plan::settings(&migration.manifest, &chosen)?,
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

/// Refuses a choice that no migration in the folder offers, so that a typo does not pass unseen.
pub fn known_settings(migrations: &[Migration], chosen: &[(String, String)]) -> Result<()> {
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
