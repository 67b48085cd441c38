//! Words for people and data for programs. Standard output is data, standard error is talk.

mod approval;
mod error;
mod escape;
mod json;
mod needed;
mod pace;
mod page;
mod recorded;
mod review;
mod run;
mod status;

use std::fmt::Display;
use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::error::{Code, Error, Result};

pub use approval::{CheckedLine, approved_text, checked_text};
pub use error::{ErrorJson, error_json, error_text};
pub use escape::{escape, escape_whole, without_passwords};
pub use needed::{Needed, needed_json, needed_text};
pub use review::{difference_markdown, difference_text, review_markdown, review_text};
pub use run::{Telling, Verified, verified_text};
pub use status::{Repaired, StatusLine, status_text};

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
            self.talk(text);
        }
    }

    /// Tells a detail, with `--verbose`.
    pub fn detail(&self, text: impl Display) {
        if self.talk >= Talk::Verbose {
            self.talk(text);
        }
    }

    /// Warns, also with `--quiet`.
    pub fn warn(&self, text: impl Display) {
        let style = AnsiColor::Yellow.on_default().bold();
        self.talk(format_args!("{style}warning{style:#}: {text}"));
    }

    /// Shows an error: as JSON on standard output if that was asked for, else in words on standard error.
    pub fn error(&self, error: &Error) {
        if self.json && self.json(&error_json(error)).is_ok() {
            return;
        }
        self.talk(error_text(error));
    }

    fn talk(&self, text: impl Display) {
        // if nobody listens there is nobody to tell
        let _ = writeln!(AutoStream::new(io::stderr().lock(), self.color), "{text}");
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
