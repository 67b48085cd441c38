use std::sync::Arc;

use crate::cli::approval::Approval;
use crate::cli::database::{Database, Locks, compiler};
use crate::cli::{Context, block_on};
use crate::error::Result;
use crate::migration::Migration;
use crate::migrator;
use crate::report::{Telling, Verified, verified_text};
use crate::source;

/// Run the checks of every applied migration again; writes nothing
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Only this migration, by its name or version
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    #[command(flatten)]
    approval: Approval,
    #[command(flatten)]
    locks: Locks,
}

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        let project = context.project()?;
        let migrations = source::read(&context.migrations(&project)?)?;
        let only = self.only.as_deref();
        let wanted = |one: &Migration| only.is_none_or(|word| one.is_called(word));
        self.approval.check(&project, &migrations, wanted)?;
        let address = self.database.address(&project)?;
        let telling = Arc::new(Telling::new(context.screen));
        let outcomes = block_on(migrator::verify(
            &address,
            &migrations,
            &mut compiler(),
            only,
            &self.locks.options(&project),
            telling,
        ))?;
        // of several the gravest, and these grow with it
        let status = (outcomes
            .iter()
            .filter_map(|(_, outcome)| outcome.as_ref().err()))
        .map(|error| error.code().of_verification().exit())
        .max();
        let verified: Vec<Verified> = outcomes
            .into_iter()
            .map(|(ran, outcome)| Verified::new(ran, outcome))
            .collect();
        context
            .screen
            .data(&verified, || match verified.is_empty() {
                true => "nothing to verify: no migration is applied".to_owned(),
                false => verified_text(&verified),
            })?;
        Ok(status.unwrap_or(0))
    }
}
