//! How a run is wanted, what it tells while it goes on, and what is left to say at its end.

use std::time::Duration;

use serde::Serialize;

use crate::database::doing::Doing;
use crate::database::locks::Holder;
use crate::error::{Code, Error, Result};
use crate::finding::Finding;
use crate::migration::{Migration, Mode, Phase, Version};
use crate::sandbox::Events;

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
    /// What is chosen where it was not said; a half-way run, which goes on as it began, does not ask for them.
    pub preferred_settings: Vec<(String, String)>,
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
            preferred_settings: Vec::new(),
            wait: Duration::from_secs(600),
            fence_after: None,
            lock_timeout: Duration::from_secs(3),
            outside_timeout: Duration::from_secs(1800),
        }
    }
}

impl Options {
    /// All choices, of which the last of a name holds.
    pub fn chosen(&self) -> Vec<(String, String)> {
        [&self.preferred_settings[..], &self.settings].concat()
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
    /// What the server does for the run now; none where the guest computes. Told once a second.
    fn doing(&self, doing: Option<&Doing>);
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
    pub(super) fn of(result: Result<()>, ran: Vec<Ran>) -> Self {
        Summary {
            ran,
            error: result.err(),
        }
    }
}

/// In which mode a migration runs: the one that was asked for; or else the preferred one, where its manifest allows
/// it, and the other where it does not.
pub(super) fn mode(migration: &Migration, options: &Options) -> Result<Mode> {
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
