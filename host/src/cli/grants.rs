use std::io::Read;
use std::path::PathBuf;

use crate::cli::Context;
use crate::error::{Code, Error, Result};
use crate::guard::statement;
use crate::report::{Needed, needed_json, needed_text};

/// Show which grants SQL needs, or why it can never run
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file of statements, or - for standard input
    #[arg(long, value_name = "FILE")]
    sql: PathBuf,
}

/// The longest input, in bytes.
const MAX_BYTES: u64 = 1 << 20;

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        let text = self.text()?;
        let failed = |denial: statement::Denial| {
            Error::new(
                Code::Usage,
                format!("failed to read `{}`", self.sql.display()),
            )
            .cause(denial)
        };
        let statements = statement::split(&text).map_err(failed)?;
        let mut any_denied = false;
        for sql in &statements {
            let demand = statement::required(sql);
            any_denied |= !demand.denied.is_empty();
            let needed = Needed {
                sql,
                demand: &demand,
            };
            context
                .screen
                .piece(&needed_json(&needed), || needed_text(&needed))?;
        }
        Ok(if any_denied { Code::Denied.exit() } else { 0 })
    }

    fn text(&self) -> Result<String> {
        let failed = |error: std::io::Error| {
            Error::new(
                Code::Usage,
                format!("failed to read `{}`", self.sql.display()),
            )
            .cause(error)
        };
        let mut text = String::new();
        let read = if self.sql.as_os_str() == "-" {
            std::io::stdin()
                .take(MAX_BYTES + 1)
                .read_to_string(&mut text)
        } else {
            let file = std::fs::File::open(&self.sql).map_err(failed)?;
            file.take(MAX_BYTES + 1).read_to_string(&mut text)
        };
        match read.map_err(failed)? as u64 {
            0..=MAX_BYTES => Ok(text),
            _ => Err(Error::new(
                Code::Usage,
                "failed to read the statements: at most 1 MiB is taken",
            )
            .hint("give them in several files")),
        }
    }
}
