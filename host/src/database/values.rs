//! Parameters on their way to the server: every one travels in text form, so the server's own input
//! functions read it and any type can be reached.

use std::error::Error as StdError;
use std::fmt::Write as _;

use bytes::BytesMut;
use serde::Serialize;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

/// The most parameters that one statement can have. Source: PostgreSQL, "Message Formats", Bind
/// (the count is an unsigned 16-bit number).
pub const MAX_PARAMETERS: usize = 65_535;

/// A parameter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Int64(i64),
    /// A double.
    Float64(f64),
    /// The text form of a value of any type.
    Text(String),
    /// Bytes, for `bytea`.
    Bytes(Vec<u8>),
}

impl ToSql for Value {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Value::Null => return Ok(IsNull::Yes),
            Value::Boolean(true) => out.extend_from_slice(b"true"),
            Value::Boolean(false) => out.extend_from_slice(b"false"),
            Value::Int64(number) => {
                out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
            }
            Value::Float64(number) => write!(out, "{}", FloatText(*number))?,
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
            Value::Bytes(bytes) => {
                out.extend_from_slice(b"\\x");
                out.extend_from_slice(hex::encode(bytes).as_bytes());
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

impl Value {
    /// The value as a literal for a statement of the host's own: of type `unknown`, as the parameter is. It
    /// holds no byte that could end it, in whatever encoding and with whatever settings it is read.
    pub fn literal(&self) -> String {
        let mut text = BytesMut::new();
        let Ok(IsNull::No) = self.to_sql(&Type::UNKNOWN, &mut text) else {
            return "NULL".into();
        };
        let mut literal = String::with_capacity(text.len() + 3);
        literal.push_str("E'");
        for character in String::from_utf8_lossy(&text).chars() {
            if character.is_ascii_alphanumeric() || " _-+.,:;/()[]{}@=<>*|".contains(character) {
                literal.push(character);
            } else {
                // writing to a string does not fail
                let _ = write!(literal, "\\U{:08x}", u32::from(character));
            }
        }
        literal.push('\'');
        literal
    }
}

/// A double as PostgreSQL reads and prints it.
pub struct FloatText(pub f64);

impl std::fmt::Display for FloatText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_nan() {
            f.write_str("NaN")
        } else if self.0.is_infinite() {
            f.write_str(if self.0 > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            })
        } else {
            // the exponent form is short for every magnitude and loses no digit
            write!(f, "{:e}", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Value) -> Option<String> {
        let mut out = BytesMut::new();
        match value.to_sql(&Type::UNKNOWN, &mut out).unwrap() {
            IsNull::Yes => None,
            IsNull::No => Some(String::from_utf8(out.to_vec()).unwrap()),
        }
    }

    #[test]
    fn a_literal_cannot_be_ended_by_its_text() {
        assert_eq!(Value::Null.literal(), "NULL");
        assert_eq!(Value::Int64(-5).literal(), "E'-5'");
        assert_eq!(
            Value::Text("a'; b\\é".into()).literal(),
            "E'a\\U00000027; b\\U0000005c\\U000000e9'"
        );
    }

    #[test]
    fn every_value_has_the_text_that_postgresql_reads() {
        assert_eq!(text(Value::Null), None);
        assert_eq!(text(Value::Boolean(true)).unwrap(), "true");
        assert_eq!(text(Value::Int64(i64::MIN)).unwrap(), i64::MIN.to_string());
        assert_eq!(
            text(Value::Float64(f64::NEG_INFINITY)).unwrap(),
            "-Infinity"
        );
        assert_eq!(text(Value::Float64(f64::NAN)).unwrap(), "NaN");
        assert_eq!(text(Value::Float64(-0.1)).unwrap(), "-1e-1");
        assert_eq!(text(Value::Bytes(vec![0, 255])).unwrap(), "\\x00ff");
    }
}
