use std::sync::Arc;

use serde::Serialize;

use crate::cli::database::{compiler, embedded};
use crate::cli::{Context, block_on};
use crate::error::{Code, Result};
use crate::migrator::{self, Options, Ran};
use crate::operate::white_cross::{self, EndState};
use crate::report::Telling;
use crate::source;

/// Apply the project's migrations to White Cross, a health platform's database, on a throwaway PostgreSQL
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Rows in each large table
    #[arg(long, default_value_t = 10_000)]
    rows: u64,
    /// Log rows that refer to a medication that does not exist
    #[arg(long, default_value_t = 25)]
    orphans: u64,
}

#[derive(Serialize)]
struct Shown<'a> {
    ran: &'a [Ran],
    end_state: EndState,
}

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        let project = context.project()?;
        let migrations = source::read(&context.migrations(&project)?)?;
        context.screen.say("starting a throwaway PostgreSQL");
        let (server, address) = embedded(context)?;
        let (rows, orphans) = (self.rows, self.orphans);
        context.screen.say(format!(
            "loading White Cross: {rows} rows a table, {orphans} orphaned logs"
        ));
        let telling = Arc::new(Telling::new(context.screen));
        let (summary, end_state) = block_on(async {
            white_cross::load(&address, rows, orphans).await?;
            let options = Options::default();
            let summary =
                migrator::up(&address, &migrations, &mut compiler(), &options, telling).await;
            Ok((summary, white_cross::look(&address).await?))
        })?;
        server.stop()?;
        if summary.error.is_some() {
            return context.screen.summary(&summary, "");
        }
        let complete = end_state.is_complete();
        if context.screen.json {
            context.screen.json(&Shown {
                ran: &summary.ran,
                end_state,
            })?;
        } else {
            context
                .screen
                .summary(&summary, "nothing to do: the folder holds no migration")?;
            context.screen.text(format_args!(
                "{} of {} indexes valid, {} orphans, foreign key {}, extensions: {}",
                end_state.indexes,
                end_state.indexes_expected,
                end_state.orphans,
                if end_state.foreign_key {
                    "in place"
                } else {
                    "missing"
                },
                end_state.extensions.join(", "),
            ))?;
        }
        Ok(if complete {
            0
        } else {
            Code::VerificationFailed.exit()
        })
    }
}
