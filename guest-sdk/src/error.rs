//! Why something failed: one type for the host's errors, decoding errors and the author's own.

use std::fmt;

use crate::bindings::wasmigrate::migration::types as raw;

#[doc(inline)]
pub use raw::DatabaseError;

/// What this crate's functions return.
///
/// ```
/// fn half(n: i64) -> wasmigrate_sdk::Result<i64> {
///     if n % 2 == 1 { wasmigrate_sdk::bail!("{n} is odd"); }
///     Ok(n / 2)
/// }
/// assert_eq!(half(3).unwrap_err().to_string(), "3 is odd");
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call or a migration failed.
///
/// The first error that comes from the host *poisons the run*: later calls fail with
/// [`ErrorKind::Poisoned`] without reaching the server, and the host never commits, whatever the
/// migration returns. So there is no catching a failed statement and trying another; pass the error on
/// with `?` and ask beforehand with the functions of [`checks`](crate::checks) instead.
///
/// ```
/// use wasmigrate_sdk::{Error, ErrorKind};
///
/// let error = Error::new("3 rows are left").context("cleaning up");
/// assert_eq!(error.kind(), ErrorKind::Author);
/// assert_eq!(error.to_string(), "cleaning up: 3 rows are left");
/// ```
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
enum Inner {
    Host(raw::Error),
    Decode(String),
    Author(String),
    Context(String, Error),
}

/// The kinds of [`Error`].
///
/// ```
/// # use wasmigrate_sdk::{Error, ErrorKind};
/// assert_eq!(Error::from("no").kind(), ErrorKind::Author);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The host refused: it was not granted, or can't be.
    Denied,
    /// The server refused; [`Error::database`] has the fields of its message.
    Database,
    /// A budget of the host is used up.
    Limit,
    /// The call asks for something that can't be done.
    Unsupported,
    /// An open [`Rows`](crate::Rows) still reads the table that the statement changes.
    RowsOpen,
    /// A [`CopyIn`](crate::CopyIn) is open.
    CopyOpen,
    /// A requiring check was not met.
    CheckFailed,
    /// An earlier call failed, so the run is lost.
    Poisoned,
    /// A value does not fit the type that was asked for. It does not poison the run.
    Decode,
    /// The migration's own error. It does not poison the run until the migration returns it.
    Author,
}

impl Error {
    /// An error of the migration's own. See also [`bail!`](crate::bail).
    ///
    /// ```
    /// # use wasmigrate_sdk::Error;
    /// assert_eq!(Error::new("table is empty").to_string(), "table is empty");
    /// ```
    pub fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Inner::Author(message.into())))
    }

    pub(crate) fn decode(message: String) -> Self {
        Self(Box::new(Inner::Decode(message)))
    }

    /// Says what was being done when it failed, in front of the message.
    ///
    /// ```
    /// # use wasmigrate_sdk::Error;
    /// assert_eq!(Error::new("no").context("asking").to_string(), "asking: no");
    /// ```
    #[must_use]
    pub fn context(self, doing: impl Into<String>) -> Self {
        Self(Box::new(Inner::Context(doing.into(), self)))
    }

    /// What kind of error this is.
    ///
    /// ```
    /// # use wasmigrate_sdk::{Error, ErrorKind};
    /// assert_eq!(Error::new("no").context("asking").kind(), ErrorKind::Author);
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.root() {
            Inner::Host(host) => match host {
                raw::Error::Denied(_) => ErrorKind::Denied,
                raw::Error::Database(_) => ErrorKind::Database,
                raw::Error::Limit(_) => ErrorKind::Limit,
                raw::Error::Unsupported(_) => ErrorKind::Unsupported,
                raw::Error::RowsOpen(_) => ErrorKind::RowsOpen,
                raw::Error::CopyOpen(_) => ErrorKind::CopyOpen,
                raw::Error::CheckFailed(_) => ErrorKind::CheckFailed,
                raw::Error::Poisoned(_) => ErrorKind::Poisoned,
            },
            Inner::Decode(_) => ErrorKind::Decode,
            Inner::Author(_) | Inner::Context(..) => ErrorKind::Author,
        }
    }

    /// All that the server said, when it was the server that refused.
    ///
    /// ```
    /// # use wasmigrate_sdk::Error;
    /// fn constraint(error: &Error) -> Option<&str> {
    ///     error.database()?.constraint.as_deref()
    /// }
    /// # assert!(constraint(&Error::new("no")).is_none());
    /// ```
    #[must_use]
    pub fn database(&self) -> Option<&DatabaseError> {
        match self.root() {
            Inner::Host(raw::Error::Database(database)) => Some(database),
            _ => None,
        }
    }

    /// The five characters of SQLSTATE, when it was the server that refused.
    ///
    /// ```
    /// # use wasmigrate_sdk::Error;
    /// assert_eq!(Error::new("no").sqlstate(), None);
    /// ```
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.database().map(|error| error.sqlstate.as_str())
    }

    /// More about the cause, where the server gave it.
    ///
    /// ```
    /// # use wasmigrate_sdk::Error;
    /// assert_eq!(Error::new("no").detail(), None);
    /// ```
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.database()?.detail.as_deref()
    }

    /// The server's suggestion, where it had one.
    ///
    /// ```
    /// # use wasmigrate_sdk::Error;
    /// assert_eq!(Error::new("no").hint(), None);
    /// ```
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.database()?.hint.as_deref()
    }

    fn root(&self) -> &Inner {
        let mut inner = &*self.0;
        while let Inner::Context(_, cause) = inner {
            inner = &cause.0;
        }
        inner
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Inner::Decode(text) | Inner::Author(text) => f.write_str(text),
            Inner::Context(doing, cause) => write!(f, "{doing}: {cause}"),
            Inner::Host(host) => match host {
                raw::Error::Denied(text) => write!(f, "denied: {text}"),
                raw::Error::Database(error) => write_database(f, error),
                raw::Error::Limit(text) => write!(f, "over a limit: {text}"),
                raw::Error::Unsupported(text) => write!(f, "unsupported: {text}"),
                raw::Error::RowsOpen(text) => write!(f, "rows are still open: {text}"),
                raw::Error::CopyOpen(text) => write!(f, "a copy is still open: {text}"),
                raw::Error::CheckFailed(text) => write!(f, "check failed: {text}"),
                raw::Error::Poisoned(text) => write!(f, "an earlier call failed: {text}"),
            },
        }
    }
}

fn write_database(f: &mut fmt::Formatter<'_>, error: &DatabaseError) -> fmt::Result {
    write!(f, "{} (SQLSTATE {})", error.message, error.sqlstate)?;
    if let Some(detail) = &error.detail {
        write!(f, "; detail: {detail}")?;
    }
    if let Some(hint) = &error.hint {
        write!(f, "; hint: {hint}")?;
    }
    Ok(())
}

impl std::error::Error for Error {}

impl From<raw::Error> for Error {
    fn from(error: raw::Error) -> Self {
        Self(Box::new(Inner::Host(error)))
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

macro_rules! from_std {
    ($($error:ty),+) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::new(error.to_string())
            }
        }
    )+};
}
from_std!(
    std::num::ParseIntError,
    std::num::ParseFloatError,
    std::num::TryFromIntError,
    std::str::Utf8Error,
    std::string::FromUtf8Error,
    fmt::Error
);

/// Returns from the function with an [`Error`] of the migration's own, its message made as by `format!`.
///
/// ```
/// fn refuse(rows: u64) -> wasmigrate_sdk::Result<()> {
///     wasmigrate_sdk::bail!("{rows} rows stand in the way");
/// }
/// assert_eq!(refuse(2).unwrap_err().to_string(), "2 rows stand in the way");
/// ```
#[macro_export]
macro_rules! bail {
    ($($message:tt)+) => {
        return ::core::result::Result::Err($crate::Error::new(::std::format!($($message)+)))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Error {
        Error::from(raw::Error::Database(DatabaseError {
            sqlstate: "23503".into(),
            message: "insert violates foreign key".into(),
            detail: Some("key is not present".into()),
            hint: None,
            schema: None,
            table: None,
            column: None,
            constraint: Some("fk".into()),
            position: None,
        }))
    }

    #[test]
    fn a_servers_refusal_keeps_its_fields_under_a_context() {
        let error = refused().context("adding the key");
        assert_eq!(error.kind(), ErrorKind::Database);
        assert_eq!(error.sqlstate(), Some("23503"));
        assert_eq!(error.detail(), Some("key is not present"));
        assert_eq!(
            error.to_string(),
            "adding the key: insert violates foreign key (SQLSTATE 23503); detail: key is not present"
        );
    }

    #[test]
    fn the_question_mark_takes_texts_and_number_errors() {
        fn parse(text: &str) -> Result<i32> {
            if text.is_empty() {
                return Err("empty".into());
            }
            Ok(text.parse::<i32>()?)
        }
        assert_eq!(parse("").unwrap_err().to_string(), "empty");
        assert_eq!(parse("x").unwrap_err().kind(), ErrorKind::Author);
    }
}
