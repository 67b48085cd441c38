use std::sync::Arc;

use crate::cli::approval::Approval;
use crate::cli::database::{Database, Running, Waiting, compiler};
use crate::cli::{Context, block_on};
use crate::error::Result;
use crate::migration::Version;
use crate::migrator;
use crate::plan::Undo;
use crate::report::Telling;
use crate::source;

/// Undo applied migrations, the newest first; without arguments the newest one alone
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Undo everything above this version
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["only", "all"])]
    to: Option<Version>,
    /// Undo one migration, by its name or version, where no applied one depends on it
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    only: Option<String>,
    /// Undo everything
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    approval: Approval,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    waiting: Waiting,
}

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        let project = context.project()?;
        let migrations = source::read(&context.migrations(&project)?)?;
        let undo = match (self.to, self.only, self.all) {
            (Some(to), _, _) => Undo::To(to),
            (_, Some(only), _) => Undo::Only(only),
            (_, _, true) => Undo::All,
            _ => Undo::Last,
        };
        self.approval
            .check(&project, &migrations, |one| undo.may_reach(one))?;
        let address = self.database.address(&project)?;
        let options = self.running.options(self.waiting.options(&project));
        let telling = Arc::new(Telling::new(context.screen));
        let summary = block_on(async {
            Ok(migrator::down(
                &address,
                &migrations,
                &mut compiler(),
                &undo,
                &options,
                telling,
            )
            .await)
        })?;
        context
            .screen
            .summary(&summary, "nothing to do: no such migration is applied")
    }
}
