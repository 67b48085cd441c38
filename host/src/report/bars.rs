//! What goes on, at the foot of a terminal: the migration, how far its steps are, and what the server does.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::telling::how_far;
use super::{Logs, Screen, Talk, escape};
use crate::database::doing::Doing;

/// How often a terminal is drawn anew while nothing happens, so that its clock goes on.
const TICK: Duration = Duration::from_millis(250);

/// A bar with words beside it; a narrow terminal cuts the words.
const BAR: &str = "  [{bar:24}] {wide_msg}";
const WORDS: &str = "  {wide_msg}";

/// The foot of a terminal; it is wiped when dropped.
pub struct Bars {
    all: MultiProgress,
    migration: ProgressBar,
    steps: ProgressBar,
    statement: ProgressBar,
    stage: ProgressBar,
}

impl Bars {
    /// Where a person looks on: standard error is a terminal that can move its cursor, and more than errors is wanted.
    pub fn on(screen: Screen) -> Option<Self> {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let people = screen.logs == Logs::Text && screen.talk > Talk::Quiet;
        let watched = people && !dumb && std::io::stderr().is_terminal();
        watched.then(Bars::new)
    }

    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let hidden = || ProgressBar::hidden().with_style(style(WORDS));
        Bars {
            migration: hidden(),
            steps: hidden(),
            statement: hidden(),
            stage: hidden(),
            all,
        }
    }

    /// A phase of a migration begins.
    pub fn begin(&self, what: String) {
        self.wipe();
        self.migration
            .set_style(style("{spinner} {msg}, {elapsed}"));
        self.migration.reset();
        self.migration.set_message(what);
        self.all.add(self.migration.clone());
        self.migration.enable_steady_tick(TICK);
    }

    /// The guest tells how far it is; a total of 0 is not known.
    pub fn steps(&self, done: u64, total: u64, words: &str) {
        shown(&self.all, &self.steps, Some(&self.migration));
        measured(&self.steps, done, total);
        self.steps.set_message(words.trim().to_owned());
    }

    /// What the server does; none where the guest computes.
    pub fn statement(&self, doing: Option<&Doing>) {
        let Some(doing) = doing else {
            self.all.remove(&self.statement);
            self.all.remove(&self.stage);
            return;
        };
        shown(&self.all, &self.statement, None);
        self.statement.set_message(escape(&doing.statement));
        shown(&self.all, &self.stage, None);
        let (done, total) = match &doing.stage {
            Some(stage) => (stage.done, stage.total),
            None => (0, 0),
        };
        measured(&self.stage, done, total);
        self.stage.set_message(how_far(doing));
    }

    /// Writes lines above.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.all.suspend(write)
    }

    fn wipe(&self) {
        self.migration.disable_steady_tick();
        for bar in [&self.stage, &self.statement, &self.steps, &self.migration] {
            self.all.remove(bar);
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.wipe();
        let _ = self.all.clear();
    }
}

/// Puts a bar to its place, if it is not there: behind another, or last.
fn shown(all: &MultiProgress, bar: &ProgressBar, behind: Option<&ProgressBar>) {
    if bar.is_hidden() {
        match behind {
            Some(behind) => all.insert_after(behind, bar.clone()),
            None => all.add(bar.clone()),
        };
    }
}

fn measured(bar: &ProgressBar, done: u64, total: u64) {
    let template = if total > 0 { BAR } else { WORDS };
    bar.set_style(style(template));
    bar.set_length(total);
    bar.set_position(done);
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("=> ")
        .tick_chars("|/-\\ ")
}
