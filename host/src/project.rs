//! `wasmigrate.toml`: where a project keeps its migrations and how it reaches its database.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::approval::{self, Keys, WrongKeys};
use crate::error::{Code, Error, Result};
use crate::migration::Mode;
use crate::toml_text::Document;

/// The name of the file.
pub const FILE: &str = "wasmigrate.toml";

/// A project, all paths absolute or relative to where the command was called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// The folder of the file.
    pub root: PathBuf,
    /// The folder of built components.
    pub migrations: Option<PathBuf>,
    /// The folders of the guest crates.
    pub crates: Vec<PathBuf>,
    /// The database, as a connection string.
    pub database_url: Option<Secret>,
    /// Who must sign what is approved.
    pub keys: Keys,
    /// In which mode migrations run whose manifest allows it.
    pub mode: Option<Mode>,
}

/// A text that may hold a password: it does not show itself.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProject {
    migrations: Option<PathBuf>,
    mode: Option<Spanned<String>>,
    #[serde(default)]
    build: RawBuild,
    #[serde(default)]
    database: RawDatabase,
    #[serde(default)]
    approval: RawApproval,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBuild {
    #[serde(default)]
    crates: Vec<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDatabase {
    url: Option<Secret>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApproval {
    #[serde(default)]
    keys: Vec<Spanned<String>>,
    threshold: Option<Spanned<usize>>,
}

impl RawApproval {
    fn keys(&self, document: &Document<'_>) -> Result<Keys> {
        let lines: Vec<&str> = self.keys.iter().map(|key| key.get_ref().as_str()).collect();
        let threshold = self
            .threshold
            .as_ref()
            .map(|threshold| *threshold.get_ref());
        Keys::parse(&lines, threshold).map_err(|wrong| match wrong {
            WrongKeys::Key(place, why) => {
                let span = self.keys.get(place).map(Spanned::span);
                document.error(span.unwrap_or_default(), why)
            }
            WrongKeys::Threshold(why) => {
                let span = self.threshold.as_ref().map(Spanned::span);
                document.error(span.unwrap_or_default(), why)
            }
        })
    }
}

impl Project {
    /// The file of approvals, beside the project's file.
    pub fn lock(&self) -> PathBuf {
        self.root.join(approval::FILE)
    }

    /// Reads the file that the user names, or else the nearest one in `start` and the folders above it;
    /// none if there is none.
    pub fn find(named: Option<&Path>, start: &Path) -> Result<Option<Project>> {
        if let Some(path) = named {
            return Project::open(path).map(Some);
        }
        match start
            .ancestors()
            .map(|folder| folder.join(FILE))
            .find(|path| path.is_file())
        {
            Some(path) => Project::open(&path).map(Some),
            None => Ok(None),
        }
    }

    fn open(path: &Path) -> Result<Project> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::new(
                Code::ConfigInvalid,
                format!("failed to read `{}`", path.display()),
            )
            .cause(error)
        })?;
        let root = path.parent().unwrap_or(Path::new(""));
        Project::parse(&path.display().to_string(), &text, root)
    }

    fn parse(origin: &str, text: &str, root: &Path) -> Result<Project> {
        let document = Document {
            code: Code::ConfigInvalid,
            origin,
            text,
        };
        let raw: RawProject = document.parse()?;
        let mut crates = Vec::new();
        for entry in &raw.build.crates {
            let found = expand(root, entry.get_ref()).map_err(|error| {
                document
                    .error(
                        entry.span(),
                        format!("`{}` cannot be read", entry.get_ref()),
                    )
                    .cause(error)
            })?;
            crates.extend(found);
        }
        let mode = match &raw.mode {
            Some(word) => {
                let mode: Result<Mode, _> = word.get_ref().parse();
                Some(mode.map_err(|error| document.error(word.span(), error.to_string()))?)
            }
            None => None,
        };
        Ok(Project {
            root: root.to_owned(),
            migrations: raw.migrations.map(|folder| root.join(folder)),
            crates,
            database_url: raw.database.url,
            keys: raw.approval.keys(&document)?,
            mode,
        })
    }
}

/// A folder as it is; or, where it ends in `/*`, the folders in it that hold a guest crate.
fn expand(root: &Path, pattern: &str) -> std::io::Result<Vec<PathBuf>> {
    let Some(parent) = pattern.strip_suffix("/*") else {
        return Ok(vec![root.join(pattern)]);
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root.join(parent))? {
        let folder = entry?.path();
        if folder.join("Cargo.toml").is_file() && folder.join("migration.toml").is_file() {
            found.push(folder);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Project> {
        Project::parse("wasmigrate.toml", text, Path::new("/p"))
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let text = "migrations = \"target/migrations\"\n[build]\ncrates = [\"m/a\", \"/b\"]\n";
        let project = parse(text).unwrap();
        assert_eq!(
            project.migrations,
            Some(PathBuf::from("/p/target/migrations"))
        );
        assert_eq!(
            project.crates,
            [PathBuf::from("/p/m/a"), PathBuf::from("/b")]
        );
        assert_eq!(parse("").unwrap().migrations, None);
    }

    #[test]
    fn a_typo_is_named_with_its_line() {
        let error = parse("[database]\nuri = \"x\"\n").unwrap_err();
        assert_eq!(error.code(), Code::ConfigInvalid);
        assert!(
            error
                .message()
                .contains("line 2, column 1 (`database.uri`)"),
            "{error}"
        );
        assert_eq!(error.hint_text(), Some("did you mean `url`?"));
        assert!(parse("migrations = 1").is_err());
        assert!(parse("[build]\ncrates = [\"nowhere/*\"]").is_err());
    }

    #[test]
    fn the_password_is_not_shown() {
        let project = parse("[database]\nurl = \"postgres://u:hunter2@h/d\"").unwrap();
        assert!(!format!("{project:?}").contains("hunter2"));
        assert_eq!(
            project.database_url.unwrap().reveal(),
            "postgres://u:hunter2@h/d"
        );
    }

    #[test]
    fn the_nearest_file_is_found_and_a_star_lists_crates() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["m/b", "m/a", "m/no-manifest", "deep/er"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
            std::fs::write(root.join(name).join("Cargo.toml"), "").unwrap();
        }
        for name in ["m/a", "m/b"] {
            std::fs::write(root.join(name).join("migration.toml"), "").unwrap();
        }
        assert_eq!(
            Project::find(Some(&root.join(FILE)), root)
                .unwrap_err()
                .code(),
            Code::ConfigInvalid
        );
        std::fs::write(root.join(FILE), "[build]\ncrates = [\"m/*\"]").unwrap();
        let project = Project::find(None, &root.join("deep/er")).unwrap().unwrap();
        assert_eq!(project.root, root);
        assert_eq!(project.crates, [root.join("m/a"), root.join("m/b")]);
    }
}
