use std::sync::Arc;

use crate::cli::database::{Database, Waiting};
use crate::cli::{Context, block_on};
use crate::error::{Code, Error, Result};
use crate::migration::Version;
use crate::migrator;
use crate::report::{Repaired, Telling};

/// Give up a migration that stopped half-way, where neither up nor down can go on with it: the last resort
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The version that is half-way
    #[arg(value_name = "VERSION")]
    which: Version,
    /// Close its run and leave the database as it is; a person must bring it to what the history then says
    #[arg(long, required = true)]
    abandon: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    waiting: Waiting,
}

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        if self.reason.trim().is_empty() {
            return Err(
                Error::new(Code::Usage, "failed to read --reason: it is empty")
                    .hint("say in a sentence why the run is given up"),
            );
        }
        let project = context.project()?;
        let address = self.database.address(&project)?;
        let options = self.waiting.options(&project);
        let telling = Arc::new(Telling::new(context.screen));
        let open = block_on(migrator::abandon(
            &address,
            &self.which,
            &self.reason,
            &options,
            telling,
        ))?;
        let repaired = Repaired::new(&open, &self.reason);
        context.screen.data(&repaired, || repaired.text())?;
        Ok(0)
    }
}
