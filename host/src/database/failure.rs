//! Why the server, or the way to it, did not do what was asked.

use std::fmt;

use tokio_postgres::error::ErrorPosition;

use super::connect::reason;
use crate::error::{Code, Error, ServerReport};

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The server refused the statement.
    Server(Box<Refusal>),
    /// The connection is gone; what happened to the request is not known.
    Lost(String),
    /// The request could not be sent or its answer not read; the text says why.
    Unusable(String),
    /// A batch of rows is larger than the limit, in bytes.
    TooLarge(usize),
}

/// What PostgreSQL said. Source: PostgreSQL, "Error and Notice Message Fields".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// SQLSTATE.
    pub sqlstate: String,
    /// The primary message.
    pub message: String,
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<String>,
    /// The schema of the relation concerned.
    pub schema: Option<String>,
    /// The relation concerned.
    pub table: Option<String>,
    /// The column concerned.
    pub column: Option<String>,
    /// The constraint concerned.
    pub constraint: Option<String>,
    /// Where in the statement, in characters from 1.
    pub position: Option<u32>,
}

impl Refusal {
    /// Whether another attempt may well succeed: a lock timeout, a deadlock, a serialization failure, or two
    /// sessions that changed one row of the catalog, for which PostgreSQL has no SQLSTATE of its own
    /// (`simple_heap_update` and `simple_heap_delete`; such internal messages are not translated).
    pub fn is_contention(&self) -> bool {
        match self.sqlstate.as_str() {
            "55P03" | "40P01" | "40001" => true,
            "XX000" => self.message.starts_with("tuple concurrently "),
            _ => false,
        }
    }

    /// The part that an [`Error`] shows on lines of their own.
    pub fn report(&self) -> ServerReport {
        ServerReport {
            sqlstate: self.sqlstate.clone(),
            detail: self.detail.clone(),
            hint: self.hint.clone(),
        }
    }
}

impl Failure {
    /// Whether the server refused for want of a privilege.
    pub fn is_privilege(&self) -> bool {
        matches!(self, Failure::Server(refusal) if refusal.sqlstate == "42501")
    }

    /// An error that the operator sees, for a request that the host made for itself.
    pub fn error(self, code: Code, message: impl Into<String>) -> Error {
        match self {
            Failure::Server(refusal) => {
                let code = match &refusal.sqlstate[..] {
                    "42501" => Code::DatabasePrivilege,
                    "25006" => Code::DatabaseReadOnly,
                    _ => code,
                };
                Error::new(code, message)
                    .cause(&refusal.message)
                    .server(refusal.report())
            }
            Failure::Lost(_) => Error::new(Code::DatabaseLost, message).cause(self),
            _ => Error::new(code, message).cause(self),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Server(refusal) => f.write_str(&refusal.message),
            Failure::Lost(why) => write!(f, "the connection to the server was lost ({why})"),
            Failure::Unusable(why) => f.write_str(why),
            Failure::TooLarge(limit) => {
                write!(f, "a batch of rows holds more than {limit} bytes")
            }
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(server) = error.as_db_error() {
            let text = |field: Option<&str>| field.map(str::to_owned);
            let position = match server.position() {
                Some(ErrorPosition::Original(position)) => Some(*position),
                _ => None,
            };
            let refusal = Refusal {
                sqlstate: server.code().code().to_owned(),
                message: server.message().to_owned(),
                detail: text(server.detail()),
                hint: text(server.hint()),
                schema: text(server.schema()),
                table: text(server.table()),
                column: text(server.column()),
                constraint: text(server.constraint()),
                position,
            };
            // an administrator's command or a shutdown ends the session with the message
            return match &refusal.sqlstate[..] {
                "57P01" | "57P02" | "57P05" => Failure::Lost(refusal.message),
                _ => Failure::Server(Box::new(refusal)),
            };
        }
        let why = reason(&error);
        if error.is_closed() || source_is_io(&error) {
            Failure::Lost(why)
        } else {
            Failure::Unusable(why)
        }
    }
}

fn source_is_io(error: &tokio_postgres::Error) -> bool {
    use std::io::ErrorKind;
    let inner = std::error::Error::source(error).and_then(|e| e.downcast_ref::<std::io::Error>());
    // an invalid input is a value that could not be encoded, such as a text with a NUL
    inner.is_some_and(|e| e.kind() != ErrorKind::InvalidInput)
}
