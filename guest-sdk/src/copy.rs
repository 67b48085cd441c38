//! Writing many rows fast.

use crate::bindings::wasmigrate::migration::bulk as raw;
use crate::bindings::wasmigrate::migration::types::Batch;
use crate::column::ColumnBuilder;
use crate::{Cell, Column, Error, Result, Table, Timestamp};

/// A batch goes to the host when it has this many rows ..
const ROWS: usize = 2048;
/// .. or about this many bytes. The server works on what it was sent before, about 200 KiB, while a batch is
/// made: one as large as that would leave it waiting.
const BYTES: usize = 64 * 1024;

/// An open COPY into one table, which takes rows one by one and sends them in batches.
///
/// While it is open every other call that needs the server fails. [`finish`](Self::finish) ends it; dropping
/// it unfinished discards what was written and fails the run.
///
/// ```no_run
/// use wasmigrate_sdk::{CopyIn, Result, Table};
///
/// const READINGS: Table = Table::new("public", "readings");
///
/// fn fill() -> Result<u64> {
///     let mut copy = CopyIn::open(READINGS, ["id", "sensor", "value"])?;
///     for id in 0..1_000_000_i64 {
///         copy.row((id, "outdoors", (id % 7 != 0).then_some(0.5)))?;
///     }
///     copy.finish()
/// }
/// ```
#[derive(Debug)]
#[must_use = "a copy that is not finished fails the run"]
pub struct CopyIn {
    target: raw::CopyIn,
    names: Vec<String>,
    columns: Vec<ColumnBuilder>,
}

impl CopyIn {
    /// Opens a COPY into the named columns of a table.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{CopyIn, Result, Table};
    /// # fn example() -> Result<()> {
    /// let copy = CopyIn::open(Table::new("public", "readings"), ["id", "value"])?;
    /// # copy.finish()?; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When no column is named, or the host or the server refuses.
    pub fn open(
        table: Table,
        columns: impl IntoIterator<Item = impl Into<Column>>,
    ) -> Result<Self> {
        let names: Vec<String> = columns
            .into_iter()
            .map(|column| column.into().name().into())
            .collect();
        if names.is_empty() {
            return Err(Error::new(format!(
                "a copy into {table} must name its columns"
            )));
        }
        Ok(Self {
            target: raw::CopyIn::open(&table.into(), &names)?,
            columns: names.iter().map(|_| ColumnBuilder::default()).collect(),
            names,
        })
    }

    /// Writes one row: a tuple or an array with a value for each column. `None` is NULL; a text reaches every
    /// type.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{CopyIn, Result};
    /// # fn example(copy: &mut CopyIn) -> Result<()> {
    /// copy.row((1, "2025-11-05", None::<&str>))?;
    /// copy.row(["1", "2025-11-05", "windy"])?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the row has another number of values than the copy has columns, when a value is of another kind
    /// than those above it, or when the host or the server refuses the batch.
    #[inline]
    pub fn row(&mut self, row: impl CopyRow) -> Result<()> {
        append(&mut self.columns, &self.names, &row)?;
        let bytes: usize = self.columns.iter().map(ColumnBuilder::bytes).sum();
        if bytes >= BYTES
            || self
                .columns
                .first()
                .is_some_and(|column| column.len() >= ROWS)
        {
            self.send()?;
        }
        Ok(())
    }

    /// Writes whole columns at once, each as long as the others, after the rows written so far.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{CopyIn, Result, Values};
    /// # fn example(copy: &mut CopyIn) -> Result<()> {
    /// copy.columns([Values::from(vec![1, 2]), Values::from_iter(["one", "two"])])?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When there are not as many columns as the copy has, when they differ in length, or when the host or the
    /// server refuses.
    pub fn columns(&mut self, columns: impl IntoIterator<Item = Values>) -> Result<()> {
        self.send()?;
        let columns = columns.into_iter().enumerate().map(whole);
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(self.target.write(&batch(columns, &self.names)?)?)
    }

    /// Ends the COPY and tells how many rows the table received.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{CopyIn, Result, info};
    /// # fn example(copy: CopyIn) -> Result<()> {
    /// info!("{} rows written", copy.finish()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the host or the server refuses.
    pub fn finish(mut self) -> Result<u64> {
        self.send()?;
        Ok(self.target.finish()?)
    }

    fn send(&mut self) -> Result<()> {
        let columns: Vec<_> = self.columns.iter_mut().map(std::mem::take).collect();
        let batch = batch(columns, &self.names)?;
        if batch.length > 0 {
            self.target.write(&batch)?;
        }
        Ok(())
    }
}

fn whole((place, values): (usize, Values)) -> Result<ColumnBuilder> {
    match values.misfit {
        None => Ok(values.column),
        Some(row) => Err(Error::new(format!(
            "value {} of column {} is of another kind than those before it",
            row + 1,
            place + 1
        ))),
    }
}

#[inline]
fn append(columns: &mut [ColumnBuilder], names: &[String], row: &impl CopyRow) -> Result<()> {
    let mut at = 0;
    row.each(|cell| {
        let fits = columns.get_mut(at).is_some_and(|column| column.push(cell));
        at += 1;
        if fits {
            Ok(())
        } else {
            Err(refused(at - 1, cell, names))
        }
    })?;
    if at == columns.len() {
        Ok(())
    } else {
        Err(width(at, names))
    }
}

#[cold]
fn refused(at: usize, cell: Cell<'_>, names: &[String]) -> Error {
    match names.get(at) {
        None => width(at + 1, names),
        Some(name) => Error::new(format!(
            "column \"{name}\" of the copy was given {cell:?} after values of another kind"
        )),
    }
}

#[cold]
fn width(given: usize, names: &[String]) -> Error {
    Error::new(format!(
        "a row of {given} or more values was given to a copy into {}",
        names.join(", ")
    ))
}

/// The columns as one batch; refused where they are not as many as there are names, or differ in length,
/// as they do after a row that was refused half-way.
fn batch(columns: Vec<ColumnBuilder>, names: &[String]) -> Result<Batch> {
    let length = columns.first().map_or(0, ColumnBuilder::len);
    if columns.len() != names.len() || columns.iter().any(|column| column.len() != length) {
        let lengths: Vec<_> = columns.iter().map(ColumnBuilder::len).collect();
        return Err(Error::new(format!(
            "a copy into {} was given columns with {lengths:?} values",
            names.join(", ")
        )));
    }
    Ok(Batch {
        length: u32::try_from(length)?,
        columns: columns
            .into_iter()
            .zip(names)
            .map(|(column, name)| column.finish(name))
            .collect(),
    })
}

/// The values of one column, for [`CopyIn::columns`]: from a vector of numbers as it is, or collected.
///
/// ```
/// use wasmigrate_sdk::Values;
/// let numbers = Values::from(vec![1, 2]);
/// let names: Values = ["one", "two"].into_iter().collect();
/// ```
#[derive(Debug)]
pub struct Values {
    column: ColumnBuilder,
    /// The place, from 0, of the first value that is of another kind than those before it.
    misfit: Option<usize>,
}

impl From<ColumnBuilder> for Values {
    fn from(column: ColumnBuilder) -> Self {
        Self {
            column,
            misfit: None,
        }
    }
}

impl From<Vec<i64>> for Values {
    fn from(values: Vec<i64>) -> Self {
        ColumnBuilder::int64(values).into()
    }
}

impl From<Vec<f64>> for Values {
    fn from(values: Vec<f64>) -> Self {
        ColumnBuilder::float64(values).into()
    }
}

impl<T: CopyValue> FromIterator<T> for Values {
    /// A value of another kind than those before it is an error of [`CopyIn::columns`].
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut column = ColumnBuilder::default();
        let misfit = values
            .into_iter()
            .position(|value| !column.push(value.cell()));
        Self { column, misfit }
    }
}

/// A value that a copy can take.
///
/// ```
/// use wasmigrate_sdk::{Cell, CopyValue};
///
/// struct Celsius(f64);
///
/// impl CopyValue for Celsius {
///     fn cell(&self) -> Cell<'_> { Cell::Float64(self.0) }
/// }
/// ```
pub trait CopyValue {
    /// The value as the copy sends it. All values of a column are of one kind, but for NULL.
    fn cell(&self) -> Cell<'_>;
}

macro_rules! copy_values {
    ($($type:ty: $self:ident => $cell:expr),+ $(,)?) => {$(
        impl CopyValue for $type {
            #[inline]
            fn cell(&$self) -> Cell<'_> {
                $cell
            }
        }
    )+};
}
copy_values! {
    bool: self => Cell::Boolean(*self),
    i16: self => Cell::Int64(i64::from(*self)),
    i32: self => Cell::Int64(i64::from(*self)),
    i64: self => Cell::Int64(*self),
    u32: self => Cell::Int64(i64::from(*self)),
    f64: self => Cell::Float64(*self),
    Timestamp: self => Cell::Timestamp(*self),
    &str: self => Cell::Text(self),
    String: self => Cell::Text(self),
    &String: self => Cell::Text(self),
    &[u8]: self => Cell::Bytes(self),
    Vec<u8>: self => Cell::Bytes(self),
    Cell<'_>: self => *self,
}

impl<T: CopyValue> CopyValue for Option<T> {
    #[inline]
    fn cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::Null, CopyValue::cell)
    }
}

/// A row that a copy can take: a tuple of [`CopyValue`]s, or an array of one kind of them.
///
/// ```no_run
/// # use wasmigrate_sdk::{CopyIn, CopyRow, Result};
/// fn twice(copy: &mut CopyIn, row: impl CopyRow + Copy) -> Result<()> {
///     copy.row(row)?;
///     copy.row(row)
/// }
/// ```
pub trait CopyRow {
    /// Hands out the values in order.
    ///
    /// # Errors
    /// The first error of `take`.
    fn each(&self, take: impl FnMut(Cell<'_>) -> Result<()>) -> Result<()>;
}

impl<T: CopyValue, const N: usize> CopyRow for [T; N] {
    #[inline]
    fn each(&self, take: impl FnMut(Cell<'_>) -> Result<()>) -> Result<()> {
        self.iter().map(CopyValue::cell).try_for_each(take)
    }
}

macro_rules! tuples {
    ($($type:ident $position:tt),+) => {
        impl<$($type: CopyValue),+> CopyRow for ($($type,)+) {
            #[inline]
            fn each(&self, mut take: impl FnMut(Cell<'_>) -> Result<()>) -> Result<()> {
                $(take(self.$position.cell())?;)+
                Ok(())
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["id".into(), "name".into()]
    }

    fn written(rows: &[(i64, Option<&str>)]) -> Result<Batch> {
        let mut columns = vec![ColumnBuilder::default(), ColumnBuilder::default()];
        for row in rows {
            append(&mut columns, &names(), row)?;
        }
        batch(columns, &names())
    }

    #[test]
    fn rows_become_columns() {
        let batch = written(&[(1, None), (2, Some("b"))]).unwrap();
        assert_eq!(batch.length, 2);
        assert_eq!(batch.columns[0].name, "id");
        assert_eq!(batch.columns[1].validity, [0b10]);
    }

    #[test]
    fn a_row_of_another_width_is_refused() {
        let mut columns = vec![ColumnBuilder::default(), ColumnBuilder::default()];
        assert!(append(&mut columns, &names(), &[1, 2, 3]).is_err());
        assert!(append(&mut columns, &names(), &[1]).is_err());
        // and what it left behind does not go out
        assert!(batch(columns, &names()).is_err());
    }

    /// A column that came out too short would lose rows in silence.
    #[test]
    fn a_collected_value_of_another_kind_is_named() {
        let cells = [Cell::Int64(1), Cell::Int64(2), Cell::Text("3")];
        let values: Values = cells.into_iter().collect();
        let error = whole((1, values)).unwrap_err();
        assert!(error.to_string().contains("value 3 of column 2"), "{error}");
        assert!(whole((0, Values::from(vec![1_i64]))).is_ok());
    }

    #[test]
    fn a_value_of_another_kind_is_named() {
        let mut columns = vec![ColumnBuilder::default()];
        append(&mut columns, &names()[..1], &[1]).unwrap();
        let error = append(&mut columns, &names()[..1], &["x"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "column \"id\" of the copy was given Text(\"x\") after values of another kind"
        );
    }
}
