//! The first `wasmigrate.toml` of a project: finding what is there already, and writing the file.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Code, Error, Result};
use crate::project::{FILE, MIGRATIONS, starter};

/// What was written.
#[derive(Debug, Serialize)]
pub struct Written {
    /// The file.
    pub file: PathBuf,
    /// The folder of built components that it names, from the file's folder.
    pub migrations: PathBuf,
    /// The folders of guest crates that it lists, from the file's folder.
    pub crates: Vec<String>,
}

/// Writes the file into a folder, with the guest crates that are found there.
///
/// # Errors
/// `config-exists` where there is such a file: it is left as it is.
pub fn init(folder: &Path, migrations: Option<PathBuf>) -> Result<Written> {
    let file = folder.join(FILE);
    let failed = |error: std::io::Error| {
        let what = format!("failed to write `{}`", file.display());
        match error.kind() {
            ErrorKind::AlreadyExists => Error::new(Code::ConfigExists, what)
                .cause("it is there already, and is left as it is")
                .hint("edit it, or move it away first"),
            _ => Error::new(Code::Usage, what).cause(error),
        }
    };
    let crates = found(folder).map_err(|error| {
        let what = format!("failed to look for guest crates in `{}`", folder.display());
        Error::new(Code::Usage, what).cause(error)
    })?;
    let migrations = migrations.unwrap_or_else(|| MIGRATIONS.into());
    let text = starter(&migrations, &crates);
    // made only where there is none, also where another process makes one at this moment
    let mut new = std::fs::File::create_new(&file).map_err(failed)?;
    new.write_all(text.as_bytes()).map_err(failed)?;
    Ok(Written {
        file,
        migrations,
        crates,
    })
}

/// The guest crates below the folders `migrations*` of a folder, relative to it; what is no UTF-8 has no place in the file.
fn found(root: &Path) -> std::io::Result<Vec<String>> {
    let mut crates = Vec::new();
    for (name, folder) in folders(root)? {
        if name.starts_with("migrations") {
            collect(&folder, &name, &mut crates)?;
        }
    }
    crates.sort();
    Ok(crates)
}

fn collect(folder: &Path, shown: &str, crates: &mut Vec<String>) -> std::io::Result<()> {
    let holds = |name: &str| folder.join(name).is_file();
    if holds("Cargo.toml") && holds("migration.toml") {
        crates.push(shown.to_owned());
    }
    for (name, inner) in folders(folder)? {
        if name != "target" && !name.starts_with('.') {
            collect(&inner, &format!("{shown}/{name}"), crates)?;
        }
    }
    Ok(())
}

/// The folders in a folder. A link is not followed: it may lead around in a circle.
fn folders(folder: &Path) -> std::io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_crates_are_found_below_folders_of_migrations_alone() {
        let root = tempfile::tempdir().unwrap();
        let make = |folder: &str, files: &[&str]| {
            let folder = root.path().join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            for file in files {
                std::fs::write(folder.join(file), "").unwrap();
            }
        };
        let both = ["Cargo.toml", "migration.toml"];
        for folder in [
            "migrations/b",
            "migrations/a",
            "migrations-wasm/more/c",
            "migrations/target/package/d",
            "migrations/.old/e",
            "other/f",
        ] {
            make(folder, &both);
        }
        make("migrations/no-manifest", &both[..1]);
        make("migrations/no-crate", &both[1..]);
        std::os::unix::fs::symlink(root.path(), root.path().join("migrations/circle")).unwrap();
        let expected = ["migrations-wasm/more/c", "migrations/a", "migrations/b"];
        assert_eq!(found(root.path()).unwrap(), expected);
    }
}
