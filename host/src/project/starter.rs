//! The first `wasmigrate.toml` of a project: each key with a sentence, the defaults and an example commented out.

use std::path::Path;

/// The folder of built components where none is named.
pub const MIGRATIONS: &str = "target/migrations";

/// The text of the file, for these folders of guest crates and that folder of built components.
///
/// A line that begins with `# ` and holds a key is that key's default; what stands further to the right is an example.
pub fn starter(migrations: &Path, crates: &[String]) -> String {
    let listed = match crates {
        [] => "# crates = []\n".to_owned(),
        crates => {
            let lines = crates
                .iter()
                .map(|folder| format!("    {},\n", quoted(folder)));
            format!("crates = [\n{}]\n", lines.collect::<String>())
        }
    };
    TEXT.replace("{migrations}", &quoted(&migrations.display().to_string()))
        .replace("{crates}\n", &listed)
}

/// A text as a string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

const TEXT: &str = r##"# The project's file of wasmigrate: it is found from this folder and from the folders below.
# What is commented out is the default, or an example where it stands further to the right.

# The folder of built components; `wasmigrate build` fills it.
migrations = {migrations}

# How migrations run whose manifest allows it: "transactional", each in one transaction, or "stepwise", in steps that
# commit one by one and are gone on with after any interruption.
# mode = "transactional"

# How long to wait for another runner.
# wait = "10m"

# How long a statement waits for a lock before its transaction is tried again.
# lock-timeout = "3s"

# How long a statement outside of transactions, such as a concurrent build, waits for others' transactions.
# concurrent-timeout = "30m"

# The folders of the guest crates; "folder/*" stands for every crate in a folder.
[build]
{crates}

# Choices of what migrations offer, as --set makes them; `wasmigrate inspect` shows what there is.
# [settings]
#     orphans = "delete"

# The database where neither --database-url, DATABASE_URL nor the PG* variables say it. Leave the password to PGPASSWORD
# or a password file.
# [database]
#     url = "postgres://me@localhost/app"

# Whether only what wasmigrate.lock approves may run, also where there is no such file yet; whose keys of OpenSSH
# (ed25519) sign there, and how many of them must.
# [approval]
# required = false
# keys = []
#     keys = ["ssh-ed25519 AAAA... alice@example.org", "ssh-ed25519 AAAA... bob@example.org"]
#     threshold = 2

# What another database needs, chosen by --env production or WASMIGRATE_ENV. The command line wins over it, and it wins over
# what stands above; each key may be left out. `database-url-env` names the variable that holds the address.
#     [env.production]
#     mode = "stepwise"
#     wait = "30m"
#     lock-timeout = "500ms"
#     concurrent-timeout = "2h"
#     approval = "required"
#     database-url-env = "PRODUCTION_DATABASE_URL"
#     settings = { orphans = "refuse" }
"##;

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::project::Project;

    /// The project of a file in which every default is written down.
    pub(crate) fn defaults() -> Project {
        parse(&uncommented(&starter(Path::new(MIGRATIONS), &[]), " ").0)
    }

    fn parse(text: &str) -> Project {
        let root = Path::new("/p");
        Project::parse("starter", text, root).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The text with the comment taken off where a line holds a key or a table behind exactly these blanks.
    fn uncommented(text: &str, blanks: &str) -> (String, usize) {
        let mut count = 0;
        let lines = text.lines().map(|line| {
            let inner = line
                .strip_prefix('#')
                .and_then(|line| line.strip_prefix(blanks));
            let is_table = |line: &str| line.starts_with('[');
            let is_key = |line: &str| {
                let name = line.split_once(" = ").map(|(name, _)| name);
                let fits = |c: char| c.is_ascii_lowercase() || c == '-';
                name.is_some_and(|name| name.chars().all(fits))
            };
            match inner.filter(|line| is_table(line) || is_key(line)) {
                Some(inner) => {
                    count += 1;
                    format!("{inner}\n")
                }
                None => format!("{line}\n"),
            }
        });
        (lines.collect(), count)
    }

    #[test]
    fn it_is_read_and_lists_what_was_found() {
        let found = ["m/a".to_owned(), "m/odd \" [x]".to_owned()];
        let project = parse(&starter(Path::new("built \\here"), &found));
        assert_eq!(project.migrations, Some("/p/built \\here".into()));
        let crates = ["/p/m/a", "/p/m/odd \" [x]"].map(PathBuf::from);
        assert_eq!(project.crates, crates);
        assert!(parse(&starter(Path::new("b"), &[])).crates.is_empty());
    }

    #[test]
    fn what_is_commented_out_are_the_defaults() {
        let text = starter(Path::new(MIGRATIONS), &[]);
        let (defaults, count) = uncommented(&text, " ");
        // mode, three times, crates, two of approval, and the heads of three tables
        assert_eq!(count, 10, "{defaults}");
        let (written, read) = (parse(&text), parse(&defaults));
        assert_eq!(written.choices, Default::default());
        assert_eq!(read.choices.approval_required, Some(false));
        assert_eq!(
            read.choices.mode,
            Some(crate::migration::Mode::Transactional)
        );
        assert_eq!((read.keys, read.crates), (written.keys, written.crates));
        assert_eq!(read.environments, written.environments);
    }

    #[test]
    fn every_key_is_there_and_the_examples_are_read() {
        let text = starter(Path::new(MIGRATIONS), &[]);
        let (defaults, _) = uncommented(&text, " ");
        let keys = "#     keys = [\"ssh";
        let (all, count) = uncommented(&defaults.replace(keys, "# an example"), "     ");
        let all = all.replace("\nthreshold = 2\n", "\n");
        assert_eq!(count, 11, "{all}");
        let project = parse(&all);
        assert!(project.database_url.is_some());
        assert_eq!(project.choices.settings["orphans"], "delete");
        let production = &project.environments["production"];
        let shown = format!("{production:?}");
        assert!(!shown.contains("None"), "{shown}");
        assert_eq!(production.settings["orphans"], "refuse");
    }
}
