//! Every attack by a query or a change of rows, with the statement wall switched off.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Mutex;

use wasmigrate::guard::statement::{Class, required};

use crate::list::{Attack, FILES, attacks};
use crate::place::Login;
use crate::run::{self, Attacked, LONG};
use crate::walls::{Wall, refused_by};

/// How many databases are attacked at a time.
const LANES: usize = 4;

/// Attacks that concern no table and no function without a grant, and why they change nothing.
#[rustfmt::skip]
const HARMLESS: &[(&str, &str)] = &[
    ("B29.type", "the table is granted, and the server takes no such number"),
    ("B29.nul", "no table is named, and the server takes no such text"),
    ("M14", "the table is granted, and the server knows no such cursor"),
    ("Q112", "the type is of no table, and the server takes no such value"),
    ("Q113", "a NULL of a catalog's row type reads no row"),
];

/// What the server is given of a step: its text, or what the host makes of it.
fn text(step: &[String]) -> Option<String> {
    let args = &step[1..];
    let place = match &*step[0] {
        "execute" | "execute-nul" | "query" | "sizes" | "copy-query" => 0,
        "open" | "require-no-rows" => 1,
        "require-plan" | "require-latency" => 2,
        "copy-open" => {
            return Some(format!(
                "INSERT INTO \"{}\".\"{}\" DEFAULT VALUES",
                args[0], args[1]
            ));
        }
        "require-index" if args[7] == "expression" => {
            let mut parts = vec![format!("({})", args[8])];
            parts.extend((args[6] != "NULL").then(|| format!("({})", args[6])));
            let list = parts.join(", ");
            return Some(format!(
                "SELECT {list} FROM ONLY \"{}\".\"{}\"",
                args[0], args[1]
            ));
        }
        // an index that is to be made is a command; the others hold no SQL
        "require-index"
        | "ensure-index"
        | "require-key"
        | "ensure-key"
        | "require-extension"
        | "ensure-extension"
        | "remember"
        | "log"
        | "copy-write"
        | "copy-finish"
        | "copy-drop"
        | "many-parameters"
        | "table-exists"
        | "column"
        | "index"
        | "constraint"
        | "extension"
        | "available-extension" => return None,
        verb => panic!("say what SQL a step {verb} sends"),
    };
    Some(args[place].clone())
}

/// Why an attack is not for the walls that are left; none where it is.
fn other_kind(attack: &Attack) -> Option<&'static str> {
    let Some(code) = &attack.code else {
        return Some("runs and comes to nothing");
    };
    if !["denied", "grant-denied", "statement-failed"].contains(&&**code) {
        return Some("is stopped by a limit, a check or the rules of a call");
    }
    let steps = attack.steps();
    let texts: Vec<_> = steps.iter().filter_map(|step| text(step)).collect();
    let classes: Vec<_> = texts.iter().map(|text| required(text).class).collect();
    let rows = |class: &Class| matches!(class, Class::Query | Class::Write);
    match classes.last() {
        _ if classes.iter().any(rows) => None,
        None => Some("asks for no row and no function"),
        Some(Class::Refused) => Some("is no single statement that a migration may send"),
        Some(_) => Some("is a command on objects"),
    }
}

const ENDLESS: &str = "it was not stopped";

fn said(attack: &Attack, found: &[String]) -> Vec<String> {
    let with_name = |what| format!("{}: {what}", attack.id);
    found.iter().map(with_name).collect()
}

fn tried(attack: &Attack, attacked: &Attacked, by: &Mutex<BTreeMap<Wall, usize>>) -> Vec<String> {
    let Some(ended) = attacked.run(attack, LONG) else {
        return vec![ENDLESS.to_owned()];
    };
    assert!(ended.stderr.contains("WITHOUT THE STATEMENT WALL"));
    let mut wrong = attacked.changes(&[]);
    match refused_by(&ended, false) {
        Some(wall) => *by.lock().unwrap().entry(wall).or_default() += 1,
        None => wrong.push(format!("nothing refuses it: {ended:?}")),
    }
    wrong
}

#[test]
fn without_the_statement_wall_each_query_and_change_of_rows_is_refused() {
    let all: Vec<_> = FILES
        .iter()
        .flat_map(|file| attacks(file).attacks)
        .collect();
    let mut others: BTreeMap<_, usize> = BTreeMap::new();
    let mut taken = Vec::new();
    for attack in &all {
        match other_kind(attack) {
            Some(kind) => *others.entry(kind).or_default() += 1,
            None => taken.push(attack),
        }
    }
    let is_harmless = |attack: &&Attack| HARMLESS.iter().any(|(id, _)| *id == attack.id);
    let (harmless, taken): (Vec<_>, Vec<_>) = taken.into_iter().partition(is_harmless);
    assert_eq!(harmless.len(), HARMLESS.len());
    let (apart, together): (Vec<_>, Vec<_>) = taken.iter().partition(|attack| attack.is_apart());
    let by = Mutex::default();
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for lane in together.chunks(together.len().div_ceil(LANES)) {
            let (by, wrong) = (&by, &wrong);
            scope.spawn(move || {
                let found = run::together(lane, Login::Superuser, |attack, attacked| {
                    tried(attack, attacked, by)
                });
                wrong.lock().unwrap().extend(found);
            });
        }
        for attack in apart {
            let found = run::apart(attack, Login::Superuser, |attacked| {
                tried(attack, attacked, &by)
            });
            wrong.lock().unwrap().extend(said(attack, &found));
        }
        for attack in &harmless {
            let but = ["public.probe_answer", "wasmigrate.migration"];
            let found = run::apart(attack, Login::Superuser, |attacked| {
                match attacked.run(attack, LONG) {
                    Some(_) => attacked.changes(&but),
                    None => vec![ENDLESS.to_owned()],
                }
            });
            wrong.lock().unwrap().extend(said(attack, &found));
        }
    });
    let wrong = wrong.into_inner().unwrap();
    let mut counts = format!("{} attacks\n", all.len());
    for (kind, count) in &others {
        let _ = writeln!(counts, "{count:5} left out: each {kind}");
    }
    let _ = writeln!(
        counts,
        "{:5} reach no table and no function without a grant\n{:5} tried without the statement wall, refused by",
        harmless.len(),
        taken.len()
    );
    for (wall, count) in &*by.lock().unwrap() {
        let _ = writeln!(counts, "{count:9} {wall}");
    }
    // what a test prints is shown only where it fails, and the counts are for who reads that it passed
    std::io::stderr().write_all(counts.as_bytes()).unwrap();
    assert!(
        wrong.is_empty(),
        "{} get through:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
