use std::sync::Arc;

use crate::cli::approval::Approval;
use crate::cli::database::{Chosen, Running, Target, Waiting, compiler};
use crate::cli::{Context, block_on};
use crate::error::Result;
use crate::migration::{Migration, Version};
use crate::migrator::{self, Options};
use crate::report::Telling;
use crate::source;

/// Apply what is pending, each migration in one transaction or in steps, and verify it
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Apply nothing above this version
    #[arg(long, value_name = "VERSION")]
    to: Option<Version>,
    #[command(flatten)]
    chosen: Chosen,
    /// Apply migrations that are older than what is applied
    #[arg(long)]
    allow_late: bool,
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
        let wanted = |one: &Migration| self.to.as_ref().is_none_or(|to| one.version() <= to);
        self.approval.check(&project, &migrations, wanted)?;
        let place = self.target.open(context, &project)?;
        let options = self.running.options(self.waiting.options(&project));
        let options = Options {
            to: self.to,
            allow_late: self.allow_late,
            ..self.chosen.options(options)
        };
        let telling = Arc::new(Telling::new(context.screen));
        let summary = block_on(async {
            place.load().await?;
            Ok(migrator::up(
                &place.address,
                &migrations,
                &mut compiler(),
                &options,
                telling,
            )
            .await)
        })?;
        let none = match migrations.is_empty() {
            true => "nothing to do: the folder holds no migration",
            false => "nothing to do: every migration is applied",
        };
        context.screen.summary(&summary, none)
    }
}
