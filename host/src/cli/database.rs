//! The arguments that verbs with a database share.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::Context;
use crate::database::address::Address;
use crate::database::load;
use crate::embedded::{self, Embedded};
use crate::error::{Code, Error, Result};
use crate::migration::Mode;
use crate::migrator::Options;
use crate::project::{Choices, FILE, Project, Secret};
use crate::sandbox::Compiler;

/// Where the database is
#[derive(Debug, clap::Args)]
pub struct Database {
    /// Connection string, in place of DATABASE_URL; better leave the password to PGPASSWORD or a password file
    #[arg(long, value_name = "URL")]
    database_url: Option<Hidden>,
}

/// A connection string from the command line; it does not show itself.
#[derive(Clone)]
struct Hidden(String);

impl std::str::FromStr for Hidden {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Hidden(text.to_owned()))
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Database {
    /// The address from the command line, the variable that the chosen environment names, the other variables and the
    /// project's file, in that order.
    pub fn address(&self, project: &Project) -> Result<Address> {
        let env = |name: &str| std::env::var(name).ok();
        let set = |name: &str| env(name).filter(|url| !url.is_empty());
        let explicit = match (&self.database_url, &project.choices.database_url_env) {
            (Some(hidden), _) => Some(hidden.0.clone()),
            // never another database because one variable is missing
            (None, Some(name)) => Some(set(name).ok_or_else(|| unset(name))?),
            (None, None) => set("DATABASE_URL"),
        };
        let in_file = project.database_url.as_ref().map(Secret::reveal);
        Address::resolve(explicit.as_deref(), in_file, &env)
    }
}

fn unset(variable: &str) -> Error {
    let what =
        format!("failed to find the database's address: the variable `{variable}` is not set");
    Error::new(Code::ConfigInvalid, what).hint(format!(
        "set it to a connection string, since `database-url-env` of the chosen environment in {FILE} names it; or say --database-url"
    ))
}

/// A database, or a throwaway server in its place
#[derive(Debug, clap::Args)]
pub struct Target {
    #[command(flatten)]
    database: Database,
    /// Run on a throwaway PostgreSQL in place of a database
    #[arg(long, conflicts_with = "database_url")]
    embedded: bool,
    /// With --embedded: run this file of SQL first; may be given several times
    #[arg(long, value_name = "FILE", requires = "embedded")]
    load: Vec<PathBuf>,
}

/// Where the database of a [`Target`] is; a throwaway server ends with it.
pub struct Place {
    /// The database.
    pub address: Address,
    load_first: Vec<(String, String)>,
    _server: Option<Embedded>,
}

impl Target {
    /// Whether there is to be a throwaway server.
    pub fn is_embedded(&self) -> bool {
        self.embedded
    }

    /// Reads the files and starts the server, where there is to be one.
    pub fn open(&self, context: &Context, project: &Project) -> Result<Place> {
        let load_first = read_all(&self.load)?;
        let (server, address) = if self.embedded {
            let (server, address) = embedded(context)?;
            (Some(server), address)
        } else {
            (None, self.database.address(project)?)
        };
        Ok(Place {
            address,
            load_first,
            _server: server,
        })
    }
}

impl Place {
    /// Runs the files that are to be loaded first.
    pub async fn load(&self) -> Result<()> {
        load(&self.address, &self.load_first).await
    }
}

/// How long to wait for what
#[derive(Debug, clap::Args)]
pub struct Waiting {
    /// How long to wait for another runner [default: `wait` in wasmigrate.toml, else 10m]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    wait: Option<Duration>,
    /// End the statement of an earlier, killed run after this time; without it, it is waited for
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    fence_after: Option<Duration>,
    #[command(flatten)]
    locks: Locks,
    /// How long a statement outside of transactions, such as a concurrent build, waits for others' transactions
    /// [default: `concurrent-timeout` in wasmigrate.toml, else 30m]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    concurrent_timeout: Option<Duration>,
}

/// How migrations run
#[derive(Debug, clap::Args)]
pub struct Running {
    /// Run each migration in one transaction, or in steps that are committed one by one and gone on with after any
    /// interruption [default: `mode` in wasmigrate.toml, else transactional]
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,
}

/// How long to wait for the locks of tables
#[derive(Debug, clap::Args)]
pub struct Locks {
    /// How long a statement waits for a lock before its transaction is tried again [default: `lock-timeout` in
    /// wasmigrate.toml, else 3s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    lock_timeout: Option<Duration>,
}

/// Choices of settings
#[derive(Debug, clap::Args)]
pub struct Chosen {
    /// Choose a setting that a migration offers; may be given several times [default: `[settings]` in wasmigrate.toml]
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a setting is written NAME=VALUE".to_owned()),
    }
}

/// What is said on the command line, over what the project chooses, over the standard.
fn options(line: Choices, project: &Project) -> Options {
    let choices = line.over(project.choices.clone());
    let standard = Options::default();
    Options {
        preferred: choices.mode.unwrap_or(standard.preferred),
        preferred_settings: choices.settings.into_iter().collect(),
        wait: choices.wait.unwrap_or(standard.wait),
        lock_timeout: choices.lock_timeout.unwrap_or(standard.lock_timeout),
        outside_timeout: choices
            .concurrent_timeout
            .unwrap_or(standard.outside_timeout),
        ..standard
    }
}

impl Chosen {
    /// The options with these settings.
    pub fn options(self, options: Options) -> Options {
        Options {
            settings: self.settings,
            ..options
        }
    }
}

impl Running {
    /// The options with the mode that is wanted.
    pub fn options(&self, options: Options) -> Options {
        Options {
            mode: self.mode,
            ..options
        }
    }
}

impl Waiting {
    /// The options of a run that has this patience.
    pub fn options(&self, project: &Project) -> Options {
        let line = Choices {
            wait: self.wait,
            lock_timeout: self.locks.lock_timeout,
            concurrent_timeout: self.concurrent_timeout,
            ..Choices::default()
        };
        Options {
            fence_after: self.fence_after,
            ..options(line, project)
        }
    }
}

impl Locks {
    /// The options of a run that has this patience.
    pub fn options(&self, project: &Project) -> Options {
        let line = Choices {
            lock_timeout: self.lock_timeout,
            ..Choices::default()
        };
        options(line, project)
    }
}

/// A compiler whose compiled code is kept in the user's cache, where there is one.
pub fn compiler() -> Compiler {
    use etcetera::BaseStrategy as _;
    let base = etcetera::choose_base_strategy().ok();
    Compiler::new(base.map(|base| base.cache_dir().join("wasmigrate").join("compiled")))
}

/// Starts a throwaway server, with its address.
pub fn embedded(context: &Context) -> Result<(Embedded, Address)> {
    context.screen.detail("starting a throwaway PostgreSQL");
    let server = Embedded::start(&embedded::Options::default())?;
    context.screen.detail(format!(
        "PostgreSQL {} in {}",
        server.version(),
        server.bin_dir().display()
    ));
    let address = Address::resolve(Some(&server.url("postgres")), None, &|_: &str| None)?;
    Ok((server, address))
}

/// Reads files of SQL that are to be loaded first, each with its name.
pub fn read_all(files: &[PathBuf]) -> Result<Vec<(String, String)>> {
    let named = |file: &PathBuf| Ok((file.display().to_string(), read_sql(file)?));
    files.iter().map(named).collect()
}

fn read_sql(file: &PathBuf) -> Result<String> {
    std::fs::read_to_string(file).map_err(|error| {
        Error::new(Code::Usage, format!("failed to read `{}`", file.display())).cause(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_wins_over_the_project_and_that_over_the_standard() {
        let patience = |seconds: Option<u64>| {
            let time = seconds.map(Duration::from_secs);
            Choices {
                wait: time,
                lock_timeout: time,
                concurrent_timeout: time,
                ..Choices::default()
            }
        };
        let times = |line: Option<u64>, file: Option<u64>| {
            let project = Project {
                choices: patience(file),
                ..Project::default()
            };
            let options = options(patience(line), &project);
            [options.wait, options.lock_timeout, options.outside_timeout].map(|time| time.as_secs())
        };
        assert_eq!(times(None, None), [600, 3, 1800]);
        assert_eq!(times(None, Some(7)), [7; 3]);
        assert_eq!(times(Some(5), Some(7)), [5; 3]);
    }

    #[test]
    fn the_defaults_that_init_writes_are_the_real_ones() {
        let written = crate::project::defaults();
        let choices = written.choices.clone();
        assert!(choices.wait.and(choices.lock_timeout).is_some() && choices.mode.is_some());
        let shown = format!("{:?}", options(Choices::default(), &written));
        assert_eq!(shown, format!("{:?}", Options::default()));
    }
}
