//! How an attack is tried, and what must be true after it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;
use wasmigrate::embedded::{Embedded, Options};
use wasmigrate::error::Code;

use crate::guests::{change_manifest, file_of};
use crate::probe::{self, Script};
use crate::processes::Other;
use crate::support::{Database, Ended, only, root};

/// The files of attacks; the first one holds the first list and all grants.
pub const FILES: &[&str] = &["document", "queries", "writes", "definitions", "calls"];

/// An attack that goes on for this long was not stopped; one that nothing stops yet need not go on for so long.
pub const LONG: Duration = Duration::from_secs(20);
const LONG_IF_OPEN: Duration = Duration::from_millis(1500);

const FIXTURE: &str = include_str!("fixture.sql");
/// What asks for the state, which a session must be prepared for.
const STATE: &str = "EXECUTE state";

/// What a file holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The names that the attacks of the first list go by, each once here or in a list of tests.
    #[serde(default)]
    pub ids: Vec<String>,
    /// What the guest is granted, by a name that attacks refer to; `few` where they name none.
    #[serde(default)]
    pub grants: BTreeMap<String, Vec<String>>,
    /// The attacks.
    pub attacks: Vec<Attack>,
}

/// What a file of attacks holds.
pub fn attacks(file: &str) -> Group {
    let path = root().join(format!("tests/e2e/attacks/{file}.toml"));
    let text = std::fs::read_to_string(path).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// One attack.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// Its name.
    pub id: String,
    /// A statement that the guest executes; `{*3:x*}` stands for `xxx`.
    sql: Option<String>,
    /// Or the probe's steps, each a verb with its arguments; `NULL` is none.
    #[serde(default)]
    steps: Vec<Vec<String>>,
    /// Which grants the guest has.
    #[serde(default = "few")]
    grants: String,
    /// The phase that attacks; before `down` and `verify` the migration is applied.
    #[serde(default = "up")]
    phase: String,
    /// What an administrator has done to the database `:database` before.
    prelude: Option<String>,
    /// The error's code.
    pub code: Option<String>,
    /// A word that the operator must see.
    #[serde(default)]
    reason: String,
    /// Instead of a code: what the guest learns where the attack runs and comes to nothing.
    harmless: Option<Vec<String>>,
}

fn few() -> String {
    "few".to_owned()
}

fn up() -> String {
    "up".to_owned()
}

impl Attack {
    /// Whether it cannot share a database.
    pub fn is_apart(&self) -> bool {
        self.prelude.is_some() || self.harmless.is_some() || self.phase != "up"
    }

    /// What the guest does: a verb with its arguments each.
    pub fn steps(&self) -> Vec<Vec<String>> {
        let sql = self
            .sql
            .iter()
            .map(|sql| vec!["execute".to_owned(), sql.clone()]);
        let all = sql.chain(self.steps.iter().cloned());
        all.map(|step| step.iter().map(|text| unfolded(text)).collect())
            .collect()
    }

    fn script(&self) -> Script {
        let mut script = Script::default();
        for step in self.steps() {
            let args: Vec<_> = step[1..]
                .iter()
                .map(|arg| (arg != "NULL").then_some(arg.as_str()))
                .collect();
            // the guest swallows what it is told
            script = script.step(&self.phase, &format!("try {}", step[0]), &args);
        }
        if self.harmless.is_none() && self.phase != "verify" {
            let damage = Some("INSERT INTO public.probe_answer (name) VALUES ('went on')");
            script = script.step(&self.phase, "try execute", &[damage]);
        }
        script
    }
}

/// A text in which `{*N:part*}` is written out.
fn unfolded(text: &str) -> String {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{*") {
        let (count, after) = after.split_once(':').unwrap();
        let (part, after) = after.split_once("*}").unwrap();
        whole += before;
        whole += &part.repeat(count.parse().unwrap());
        rest = after;
    }
    whole + rest
}

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

/// A copy of the attacked database, which is made once.
fn copy() -> Database {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    static TEMPLATE: LazyLock<()> = LazyLock::new(|| {
        database("postgres").sql("CREATE DATABASE attacked");
        let attacked = database("attacked");
        attacked.sql(FIXTURE);
        // the host makes its schema beside the first run
        let script = Script::default().up("fail", &["the first run"]);
        attacked.sql(script.sql());
        let ended = attacked.run(&folder("few"), &["up"]);
        ended.failed(6, "migration-failed");
        attacked.sql("DELETE FROM public.probe_step");
    });
    LazyLock::force(&TEMPLATE);
    let name = format!("copy_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    database("postgres").sql(&format!("CREATE DATABASE {name} TEMPLATE attacked"));
    database(&name)
}

/// The folder with the probe that has the grants of that name.
fn folder(grants: &str) -> PathBuf {
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
            let limits = "[limits]\nwall-time = \"6s\"\n";
            format!("{head}{limits}[grants]\n{}", phases.concat())
        });
        folder
    });
    folder.path().to_owned()
}

const CHANGED: &str = " is not as before";

/// Everything that must be as before.
type State = Vec<Vec<Option<String>>>;

/// What differs, by name.
fn differences(before: &State, after: &State, but: &[&str]) -> Vec<String> {
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
fn dumped(database: &Database) -> [String; 2] {
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

/// A database that is attacked.
pub struct Attacked {
    database: Database,
    session: Other,
    before: State,
}

impl Attacked {
    /// A session beside the attack sees how it is; to plan its question takes as long as to answer it.
    fn new(database: Database) -> Self {
        let prepare = format!("PREPARE state AS {}", include_str!("state.sql"));
        let session = Other::open(&database, &prepare);
        let before = session.run(STATE);
        Attacked {
            database,
            session,
            before,
        }
    }

    /// Runs an attack to its end; none where it does not come.
    pub fn run(&self, attack: &Attack, long: Duration) -> Option<Ended> {
        let script = attack.script();
        let written = format!("DELETE FROM public.probe_step; {}", script.sql());
        self.session.run(&written);
        ran(&self.database, attack, long)
    }

    /// What is not as before, save this.
    pub fn changes(&self, but: &[&str]) -> Vec<String> {
        differences(&self.before, &self.session.run(STATE), but)
    }
}

/// Tries attacks one after the other on one database, each in this way; what is not as it must be.
pub fn together(
    attacks: &[&Attack],
    mut tried: impl FnMut(&Attack, &Attacked) -> Vec<String>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut rest = attacks;
    // what one attack broke is not held against the next ones
    while !rest.is_empty() {
        let attacked = Attacked::new(copy());
        let dumps = dumped(&attacked.database);
        let mut whole = true;
        while let (true, [attack, others @ ..]) = (whole, rest) {
            rest = others;
            let found = tried(attack, &attacked);
            whole = !found.iter().any(|what| what.ends_with(CHANGED));
            if !found.is_empty() {
                wrong.push(format!("{}: {}", attack.id, found.join("; ")));
            }
        }
        if whole && dumped(&attacked.database) != dumps {
            wrong.push("the dump of the schema or of the roles is not as before".to_owned());
        }
    }
    wrong
}

/// Tries one attack on a database of its own.
pub fn apart<T>(attack: &Attack, work: impl FnOnce(&Attacked) -> T) -> T {
    let mut attacked = Attacked::new(copy());
    if let Some(prelude) = &attack.prelude {
        let name = &attacked.database.name;
        attacked.session.run(&prelude.replace(":database", name));
    }
    if attack.phase != "up" {
        let applied = attacked.database.run(&folder(&attack.grants), &["up"]);
        applied.ok();
    }
    attacked.before = attacked.session.run(STATE);
    let done = work(&attacked);
    // what nobody stopped may still run
    attacked.session.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    done
}

/// Whether an attack is refused, in whatever words, and changes nothing.
pub fn is_refused(attack: &Attack, attacked: &Attacked) -> bool {
    let ended = attacked.run(attack, LONG_IF_OPEN);
    ended.is_some_and(|ended| ended.status != 0) && attacked.changes(&[]).is_empty()
}

/// Tries an attack, which must be refused with the right words; what is not as it must be.
pub fn tried(attack: &Attack, attacked: &Attacked) -> Vec<String> {
    let session = &attacked.session;
    let last = "SELECT coalesce(max(id), 0) FROM wasmigrate.run";
    let last = session.run(last)[0][0].clone().unwrap();
    let Some(ended) = attacked.run(attack, LONG) else {
        return vec!["it was not stopped".to_owned()];
    };
    let mut wrong = Vec::new();
    if let Some(learned) = &attack.harmless {
        let answers =
            session.run("SELECT value FROM public.probe_answer ORDER BY step, line, place");
        let answers: Vec<_> = answers.into_iter().flatten().flatten().collect();
        if ended.status != 0 || &answers != learned {
            wrong.push(format!("it learned {answers:?}: {ended:?}"));
        }
        let but = ["public.probe_answer", "wasmigrate.migration"];
        wrong.extend(attacked.changes(&but));
        return wrong;
    }
    let name = attack.code.as_deref().unwrap();
    let code = Code::ALL.iter().find(|code| code.name() == name).unwrap();
    let verify = attack.phase == "verify";
    let status = code.exit();
    // what is wrong with a verification is data
    let shown = if verify { &ended.stdout } else { &ended.stderr };
    if ended.status != i32::from(status) || !shown.contains(&format!("error[{name}]")) {
        wrong.push(format!("it is no {name}: {ended:?}"));
    } else if attack.reason.is_empty() || !shown.contains(&attack.reason) {
        wrong.push(format!("no word of {:?}: {shown}", attack.reason));
    }
    wrong.extend(attacked.changes(&[]));
    if !verify {
        wrong.extend(unrecorded(attack, name, session, &last));
    }
    wrong
}

/// What is missing in the record of the run.
fn unrecorded(attack: &Attack, code: &str, session: &Other, last: &str) -> Option<String> {
    let runs = session.run(&format!(
        "SELECT r.error_code, f.subject, f.seen FROM wasmigrate.run AS r
         LEFT JOIN wasmigrate.finding AS f ON f.run_id = r.id AND f.kind = 'grant' AND NOT f.met
         WHERE r.id > {last} AND r.state = 'failed'"
    ));
    let [run] = &runs[..] else {
        return Some(format!("there are {} records", runs.len()));
    };
    if run[0].as_deref() != Some(code) {
        return Some(format!("the run is recorded as {:?}", run[0]));
    }
    let refused = matches!(code, "denied" | "grant-denied");
    let (Some(subject), Some(seen)) = (&run[1], &run[2]) else {
        return refused.then(|| "no finding is recorded".to_owned());
    };
    if !refused {
        return Some(format!("a finding of {subject} is recorded"));
    }
    let start = |text: &str| -> String {
        let words: Vec<_> = text.split_whitespace().collect();
        let line = words.join(" ").replace('\u{fffd}', "~");
        line.chars().take(60).collect()
    };
    let steps = attack.steps();
    let statement = steps
        .iter()
        .flatten()
        .any(|text| start(text) == start(subject));
    // what the host, or the SDK, makes of what it is given
    let made = attack
        .steps()
        .iter()
        .all(|step| !["execute", "query"].contains(&&*step[0]));
    if !statement && !made {
        return Some(format!("the finding is about {subject:?}"));
    }
    (!seen.contains(&attack.reason)).then(|| format!("the finding says {seen:?}"))
}

/// Runs a phase to its end; none where it does not come.
fn ran(database: &Database, attack: &Attack, long: Duration) -> Option<Ended> {
    let mut child = database.spawn(&folder(&attack.grants), &[&attack.phase]);
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > long {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    Some(Ended::of(child.wait_with_output().unwrap()))
}
