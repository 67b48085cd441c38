//! Reading rows: a lazy iteration across batches, each row a cheap view into its batch.

use std::rc::Rc;

use crate::bindings::wasmigrate::migration::query as raw;
use crate::cell::Chunk;
use crate::{Cell, Error, FromCell, FromRow, Misfit, Result, Value};

/// Runs one statement that returns rows, which are fetched batch by batch as the iteration goes on.
///
/// Dropping the rows closes the result on the server. While it is open, DDL on a table that it reads fails.
///
/// ```no_run
/// use wasmigrate_sdk::{Result, Table, info, params, query};
///
/// const USERS: Table = Table::new("public", "users");
///
/// fn nurses() -> Result<()> {
///     for row in query(format!("SELECT id, email FROM {USERS} WHERE role = $1"), params!["NURSE"])? {
///         let row = row?;
///         info!("{} has {}", row.get::<&str>("id")?, row.get::<Option<String>>(1)?.unwrap_or_default());
///     }
///     Ok(())
/// }
/// ```
///
/// # Errors
/// When the host or the server refuses the statement.
pub fn query(sql: impl AsRef<str>, params: &[Value]) -> Result<Rows> {
    Ok(Rows {
        source: Some(raw::query(sql.as_ref(), params)?),
        chunk: None,
        next: 0,
    })
}

/// Runs a statement that must return exactly one row.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, Table, params, query_one};
/// # const USERS: Table = Table::new("public", "users");
/// # fn example() -> Result<()> {
/// let (users, mails): (i64, i64) =
///     query_one(format!("SELECT count(*), count(email) FROM {USERS}"), params![])?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the statement fails, when it returns no row or several, or when the row does not fit.
pub fn query_one<T: FromRow>(sql: impl AsRef<str>, params: &[Value]) -> Result<T> {
    query_optional(sql, params)?
        .ok_or_else(|| Error::decode("one row was expected, the query returned none".into()))
}

/// Runs a statement that must return one row or none.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, Table, params, query_optional};
/// # const USERS: Table = Table::new("public", "users");
/// # fn example() -> Result<()> {
/// let admin: Option<(String,)> =
///     query_optional(format!("SELECT id FROM {USERS} WHERE email = $1"), params!["admin@example.test"])?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the statement fails, when it returns several rows, or when the row does not fit.
pub fn query_optional<T: FromRow>(sql: impl AsRef<str>, params: &[Value]) -> Result<Option<T>> {
    let mut rows = query(sql, params)?;
    let Some(first) = rows.next().transpose()? else {
        return Ok(None);
    };
    if rows.next().transpose()?.is_some() {
        return Err(Error::decode(
            "one row was expected, the query returned several".into(),
        ));
    }
    T::from_row(&first).map(Some)
}

/// Runs a statement that must return exactly one row of one column, and reads that value.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, Table, params, query_scalar};
/// # const USERS: Table = Table::new("public", "users");
/// # fn example() -> Result<()> {
/// let users: i64 = query_scalar(format!("SELECT count(*) FROM {USERS}"), params![])?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the statement fails, when there is not one row with one column, or when the value does not fit.
pub fn query_scalar<T: for<'a> FromCell<'a>>(sql: impl AsRef<str>, params: &[Value]) -> Result<T> {
    query_one::<(T,)>(sql, params).map(|(value,)| value)
}

/// An open result, an iterator over its rows. After an error it is at its end.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, Rows};
/// fn sum(rows: Rows) -> Result<i64> {
///     rows.typed::<(i64,)>().map(|row| Ok(row?.0)).sum()
/// }
/// ```
#[derive(Debug)]
pub struct Rows {
    source: Option<raw::Rows>,
    chunk: Option<Rc<Chunk>>,
    next: usize,
}

impl Rows {
    /// The same rows, each read as a `T`: a tuple, or a struct of [`from_row!`](crate::from_row).
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Result, Table, params, query};
    /// # const USERS: Table = Table::new("public", "users");
    /// # fn example() -> Result<()> {
    /// let all: Vec<(String, Option<String>)> =
    ///     query(format!("SELECT id, email FROM {USERS}"), params![])?.typed().collect::<Result<_>>()?;
    /// # Ok(()) }
    /// ```
    pub fn typed<T: FromRow>(self) -> impl Iterator<Item = Result<T>> {
        self.map(|row| T::from_row(&row?))
    }

    /// Fetches until there is a batch with rows in it; false at the end.
    fn fetch(&mut self) -> Result<bool> {
        self.chunk = None;
        self.next = 0;
        while let Some(source) = &self.source {
            match source
                .next()
                .map_err(Error::from)
                .and_then(|batch| batch.map(Chunk::new).transpose())
            {
                Ok(Some(chunk)) if chunk.length == 0 => {}
                Ok(Some(chunk)) => {
                    self.chunk = Some(chunk);
                    return Ok(true);
                }
                Ok(None) => self.source = None,
                Err(error) => {
                    self.source = None;
                    return Err(error);
                }
            }
        }
        Ok(false)
    }
}

impl Iterator for Rows {
    type Item = Result<Row>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(chunk) = &self.chunk
                && self.next < chunk.length
            {
                let row = Row {
                    chunk: Rc::clone(chunk),
                    index: self.next,
                };
                self.next += 1;
                return Some(Ok(row));
            }
            match self.fetch() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// One row. It is a view into its batch: cloning it copies no value.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, Row};
/// fn id(row: &Row) -> Result<&str> {
///     row.get("id")
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Row {
    chunk: Rc<Chunk>,
    index: usize,
}

impl Row {
    /// The value of a column, by its name in the result or its position counted from 0, as a `T`.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Result, Row};
    /// # fn example(row: &Row) -> Result<()> {
    /// let count = row.get::<i64>("count")?;
    /// let email: Option<&str> = row.get(1)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When there is no such column, or its value does not fit a `T`.
    #[inline]
    pub fn get<'a, T: FromCell<'a>>(&'a self, column: impl ColumnIndex) -> Result<T> {
        let Some(position) = column.position(self) else {
            return Err(Error::decode(format!(
                "the result has no column {}; it has {}",
                column.shown(),
                self.names()
            )));
        };
        T::from_cell(self.cell(position))
            .map_err(|misfit| self.misfit(std::any::type_name::<T>(), position, misfit))
    }

    /// How many columns there are.
    ///
    /// ```no_run
    /// # fn example(row: &wasmigrate_sdk::Row) {
    /// assert_eq!(row.width(), 2);
    /// # }
    /// ```
    #[must_use]
    pub fn width(&self) -> usize {
        self.chunk.columns.len()
    }

    /// The value at a position, whatever its type; NULL past the last column.
    #[inline(always)]
    fn cell(&self, position: usize) -> Cell<'_> {
        self.chunk
            .columns
            .get(position)
            .map_or(Cell::Null, |column| column.cell(self.index))
    }

    fn names(&self) -> String {
        let names: Vec<_> = self
            .chunk
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        names.join(", ")
    }

    #[cold]
    fn misfit(&self, wanted: &str, position: usize, misfit: Misfit) -> Error {
        let (name, type_name) = self.chunk.columns.get(position).map_or(("", ""), |column| {
            (column.name.as_str(), column.type_name.as_str())
        });
        Error::decode(match misfit {
            Misfit::Null => format!("column \"{name}\" is NULL: ask for Option<{wanted}>"),
            Misfit::Kind => {
                format!("column \"{name}\" is of type {type_name}, which is not read as {wanted}")
            }
            Misfit::Range => {
                format!(
                    "column \"{name}\" holds {:?}, which is outside {wanted}",
                    self.cell(position)
                )
            }
        })
    }
}

/// How a column is named to [`Row::get`]: by its position (`usize`) or its name (`&str`).
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, Row};
/// # fn example(row: &Row) -> Result<()> {
/// assert_eq!(row.get::<i64>(0)?, row.get::<i64>("count")?);
/// # Ok(()) }
/// ```
pub trait ColumnIndex {
    /// The position in this row, if there is such a column.
    fn position(&self, row: &Row) -> Option<usize>;
    /// How an error names it.
    fn shown(&self) -> String;
}

impl ColumnIndex for usize {
    #[inline]
    fn position(&self, row: &Row) -> Option<usize> {
        (*self < row.width()).then_some(*self)
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl ColumnIndex for &str {
    #[inline]
    fn position(&self, row: &Row) -> Option<usize> {
        row.chunk
            .columns
            .iter()
            .position(|column| column.name == *self)
    }

    fn shown(&self) -> String {
        format!("\"{self}\"")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bindings::wasmigrate::migration::types::{Batch, Column};
    use crate::cell::tests::{int_column, text_column};

    pub(crate) fn row(columns: Vec<Column>, length: u32, index: usize) -> Row {
        Row {
            chunk: Chunk::new(Batch { length, columns }).unwrap(),
            index,
        }
    }

    pub(crate) fn two() -> Row {
        row(
            vec![
                int_column("id", vec![1, 70_000]),
                text_column("email", &[Some("a@b"), None]),
            ],
            2,
            1,
        )
    }

    #[test]
    fn a_value_is_found_by_name_and_by_position() {
        assert_eq!(two().get::<i64>("id").unwrap(), 70_000);
        assert_eq!(two().get::<i64>(0).unwrap(), 70_000);
        assert_eq!(two().get::<Option<&str>>(1).unwrap(), None);
    }

    #[test]
    fn errors_name_the_column_and_what_to_do() {
        let message = |result: Result<String>| result.unwrap_err().to_string();
        assert_eq!(
            message(two().get("mail")),
            "the result has no column \"mail\"; it has id, email"
        );
        assert_eq!(
            message(two().get(7)),
            "the result has no column 7; it has id, email"
        );
        assert_eq!(
            message(two().get("id")),
            "column \"id\" is of type int8, which is not read as alloc::string::String"
        );
        assert_eq!(
            message(two().get("email")),
            "column \"email\" is NULL: ask for Option<alloc::string::String>"
        );
        assert_eq!(
            two().get::<i16>("id").unwrap_err().to_string(),
            "column \"id\" holds Int64(70000), which is outside i16"
        );
    }
}
