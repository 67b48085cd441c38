//! Reading one line of a grant: a cursor over its bytes, and errors that say where.

use std::fmt;
use std::ops::Range;

use super::name::{Ident, Name};

/// What is wrong with a line, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// What is wrong.
    pub message: String,
    /// The bytes of the line that it concerns.
    pub span: Range<usize>,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LineError {}

/// A result of reading a part of a line.
pub type Result<T> = std::result::Result<T, LineError>;

/// A place in a line.
pub struct Line<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Line<'a> {
    /// The start of a line; its characters must all be printable ASCII.
    pub fn new(text: &'a str) -> Result<Self> {
        let line = Line { text, at: 0 };
        match text
            .char_indices()
            .find(|(_, character)| !matches!(character, ' '..='~'))
        {
            Some((at, character)) => Err(LineError {
                message: format!(
                    "a grant is written in printable ASCII; this is U+{:04X}",
                    u32::from(character)
                ),
                span: at..at + character.len_utf8(),
            }),
            None => Ok(line),
        }
    }

    /// What is left.
    pub fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The byte where the cursor stands.
    pub fn at(&self) -> usize {
        self.at
    }

    /// An error over what was read since `start`, or at the next byte.
    pub fn error<T>(&self, start: usize, message: impl Into<String>) -> Result<T> {
        let end = self.at.max(start + 1).min(self.text.len());
        Err(LineError {
            message: message.into(),
            span: start.min(end)..end,
        })
    }

    /// Takes a symbol or a blank if it is next.
    pub fn take(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
        }
        found
    }

    /// Takes a symbol that must be next.
    pub fn expect(&mut self, symbol: &str, after: &str) -> Result<()> {
        match self.take(symbol) {
            true => Ok(()),
            false => self.error(self.at, format!("expected `{symbol}` after {after}")),
        }
    }

    /// The end of the line must be next.
    pub fn end(&self) -> Result<()> {
        match self.rest() {
            "" => Ok(()),
            rest => Err(LineError {
                message: format!("nothing may follow here: `{rest}`"),
                span: self.at..self.text.len(),
            }),
        }
    }

    /// A word of lower-case letters and hyphens, as verbs and actions are written.
    pub fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_ascii_lowercase() || c == '-'))
            .unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// A name, in quotes or without.
    pub fn ident(&mut self) -> Result<Ident> {
        let start = self.at;
        if self.rest().starts_with('*') {
            return self.error(start, "there is no wildcard: name each object");
        }
        let name = match self.take("\"") {
            true => self.quoted(start)?,
            false => self.unquoted(start)?,
        };
        match Ident::new(&name) {
            Ok(ident) => Ok(ident),
            Err(why) => self.error(start, why),
        }
    }

    fn quoted(&mut self, start: usize) -> Result<String> {
        let mut name = String::new();
        loop {
            let Some(end) = self.rest().find('"') else {
                self.at = self.text.len();
                return self.error(start, "the quote is not closed");
            };
            name.push_str(self.rest().get(..end).unwrap_or_default());
            self.at += end + 1;
            match self.take("\"") {
                true => name.push('"'),
                false => return Ok(name),
            }
        }
    }

    fn unquoted(&mut self, start: usize) -> Result<String> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '$')))
            .unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default();
        self.at += end;
        if super::name::is_plain(name) {
            return Ok(name.to_owned());
        }
        match name {
            "" => self.error(start, "expected a name"),
            _ => self.error(
                start,
                format!("PostgreSQL reads `{name}` as another name; write \"{name}\" in quotes"),
            ),
        }
    }

    /// A name with its schema.
    pub fn name(&mut self) -> Result<Name> {
        let start = self.at;
        let schema = self.ident()?;
        if !self.take(".") {
            return self.error(start, format!("name the schema too: `schema.{schema}`"));
        }
        let name = self.ident()?;
        match Name::new(schema.as_str(), name.as_str()) {
            Ok(name) => Ok(name),
            Err(why) => self.error(start, why),
        }
    }

    /// A list in parentheses, whose opening one is read; `what` names an entry.
    pub fn list<T: Ord>(
        &mut self,
        what: &str,
        mut entry: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut entries = Vec::new();
        loop {
            entries.push(entry(self)?);
            if self.take(")") {
                return Ok(entries);
            }
            self.expect(",", what)?;
            self.take(" ");
        }
    }
}
