//! What `test` found: a line a migration and mode, and how schemas differ that should not.

use serde::Serialize;
use tracing::Level;

use super::run::table;
use super::{ErrorJson, Screen, error_json, escape, escape_whole};
use crate::error::Result;
use crate::operate::round_trip::{Step, Trial};

#[derive(Serialize)]
struct TrialJson<'a> {
    #[serde(flatten)]
    trial: &'a Trial,
    #[serde(flatten)]
    error: Option<ErrorJson>,
}

#[derive(Serialize)]
struct TrialsJson<'a> {
    trials: Vec<TrialJson<'a>>,
    #[serde(flatten)]
    error: Option<ErrorJson>,
}

impl Screen {
    /// Shows what was tried, and returns the process's status.
    pub fn tried(&self, trials: &[Trial]) -> Result<u8> {
        let first = trials.iter().find_map(|trial| trial.errors.first());
        let status = first.map_or(0, |error| error.code().exit());
        for trial in trials {
            for rows in &trial.rows {
                self.warn(format!(
                    "{} has {} rows behind `down` of {} {} in {} mode, and had {} before its `up`",
                    escape(&rows.table),
                    rows.after,
                    trial.version,
                    escape(&trial.name),
                    trial.mode,
                    rows.before
                ));
            }
        }
        if self.json {
            let trials = trials.iter().map(|trial| TrialJson {
                trial,
                error: trial.errors.first().map(error_json),
            });
            self.json(&TrialsJson {
                trials: trials.collect(),
                error: first.map(error_json),
            })?;
            return Ok(status);
        }
        match trials {
            [] => self.text("nothing to test: no migration is pending")?,
            trials => self.text(trials_table(trials))?,
        }
        for trial in trials {
            for error in &trial.errors {
                self.error(error);
            }
            for difference in trial.after_down.iter().chain(&trial.after_up_again) {
                let lines: Vec<String> = difference.lines().map(escape_whole).collect();
                self.tell(Level::ERROR, lines.join("\n"));
            }
        }
        Ok(status)
    }
}

fn trials_table(trials: &[Trial]) -> String {
    let mut table = table(
        &[
            "version",
            "name",
            "mode",
            "up",
            "down",
            "up again",
            "schema equal",
        ],
        &[],
    );
    let step = |step: Step| match step {
        Step::Done => "done",
        Step::Failed => "failed",
        Step::NotRun => "-",
    };
    for trial in trials {
        table.add_row([
            trial.version.to_string(),
            escape(&trial.name),
            trial.mode.to_string(),
            step(trial.up).to_owned(),
            step(trial.down).to_owned(),
            step(trial.up_again).to_owned(),
            match trial.schema_equal {
                Some(true) => "yes",
                Some(false) => "no",
                None => "-",
            }
            .to_owned(),
        ]);
    }
    table.trim_fmt()
}
