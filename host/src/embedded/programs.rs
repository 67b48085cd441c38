//! Where PostgreSQL's programs are on this machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Code, Error, Result};

const INSTALL: &str = "install it (Debian, Ubuntu: `apt-get install postgresql postgresql-contrib`; Fedora: `dnf install postgresql-server \
     postgresql-contrib`; macOS: `brew install postgresql`), or set PG_BIN to the folder that holds initdb and postgres";

/// The folder of the server's programs, an absolute path without links.
///
/// `asked` comes before everything else, and so does `PG_BIN`: where they name a folder without the programs, that is an
/// error and nothing else is tried.
pub(super) fn find(asked: Option<&Path>) -> Result<PathBuf> {
    let named = asked.map(Path::to_path_buf).or_else(|| {
        std::env::var_os("PG_BIN")
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    });
    if let Some(folder) = named {
        return checked(&folder).ok_or_else(|| {
            Error::new(
                Code::PostgresNotFound,
                format!(
                    "failed to find initdb and postgres in {} (PG_BIN)",
                    folder.display()
                ),
            )
            .hint(format!("unset PG_BIN, or {INSTALL}"))
        });
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    configured()
        .and_then(|folder| checked(&folder))
        .or_else(|| on_path(&path))
        .or_else(|| newest_under(Path::new("/usr/lib/postgresql")))
        .ok_or_else(|| {
            Error::new(
                Code::PostgresNotFound,
                "failed to find PostgreSQL's server programs on this machine",
            )
            .hint(INSTALL)
        })
}

/// The server's version as it says itself, for example `15.18`.
pub(super) fn version(bin: &Path) -> Result<String> {
    let failed = || {
        Error::new(
            Code::PostgresFailed,
            format!(
                "failed to ask {} for its version",
                bin.join("postgres").display()
            ),
        )
    };
    let output = Command::new(bin.join("postgres"))
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed().cause(error))?;
    if !output.status.success() {
        return Err(failed().cause(String::from_utf8_lossy(&output.stderr).trim()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    parse_version(&text)
        .map(str::to_owned)
        .ok_or_else(|| failed().cause(format!("it answered `{}`", text.trim())))
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` -> `15.18`
fn parse_version(text: &str) -> Option<&str> {
    let version = text
        .split_once("(PostgreSQL) ")?
        .1
        .split_whitespace()
        .next()?;
    version
        .starts_with(|first: char| first.is_ascii_digit())
        .then_some(version)
}

fn checked(folder: &Path) -> Option<PathBuf> {
    let complete = ["initdb", "postgres"]
        .iter()
        .all(|name| folder.join(name).is_file());
    complete.then(|| folder.canonicalize().ok()).flatten()
}

fn configured() -> Option<PathBuf> {
    let output = Command::new("pg_config")
        .arg("--bindir")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| PathBuf::from(text.trim_end()))
}

fn on_path(path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).find_map(|folder| checked(&folder))
}

/// Debian's place: a folder a major version.
fn newest_under(root: &Path) -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(root)
        .ok()?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let major = entry.file_name().to_str()?.parse().ok()?;
            Some((major, checked(&entry.path().join("bin"))?))
        })
        .collect();
    versions.sort();
    versions.pop().map(|(_, folder)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        for name in ["initdb", "postgres"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
    }

    #[test]
    fn newest_is_by_number_and_complete() {
        let root = tempfile::tempdir().unwrap();
        install(&root.path().join("9/bin"));
        install(&root.path().join("14/bin"));
        std::fs::create_dir_all(root.path().join("18/bin")).unwrap();
        std::fs::create_dir_all(root.path().join("common")).unwrap();
        let found = newest_under(root.path()).unwrap();
        assert!(found.ends_with("14/bin"), "{}", found.display());
    }

    #[test]
    fn path_is_searched_in_order() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = (root.path().join("a"), root.path().join("b"));
        install(&second);
        let path = std::env::join_paths([&first, &second]).unwrap();
        assert_eq!(on_path(&path), Some(second.canonicalize().unwrap()));
    }

    #[test]
    fn a_named_folder_without_programs_is_an_error() {
        let error = find(Some(Path::new("/nowhere"))).unwrap_err();
        assert_eq!(error.code(), Code::PostgresNotFound);
        assert!(
            error
                .hint_text()
                .unwrap()
                .contains("apt-get install postgresql")
        );
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(
            parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some("15.18")
        );
        assert_eq!(
            parse_version("postgres (PostgreSQL) 19beta1\n"),
            Some("19beta1")
        );
        assert_eq!(parse_version("something else"), None);
    }
}
