//! Reading our TOML files, with errors that name the place, the key and what was probably meant.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Code, Error, Result};
use crate::text::did_you_mean;

/// A TOML text together with what to say when it is wrong.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// The error's code.
    pub code: Code,
    /// Where the text is from, for example a path.
    pub origin: &'a str,
    /// The text.
    pub text: &'a str,
}

impl Document<'_> {
    /// Reads the whole text into a value.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        toml::from_str(self.text).map_err(|error| self.explain(&error))
    }

    /// The value of a spanned text, by a parser whose error says what was expected.
    pub fn value<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        text: &Spanned<String>,
    ) -> Result<T> {
        text.get_ref()
            .parse()
            .map_err(|error: T::Err| self.error(text.span(), error.to_string()))
    }

    /// An error at a place of the text: origin, line, column, key.
    pub fn error(&self, span: Range<usize>, message: impl AsRef<str>) -> Error {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let key = match self.key_at(span.start) {
            Some(key) => format!(" (`{key}`)"),
            None => String::new(),
        };
        let (origin, message) = (self.origin, message.as_ref());
        Error::new(
            self.code,
            format!("{origin}, line {line}, column {column}{key}: {message}"),
        )
    }

    fn explain(&self, error: &toml::de::Error) -> Error {
        let span = error.span().unwrap_or_default();
        let mut quoted = error.message().split('`').skip(1).step_by(2);
        if error.message().starts_with("unknown field")
            && let Some(unknown) = quoted.next()
        {
            let known: Vec<_> = quoted.collect();
            let shown = self.error(span, "there is no such key");
            return match did_you_mean(unknown, known.iter().copied()) {
                Some(near) => shown.hint(format!("did you mean `{near}`?")),
                None => shown.hint(format!("the keys here are {}", known.join(", "))),
            };
        }
        // serde's words for a missing key; the span is then the table's
        let message = error
            .message()
            .replace("missing field", "missing key")
            .replace('\n', " ");
        self.error(span, message)
    }

    /// The dotted path of the innermost key that, with its value, holds this place.
    fn key_at(&self, offset: usize) -> Option<String> {
        let (table, _) = DeTable::parse_recoverable(self.text);
        let mut path = Vec::new();
        descend(table.get_ref(), offset, &mut path);
        (!path.is_empty()).then(|| path.join("."))
    }
}

fn descend(table: &DeTable<'_>, offset: usize, path: &mut Vec<String>) {
    for (key, value) in table.iter() {
        if key.span().contains(&offset) {
            path.push(key.get_ref().to_string());
            return;
        }
        if holds(value, offset) {
            path.push(key.get_ref().to_string());
            if let DeValue::Table(inner) = value.get_ref() {
                descend(inner, offset, path);
            }
            return;
        }
    }
}

/// Whether a value, or for a table anything in it, holds the place: the span of a `[table]` is only
/// that of its header.
fn holds(value: &Spanned<DeValue<'_>>, offset: usize) -> bool {
    value.span().contains(&offset)
        || value.get_ref().as_table().is_some_and(|table| {
            table
                .iter()
                .any(|(key, inner)| key.span().contains(&offset) || holds(inner, offset))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its type matters")]
        number: u8,
        #[serde(default)]
        inner: BTreeMap<String, Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its type matters")]
        colour: Option<String>,
    }

    fn parse(text: &str) -> Result<Sample> {
        Document {
            code: Code::ConfigInvalid,
            origin: "x.toml",
            text,
        }
        .parse()
    }

    fn failure(text: &str) -> Error {
        parse(text).unwrap_err()
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place_and_a_suggestion() {
        let error = failure("number = 1\n[inner.a]\n  color = \"x\"\n");
        assert_eq!(error.code(), Code::ConfigInvalid);
        assert_eq!(
            error.message(),
            "x.toml, line 3, column 3 (`inner.a.color`): there is no such key"
        );
        assert_eq!(error.hint_text(), Some("did you mean `colour`?"));
    }

    #[test]
    fn without_a_near_key_all_are_listed() {
        let error = failure("number = 1\nzzz = 2\n");
        assert_eq!(error.hint_text(), Some("the keys here are number, inner"));
    }

    #[test]
    fn a_wrong_type_is_named_with_its_key() {
        let error = failure("# é\nnumber = \"one\"\n");
        assert!(
            error
                .message()
                .starts_with("x.toml, line 2, column 10 (`number`): invalid type"),
            "{error}"
        );
    }

    #[test]
    fn broken_syntax_and_missing_and_repeated_keys_are_named() {
        assert!(
            failure("number = \n").message().contains("line 1, column"),
            "{}",
            failure("number = \n")
        );
        assert!(failure("").message().contains("missing key `number`"));
        let repeated = failure("number = 1\nnumber = 2\n");
        assert!(
            repeated.message().contains("line 2") && repeated.message().contains("duplicate key"),
            "{repeated}"
        );
        assert!(parse("number = 1").unwrap().inner.is_empty());
    }
}
