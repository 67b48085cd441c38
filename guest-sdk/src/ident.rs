//! Names of things in the database, which quote themselves.
//!
//! Every name is always quoted, whether PostgreSQL needs it or not: the list of words that need quotes
//! grows with each version, quotes never change what a name in its true spelling means.

use std::fmt::{self, Write};

use crate::bindings::wasmigrate::migration::types::Relation;

/// A name that quotes itself when it is displayed, for use in SQL made by `format!`.
///
/// [`Table`] and [`Column`] are the usual way; this is for every other kind of name.
///
/// ```
/// use wasmigrate_sdk::Ident;
/// assert_eq!(format!("SELECT 1 AS {}", Ident("say \"hi\"")), r#"SELECT 1 AS "say ""hi""""#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ident<'a>(
    /// The name as it is, without quotes.
    pub &'a str,
);

impl fmt::Display for Ident<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            if c == '"' {
                f.write_char('"')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

/// Several names with commas between them, each quoted.
pub(crate) fn list<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| Ident(name.as_ref()).to_string())
        .collect();
    quoted.join(", ")
}

/// A relation's name with its schema, quoted.
pub(crate) fn relation(relation: &Relation) -> String {
    format!("{}.{}", Ident(&relation.schema), Ident(&relation.name))
}

/// A table, view, sequence or index by schema and name. It displays quoted and with its schema, as the
/// host asks for every relation in a statement.
///
/// The names are `'static`: what a migration touches is granted name by name, so it is known when the
/// migration is written. Leak a computed name (`String::leak`) where it must be.
///
/// ```
/// use wasmigrate_sdk::Table;
///
/// const LOGS: Table = Table::new("public", "medication_logs");
/// assert_eq!(format!("SELECT count(*) FROM {LOGS}"), r#"SELECT count(*) FROM "public"."medication_logs""#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Table {
    schema: &'static str,
    name: &'static str,
}

impl Table {
    /// A relation by schema and name, both without quotes and in their true spelling.
    ///
    /// ```
    /// # use wasmigrate_sdk::Table;
    /// const USERS: Table = Table::new("public", "users");
    /// ```
    #[must_use]
    pub const fn new(schema: &'static str, name: &'static str) -> Self {
        Self { schema, name }
    }

    /// The schema, unquoted.
    ///
    /// ```
    /// # use wasmigrate_sdk::Table;
    /// assert_eq!(Table::new("public", "users").schema(), "public");
    /// ```
    #[must_use]
    pub const fn schema(&self) -> &'static str {
        self.schema
    }

    /// The name inside the schema, unquoted.
    ///
    /// ```
    /// # use wasmigrate_sdk::Table;
    /// assert_eq!(Table::new("public", "users").name(), "users");
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// A column of this table, displayed with schema and table.
    ///
    /// ```
    /// # use wasmigrate_sdk::Table;
    /// const LOGS: Table = Table::new("public", "logs");
    /// assert_eq!(LOGS.column("userId").to_string(), r#""public"."logs"."userId""#);
    /// ```
    #[must_use]
    pub fn column(self, column: impl Into<Column>) -> QualifiedColumn {
        QualifiedColumn {
            table: self,
            column: column.into(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", Ident(self.schema), Ident(self.name))
    }
}

impl From<Table> for Relation {
    fn from(table: Table) -> Self {
        Self {
            schema: table.schema.into(),
            name: table.name.into(),
        }
    }
}

/// A column's name. It displays quoted; put a table's alias before it by hand.
///
/// ```
/// use wasmigrate_sdk::{Column, Table};
///
/// const LOGS: Table = Table::new("public", "logs");
/// const USER_ID: Column = Column::new("userId");
/// assert_eq!(
///     format!("SELECT l.{USER_ID} FROM {LOGS} AS l"),
///     r#"SELECT l."userId" FROM "public"."logs" AS l"#,
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Column(&'static str);

impl Column {
    /// A column by its name, without quotes and in its true spelling.
    ///
    /// ```
    /// # use wasmigrate_sdk::Column;
    /// const USER_ID: Column = Column::new("userId");
    /// ```
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name, unquoted.
    ///
    /// ```
    /// # use wasmigrate_sdk::Column;
    /// assert_eq!(Column::new("userId").name(), "userId");
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ident(self.0).fmt(f)
    }
}

impl From<&'static str> for Column {
    fn from(name: &'static str) -> Self {
        Self(name)
    }
}

/// A column with its table and schema, as [`Table::column`] makes it.
///
/// ```
/// # use wasmigrate_sdk::Table;
/// let id = Table::new("public", "users").column("id");
/// assert_eq!(format!("{id}"), r#""public"."users"."id""#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QualifiedColumn {
    table: Table,
    column: Column,
}

impl fmt::Display for QualifiedColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.column)
    }
}

/// Quotes a text as an SQL literal, for `format!` where a parameter can't stand (DDL).
///
/// ```
/// use wasmigrate_sdk::Literal;
/// assert_eq!(Literal("it's").to_string(), "'it''s'");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Literal<'a>(
    /// The text as it is.
    pub &'a str,
);

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // E'' reads the same under either setting of standard_conforming_strings
        let escaped = self.0.contains('\\');
        f.write_str(if escaped { "E'" } else { "'" })?;
        for c in self.0.chars() {
            if c == '\'' || c == '\\' {
                f.write_char(c)?;
            }
            f.write_char(c)?;
        }
        f.write_char('\'')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_name_cannot_end_it() {
        let name = Ident(r#"x"; DROP TABLE t; --"#);
        assert_eq!(name.to_string(), r#""x""; DROP TABLE t; --""#);
    }

    #[test]
    fn a_quote_or_backslash_in_a_literal_cannot_end_it() {
        assert_eq!(Literal("'; --").to_string(), "'''; --'");
        assert_eq!(Literal(r"\'; --").to_string(), r"E'\\''; --'");
    }

    #[test]
    fn names_are_listed_with_commas() {
        assert_eq!(list(&["id", "userId"]), r#""id", "userId""#);
        assert_eq!(list::<&str>(&[]), "");
    }
}
