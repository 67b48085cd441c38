//! Attacks by a guest with few grants: each is refused with the right words, recorded, and leaves no trace.
//!
//! What is tried lies in `attacks/*.toml`, the database that is attacked in `attacks/fixture.sql`. The guest goes
//! on after each refusal and then does what it may, so a run that were committed all the same would show.

mod list;
mod place;
mod run;

use std::collections::BTreeSet;
use std::path::Path;

use list::{Attack, FILES, attacks};
use place::Login;

use crate::support::root;
use crate::walls::Wall;

/// Attacks that are not refused as they must be; each is taken off as soon as it is.
const OPEN: &[&str] = &[];

/// Attacks of the first list that have tests of their own.
#[rustfmt::skip]
const COVERED: &[(&str, &[&str])] = &[
    ("A55", &["rows_that_are_counted_stay_on_the_server"]),
    ("B31", &["rows_end_at_their_number", "a_call_ends_at_its_bytes"]),
    ("W01", &["a_loop_ends_by_its_guest_time", "a_loop_can_be_interrupted"]),
    ("W02", &["memory_ends_at_its_limit", "the_stack_ends_at_its_limit", "handles_end_at_their_number"]),
    ("W04", &["a_wrong_world_is_refused_before_it_runs"]),
    ("W07", &["one_whole_manifest_must_be_there"]),
    ("W10", &["verify_cannot_write"]),
    ("W11", &["an_error_that_is_swallowed_fails_the_run", "after_a_failed_call_the_rest_is_poisoned"]),
    ("W13", &["a_call_ends_at_its_bytes", "the_log_ends_at_its_bytes"]),
    ("W14", &["columns_that_lie_are_refused"]),
    ("W16", &["a_text_of_a_guest_does_not_steer_the_screen"]),
    ("W17", &["what_is_wrong_is_said_with_its_place", "the_lines_of_a_phase_are_sorted_by_danger_and_counted"]),
    ("W19", &["a_wrong_world_is_refused_before_it_runs"]),
    ("W23", &["a_panic_shows_its_message_and_place"]),
];

/// Attacks of the first list on approvals, which are not built yet.
const NOT_BUILT: &[&str] = &["W05", "W20", "W22"];

fn is_open(attack: &Attack) -> bool {
    OPEN.contains(&attack.id.as_str())
}

/// Tries attacks as this login, and notes which walls refuse them; what is not as it must be.
fn tried(attacks: &[&Attack], login: Login, walls: &mut BTreeSet<Wall>) -> Vec<String> {
    let (apart, together): (Vec<_>, Vec<_>) = attacks.iter().partition(|attack| attack.is_apart());
    let mut wrong = run::together(&together, login, |attack, attacked| {
        run::tried(attack, attacked, walls)
    });
    for attack in apart {
        let found = run::apart(attack, login, |attacked| {
            run::tried(attack, attacked, walls)
        });
        wrong.extend(found.iter().map(|what| format!("{}: {what}", attack.id)));
    }
    wrong
}

#[track_caller]
fn refused(file: &str) {
    let attacks = attacks(file).attacks;
    let (open, closed): (Vec<_>, Vec<_>) = attacks.iter().partition(|attack| is_open(attack));
    let mut wrong = tried(&closed, Login::Superuser, &mut BTreeSet::new());
    for attack in open {
        if run::apart(attack, Login::Superuser, |attacked| {
            run::is_refused(attack, attacked)
        }) {
            wrong.push(format!(
                "{} is refused now: take it off the list",
                attack.id
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_first_list_tries_is_refused() {
    refused("document");
}

#[test]
fn what_queries_hide_is_refused() {
    refused("queries");
}

#[test]
fn what_writes_hide_is_refused() {
    refused("writes");
}

#[test]
fn what_definitions_hide_is_refused() {
    refused("definitions");
}

#[test]
fn what_other_calls_hide_is_refused() {
    refused("calls");
}

/// The attacks of a file that the least login tries: each that the guard does not refuse by its text, and every tenth of
/// the others, of which no login makes a difference.
fn of_least(attacks: &[Attack]) -> Vec<&Attack> {
    let closed = attacks.iter().filter(|attack| !is_open(attack));
    let (by_text, others): (Vec<_>, Vec<_>) =
        closed.partition(|attack| attack.is_refused_by_text());
    others
        .into_iter()
        .chain(by_text.into_iter().step_by(10))
        .collect()
}

/// A superuser is refused nothing by the server, so that the walls alone are seen above; the login that an operator
/// should give is refused the same, in the same words.
#[test]
fn the_least_login_is_refused_the_same() {
    let (mut wrong, mut walls) = (Vec::new(), BTreeSet::new());
    for file in FILES {
        let attacks = attacks(file).attacks;
        wrong.extend(tried(&of_least(&attacks), Login::Least, &mut walls));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all = [Wall::Statement, Wall::Resolve, Wall::ReadOnly, Wall::Server];
    assert_eq!(walls, BTreeSet::from(all));
}

/// Every `fn` of the tests.
fn functions(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            *into += &std::fs::read_to_string(path).unwrap();
        }
    }
}

#[test]
fn each_attack_of_the_first_list_is_tried_once() {
    let mut tried = BTreeSet::new();
    for file in FILES {
        for attack in attacks(file).attacks {
            assert!(tried.insert(attack.id.clone()), "{} twice", attack.id);
        }
    }
    for open in OPEN {
        assert!(tried.contains(*open), "{open} is on no list");
    }
    for name in COVERED.iter().map(|(name, _)| name).chain(NOT_BUILT) {
        assert!(tried.insert((*name).to_owned()), "{name} twice");
    }
    let missing: Vec<_> = attacks("document").ids;
    let missing: Vec<_> = missing.iter().filter(|id| !tried.contains(*id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let mut text = String::new();
    for folder in ["tests/e2e", "host/src", "host/tests"] {
        functions(&root().join(folder), &mut text);
    }
    for test in COVERED.iter().flat_map(|(_, tests)| *tests) {
        let heads = ["#[test]\nfn", "#[test]\n    fn", "#[tokio::test]\nasync fn"];
        let is = |head: &&str| text.contains(&format!("{head} {test}()"));
        assert!(heads.iter().any(is), "no test {test}");
    }
}
