//! The arguments that verbs with a database share.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::Context;
use crate::database::address::Address;
use crate::database::load;
use crate::embedded::{self, Embedded};
use crate::error::Result;
use crate::migration::Mode;
use crate::migrator::Options;
use crate::project::{Project, Secret};
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
    /// The address from the command line, the environment and the project's file, in that order.
    pub fn address(&self, project: &Project) -> Result<Address> {
        let env = |name: &str| std::env::var(name).ok();
        let explicit = self.database_url.as_ref().map(|hidden| hidden.0.clone());
        let explicit = explicit.or_else(|| env("DATABASE_URL").filter(|url| !url.is_empty()));
        let in_file = project.database_url.as_ref().map(Secret::reveal);
        Address::resolve(explicit.as_deref(), in_file, &env)
    }
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
        let named = |file: &PathBuf| Ok((file.display().to_string(), read_sql(file)?));
        let load_first = self.load.iter().map(named).collect::<Result<Vec<_>>>()?;
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
    /// How long to wait for another runner
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
    wait: Duration,
    /// End the statement of an earlier, killed run after this time; without it, it is waited for
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    fence_after: Option<Duration>,
    #[command(flatten)]
    locks: Locks,
    /// How long a statement outside of transactions, such as a concurrent build, waits for others' transactions
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = humantime::parse_duration)]
    concurrent_timeout: Duration,
}

/// How migrations run
#[derive(Debug, clap::Args)]
pub struct Running {
    /// Run each migration in one transaction, or in steps that are committed one by one and gone on with after any
    /// interruption [default: `mode` in wasmigrate.toml, else transactional]
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,
}

impl Running {
    /// The options with the mode that is wanted.
    pub fn options(&self, project: &Project, options: Options) -> Options {
        Options {
            mode: self.mode,
            preferred: project.mode.unwrap_or(Mode::Transactional),
            ..options
        }
    }
}

impl Waiting {
    /// The options of a run that has this patience.
    pub fn options(&self) -> Options {
        Options {
            wait: self.wait,
            fence_after: self.fence_after,
            outside_timeout: self.concurrent_timeout,
            ..self.locks.options()
        }
    }
}

/// How long to wait for the locks of tables
#[derive(Debug, clap::Args)]
pub struct Locks {
    /// How long a statement waits for a lock before its transaction is tried again
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = humantime::parse_duration)]
    lock_timeout: Duration,
}

impl Locks {
    /// The options of a run that has this patience.
    pub fn options(&self) -> Options {
        Options {
            lock_timeout: self.lock_timeout,
            ..Options::default()
        }
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

/// Reads a file of SQL that is to be loaded first.
fn read_sql(file: &PathBuf) -> Result<String> {
    use crate::error::{Code, Error};
    std::fs::read_to_string(file).map_err(|error| {
        Error::new(Code::Usage, format!("failed to read `{}`", file.display())).cause(error)
    })
}
