//! `wasmigrate.toml`: where a project keeps its migrations and how it reaches its database.

mod choices;
mod starter;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::approval::{self, Keys, WrongKeys};
use crate::error::{Code, Error, Result};
use crate::text::did_you_mean;
use crate::toml_text::Document;

pub use self::choices::Choices;
use self::choices::RawChoices;
#[cfg(test)]
pub(crate) use self::starter::tests::defaults;
pub use self::starter::{MIGRATIONS, starter};

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
    /// How migrations run, where the command line does not say it.
    pub choices: Choices,
    /// What each environment chooses, by its name.
    pub environments: BTreeMap<String, Choices>,
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
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawProject {
    migrations: Option<PathBuf>,
    mode: Option<Spanned<String>>,
    wait: Option<Spanned<String>>,
    lock_timeout: Option<Spanned<String>>,
    concurrent_timeout: Option<Spanned<String>>,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    #[serde(default)]
    build: RawBuild,
    #[serde(default)]
    database: RawDatabase,
    #[serde(default)]
    approval: RawApproval,
    #[serde(default)]
    env: BTreeMap<String, RawChoices>,
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
    required: Option<bool>,
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
        let keys = raw.approval.keys(&document)?;
        let top = RawChoices {
            mode: raw.mode,
            wait: raw.wait,
            lock_timeout: raw.lock_timeout,
            concurrent_timeout: raw.concurrent_timeout,
            settings: raw.settings,
            ..RawChoices::default()
        };
        let choices = Choices {
            approval_required: raw.approval.required,
            ..top.read(&document)?
        };
        let mut environments = BTreeMap::new();
        for (name, raw) in raw.env {
            environments.insert(name, raw.read(&document)?);
        }
        Ok(Project {
            root: root.to_owned(),
            migrations: raw.migrations.map(|folder| root.join(folder)),
            crates,
            database_url: raw.database.url,
            keys,
            choices,
            environments,
        })
    }

    /// The project with what that environment chooses over what the file chooses for all.
    pub fn in_environment(mut self, name: &str) -> Result<Project> {
        let Some(chosen) = self.environments.remove(name) else {
            let what =
                format!("failed to choose the environment `{name}`: {FILE} has no [env.{name}]");
            let known: Vec<&str> = self.environments.keys().map(String::as_str).collect();
            let near = did_you_mean(name, known.iter().copied());
            return Err(Error::new(Code::EnvironmentUnknown, what).hint(
                match (near, &known[..]) {
                    (_, []) => format!(
                        "it has none: add [env.{name}], or leave --env and WASMIGRATE_ENV away"
                    ),
                    (Some(near), _) => {
                        format!("did you mean `{near}`? It has {}", known.join(", "))
                    }
                    (None, _) => format!("it has {}", known.join(", ")),
                },
            ));
        };
        self.choices = chosen.over(self.choices);
        Ok(self)
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
    use crate::migration::Mode;
    use std::time::Duration;

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

    const TWO: &str = "mode = \"stepwise\"\nwait = \"1m\"\nlock-timeout = \"2s\"\n\
        [settings]\norphans = \"delete\"\nkeep = \"yes\"\n[approval]\nrequired = true\n\
        [env.production]\nlock-timeout = \"500ms\"\nconcurrent-timeout = \"2h\"\n\
        database-url-env = \"PRODUCTION_URL\"\nsettings = { orphans = \"refuse\" }\n\
        [env.dev]\nmode = \"transactional\"\napproval = \"optional\"\n";

    #[test]
    fn an_environment_wins_over_the_top_and_leaves_the_rest() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let top = parse(TWO).unwrap();
        assert_eq!(top.choices.mode, Some(Mode::Stepwise));
        assert_eq!(top.choices.lock_timeout, seconds(2));
        assert_eq!(top.choices.concurrent_timeout, None);
        assert_eq!(top.choices.settings["orphans"], "delete");
        assert_eq!(top.choices.database_url_env, None);
        let production = top.clone().in_environment("production").unwrap().choices;
        assert_eq!(production.mode, Some(Mode::Stepwise));
        assert_eq!(production.wait, seconds(60));
        assert_eq!(production.lock_timeout, Some(Duration::from_millis(500)));
        assert_eq!(production.concurrent_timeout, seconds(7200));
        assert_eq!(production.approval_required, Some(true));
        assert_eq!(
            production.database_url_env.as_deref(),
            Some("PRODUCTION_URL")
        );
        assert_eq!(production.settings["orphans"], "refuse");
        assert_eq!(production.settings["keep"], "yes");
        let dev = top.in_environment("dev").unwrap().choices;
        assert_eq!(dev.mode, Some(Mode::Transactional));
        assert_eq!(dev.approval_required, Some(false));
    }

    #[test]
    fn an_unknown_environment_is_answered_with_the_known_ones() {
        let error = |text: &str, name: &str| parse(text).unwrap().in_environment(name).unwrap_err();
        let typo = error(TWO, "produktion");
        assert_eq!(typo.code(), Code::EnvironmentUnknown);
        let hint = "did you mean `production`? It has dev, production";
        assert_eq!(typo.hint_text(), Some(hint));
        assert_eq!(error(TWO, "x").hint_text(), Some("it has dev, production"));
        assert!(
            error("", "x")
                .hint_text()
                .unwrap()
                .starts_with("it has none")
        );
    }

    #[test]
    fn what_is_wrong_in_an_environment_is_named_with_its_line() {
        for (line, place, words) in [
            (
                "mod = \"stepwise\"",
                "column 1 (`env.a.mod`)",
                "no such key",
            ),
            ("mode = \"steps\"", "column 8 (`env.a.mode`)", "stepwise"),
            ("wait = \"soon\"", "column 8 (`env.a.wait`)", "number"),
            (
                "lock-timeout = 3",
                "column 16 (`env.a.lock-timeout`)",
                "invalid type",
            ),
            (
                "approval = \"yes\"",
                "column 12 (`env.a.approval`)",
                "\"required\"",
            ),
            (
                "settings = { a = 1 }",
                "column 18 (`env.a.settings.a`)",
                "invalid type",
            ),
            (
                "database-url-env = \"postgres://u:hunter2@h\"",
                "(`env.a.database-url-env`)",
                "the name of",
            ),
            (
                "url = \"postgres://u:hunter2@h\"",
                "(`env.a.url`)",
                "no such key",
            ),
        ] {
            let error = parse(&format!("[env.a]\n{line}\n")).unwrap_err();
            assert_eq!(error.code(), Code::ConfigInvalid);
            let message = error.message();
            assert!(
                message.contains("line 2") && message.contains(place),
                "{message}"
            );
            assert!(
                message.contains(words) && !message.contains("hunter2"),
                "{message}"
            );
        }
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
