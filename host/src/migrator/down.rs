//! Undoing: what is applied, and what is half-way; and giving the latter up.

use std::sync::Arc;

use super::options::mode;
use super::workplace::{self, Workplace};
use super::{Observer, Options, Ran, Summary, prepare};
use crate::database::address::Address;
use crate::database::history;
use crate::error::{Code, Error, Result};
use crate::migration::{Migration, Mode, Phase, Remembered, Version};
use crate::plan::{self, History, Open, Undo};
use crate::sandbox::{Compiler, Prepared};

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
