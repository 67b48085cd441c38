//! Words for people and data for programs. Standard output is data, standard error is talk.

mod approval;
mod bars;
mod error;
mod escape;
mod json;
mod logs;
mod needed;
mod pace;
mod page;
mod recorded;
mod review;
mod round_trip;
mod run;
mod status;
mod telling;

use std::fmt::Display;
use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use tracing::Level;

use crate::error::{Code, Error, Result};

pub use approval::{CheckedLine, approved_text, checked_text};
pub use error::{ErrorJson, error_json, error_text};
pub use escape::{escape, escape_whole, without_passwords};
pub use logs::{Logs, listen};
pub use needed::{Needed, needed_json, needed_text};
pub use review::{difference_markdown, difference_text, review_markdown, review_text};
pub use run::{Verified, verified_text};
pub use status::{Repaired, StatusLine, status_text};
pub use telling::Telling;

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Talk {
    /// Warnings and errors only.
    Quiet,
    /// What an operator wants to know.
    #[default]
    Normal,
    /// Details too.
    Verbose,
}

/// Where everything goes that is shown. Texts from components and databases must have passed through
/// [`escape`] before; an [`Error`] need not.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// Whether data is written as JSON.
    pub json: bool,
    /// How much is said.
    pub talk: Talk,
    /// Whether colours are used; they never carry a meaning.
    pub color: ColorChoice,
    /// The form of the talk.
    pub logs: Logs,
}

impl Screen {
    /// Writes lines of data to standard output, for a person.
    pub fn text(&self, text: impl Display) -> Result<()> {
        written(writeln!(
            AutoStream::new(io::stdout().lock(), self.color),
            "{text}"
        ))
    }

    /// Writes a JSON document to standard output.
    pub fn json(&self, value: &impl Serialize) -> Result<()> {
        let text = json::to_string(value)?;
        written(writeln!(io::stdout().lock(), "{text}"))
    }

    /// Writes one of many pieces of data to standard output: as a line of JSON if that was asked for, else as
    /// text.
    pub fn piece(&self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        if self.json {
            let line = json::to_line(value)?;
            written(writeln!(io::stdout().lock(), "{line}"))
        } else {
            self.text(text())
        }
    }

    /// Writes data to standard output: as JSON if that was asked for, else as text.
    pub fn data(&self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        if self.json {
            self.json(value)
        } else {
            self.text(text())
        }
    }

    /// Tells the operator something.
    pub fn say(&self, text: impl Display) {
        if self.talk >= Talk::Normal {
            self.tell(Level::INFO, text);
        }
    }

    /// Tells a detail, with `--verbose`.
    pub fn detail(&self, text: impl Display) {
        if self.talk >= Talk::Verbose {
            self.tell(Level::DEBUG, text);
        }
    }

    /// Warns, also with `--quiet`.
    pub fn warn(&self, text: impl Display) {
        let style = AnsiColor::Yellow.on_default().bold();
        match self.logs {
            Logs::Text => self.tell(Level::WARN, format_args!("{style}warning{style:#}: {text}")),
            Logs::Json => self.tell(Level::WARN, text),
        }
    }

    /// Shows an error: as JSON on standard output if that was asked for, else in words on standard error.
    pub fn error(&self, error: &Error) {
        if self.json && self.json(&error_json(error)).is_ok() {
            return;
        }
        match self.logs {
            Logs::Text => self.tell(Level::ERROR, error_text(error)),
            Logs::Json => logs::failed(error),
        }
    }

    fn tell(&self, level: Level, text: impl Display) {
        logs::tell(self.logs, self.color, level, text);
    }
}

/// A label before a text, bold.
fn bold() -> Style {
    Style::new().bold()
}

/// A reader that went away, as `head` does, is no error.
fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(Code::Internal, "failed to write to standard output").cause(error))
        }
        _ => Ok(()),
    }
}
