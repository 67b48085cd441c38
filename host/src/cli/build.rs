use std::path::{Path, PathBuf};

use crate::cli::Context;
use crate::component::{self, Built};
use crate::error::{Code, Error, Result};
use crate::project::Project;
use crate::report::{Talk, escape};

/// Compile guest crates into components; without arguments all of the project
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A guest crate: its folder, or the folder's name if the project's file lists it
    #[arg(value_name = "CRATE")]
    crates: Vec<PathBuf>,
}

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        let project = context.project()?;
        let into = context.migrations(&project)?;
        let crates = chosen(&self.crates, &project)?;
        let built = component::build(&crates, &into, context.screen.talk == Talk::Quiet)?;
        for file in built.iter().flat_map(|built| &built.leftovers) {
            let file = escape(&into.join(file).display().to_string());
            context.screen.warn(format!("`{file}` has the version or the name of a component that was just built; remove it if that replaces it"));
        }
        context.screen.data(&built, || {
            built.iter().map(line).collect::<Vec<_>>().join("\n")
        })?;
        Ok(0)
    }
}

fn chosen(named: &[PathBuf], project: &Project) -> Result<Vec<PathBuf>> {
    if named.is_empty() && project.crates.is_empty() {
        return Err(Error::new(Code::Usage, "there is nothing to build").hint(
            "name a guest crate's folder, or list the crates under [build] in wasmigrate.toml",
        ));
    }
    if named.is_empty() {
        return Ok(project.crates.clone());
    }
    Ok(named
        .iter()
        .map(|name| listed(name, project).unwrap_or(name).to_owned())
        .collect())
}

/// The project's crate of that name, unless the name is a folder from here.
fn listed<'a>(name: &Path, project: &'a Project) -> Option<&'a Path> {
    let of_that_name =
        |folder: &&PathBuf| !name.is_dir() && folder.file_name() == Some(name.as_os_str());
    project
        .crates
        .iter()
        .find(of_that_name)
        .map(PathBuf::as_path)
}

fn line(built: &Built) -> String {
    let unchanged = if built.unchanged { "  unchanged" } else { "" };
    format!(
        "{}  {} bytes  {}{unchanged}",
        built.digest,
        built.size,
        escape(&built.file.display().to_string())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_named_by_its_folder_or_by_the_projects_list() {
        let project = Project {
            crates: vec!["/p/m/a".into(), "/p/m/b".into()],
            ..Project::default()
        };
        assert_eq!(chosen(&[], &project).unwrap(), project.crates);
        assert_eq!(
            chosen(&["b".into(), "x/c".into()], &project).unwrap(),
            [Path::new("/p/m/b"), Path::new("x/c")]
        );
        assert_eq!(
            chosen(&[], &Project::default()).unwrap_err().code(),
            Code::Usage
        );
    }
}
