//! Where it is tried: copies of one database, the guests with few grants, and everything that must be as before.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

use tempfile::TempDir;
use wasmigrate::embedded::{Embedded, Options};

use super::list::attacks;
use crate::guests::{change_manifest, file_of};
use crate::probe::{self, Script};
use crate::support::{Database, only};

const FIXTURE: &str = include_str!("fixture.sql");
/// What asks for the state, which a session must be prepared for.
pub const STATE: &str = "EXECUTE state";

/// A server of its own: what the tests beside do to roles would show in the comparison.
static SERVER: LazyLock<Embedded> = LazyLock::new(|| {
    // statistics of an autovacuum would show as well
    let settings = vec![("autovacuum".to_owned(), "off".to_owned())];
    let options = Options {
        settings,
        ..Options::default()
    };
    Embedded::start(&options).unwrap()
});

fn database(name: &str) -> Database {
    Database {
        name: name.to_owned(),
        url: SERVER.url(name),
    }
}

/// As whom the host connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// A superuser, whom the server refuses nothing.
    Superuser,
    /// One that may do what it must, and no more.
    Least,
}

impl Login {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Login::Superuser => "postgres",
            Login::Least => "l_handed_over",
        }
    }
}

/// A copy of the attacked database, which is made once: as an administrator and as this login.
pub fn copy(login: Login) -> (Database, Database) {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    static TEMPLATES: LazyLock<()> = LazyLock::new(|| {
        database("postgres").sql("CREATE DATABASE attacked");
        let attacked = database("attacked");
        attacked.sql(FIXTURE);
        database("postgres").sql("CREATE DATABASE handed_over TEMPLATE attacked");
        let handed_over = database("handed_over");
        let least = handed_over.owned("CREATEROLE");
        for (database, login) in [(&attacked, &attacked), (&handed_over, &least)] {
            // the host makes its schema beside the first run
            let script = Script::default().up("fail", &["the first run"]);
            database.sql(script.sql());
            let ended = login.run(&folder("few"), &["up"]);
            ended.failed(6, "migration-failed");
            database.sql("DELETE FROM public.probe_step");
        }
    });
    LazyLock::force(&TEMPLATES);
    let name = format!("copy_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let template = match login {
        Login::Superuser => "attacked",
        Login::Least => "handed_over",
    };
    database("postgres").sql(&format!("CREATE DATABASE {name} TEMPLATE {template}"));
    let copy = database(&name);
    let theirs = copy.of(login.name());
    if login == Login::Least {
        copy.sql(&format!(
            "GRANT CREATE ON DATABASE {name} TO {}",
            login.name()
        ));
    }
    (copy, theirs)
}

/// The folder with the probe that has the grants of that name.
pub fn folder(grants: &str) -> PathBuf {
    static FOLDERS: LazyLock<Mutex<HashMap<String, TempDir>>> = LazyLock::new(Mutex::default);
    let mut folders = FOLDERS.lock().unwrap();
    let folder = folders.entry(grants.to_owned()).or_insert_with(|| {
        let folder = only(probe::folder(), &[probe::VERSION]);
        let sets = attacks("document").grants;
        let own = ["read public.probe_step", "insert public.probe_answer"].map(str::to_owned);
        let lines: Vec<_> = sets[grants].iter().chain(&own).collect();
        change_manifest(&file_of(folder.path(), probe::VERSION), |manifest| {
            let (head, _) = manifest.split_once("[grants]").unwrap();
            let phases = ["up", "down", "verify"].map(|phase| format!("{phase} = {lines:?}\n"));
            let limits = "[limits]\nwall-time = \"12s\"\n";
            format!("{head}{limits}[grants]\n{}", phases.concat())
        });
        folder
    });
    folder.path().to_owned()
}

pub const CHANGED: &str = " is not as before";

/// Everything that must be as before.
pub type State = Vec<Vec<Option<String>>>;

/// What differs, by name.
pub fn differences(before: &State, after: &State, but: &[&str]) -> Vec<String> {
    let lines = |state: &State| -> BTreeMap<String, String> {
        let text =
            |line: &Vec<Option<String>>, place: usize| line[place].clone().unwrap_or_default();
        let named = state.iter().map(|line| (text(line, 0), text(line, 1)));
        named.filter(|(name, _)| !but.contains(&&**name)).collect()
    };
    let (before, after) = (lines(before), lines(after));
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name));
    changed.map(|name| format!("{name}{CHANGED}")).collect()
}

/// The schema and the roles as the server's own programs show them.
pub fn dumped(database: &Database) -> [String; 2] {
    let run = |program: &str, args: &[&str]| {
        let mut command = Command::new(SERVER.bin_dir().join(program));
        let output = command.args(args).args(["-d", &database.url]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        // newer releases print a random key in \restrict
        let kept = |line: &&str| !line.starts_with('\\') && !line.starts_with("--");
        text.lines().filter(kept).collect::<Vec<_>>().join("\n")
    };
    [run("pg_dump", &["-s"]), run("pg_dumpall", &["-r"])]
}
