use std::path::PathBuf;

use crate::cli::Context;
use crate::error::{Code, Error, Result};
use crate::operate::init;
use crate::project::FILE;
use crate::report::escape;

/// Write a wasmigrate.toml with every key, its default and a sentence
///
/// Guest crates (a Cargo.toml beside a migration.toml) below folders that are named migrations... are listed in it. A file that
/// is there is left as it is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write it into
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        if context.config.is_some() || context.environment.is_some() {
            let what = format!("`init` writes a new {FILE} and reads none");
            return Err(Error::new(Code::Usage, what)
                .hint("leave --config and --env away; --dir says into which folder"));
        }
        let migrations = match &context.migrations {
            Some(named) => Some(relative(named, &self.dir)?),
            None => None,
        };
        let written = init::init(&self.dir, migrations)?;
        context.screen.data(&written, || {
            let file = escape(&written.file.display().to_string());
            match &written.crates[..] {
                [] => format!("wrote {file}; no guest crate was found"),
                crates => {
                    let list: Vec<String> = crates
                        .iter()
                        .map(|one| format!("\n  {}", escape(one)))
                        .collect();
                    format!(
                        "wrote {file}, which lists {} guest crates:{}",
                        crates.len(),
                        list.concat()
                    )
                }
            }
        })?;
        Ok(0)
    }
}

/// A path as it is called from the folder of the file, where it lies in it.
fn relative(path: &PathBuf, folder: &PathBuf) -> Result<PathBuf> {
    let absolute = |path: &PathBuf| {
        std::path::absolute(path).map_err(|error| {
            let what = format!("failed to find `{}`", path.display());
            Error::new(Code::Usage, what).cause(error)
        })
    };
    let (path, folder) = (absolute(path)?, absolute(folder)?);
    Ok(path
        .strip_prefix(&folder)
        .map(PathBuf::from)
        .unwrap_or(path))
}
