//! JSON that may be shown on a terminal.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use crate::error::{Code, Error, Result};
use crate::text::seen;

/// Indented JSON in which hidden characters, and letters that pass for others, are written as `\uXXXX`: the same
/// data, but nothing that steers a terminal or deceives a reader.
pub(super) fn to_string(value: &impl Serialize) -> Result<String> {
    let failed = |error: String| Error::new(Code::Internal, "failed to write JSON").cause(error);
    let mut bytes = Vec::new();
    let formatter = Visible(PrettyFormatter::new());
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, formatter))
        .map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
}

/// The same on one line: no line of indented JSON begins or ends inside a string.
pub(super) fn to_line(value: &impl Serialize) -> Result<String> {
    let text = to_string(value)?;
    Ok(text.lines().map(str::trim).collect::<Vec<_>>().join(" "))
}

struct Visible(PrettyFormatter<'static>);

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // a fragment ends where a character is escaped anyway, which is in no word
        for (character, hidden) in seen(fragment) {
            if hidden {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            } else {
                write!(writer, "{character}")?;
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped_and_read_back_equal() {
        let text = "a\"\\\n\x1b\u{9b}é\u{202e}b\u{e0041} p\u{430}y";
        let json = to_string(&[text]).unwrap();
        assert_eq!(
            json,
            "[\n  \"a\\\"\\\\\\n\\u001b\\u009bé\\u202eb\\udb40\\udc41 p\\u0430y\"\n]"
        );
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), [text]);
    }
}
