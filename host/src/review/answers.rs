//! The questions that every reviewer has, answered from imports and grants.

mod questions;

use serde::Serialize;

use super::powers::writes;
use super::{Granted, Protected};
use crate::guard::grants::Kind;
use crate::manifest::Manifest;
use crate::migration::{Mode, Phase};
use questions::{QUESTIONS, Question};

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// A name for it, for programs.
    pub key: &'static str,
    /// The question.
    pub question: &'static str,
    /// The answer in a word or two.
    pub answer: &'static str,
    /// What it rests on.
    pub lines: Vec<Line>,
    /// What a reader must know beside.
    pub notes: Vec<&'static str>,
    /// Grants that would make the answer a yes, or a greater one, but have no effect.
    pub idle: Vec<Line>,
}

/// What an answer says about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// A phase, or a column.
    pub about: String,
    /// What is so.
    pub what: Vec<String>,
}

/// Every question with its answer.
pub(super) fn answers(
    manifest: &Manifest,
    interfaces: &[&str],
    grants: &[Granted],
    protected: &[Protected],
) -> Vec<Answer> {
    let mut all = vec![writing(grants)];
    all.extend(QUESTIONS.iter().map(|question| answer(question, grants)));
    for answer in all.iter_mut().filter(|answer| answer.answer == "yes") {
        answer.notes.extend(note(answer.key, interfaces));
    }
    if grants.iter().any(runs_code) {
        let bounded = ["writes", "writes-rows", "code", "extension", "else"];
        for answer in all.iter_mut().filter(|one| !bounded.contains(&one.key)) {
            if answer.answer == "no" {
                answer.answer = "not by itself";
            }
            answer.notes.push("functions that it may run may do so");
        }
    }
    all.push(of_protected(protected, grants));
    all.push(of_phase("down", "What may down do?", Phase::Down, grants));
    let mut verify = of_phase("verify", "What may verify do?", Phase::Verify, grants);
    verify
        .notes
        .push("it only reads, whatever is granted, and what it did is rolled back");
    all.push(verify);
    all.push(transaction(manifest));
    all
}

fn note(key: &str, interfaces: &[&str]) -> Option<&'static str> {
    match key {
        "reads" if !interfaces.contains(&"query") => Some(
            "no rows are handed to it, as it does not import query: statements and checks read them on the server",
        ),
        "code" => Some("what such code does is not on this page"),
        _ => None,
    }
}

/// The phases in order, each with what `tell` says of those of its grants that are wanted.
fn lines<'a>(
    grants: impl Iterator<Item = &'a Granted>,
    tell: impl Fn(&Granted) -> String,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for granted in grants {
        let about = granted.phase.to_string();
        let told = tell(granted);
        match lines.last_mut().filter(|line| line.about == about) {
            Some(line) if line.what.contains(&told) => {}
            Some(line) => line.what.push(told),
            None => lines.push(Line {
                about,
                what: vec![told],
            }),
        }
    }
    lines
}

fn yes_or_no(lines: &[Line]) -> &'static str {
    if lines.is_empty() { "no" } else { "yes" }
}

fn is_idle(granted: &Granted) -> bool {
    granted.idle.is_some()
}

fn told_with_why(granted: &Granted) -> String {
    let why = granted.idle.unwrap_or_default();
    format!("{}: {why}", granted.grant)
}

fn answer(question: &Question, grants: &[Granted]) -> Answer {
    let concerned = || grants.iter().filter(|one| (question.concerns)(&one.grant));
    let told = lines(concerned().filter(|one| !is_idle(one)), |one| {
        one.grant.to_string()
    });
    Answer {
        key: question.key,
        question: question.question,
        answer: match question.key {
            "else" if told.is_empty() => "nothing",
            "else" => "as listed",
            _ => yes_or_no(&told),
        },
        lines: told,
        notes: Vec::new(),
        idle: lines(concerned().filter(|one| is_idle(one)), told_with_why),
    }
}

/// Whether it may write at all, and what.
fn writing(grants: &[Granted]) -> Answer {
    let writing = grants
        .iter()
        .filter(|one| !is_idle(one) && writes(one.grant.kind) && one.phase != Phase::Verify);
    let told = lines(writing, |one| match one.grant.subject.name() {
        Some(name) if !super::is_of_code(one.grant.kind) => name.to_string(),
        _ => one.grant.to_string(),
    });
    Answer {
        key: "writes",
        question: "May it change anything, and where?",
        answer: yes_or_no(&told),
        lines: told,
        notes: Vec::new(),
        idle: Vec::new(),
    }
}

fn of_phase(key: &'static str, question: &'static str, phase: Phase, grants: &[Granted]) -> Answer {
    let of_phase = || grants.iter().filter(|one| one.phase == phase);
    let told = lines(of_phase().filter(|one| !is_idle(one)), |one| {
        one.grant.to_string()
    });
    Answer {
        key,
        question,
        answer: if told.is_empty() {
            "nothing"
        } else {
            "as listed"
        },
        lines: told,
        notes: Vec::new(),
        idle: lines(of_phase().filter(|one| is_idle(one)), told_with_why),
    }
}

/// Whether a grant lets code run whose doings no other grant bounds.
fn runs_code(one: &Granted) -> bool {
    use Kind::{Call, CodeFunction, CodeTrigger, Fires};
    !is_idle(one) && matches!(one.grant.kind, Call | Fires | CodeFunction | CodeTrigger)
}

fn of_protected(protected: &[Protected], grants: &[Granted]) -> Answer {
    let any =
        |phases: fn(&Protected) -> &[Phase]| protected.iter().any(|one| !phases(one).is_empty());
    let (read, changed) = (any(|one| &one.read), any(|one| &one.changed));
    let mut notes = Vec::new();
    let unclear = protected.iter().any(|one| !one.understood);
    if unclear {
        notes.push(
            "an entry names no column as schema.table(column), so it is not told who reaches it",
        );
    }
    if protected.iter().any(|one| one.understood && !one.granted) {
        notes
            .push("a table that no grant names may be misspelt: compare it with the objects below");
    }
    if grants.iter().any(runs_code) {
        notes.push("functions that it may run may reach more");
    }
    notes.push("which columns are protected is the author's word");
    Answer {
        key: "protected",
        question: "Can it read or change protected data?",
        answer: match (protected.is_empty(), read, changed) {
            (true, ..) => "the author names none",
            (_, true, true) => "read and change",
            _ if unclear => "not known of all",
            (_, true, false) => "read, not change",
            (_, false, true) => "change, not read",
            (_, false, false) if grants.iter().any(runs_code) => "not by itself",
            (_, false, false) => "no",
        },
        lines: protected.iter().map(of_column).collect(),
        notes,
        idle: Vec::new(),
    }
}

fn of_column(protected: &Protected) -> Line {
    let told = |what: &str, phases: &[Phase]| match phases {
        [] => format!("not {what}"),
        phases => {
            let phases: Vec<_> = phases.iter().map(ToString::to_string).collect();
            format!("{what} in {}", phases.join(" and "))
        }
    };
    Line {
        about: protected.what.clone(),
        what: match (protected.understood, protected.granted) {
            (false, _) => vec!["not known".to_owned()],
            (true, false) => vec!["no grant names the table".to_owned()],
            (true, true) => vec![
                told("read", &protected.read),
                told("changed", &protected.changed),
                told("indexed", &protected.indexed),
            ],
        },
    }
}

fn transaction(manifest: &Manifest) -> Answer {
    let stepwise = manifest.modes.contains(&Mode::Stepwise);
    Answer {
        key: "outside-transaction",
        question: "May it run outside of one transaction?",
        answer: match stepwise {
            true => "yes, if the operator says so",
            false => "no",
        },
        lines: Vec::new(),
        notes: match stepwise {
            true => vec!["in mode stepwise each statement commits by itself"],
            false => vec!["all of it commits together, or nothing"],
        },
        idle: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn answered(imports: &[&str], grants: &str) -> Vec<Answer> {
        sample(imports, &format!("[grants]\n{grants}\n")).answers
    }

    fn of<'a>(answers: &'a [Answer], key: &str) -> &'a Answer {
        answers.iter().find(|answer| answer.key == key).unwrap()
    }

    #[test]
    fn what_no_import_can_use_is_a_no_and_said() {
        let answers = answered(&["checks"], "up = ['delete public.a', 'read public.b']");
        let deletes = of(&answers, "deletes");
        assert_eq!((deletes.answer, deletes.lines.len()), ("no", 0));
        assert_eq!(
            deletes.idle[0].what,
            ["delete public.a: it imports nothing that could use it"]
        );
        assert_eq!(of(&answers, "writes").answer, "no");
        let reads = of(&answers, "reads");
        assert_eq!(reads.answer, "yes");
        assert!(reads.notes[0].contains("no rows are handed to it"));
        let answers = answered(&["query"], "up = ['delete public.a', 'read public.b']");
        assert_eq!(of(&answers, "deletes").answer, "yes");
        assert_eq!(of(&answers, "writes").lines[0].what, ["public.a"]);
        assert!(of(&answers, "reads").notes.is_empty());
    }

    #[test]
    fn what_verify_is_granted_to_write_it_cannot() {
        let answers = answered(&["query"], "verify = ['delete public.a', 'read public.b']");
        assert_eq!(of(&answers, "writes").answer, "no");
        let verify = of(&answers, "verify");
        assert_eq!(verify.lines[0].what, ["read public.b"]);
        assert_eq!(verify.idle[0].what, ["delete public.a: verify only reads"]);
        assert_eq!(of(&answers, "down").answer, "nothing");
    }

    #[test]
    fn a_definition_that_takes_values_away_deletes() {
        let answers = answered(
            &["execute"],
            "up = ['alter public.a: drop-column', 'drop table public.b']\ndown = ['alter public.a: column-type']",
        );
        assert_eq!(
            of(&answers, "deletes").lines[0].what,
            ["drop table public.b", "alter public.a: drop-column"]
        );
        assert_eq!(of(&answers, "changes").lines[0].about, "down");
        assert_eq!(of(&answers, "redefines").answer, "yes");
        assert_eq!(of(&answers, "drops").lines[0].what, ["drop table public.b"]);
    }
}
