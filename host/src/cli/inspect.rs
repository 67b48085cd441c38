use std::path::PathBuf;

use crate::cli::Context;
use crate::component;
use crate::error::Result;
use crate::migration::Digest;
use crate::report::{Inspection, inspection_json, inspection_text};
use crate::source;

/// Show what a component imports, exports and declares; nothing of it is run
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The component
    file: PathBuf,
}

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        let file = self.file.display().to_string();
        let bytes = source::read_one(&self.file)?;
        let found = component::read(&file, &bytes)?;
        component::validate(&file, &bytes)?;
        let digest = Digest::of(&bytes);
        let inspection = Inspection {
            file: &file,
            digest,
            size: bytes.len(),
            component: &found,
        };
        context.screen.data(&inspection_json(&inspection), || {
            inspection_text(&inspection)
        })?;
        Ok(0)
    }
}
