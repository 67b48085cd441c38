use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::database::{Chosen, Locks, compiler, embedded, read_all};
use crate::cli::{Context, block_on};
use crate::error::Result;
use crate::migration::Mode;
use crate::migrator::Options;
use crate::operate::round_trip::{self, Scratch};
use crate::report::Telling;
use crate::source;

/// Try whether `down` undoes what `up` does: up, down and up again on a throwaway PostgreSQL, comparing schemas
///
/// Each migration runs on a copy of a scratch database on which those before it are applied. The schema behind `down`, as
/// pg_dump writes it, must be that before `up`, and that behind the second `up` the one behind the first. Where `down` leaves
/// another number of rows in a table than there was, a warning says so. Nothing stays behind, and no approval is asked for.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run this file of SQL first: the schema, and rows, that the migrations expect; may be given several times
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Only in this mode [default: in each that the migration's manifest allows]
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    locks: Locks,
}

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        let project = context.project()?;
        let migrations = source::read(&context.migrations(&project)?)?;
        let files = read_all(&self.from)?;
        let options = Options {
            mode: self.mode,
            ..self.chosen.options(self.locks.options(&project))
        };
        let telling = Arc::new(Telling::new(context.screen));
        let (server, _) = embedded(context)?;
        let trials = block_on(async {
            let scratch = Scratch::new(&server, &files).await?;
            round_trip::try_all(&scratch, &migrations, &mut compiler(), &options, telling).await
        })?;
        server.stop()?;
        context.screen.tried(&trials)
    }
}
