//! Does `down` undo what `up` does? Each migration is applied, undone and applied again on copies of a scratch database, and
//! what pg_dump says of the schema is compared.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde::Serialize;

use crate::database::address::Address;
use crate::database::{Failure, Session, history, load};
use crate::embedded::Embedded;
use crate::error::{Code, Error, Result};
use crate::lines;
use crate::migration::{Migration, Mode, Version};
use crate::migrator::{self, Observer, Options, Signals, Summary, allowed};
use crate::plan::{self, Undo};
use crate::sandbox::Compiler;

/// The database that goes through the migrations one after the other.
const BASE: &str = "base";
/// Its copy, on which one of them is tried.
const COPY: &str = "copy";

/// What became of one migration in one mode.
#[derive(Debug, Serialize)]
pub struct Trial {
    /// The migration's version.
    pub version: Version,
    /// The migration's name.
    pub name: String,
    /// How it ran.
    pub mode: Mode,
    /// Its `up`, with its `verify`.
    pub up: Step,
    /// Its `down`.
    pub down: Step,
    /// Its `up` once more.
    pub up_again: Step,
    /// Whether both comparisons found the schemas equal; none where one of them was not made.
    pub schema_equal: Option<bool>,
    /// How the schema behind `down` differs from that before `up`.
    pub after_down: Option<String>,
    /// How the schema behind the second `up` differs from that behind the first.
    pub after_up_again: Option<String>,
    /// The tables that have another number of rows behind `down` than before `up`.
    pub rows: Vec<RowCount>,
    /// What went wrong, in order.
    #[serde(skip)]
    pub errors: Vec<Error>,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It ran to its end.
    Done,
    /// It failed.
    Failed,
    /// Something before it failed.
    NotRun,
}

/// How many rows a table had before `up`, and has behind `down`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct RowCount {
    /// The table, as SQL writes it.
    pub table: String,
    /// Before `up`.
    pub before: u64,
    /// Behind `down`.
    pub after: u64,
}

/// A server of which every database may be thrown away.
pub struct Scratch<'a> {
    server: &'a Embedded,
    admin: Session,
}

impl<'a> Scratch<'a> {
    /// Makes the first database there, and runs these files of SQL in it.
    pub async fn new(server: &'a Embedded, files: &[(String, String)]) -> Result<Self> {
        let admin = address(server, "postgres")?;
        let admin = Session::new(admin.connect("wasmigrate test").await?);
        let create = format!("CREATE DATABASE {BASE}");
        admin.batch(&create).await.map_err(broken)?;
        load(&address(server, BASE)?, files).await?;
        Ok(Scratch { server, admin })
    }

    /// Makes a new copy in place of an older one.
    async fn copy(&self) -> Result<Address> {
        for sql in [
            format!("DROP DATABASE IF EXISTS {COPY} WITH (FORCE)"),
            format!("CREATE DATABASE {COPY} TEMPLATE {BASE}"),
        ] {
            self.admin.batch(&sql).await.map_err(broken)?;
        }
        address(self.server, COPY)
    }

    /// What is there now.
    async fn look(&self, address: &Address) -> Result<Look> {
        let program = self.server.bin_dir().join("pg_dump");
        let url = self.server.url(COPY);
        let dumped = tokio::task::spawn_blocking(move || dump(program, &url));
        let schema = dumped.await.map_err(|error| {
            Error::new(Code::Internal, "failed to wait for pg_dump").cause(error)
        })??;
        let rows = rows(address).await?;
        Ok(Look { schema, rows })
    }
}

/// A database's schema, and how many rows its tables have.
struct Look {
    schema: String,
    rows: BTreeMap<String, u64>,
}

/// Tries each pending migration in each mode, or in that of `options`; behind one that fails in all of them nothing is run.
pub async fn try_all(
    scratch: &Scratch<'_>,
    migrations: &[Migration],
    compiler: &mut Compiler,
    options: &Options,
    observer: Arc<dyn Observer>,
) -> Result<Vec<Trial>> {
    let base = address(scratch.server, BASE)?;
    let connection = base.connect("wasmigrate test").await?;
    let history = history::look(&connection).await?;
    connection.close().await;
    let pending = plan::up(migrations, &history, None, false)?;
    let chosen = options.chosen();
    migrator::known_settings(migrations, &chosen)?;
    for migration in &pending {
        plan::settings(&migration.manifest, &chosen)?;
        if let Some(mode) = options.mode {
            allowed(migration, mode)?;
        }
    }
    let mut signals = Signals::hear()?;
    let mut runner = Runner {
        scratch,
        migrations,
        compiler,
        observer,
    };
    let work = async {
        let mut trials: Vec<Trial> = Vec::new();
        let mut stopped = false;
        for migration in pending {
            let mut applies = None;
            for mode in modes(migration, options.mode) {
                let mut trial = Trial::of(migration, mode);
                if !stopped {
                    let options = Options {
                        mode: Some(mode),
                        to: Some(migration.version().clone()),
                        ..options.clone()
                    };
                    runner.try_one(migration, &options, &mut trial).await?;
                    if trial.up == Step::Done {
                        applies.get_or_insert(options);
                    }
                }
                trials.push(trial);
            }
            match applies {
                Some(options) if !stopped => {
                    let applied = runner.up(&base, &options).await;
                    applied.error.map_or(Ok(()), Err)?;
                }
                _ => stopped = true,
            }
        }
        Ok(trials)
    };
    signals.unless(work).await?
}

fn modes(migration: &Migration, wanted: Option<Mode>) -> Vec<Mode> {
    match wanted {
        Some(mode) => vec![mode],
        None => migration.manifest.modes.to_vec(),
    }
}

struct Runner<'a> {
    scratch: &'a Scratch<'a>,
    migrations: &'a [Migration],
    compiler: &'a mut Compiler,
    observer: Arc<dyn Observer>,
}

impl Runner<'_> {
    async fn try_one(
        &mut self,
        migration: &Migration,
        options: &Options,
        trial: &mut Trial,
    ) -> Result<()> {
        let copy = self.scratch.copy().await?;
        let before = self.scratch.look(&copy).await?;
        trial.up = trial.ended("`up`", self.up(&copy, options).await);
        if trial.up != Step::Done {
            return Ok(());
        }
        let applied = self.scratch.look(&copy).await?;
        let undo = Undo::Only(migration.version().to_string());
        let observer = Arc::clone(&self.observer);
        let undone = migrator::down(
            &copy,
            self.migrations,
            self.compiler,
            &undo,
            options,
            observer,
        )
        .await;
        trial.down = trial.ended("`down`", undone);
        if trial.down != Step::Done {
            return Ok(());
        }
        let after = self.scratch.look(&copy).await?;
        trial.rows = differing(&before.rows, &after.rows);
        trial.after_down = trial.compared(
            &before.schema,
            &after.schema,
            "the schema behind its `down` is not the one before its `up`",
            "undo in `down` what differs: `-` was there before `up`, `+` is there behind `down`",
        );
        trial.up_again = trial.ended("second `up`", self.up(&copy, options).await);
        if trial.up_again == Step::Done {
            let again = self.scratch.look(&copy).await?;
            trial.after_up_again = trial.compared(
                &applied.schema,
                &again.schema,
                "the schema behind its second `up` is not the one behind its first",
                "let `up` and `down` leave nothing that steers the next `up`: `-` was there behind the first, `+` is there behind \
                 the second",
            );
            trial.schema_equal = Some(trial.after_down.is_none() && trial.after_up_again.is_none());
        } else if trial.after_down.is_some() {
            trial.schema_equal = Some(false);
        }
        Ok(())
    }

    async fn up(&mut self, address: &Address, options: &Options) -> Summary {
        let observer = Arc::clone(&self.observer);
        migrator::up(address, self.migrations, self.compiler, options, observer).await
    }
}

impl Trial {
    fn of(migration: &Migration, mode: Mode) -> Self {
        Trial {
            version: migration.version().clone(),
            name: migration.name().to_string(),
            mode,
            up: Step::NotRun,
            down: Step::NotRun,
            up_again: Step::NotRun,
            schema_equal: None,
            after_down: None,
            after_up_again: None,
            rows: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn shown(&self) -> String {
        format!(
            "failed to test {} {} in {} mode",
            self.version, self.name, self.mode
        )
    }

    /// What a run came to; its own error becomes the cause, as what it says of the database is of a copy.
    fn ended(&mut self, step: &str, summary: Summary) -> Step {
        let Some(error) = summary.error else {
            return Step::Done;
        };
        let what = format!("{}: its {step} failed", self.shown());
        let failed = Error::new(Code::TestFailed, what).stopped_by(error.first_code());
        let causes =
            std::iter::once(error.message()).chain(error.causes().iter().map(String::as_str));
        let failed = causes.fold(failed, |failed, cause| failed.cause(cause));
        let failed = match error.server_report() {
            Some(report) => failed.server(report.clone()),
            None => failed,
        };
        // there is nobody who could go on with a run on a copy
        let hint = error.hint_text().filter(|_| error.code() != Code::HalfWay);
        self.errors.push(match hint {
            Some(hint) => failed.hint(hint),
            None => failed,
        });
        Step::Failed
    }

    /// How two schemas differ that should not.
    fn compared(&mut self, wanted: &str, seen: &str, why: &str, hint: &str) -> Option<String> {
        if wanted == seen {
            return None;
        }
        let what = format!("{}: {why}", self.shown());
        self.errors
            .push(Error::new(Code::TestSchemaDiffers, what).hint(hint));
        Some(lines::unified(wanted, seen))
    }
}

/// The tables of both whose number of rows differs; one that is in one alone is a difference of the schema.
fn differing(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> Vec<RowCount> {
    let both = before
        .iter()
        .filter_map(|(table, count)| Some((table, *count, *after.get(table)?)));
    both.filter(|(_, before, after)| before != after)
        .map(|(table, before, after)| RowCount {
            table: table.clone(),
            before,
            after,
        })
        .collect()
}

/// The query that counts the rows of each table, as the server writes it down.
const COUNTS: &str = "SELECT string_agg(format('SELECT %L AS t, (SELECT count(*) FROM ONLY %s) AS n', name, name), ' UNION ALL ')
    FROM (SELECT format('%I.%I', nspname, relname) AS name FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
        WHERE relkind = 'r' AND relpersistence <> 't' AND nspname NOT IN ('pg_catalog', 'information_schema', 'wasmigrate')) AS x";

async fn rows(address: &Address) -> Result<BTreeMap<String, u64>> {
    let session = Session::new(address.connect("wasmigrate test").await?);
    let counts = session.text(COUNTS, &[]).await.map_err(broken)?;
    let counted = match counts {
        Some(counts) => {
            let sql = format!("SELECT json_object_agg(t, n)::text FROM ({counts}) AS x");
            session.text(&sql, &[]).await.map_err(broken)?
        }
        None => None,
    };
    session.close_connection().await;
    // without a table there is nothing to read
    serde_json::from_str(counted.as_deref().unwrap_or("{}"))
        .map_err(|error| Error::new(Code::Internal, "failed to count rows").cause(error))
}

/// The schema as pg_dump writes it, without ours.
fn dump(program: PathBuf, url: &str) -> Result<String> {
    let failed = || {
        Error::new(
            Code::PostgresFailed,
            format!("failed to run {}", program.display()),
        )
    };
    let mut command = Command::new(&program);
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    let output = command
        .args(["-s", "-N", "wasmigrate", "-d", url])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            let hint =
                "pg_dump is looked for beside the server's programs; PG_BIN names their folder";
            failed().cause(error).hint(hint)
        })?;
    if !output.status.success() {
        return Err(failed().cause(String::from_utf8_lossy(&output.stderr).trim()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // newer releases print a random key there
    let random = |line: &str| line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ");
    let kept: Vec<&str> = text.lines().filter(|line| !random(line)).collect();
    Ok(kept.join("\n"))
}

fn address(server: &Embedded, database: &str) -> Result<Address> {
    Address::resolve(Some(&server.url(database)), None, &|_: &str| None)
}

fn broken(failure: Failure) -> Error {
    failure.error(Code::Internal, "failed to work on the scratch database")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_in_both_and_has_other_rows_is_told() {
        let counts = |all: &[(&str, u64)]| all.iter().map(|(t, n)| ((*t).to_owned(), *n)).collect();
        let (before, after) = (
            counts(&[("a", 1), ("b", 2), ("gone", 3)]),
            counts(&[("a", 1), ("b", 5), ("new", 3)]),
        );
        let found = differing(&before, &after);
        let expected = RowCount {
            table: "b".to_owned(),
            before: 2,
            after: 5,
        };
        assert_eq!(found, [expected]);
    }
}
