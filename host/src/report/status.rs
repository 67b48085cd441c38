//! What `status` shows: a line a migration, and how far the one has come that is half-way.

use serde::Serialize;

use super::escape;
use super::run::{seconds, table};
use crate::error::Code;
use crate::migration::Phase;
use crate::plan::{Entry, Open, State};

/// A migration in `status`.
#[derive(Debug, Serialize)]
pub struct StatusLine {
    version: String,
    name: String,
    state: State,
    applied_at: Option<String>,
    applied_by: Option<String>,
    took_ms: Option<u64>,
    rows_affected: Option<u64>,
    digest: String,
    /// How far it has come, where it is half-way.
    half_way: Option<HalfWay>,
}

impl StatusLine {
    /// The line of an entry.
    pub fn new(entry: &Entry<'_>) -> Self {
        let applied = entry.applied;
        let (version, name, digest) = match (entry.migration, applied) {
            (Some(m), _) => (
                m.version().to_string(),
                m.name().to_string(),
                m.digest.to_string(),
            ),
            (None, Some(a)) => (a.version.to_string(), a.name.clone(), a.digest.to_string()),
            (None, None) => match entry.open {
                Some(open) => (
                    open.version.to_string(),
                    open.name.clone(),
                    open.digest.to_string(),
                ),
                None => Default::default(),
            },
        };
        StatusLine {
            version,
            name,
            state: entry.state,
            applied_at: applied.map(|a| a.at.clone()),
            applied_by: applied.map(|a| a.by.clone()),
            took_ms: applied.map(|a| a.took_ms),
            rows_affected: applied.map(|a| a.rows_affected),
            digest,
            half_way: entry.open.map(HalfWay::new),
        }
    }
}

/// The table of `status`.
pub fn status_text(lines: &[StatusLine]) -> String {
    let mut table = table(
        &[
            "version",
            "name",
            "state",
            "applied at",
            "by",
            "time",
            "rows",
        ],
        &[5, 6],
    );
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for line in lines {
        table.add_row([
            line.version.clone(),
            escape(&line.name),
            line.state.to_string(),
            or_dash(line.applied_at.clone()),
            or_dash(line.applied_by.as_deref().map(escape)),
            or_dash(line.took_ms.map(seconds)),
            or_dash(line.rows_affected.map(|rows| rows.to_string())),
        ]);
    }
    let mut text = table.trim_fmt();
    let told = lines
        .iter()
        .filter_map(|line| Some((line, line.half_way.as_ref()?)));
    for (line, half) in told {
        text += &format!("\n\n{}", half.text(&line.version));
    }
    text
}

/// A migration that is half-way.
#[derive(Debug, Serialize)]
struct HalfWay {
    phase: Phase,
    run: i64,
    steps: u64,
    at: String,
    in_it: bool,
    since: String,
    running: bool,
    stopped_by: Option<String>,
    sqlstate: Option<String>,
    go_on: &'static str,
}

impl HalfWay {
    fn new(open: &Open) -> Self {
        HalfWay {
            phase: open.phase,
            run: open.run,
            steps: open.steps,
            at: open.at.clone(),
            in_it: open.in_it,
            since: open.since.clone(),
            running: open.runs,
            stopped_by: open.stopped_by.clone(),
            sqlstate: open.sqlstate.clone(),
            go_on: match open.phase {
                Phase::Up => {
                    "`wasmigrate up` goes on with it, `wasmigrate down` undoes what it has done"
                }
                Phase::Down | Phase::Verify => "`wasmigrate down` goes on with it",
            },
        }
    }

    fn text(&self, version: &str) -> String {
        let reached = match self.in_it {
            true => "is in",
            false => "has done",
        };
        let mut text = format!(
            "{version} is half-way in its {}, since {}: it {reached} step {}: {}",
            self.phase,
            self.since,
            self.steps,
            escape(&self.at)
        );
        let why = match (&self.stopped_by, self.running) {
            (Some(code), _) => {
                let help = Code::from_name(code).map(|code| format!(": {}", code.help()));
                let state = self
                    .sqlstate
                    .as_ref()
                    .map(|state| format!(" (SQLSTATE {state})"));
                format!(
                    "stopped by {}{}{}",
                    escape(code),
                    state.unwrap_or_default(),
                    help.unwrap_or_default()
                )
            }
            (None, true) => "a runner is at it, or died".to_owned(),
            (None, false) => "its runner died".to_owned(),
        };
        text += &format!("\n  why:   {why}\n  go on: {}", self.go_on);
        text
    }
}

/// A run that was given up.
#[derive(Debug, Serialize)]
pub struct Repaired {
    version: String,
    name: String,
    phase: Phase,
    run: i64,
    steps: u64,
    at: String,
    reason: String,
}

impl Repaired {
    /// From what was half-way, and why it was given up.
    pub fn new(open: &Open, reason: &str) -> Self {
        Repaired {
            version: open.version.to_string(),
            name: open.name.clone(),
            phase: open.phase,
            run: open.run,
            steps: open.steps,
            at: open.at.clone(),
            reason: reason.to_owned(),
        }
    }

    /// The same for a person.
    pub fn text(&self) -> String {
        let stands = match self.phase {
            Phase::Up => "it counts as not applied",
            Phase::Down | Phase::Verify => "it counts as applied",
        };
        format!(
            "{} {} is given up after {} steps, the last: {}\n{stands}; what these steps did stays in the database",
            self.version,
            escape(&self.name),
            self.steps,
            escape(&self.at)
        )
    }
}
