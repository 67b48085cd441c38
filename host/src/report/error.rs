//! How an error is shown.

use std::fmt::Write as _;

use anstyle::AnsiColor;
use serde::Serialize;

use crate::error::Error;
use crate::report::{bold, escape, without_passwords};

/// An error as JSON: `{"error": {...}}`.
#[derive(Debug, Serialize)]
pub struct ErrorJson {
    error: Fields,
}

#[derive(Debug, Serialize)]
struct Fields {
    code: &'static str,
    exit: u8,
    /// The code of what stopped a run half-way, or the same code.
    first_code: &'static str,
    message: String,
    causes: Vec<String>,
    sqlstate: Option<String>,
    detail: Option<String>,
    server_hint: Option<String>,
    hint: Option<String>,
    help: &'static str,
}

/// The error for a program.
pub fn error_json(error: &Error) -> ErrorJson {
    let server = error.server_report();
    ErrorJson {
        error: Fields {
            code: error.code().name(),
            exit: error.code().exit(),
            first_code: error.first_code().name(),
            message: without_passwords(error.message()),
            causes: error
                .causes()
                .iter()
                .map(|cause| without_passwords(cause))
                .collect(),
            sqlstate: server.map(|server| server.sqlstate.clone()),
            detail: server
                .and_then(|server| server.detail.as_deref())
                .map(without_passwords),
            server_hint: server
                .and_then(|server| server.hint.as_deref())
                .map(without_passwords),
            hint: error.hint_text().map(without_passwords),
            help: error.code().help(),
        },
    }
}

/// The error for a person, on several lines.
pub fn error_text(error: &Error) -> String {
    let clean = |text: &str| escape(&without_passwords(text));
    let (red, cyan) = (
        AnsiColor::Red.on_default().bold(),
        AnsiColor::Cyan.on_default().bold(),
    );
    let code = error.code().name();
    let mut text = format!("{red}error[{code}]{red:#}: {}", clean(error.message()));
    let mut line = |label: &str, value: &str| {
        let style = bold();
        let _ = write!(text, "\n  {style}{label}:{style:#} {}", clean(value));
    };
    for cause in error.causes() {
        line("cause", cause);
    }
    if let Some(server) = error.server_report() {
        line("SQLSTATE", &server.sqlstate);
        for (label, value) in [("DETAIL", &server.detail), ("HINT", &server.hint)] {
            if let Some(value) = value {
                line(label, value);
            }
        }
    }
    if let Some(hint) = error.hint_text() {
        let _ = write!(text, "\n{cyan}hint{cyan:#}: {}", clean(hint));
    }
    let _ = write!(text, "\n{cyan}more{cyan:#}: wasmigrate explain {code}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, ServerReport};

    fn sample() -> Error {
        Error::new(Code::StatementFailed, "failed to run \x1b[31mSELECT")
            .cause("the server said: no")
            .cause("postgres://u:secret@h is gone")
            .server(ServerReport {
                sqlstate: "23503".to_owned(),
                detail: Some("Key is\nmissing.".to_owned()),
                hint: Some("Add it.".to_owned()),
            })
            .hint("repair the rows")
    }

    #[test]
    fn a_person_reads_the_lines_in_order_without_control_characters() {
        let text = anstream::adapter::strip_str(&error_text(&sample())).to_string();
        assert_eq!(
            text,
            "error[statement-failed]: failed to run \\u{1b}[31mSELECT\n  \
             cause: the server said: no\n  \
             cause: postgres://u:***@h is gone\n  \
             SQLSTATE: 23503\n  \
             DETAIL: Key is\\nmissing.\n  \
             HINT: Add it.\n\
             hint: repair the rows\n\
             more: wasmigrate explain statement-failed"
        );
    }

    #[test]
    fn a_program_gets_every_field() {
        let json = serde_json::to_value(error_json(&sample())).unwrap();
        let error = &json["error"];
        assert_eq!(error["code"], "statement-failed");
        assert_eq!(error["exit"], 6);
        assert_eq!(error["causes"][1], "postgres://u:***@h is gone");
        assert_eq!(error["sqlstate"], "23503");
        assert_eq!(error["detail"], "Key is\nmissing.");
        assert_eq!(error["server_hint"], "Add it.");
        assert_eq!(error["hint"], "repair the rows");
        let bare = serde_json::to_value(error_json(&Error::new(Code::Internal, "x"))).unwrap();
        assert!(bare["error"]["sqlstate"].is_null());
    }
}
