use crate::cli::database::Database;
use crate::cli::{Context, block_on};
use crate::database::history;
use crate::error::Result;
use crate::plan::{self, State};
use crate::report::{StatusLine, status_text};
use crate::source;

/// Show which migrations are applied, pending, late, divergent, missing or half-way; writes nothing
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Exit with 3 where a migration is pending, with 9 where one is half-way, and with 4 where files and history
    /// disagree
    #[arg(long)]
    exit_code: bool,
}

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        let project = context.project()?;
        let migrations = source::read(&context.migrations(&project)?)?;
        let address = self.database.address(&project)?;
        let history = block_on(async {
            let connection = address.connect("wasmigrate").await?;
            history::look(&connection).await
        })?;
        let entries = plan::compare(&migrations, &history);
        let lines: Vec<StatusLine> = entries.iter().map(StatusLine::new).collect();
        context.screen.data(&lines, || status_text(&lines))?;
        let any = |states: &[State]| entries.iter().any(|entry| states.contains(&entry.state));
        Ok(match self.exit_code {
            true if any(&[State::Late, State::Divergent, State::Missing]) => 4,
            true if any(&[State::HalfWay]) => 9,
            true if any(&[State::Pending]) => 3,
            _ => 0,
        })
    }
}
