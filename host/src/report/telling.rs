//! What a run looks like while it goes on: a line as each phase begins, what the guest says, and what the server does;
//! bars on a terminal, a line now and then elsewhere.

use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use super::bars::Bars;
use super::pace::Pace;
use super::run::seconds;
use super::{Screen, escape};
use crate::database::doing::Doing;
use crate::database::locks::Holder;
use crate::error::Error;
use crate::finding::Finding;
use crate::migration::{Migration, Phase};
use crate::migrator::{Observer, Ran};
use crate::sandbox::{Events, Level};

/// How long one statement goes on before a reader of lines is told of it, and told again.
const LONG: Duration = Duration::from_secs(10);

/// Tells a screen what happens, while it happens.
pub struct Telling {
    screen: Screen,
    progress: Mutex<Option<Pace>>,
    unconfined: Once,
    bars: Option<Bars>,
    /// When a statement that goes on was last told of.
    told: Mutex<Option<Instant>>,
}

impl Telling {
    /// Tells that screen.
    pub fn new(screen: Screen) -> Self {
        Telling {
            screen,
            progress: Mutex::new(None),
            unconfined: Once::new(),
            bars: Bars::on(screen),
            told: Mutex::new(None),
        }
    }

    /// Writes lines, above the bars where there are any.
    fn above<T>(&self, write: impl FnOnce(&Screen) -> T) -> T {
        match &self.bars {
            Some(bars) => bars.aside(|| write(&self.screen)),
            None => write(&self.screen),
        }
    }

    /// Whether a statement that has taken so long is to be told of on a line now.
    fn is_due(&self, seconds: f64, now: Instant) -> bool {
        let Ok(mut told) = self.told.lock() else {
            return false;
        };
        let due = seconds >= LONG.as_secs_f64()
            && told.is_none_or(|told| now.duration_since(told) >= LONG);
        if due {
            *told = Some(now);
        }
        due
    }
}

impl Events for Telling {
    fn log(&self, level: Level, message: &str) {
        let message = escape(message);
        self.above(|screen| match level {
            Level::Debug => screen.detail(format!("  debug: {message}")),
            Level::Info => screen.say(format!("  {message}")),
            Level::Warn => screen.warn(message),
        });
    }

    fn progress(&self, done: u64, total: u64) {
        let Ok(mut pace) = self.progress.lock() else {
            return;
        };
        let (words, due) = Pace::words(&mut pace, done, total, Instant::now());
        match &self.bars {
            Some(bars) => bars.steps(done, total, &words),
            None if due => self.screen.say(words),
            None => {}
        }
    }

    fn unconfined(&self, why: &str) {
        self.unconfined.call_once(|| {
            self.above(|screen| {
                screen.warn(format!(
                    "statements run as the login itself, without a role that may do just what is granted: {}; \
                     give the login CREATEROLE and INHERIT, and make it a member of the tables' owners",
                    escape(why)
                ));
            });
        });
    }

    fn finding(&self, finding: &Finding) {
        let line = format!(
            "  check {} {}: expected {}, seen {}",
            finding.kind,
            escape(&finding.subject),
            escape(&finding.expected),
            escape(&finding.seen)
        );
        self.above(|screen| match finding.met {
            true => screen.detail(line),
            false => screen.say(line),
        });
    }
}

impl Observer for Telling {
    fn waiting(&self, what: &str, holder: &Holder) {
        let holder = escape(&holder.to_string());
        self.above(|screen| screen.say(format!("waiting for {what}, held by {holder}")));
    }

    fn started(&self, migration: &Migration, phase: Phase, place: usize, count: usize) {
        if let Ok(mut pace) = self.progress.lock() {
            *pace = None;
        }
        let line = format!(
            "{phase} {} {} ({place} of {count})",
            migration.version(),
            migration.name()
        );
        if let Some(bars) = &self.bars {
            bars.begin(line.clone());
        }
        self.above(|screen| match phase {
            Phase::Verify => screen.detail(line),
            Phase::Up | Phase::Down => screen.say(line),
        });
    }

    fn blocked(&self, holders: &[Holder]) {
        self.above(|screen| {
            for holder in holders {
                let holder = escape(&holder.to_string());
                screen.say(format!("  waiting for a lock of {holder}"));
            }
        });
    }

    fn doing(&self, doing: Option<&Doing>) {
        if let Some(bars) = &self.bars {
            bars.statement(doing);
        } else if let Some(doing) = doing.filter(|doing| self.is_due(doing.seconds, Instant::now()))
        {
            let statement = escape(&doing.statement);
            self.screen
                .say(format!("  {}; {statement}", how_far(doing)));
        }
    }

    fn retrying(&self, why: &Error, pause: Duration) {
        let (why, pause) = (escape(&why.to_string()), humantime::format_duration(pause));
        self.above(|screen| screen.say(format!("  {why}; trying again in {pause}")));
    }

    fn ended(&self, ran: &Ran) {
        let (phase, took, checks) = (ran.phase, seconds(ran.took_ms), ran.findings.len());
        if let Some(bars) = &self.bars {
            bars.statement(None);
        }
        self.above(|screen| {
            screen.detail(format!("  {phase} done in {took}, {checks} checks met"))
        });
    }
}

/// How far a statement is, for how long it has been going on, and what it locks.
pub(super) fn how_far(doing: &Doing) -> String {
    let mut words = Vec::new();
    words.extend(doing.stage.as_ref().map(ToString::to_string));
    words.push(format!("{:.0} s", doing.seconds));
    if !doing.locks.is_empty() {
        let locks: Vec<_> = doing.locks.iter().map(ToString::to_string).collect();
        words.push(format!("holds {}", locks.join(", ")));
    }
    escape(&words.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::doing::{Lock, Stage};

    #[test]
    fn how_far_a_statement_is_is_told_with_its_locks() {
        let mut doing = Doing {
            statement: "CREATE INDEX i ON t (n)".into(),
            seconds: 12.4,
            stage: Some(Stage {
                name: "building index: scanning table".into(),
                unit: "blocks".into(),
                done: 1,
                total: 4,
            }),
            locks: vec![Lock {
                mode: "SHARE".into(),
                table: "public.\"\u{1b}[2J\"".into(),
            }],
        };
        let told = how_far(&doing);
        let head =
            "building index: scanning table, 1 of 4 blocks, 25 %; 12 s; holds SHARE on public.";
        assert!(told.starts_with(head), "{told}");
        assert!(!told.contains('\u{1b}'), "{told}");
        doing.stage = None;
        doing.locks.clear();
        assert_eq!(how_far(&doing), "12 s");
    }

    #[test]
    fn a_reader_of_lines_hears_of_a_long_statement_now_and_then() {
        let screen = Screen {
            json: false,
            talk: super::super::Talk::Normal,
            color: anstream::ColorChoice::Never,
            logs: super::super::Logs::Text,
        };
        let telling = Telling::new(screen);
        let begin = Instant::now();
        let due = |seconds: f64, at: u64| telling.is_due(seconds, begin + Duration::from_secs(at));
        assert!(!due(9.9, 0));
        assert!(due(10.0, 1));
        assert!(!due(19.0, 10));
        assert!(due(20.0, 11));
    }
}
