//! How an attack is tried, and what must be true after it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use wasmigrate::error::Code;

use super::list::Attack;
use super::place::{CHANGED, Login, STATE, State, copy, differences, dumped, folder};
use crate::processes::Other;
use crate::support::{Database, Ended};
use crate::walls::{Wall, refused_by};

/// An attack that goes on for this long was not stopped; one that nothing stops yet need not go on for so long.
pub const LONG: Duration = Duration::from_secs(20);
const LONG_IF_OPEN: Duration = Duration::from_millis(1500);

/// A database that is attacked.
pub struct Attacked {
    database: Database,
    /// The same, as the login that the host has.
    login: Database,
    session: Other,
    before: State,
}

impl Attacked {
    /// A session beside the attack sees how it is; to plan its question takes as long as to answer it.
    fn new(login: Login) -> Self {
        let (database, login) = copy(login);
        let prepare = format!("PREPARE state AS {}", include_str!("state.sql"));
        let session = Other::open(&database, &prepare);
        let before = session.run(STATE);
        Attacked {
            database,
            login,
            session,
            before,
        }
    }

    /// Runs an attack to its end; none where it does not come.
    pub fn run(&self, attack: &Attack, long: Duration) -> Option<Ended> {
        let script = attack.script();
        let written = format!("DELETE FROM public.probe_step; {}", script.sql());
        self.session.run(&written);
        ran(&self.login, attack, long)
    }

    /// What is not as before, save this.
    pub fn changes(&self, but: &[&str]) -> Vec<String> {
        differences(&self.before, &self.session.run(STATE), but)
    }
}

/// Tries attacks one after the other on one database, each in this way; what is not as it must be.
pub fn together(
    attacks: &[&Attack],
    login: Login,
    mut tried: impl FnMut(&Attack, &Attacked) -> Vec<String>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut rest = attacks;
    // what one attack broke is not held against the next ones
    while !rest.is_empty() {
        let attacked = Attacked::new(login);
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
pub fn apart<T>(attack: &Attack, login: Login, work: impl FnOnce(&Attacked) -> T) -> T {
    let mut attacked = Attacked::new(login);
    if let Some(prelude) = &attack.prelude {
        let name = &attacked.database.name;
        attacked.session.run(
            &prelude
                .replace(":database", name)
                .replace(":login", login.name()),
        );
    }
    if attack.phase != "up" {
        let applied = attacked.login.run(&folder(&attack.grants), &["up"]);
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
pub fn tried(attack: &Attack, attacked: &Attacked, walls: &mut BTreeSet<Wall>) -> Vec<String> {
    let session = &attacked.session;
    let last = "SELECT coalesce(max(id), 0) FROM wasmigrate.run";
    let last = session.run(last)[0][0].clone().unwrap();
    let Some(ended) = attacked.run(attack, LONG) else {
        return vec!["it was not stopped".to_owned()];
    };
    walls.extend(refused_by(&ended, attack.is_refused_by_text()));
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
