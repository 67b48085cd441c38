//! Which grants a migration needs: its phases run on a scratch database, what they needed is recorded, and
//! everything is rolled back. Nothing is committed, no lock of ours is taken and no history written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::database::address::Address;
use crate::database::{Connection, Failure, Session, history};
use crate::error::{Code, Error, Result};
use crate::guard::Held;
use crate::guard::record::Record;
use crate::manifest::Manifest;
use crate::migration::{Migration, Mode, Phase, Remembered, Settings};
use crate::migrator::{self, Observer, Signals};
use crate::sandbox::{self, Compiler, Job, Prepared, Verdict};

/// What the runs needed, and how they ended.
#[derive(Debug, Default)]
pub struct Found {
    needed: BTreeMap<Phase, Record>,
    /// Each phase of each run, in order.
    pub runs: Vec<Run>,
}

/// A phase in one run.
#[derive(Debug)]
pub struct Run {
    /// How the migration ran.
    pub mode: Mode,
    /// What was chosen.
    pub settings: Settings,
    /// The phase.
    pub phase: Phase,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a phase.
#[derive(Debug)]
pub enum Outcome {
    /// It ran to its end.
    Done,
    /// It failed; what it needed until then is recorded.
    Failed(Error),
    /// It did not run, because `up` failed.
    NotRun,
}

impl Found {
    /// What a phase needed.
    pub fn needed(&self, phase: Phase) -> Record {
        self.needed.get(&phase).cloned().unwrap_or_default()
    }

    /// The process's exit status: what can never be allowed counts more than another failure.
    pub fn exit(&self) -> u8 {
        let failed = || {
            self.runs.iter().filter_map(|run| match &run.outcome {
                Outcome::Failed(error) => Some(error.code()),
                Outcome::Done | Outcome::NotRun => None,
            })
        };
        match failed().any(|code| code == Code::Denied) {
            true => Code::Denied.exit(),
            false => failed().next().map_or(0, |_| Code::MigrationFailed.exit()),
        }
    }
}

/// Runs `up`, `verify` and `down` of a migration in each of its modes, with each value of each of its settings.
pub async fn find(
    address: &Address,
    migration: &Migration,
    compiler: &mut Compiler,
    lock_timeout: Duration,
    observer: Arc<dyn Observer>,
) -> Result<Found> {
    let prepared = compiler.prepare(migration)?;
    let mut signals = Signals::hear()?;
    let mut found = Found::default();
    let choices = choices(&migration.manifest);
    let modes = migration.manifest.modes.iter();
    let trials: Vec<_> = modes
        .flat_map(|mode| choices.iter().map(|settings| (*mode, settings.clone())))
        .collect();
    let count = trials.len();
    for (place, (mode, settings)) in trials.into_iter().enumerate() {
        // one each: nothing that a run leaves in its session reaches the next
        let connection = address.connect("wasmigrate grants").await?;
        refuse_applied(&connection, migration).await?;
        let canceller = connection.canceller();
        let mut trial = Trial {
            migration,
            prepared: &prepared,
            mode,
            settings,
            pins: migrator::pins(lock_timeout, migration.manifest.limits.statement_timeout()),
            place: (place + 1, count),
            observer: Arc::clone(&observer),
            found: &mut found,
        };
        let tried = trial.run(Session::new(connection));
        match signals.unless(tried).await {
            Ok(tried) => tried?,
            Err(interrupted) => {
                // the session is dropped, which rolls back; the server is asked to stop as well
                let _ = canceller.cancel().await;
                return Err(interrupted);
            }
        }
    }
    Ok(found)
}

/// An applied migration would find its work done, and need less.
async fn refuse_applied(connection: &Connection, migration: &Migration) -> Result<()> {
    let history = history::look(connection).await?;
    if history.find(migration.version()).is_none() {
        return Ok(());
    }
    let (version, name) = (migration.version(), migration.name());
    let what = format!("failed to try {version} {name}: it is applied in this database");
    Err(Error::new(Code::Usage, what)
        .hint("give a scratch database whose schema is that before the migration"))
}

/// The defaults, then each other value of each setting with the others at their default.
fn choices(manifest: &Manifest) -> Vec<Settings> {
    let defaults: Settings = (manifest.settings.iter())
        .map(|(name, setting)| (name.to_string(), setting.default.clone()))
        .collect();
    let mut choices = vec![defaults.clone()];
    for (name, setting) in &manifest.settings {
        for value in setting
            .values
            .iter()
            .filter(|value| **value != setting.default)
        {
            let mut settings = defaults.clone();
            settings.insert(name.to_string(), value.clone());
            choices.push(settings);
        }
    }
    choices
}

/// The three phases in one transaction, in stepwise mode too: what then would run outside of transactions runs in its form
/// for inside.
struct Trial<'a> {
    migration: &'a Migration,
    prepared: &'a Prepared,
    mode: Mode,
    settings: Settings,
    pins: String,
    place: (usize, usize),
    observer: Arc<dyn Observer>,
    found: &'a mut Found,
}

impl Trial<'_> {
    async fn run(&mut self, session: Session) -> Result<()> {
        let begin = migrator::begin(&self.pins);
        session.batch(&begin).await.map_err(broken)?;
        let (mut session, applied) = self.phase(session, Phase::Up, Remembered::new()).await;
        match applied {
            Some(remembered) => {
                // as the migrator's, nothing of it stays; each of its queries only reads
                let before = session.batch("SAVEPOINT wasmigrate_verify").await;
                before.map_err(broken)?;
                let verified = self.phase(session, Phase::Verify, remembered.clone()).await;
                session = verified.0;
                let back = "ROLLBACK TO wasmigrate_verify; RELEASE wasmigrate_verify";
                session.batch(back).await.map_err(broken)?;
                (session, _) = self.phase(session, Phase::Down, remembered).await;
            }
            None => {
                for phase in [Phase::Verify, Phase::Down] {
                    self.ended(phase, Outcome::NotRun);
                }
            }
        }
        // where even this fails the connection is gone, and the server has rolled back
        let _ = session.batch("ROLLBACK").await;
        session.close_connection().await;
        Ok(())
    }

    /// Runs one phase; with the session comes what is remembered, if it ran to its end.
    async fn phase(
        &mut self,
        session: Session,
        phase: Phase,
        remembered: Remembered,
    ) -> (Session, Option<Remembered>) {
        let (place, count) = self.place;
        self.observer.started(self.migration, phase, place, count);
        let job = Job {
            phase,
            mode: self.mode,
            held: Held::Recording,
            limits: self.migration.manifest.limits,
            settings: self.settings.clone(),
            remembered,
            role: String::new(),
            pins: self.pins.clone(),
            steps: None,
            events: self.observer.clone(),
        };
        let ended = sandbox::run(self.prepared, session, job).await;
        let needed = self.found.needed.entry(phase).or_default();
        needed.merge(ended.recorded);
        let session = ended.session;
        let outcome = match ended.verdict {
            Verdict::Done if phase == Phase::Verify => Ok(()),
            Verdict::Done => {
                // as before a commit: what is deferred can fail too, and sets triggers off
                let deferred = session
                    .batch("SET CONSTRAINTS ALL IMMEDIATE; CLOSE ALL")
                    .await;
                let what = "failed to check the deferred constraints";
                deferred.map_err(|failure| failure.error(Code::StatementFailed, what))
            }
            Verdict::Failed(error) | Verdict::Contention(error) => Err(error),
        };
        match outcome {
            Ok(()) => {
                self.ended(phase, Outcome::Done);
                (session, Some(ended.remembered))
            }
            Err(error) => {
                self.ended(phase, Outcome::Failed(error));
                (session, None)
            }
        }
    }

    fn ended(&mut self, phase: Phase, outcome: Outcome) {
        self.found.runs.push(Run {
            mode: self.mode,
            settings: self.settings.clone(),
            phase,
            outcome,
        });
    }
}

fn broken(failure: Failure) -> Error {
    failure.error(
        Code::Internal,
        "failed to try the migration in a transaction",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_tried_once_with_the_others_at_their_default() {
        let text = "version = \"1\"\nname = \"a\"\n\
            [settings.b]\nvalues = [\"x\", \"y\", \"z\"]\ndefault = \"y\"\n\
            [settings.c]\nvalues = [\"p\", \"q\"]\ndefault = \"p\"\n";
        let choices = choices(&Manifest::parse("m", text).unwrap());
        let shown: Vec<String> = choices
            .iter()
            .map(|settings| settings.values().cloned().collect())
            .collect();
        assert_eq!(shown, ["yp", "xp", "zp", "yq"]);
        let none = Manifest::parse("m", "version = \"1\"\nname = \"a\"\n").unwrap();
        assert_eq!(super::choices(&none), [Settings::new()]);
    }

    #[test]
    fn what_can_never_be_allowed_decides_the_exit_status() {
        let found = |codes: &[Code]| Found {
            runs: codes
                .iter()
                .map(|code| Run {
                    mode: Mode::Transactional,
                    settings: Settings::new(),
                    phase: Phase::Up,
                    outcome: Outcome::Failed(Error::new(*code, "failed")),
                })
                .collect(),
            ..Found::default()
        };
        assert_eq!(found(&[]).exit(), 0);
        assert_eq!(found(&[Code::LimitRows]).exit(), 6);
        assert_eq!(found(&[Code::CheckFailed, Code::Denied]).exit(), 7);
    }
}
