//! Which grants a migration turned out to need: `[grants]` as a manifest has it, and how the manifest's own
//! differs.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{ErrorJson, Screen, Talk, error_json, escape};
use crate::error::Result;
use crate::guard::grants::{Grants, Need};
use crate::guard::record::Lines;
use crate::migration::{Migration, Mode, Phase, Settings};
use crate::operate::grants::{Found, Outcome, Run};

/// How long a line may be that holds a whole list.
const WIDTH: usize = 115;

impl Screen {
    /// Shows what a migration needs beside what it is granted, and returns the process's status.
    pub fn recorded(&self, migration: &Migration, found: &Found) -> Result<u8> {
        let grants = |phase| migration.manifest.grants.of(phase);
        if self.json {
            self.json(&found_json(found, grants))?;
            return Ok(found.exit());
        }
        self.text(section(|phase| found.needed(phase).needed()))?;
        if self.talk > Talk::Quiet {
            self.say(comparison(found, grants));
        }
        for run in &found.runs {
            if let Outcome::Failed(error) = &run.outcome {
                let (phase, mode, chosen) = (run.phase, run.mode, chosen(&run.settings));
                self.warn(format!(
                    "{phase} in {mode} mode{chosen} failed, so the list may lack what comes after:"
                ));
                self.error(error);
            }
        }
        Ok(found.exit())
    }
}

/// `[grants]` with a list a phase, as it can be pasted into a manifest.
fn section(needed: impl Fn(Phase) -> Lines) -> String {
    let mut text = "[grants]".to_owned();
    for phase in Phase::ALL {
        let _ = write!(text, "\n{}", list(*phase, &needed(*phase)));
    }
    text
}

fn list(phase: Phase, lines: &Lines) -> String {
    let entries: Vec<String> = lines
        .grants
        .iter()
        .map(|line| quoted(&line.to_string()))
        .collect();
    let short = format!("{phase} = [{}]", entries.join(", "));
    if short.len() <= WIDTH && lines.unclear.is_empty() {
        return short;
    }
    let entries = entries.iter().map(|entry| format!("    {entry},\n"));
    let unclear = lines
        .unclear
        .iter()
        .map(|need| format!("    # fill in: {}\n", open(need)));
    format!(
        "{phase} = [\n{}]",
        entries.chain(unclear).collect::<String>()
    )
}

/// A need that the catalog could not make a line of.
fn open(need: &Need) -> String {
    match need.unknown() {
        Some(why) => format!("{need}: {why}"),
        None => need.to_string(),
    }
}

/// A text of printable ASCII as a string of TOML, with quotes that need no escapes where there are such.
fn quoted(text: &str) -> String {
    match text.contains(['"', '\\']) {
        false => format!("\"{text}\""),
        true if !text.contains('\'') => format!("'{text}'"),
        true => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// A line for each grant by which the manifest and the runs differ.
fn comparison<'a>(found: &Found, granted: impl Fn(Phase) -> &'a Grants) -> String {
    let mut text = String::new();
    for phase in Phase::ALL {
        let (record, granted) = (found.needed(*phase), granted(*phase));
        let Lines { grants, unclear } = record.missing(granted);
        for line in grants.iter() {
            let _ = writeln!(text, "{phase} needs and is not granted: {line}");
        }
        for need in &unclear {
            let _ = writeln!(text, "{phase} needs and is not granted: {}", open(need));
        }
        for line in record.unused(granted).iter() {
            let _ = writeln!(
                text,
                "{phase} is granted and did not need in these runs: {line}"
            );
        }
    }
    match text.trim_end() {
        "" => "the manifest grants just what was needed".to_owned(),
        text => text.to_owned(),
    }
}

/// What was chosen, for a sentence.
fn chosen(settings: &Settings) -> String {
    let all: Vec<String> = settings
        .iter()
        .map(|(name, value)| escape(&format!("{name}={value}")))
        .collect();
    match &all[..] {
        [] => String::new(),
        all => format!(" with {}", all.join(", ")),
    }
}

#[derive(Serialize)]
struct RunJson<'a> {
    mode: Mode,
    settings: &'a Settings,
    phase: Phase,
    outcome: &'static str,
    #[serde(flatten)]
    error: Option<ErrorJson>,
}

impl<'a> RunJson<'a> {
    fn new(run: &'a Run) -> Self {
        let (outcome, error) = match &run.outcome {
            Outcome::Done => ("done", None),
            Outcome::Failed(error) => ("failed", Some(error_json(error))),
            Outcome::NotRun => ("not-run", None),
        };
        RunJson {
            mode: run.mode,
            settings: &run.settings,
            phase: run.phase,
            outcome,
            error,
        }
    }
}

/// `needed`, `granted`, `missing` and `unused` by phase, `unclear` with what no line is known for, and `runs`.
fn found_json<'a>(found: &Found, granted: impl Fn(Phase) -> &'a Grants) -> Value {
    let phases = |of: &dyn Fn(Phase) -> Value| -> Value {
        let all = Phase::ALL
            .iter()
            .map(|phase| (phase.to_string(), of(*phase)));
        Value::Object(all.collect::<Map<_, _>>())
    };
    let words = |needs: &[Need]| json!(needs.iter().map(ToString::to_string).collect::<Vec<_>>());
    let runs: Vec<_> = found.runs.iter().map(RunJson::new).collect();
    json!({
        "needed": phases(&|phase| json!(found.needed(phase).needed().grants)),
        "granted": phases(&|phase| json!(granted(phase))),
        "missing": phases(&|phase| json!(found.needed(phase).missing(granted(phase)).grants)),
        "unused": phases(&|phase| json!(found.needed(phase).unused(granted(phase)))),
        "unclear": phases(&|phase| words(&found.needed(phase).needed().unclear)),
        "runs": runs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::grants::name::Name;
    use crate::guard::grants::{Kind, Object};
    use crate::manifest::Manifest;

    fn lines(lines: &[&str], unclear: &[Need]) -> Lines {
        Lines {
            grants: Grants::parse(lines.iter().copied()).unwrap(),
            unclear: unclear.to_vec(),
        }
    }

    #[test]
    fn a_list_is_wrapped_where_it_is_long() {
        let short = lines(&["catalog", "read public.t(\"A\")"], &[]);
        let text = "verify = ['read public.t(\"A\")', \"catalog\"]";
        assert_eq!(list(Phase::Verify, &short), text);
        let tables = ["a", "b", "c", "d", "e", "f"];
        let long = tables.map(|table| format!("read public.a_long_name_{table}"));
        let long = list(Phase::Up, &lines(&long.each_ref().map(String::as_str), &[]));
        assert!(
            long.starts_with("up = [\n    \"read public.a_long_name_a\",\n"),
            "{long}"
        );
        assert!(long.ends_with("f\",\n]"), "{long}");
    }

    #[test]
    fn a_manifest_takes_what_is_printed() {
        let unclear = Need::Owner {
            kind: Kind::Index,
            object: Object::Index,
            name: Name::new("public", "i\"'\\").unwrap(),
        };
        let names = [
            "\"it's \"\"odd\"\" \\\"",
            "\"back\\slash\"",
            "\"it's\"",
            "\"Odd\"",
        ];
        let names = names.map(|name| format!("delete public.{name}"));
        let needed = lines(&names.each_ref().map(String::as_str), &[unclear]);
        let section = section(|phase| match phase {
            Phase::Up => needed.clone(),
            Phase::Down | Phase::Verify => Lines::default(),
        });
        let line = "    # fill in: index (table of public.\"i\"\"'\\\"): no such index\n";
        assert!(section.contains(line), "{section}");
        let text = format!("version = \"1\"\nname = \"a\"\n{section}\n");
        let manifest = Manifest::parse("m", &text).unwrap();
        assert_eq!(manifest.grants.up, needed.grants);
        assert!(manifest.grants.down.is_empty());
    }
}
