//! The interfaces `log`, `progress` and `diag`: what a guest tells the operator.

use super::limits::Stop;
use super::state::State;
use super::wit::{diag, log, progress};
use crate::finding::Finding;

/// A message longer than this many bytes is cut.
const LONGEST: usize = 8 << 10;

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the author.
    Debug,
    /// For the operator.
    Info,
    /// The operator should look at it.
    Warn,
}

/// Hears what happens in a run while it happens. The texts are a guest's: escape them before a screen.
pub trait Events: Send + Sync {
    /// The guest logged a message.
    fn log(&self, level: Level, message: &str);
    /// The guest says how far it is; a total of 0 is not known.
    fn progress(&self, done: u64, total: u64);
    /// No run role can be made here, for that reason: the server does not judge the statements.
    fn unconfined(&self, why: &str);
    /// A requiring check has its outcome.
    fn finding(&self, finding: &Finding);
}

impl log::Host for State {
    async fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.meter.add_log(message.len()).map_err(Stop::Failed)?;
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
        };
        if !self.repeats() {
            self.events.log(level, cut(&message));
        }
        Ok(())
    }
}

impl progress::Host for State {
    async fn progress(&mut self, done: u64, total: u64) -> wasmtime::Result<()> {
        if !self.repeats() {
            self.events.progress(done, total);
        }
        Ok(())
    }
}

impl diag::Host for State {
    async fn panicked(&mut self, message: String) -> wasmtime::Result<()> {
        self.panic.get_or_insert_with(|| cut(&message).to_owned());
        Ok(())
    }
}

/// The beginning of a guest's text, of a size that messages and records can bear.
pub(super) fn cut(message: &str) -> &str {
    let mut end = message.len().min(LONGEST);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A guest chooses the length, so the cut must not fall inside a character.
    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = format!("a{}", "é".repeat(LONGEST));
        assert_eq!(cut(&long).len(), LONGEST - 1);
    }
}
