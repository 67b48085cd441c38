use clap_complete::Shell;

use crate::cli::{Context, command};
use crate::error::Result;

/// Write a completion script for a shell to standard output
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: Shell,
}

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "wasmigrate", &mut script);
        context
            .screen
            .text(String::from_utf8_lossy(&script).trim_end())?;
        Ok(0)
    }
}
