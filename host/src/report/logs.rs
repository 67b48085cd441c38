//! What goes to standard error: words for a person, or a JSON object a line for a program that gathers logs.

use std::fmt::Display;
use std::io::{self, Write as _};

use anstream::{AutoStream, ColorChoice};
use tracing::Level;
use tracing_subscriber::EnvFilter;

use super::{Talk, without_passwords};
use crate::error::{Code, Error, Result};

/// The variable that says what is logged, in the notation of tracing-subscriber's `EnvFilter`.
const VARIABLE: &str = "RUST_LOG";

/// What of the log is talk: it is words already where people read it.
const TALK: &str = "wasmigrate::talk";

/// The form of what goes to standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Logs {
    /// Lines for a person.
    #[default]
    Text,
    /// A JSON object a line, with time, level, message and the migration that runs.
    Json,
}

/// Starts the log: what libraries, the server and the runs have to say, as far as it is wanted.
pub fn listen(logs: Logs, talk: Talk) -> Result<()> {
    let (all, talked) = match talk {
        Talk::Quiet => (Level::ERROR, Level::WARN),
        Talk::Normal => (Level::WARN, Level::INFO),
        Talk::Verbose => (Level::INFO, Level::DEBUG),
    };
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let filter = match wanted.is_empty() {
        true => EnvFilter::new(all.to_string()),
        false => EnvFilter::try_new(&wanted).map_err(|error| {
            Error::new(
                Code::Usage,
                format!("failed to understand {VARIABLE}={wanted}"),
            )
            .cause(error)
            .hint("write it as in RUST_LOG=info, or RUST_LOG=warn,wasmigrate=debug")
        })?,
    };
    let builder = tracing_subscriber::fmt().with_writer(io::stderr);
    match logs {
        Logs::Text => builder
            .with_env_filter(filter)
            .with_ansi(false)
            .with_target(false)
            .without_time()
            .init(),
        Logs::Json => {
            let talked = format!("{TALK}={talked}").parse();
            let filter = match talked {
                Ok(talked) => filter.add_directive(talked),
                Err(_) => filter,
            };
            builder
                .with_env_filter(filter)
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false)
                .init();
        }
    }
    Ok(())
}

/// Says something at that level.
pub(super) fn tell(logs: Logs, color: ColorChoice, level: Level, text: impl Display) {
    match logs {
        // if nobody listens there is nobody to tell
        Logs::Text => drop(writeln!(
            AutoStream::new(io::stderr().lock(), color),
            "{text}"
        )),
        Logs::Json => {
            let text = anstream::adapter::strip_str(&text.to_string()).to_string();
            let text = text.trim();
            match level {
                Level::ERROR => tracing::error!(target: TALK, "{text}"),
                Level::WARN => tracing::warn!(target: TALK, "{text}"),
                Level::INFO => tracing::info!(target: TALK, "{text}"),
                _ => tracing::debug!(target: TALK, "{text}"),
            }
        }
    }
}

/// Logs an error with its parts.
pub(super) fn failed(error: &Error) {
    let server = error.server_report();
    let clean = without_passwords;
    tracing::error!(
        target: TALK,
        code = error.code().name(),
        exit = error.code().exit(),
        causes = clean(&error.causes().join("; ")),
        sqlstate = server.map(|server| server.sqlstate.as_str()),
        hint = error.hint_text().map(clean),
        "{}",
        clean(error.message())
    );
}
