//! What came of runs: a table, and an error.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{ErrorJson, Screen, Talk, error_json, escape};
use crate::finding::Finding;
use crate::migration::{Phase, Version};
use crate::migrator::{Ran, Summary};

#[derive(Serialize)]
struct SummaryJson<'a> {
    ran: &'a [Ran],
    #[serde(flatten)]
    error: Option<ErrorJson>,
}

impl Screen {
    /// Shows what a run did, and returns the process's status. `none` is said where there was nothing to do.
    pub fn summary(&self, summary: &Summary, none: &str) -> crate::error::Result<u8> {
        let status = summary
            .error
            .as_ref()
            .map_or(0, |error| error.code().exit());
        if self.json {
            let error = summary.error.as_ref().map(error_json);
            self.json(&SummaryJson {
                ran: &summary.ran,
                error,
            })?;
            return Ok(status);
        }
        if !summary.ran.is_empty() {
            self.text(ran_table(&summary.ran))?;
        } else if summary.error.is_none() && self.talk > Talk::Quiet {
            self.text(none)?;
        }
        if let Some(error) = &summary.error {
            self.error(error);
        }
        Ok(status)
    }
}

/// A table a reader can also cut with `awk`: no lines, two blanks between columns.
pub(super) fn table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(header.to_vec());
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

pub(super) fn seconds(millis: u64) -> String {
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}

/// A line a migration; its `verify` joins the line of its `up`.
fn ran_table(ran: &[Ran]) -> String {
    let mut table = table(
        &["version", "name", "done", "time", "rows", "checks met"],
        &[3, 4, 5],
    );
    for run in ran.iter().filter(|run| run.phase != Phase::Verify) {
        let verified = ran
            .iter()
            .find(|v| v.phase == Phase::Verify && v.version == run.version);
        let findings = || {
            run.findings
                .iter()
                .chain(verified.iter().flat_map(|v| &v.findings))
        };
        let done = match (run.phase, verified.map(|v| v.passed)) {
            (Phase::Down, _) => "undone",
            (_, Some(true)) => "applied, verified",
            (_, Some(false)) => "applied, not verified",
            (_, None) => "applied",
        };
        table.add_row([
            run.version.to_string(),
            run.name.clone(),
            done.to_owned(),
            seconds(run.took_ms + verified.map_or(0, |v| v.took_ms)),
            run.rows_affected.to_string(),
            format!(
                "{}/{}",
                findings().filter(|f| f.met).count(),
                findings().count()
            ),
        ]);
    }
    table.trim_fmt()
}

/// What `verify` found of one migration.
#[derive(Serialize)]
pub struct Verified {
    version: Version,
    name: String,
    verified: bool,
    findings: Vec<Finding>,
    #[serde(flatten)]
    error: Option<ErrorJson>,
    #[serde(skip)]
    text: Option<String>,
}

impl Verified {
    /// From what a migration's `verify` found, and why it failed if it did.
    pub fn new(ran: Ran, outcome: crate::error::Result<()>) -> Self {
        let error = outcome.err();
        Verified {
            version: ran.version,
            name: ran.name,
            verified: error.is_none(),
            findings: ran.findings,
            text: error.as_ref().map(super::error_text),
            error: error.as_ref().map(error_json),
        }
    }
}

/// The findings of `verify`, a line each, and its errors.
pub fn verified_text(all: &[Verified]) -> String {
    let mut table = table(&["version", "check", "of", "seen"], &[]);
    for one in all {
        for finding in &one.findings {
            table.add_row([
                one.version.to_string(),
                finding.kind.to_string(),
                escape(&finding.subject),
                escape(&finding.seen),
            ]);
        }
    }
    let mut text = table.trim_fmt();
    for one in all {
        let (version, name) = (&one.version, &one.name);
        text.push('\n');
        match &one.text {
            Some(error) => text.push_str(&format!("{version} {name} not verified\n{error}")),
            None => text.push_str(&format!(
                "{version} {name} verified, {} checks met",
                one.findings.len()
            )),
        }
    }
    text
}
