//! Columns of a batch and the values in them: from the host's layout to Rust types, without copying.

use std::rc::Rc;

use crate::bindings::wasmigrate::migration::types as raw;
use crate::{Error, Result, Timestamp};

/// One value of a row, borrowed from its batch.
///
/// ```
/// use wasmigrate_sdk::{Cell, FromCell};
/// assert_eq!(i32::from_cell(Cell::Int64(7)), Ok(7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// SQL NULL.
    Null,
    /// `boolean`.
    Boolean(bool),
    /// `smallint`, `integer`, `bigint` or `oid`.
    Int64(i64),
    /// `real` or `double precision`.
    Float64(f64),
    /// `timestamp` or `timestamptz`.
    Timestamp(Timestamp),
    /// Any other type, as psql shows it.
    Text(&'a str),
    /// `bytea`.
    Bytes(&'a [u8]),
}

/// Why a [`Cell`] does not fit the type that was asked for.
///
/// ```
/// use wasmigrate_sdk::{Cell, FromCell, Misfit};
/// assert_eq!(i16::from_cell(Cell::Int64(70_000)), Err(Misfit::Range));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// It is NULL, and the type has no place for that: ask for an `Option`.
    Null,
    /// It is of another kind.
    Kind,
    /// It is a number outside the type's range.
    Range,
}

/// A type that a value of a row can be read as.
///
/// Implement it for a type of your own, for example an enum of PostgreSQL's:
///
/// ```
/// use wasmigrate_sdk::{Cell, FromCell, Misfit};
///
/// enum Role { Nurse, Other }
///
/// impl<'a> FromCell<'a> for Role {
///     fn from_cell(cell: Cell<'a>) -> Result<Self, Misfit> {
///         Ok(match <&str>::from_cell(cell)? { "NURSE" => Role::Nurse, _ => Role::Other })
///     }
/// }
/// assert!(matches!(Role::from_cell(Cell::Text("NURSE")), Ok(Role::Nurse)));
/// ```
pub trait FromCell<'a>: Sized {
    /// Reads the value, or says why it can't be read as this type.
    ///
    /// # Errors
    /// A [`Misfit`]; the caller adds the column's name.
    fn from_cell(cell: Cell<'a>) -> Result<Self, Misfit>;
}

macro_rules! from_cell {
    ($($type:ty: $pattern:pat => $value:expr),+ $(,)?) => {$(
        impl<'a> FromCell<'a> for $type {
            #[inline]
            fn from_cell(cell: Cell<'a>) -> Result<Self, Misfit> {
                match cell {
                    $pattern => $value,
                    Cell::Null => Err(Misfit::Null),
                    _ => Err(Misfit::Kind),
                }
            }
        }
    )+};
}
from_cell! {
    bool: Cell::Boolean(value) => Ok(value),
    i64: Cell::Int64(value) => Ok(value),
    i32: Cell::Int64(value) => value.try_into().map_err(|_| Misfit::Range),
    i16: Cell::Int64(value) => value.try_into().map_err(|_| Misfit::Range),
    u64: Cell::Int64(value) => value.try_into().map_err(|_| Misfit::Range),
    u32: Cell::Int64(value) => value.try_into().map_err(|_| Misfit::Range),
    f64: Cell::Float64(value) => Ok(value),
    Timestamp: Cell::Timestamp(value) => Ok(value),
    &'a str: Cell::Text(value) => Ok(value),
    String: Cell::Text(value) => Ok(value.to_owned()),
    &'a [u8]: Cell::Bytes(value) => Ok(value),
    Vec<u8>: Cell::Bytes(value) => Ok(value.to_owned()),
}

impl<'a, T: FromCell<'a>> FromCell<'a> for Option<T> {
    #[inline]
    fn from_cell(cell: Cell<'a>) -> Result<Self, Misfit> {
        match cell {
            Cell::Null => Ok(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}

impl<'a> FromCell<'a> for Cell<'a> {
    #[inline]
    fn from_cell(cell: Self) -> Result<Self, Misfit> {
        Ok(cell)
    }
}

/// A batch whose columns are known to have as many values as it has rows, its texts to be UTF-8.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) length: usize,
    pub(crate) columns: Vec<ChunkColumn>,
}

#[derive(Debug)]
pub(crate) struct ChunkColumn {
    pub(crate) name: String,
    pub(crate) type_name: String,
    validity: Vec<u8>,
    data: ChunkData,
}

#[derive(Debug)]
enum ChunkData {
    Boolean(Vec<bool>),
    Int64(Vec<i64>),
    Float64(Vec<f64>),
    Timestamp(Vec<i64>),
    Text { offsets: Vec<u32>, data: String },
    Bytes { offsets: Vec<u32>, data: Vec<u8> },
}

impl Chunk {
    pub(crate) fn new(batch: raw::Batch) -> Result<Rc<Self>> {
        let length = batch.length as usize;
        let columns = batch
            .columns
            .into_iter()
            .map(|column| ChunkColumn::new(column, length))
            .collect::<Result<_>>()?;
        Ok(Rc::new(Self { length, columns }))
    }
}

impl ChunkColumn {
    fn new(column: raw::Column, length: usize) -> Result<Self> {
        let (values, data) = match column.data {
            raw::ColumnData::Boolean(values) => (values.len(), ChunkData::Boolean(values)),
            raw::ColumnData::Int64(values) => (values.len(), ChunkData::Int64(values)),
            raw::ColumnData::Float64(values) => (values.len(), ChunkData::Float64(values)),
            raw::ColumnData::Timestamp(values) => (values.len(), ChunkData::Timestamp(values)),
            raw::ColumnData::Text(raw::VarData { offsets, data }) => {
                // once for the column, so that reading a value need not look at its bytes
                let data = String::from_utf8(data).map_err(|error| {
                    Error::decode(format!("column \"{}\": {error}", column.name))
                })?;
                (
                    offsets.len().saturating_sub(1),
                    ChunkData::Text { offsets, data },
                )
            }
            raw::ColumnData::Bytes(raw::VarData { offsets, data }) => (
                offsets.len().saturating_sub(1),
                ChunkData::Bytes { offsets, data },
            ),
        };
        let bits = column.validity.len();
        if values != length || (bits != 0 && bits < length.div_ceil(8)) {
            return Err(Error::decode(format!(
                "column \"{}\" has {values} values and {bits} bytes of validity for {length} rows",
                column.name
            )));
        }
        Ok(Self {
            name: column.name,
            type_name: column.type_name,
            validity: column.validity,
            data,
        })
    }

    /// The value of a row; NULL for a row that does not exist, which no caller asks for. Always inlined: where
    /// the wanted type is known, what is left of it is one comparison and one load.
    #[inline(always)]
    pub(crate) fn cell(&self, row: usize) -> Cell<'_> {
        if let Some(byte) = self.validity.get(row / 8)
            && byte & (1 << (row % 8)) == 0
        {
            return Cell::Null;
        }
        let cell = match &self.data {
            ChunkData::Boolean(values) => values.get(row).copied().map(Cell::Boolean),
            ChunkData::Int64(values) => values.get(row).copied().map(Cell::Int64),
            ChunkData::Float64(values) => values.get(row).copied().map(Cell::Float64),
            ChunkData::Timestamp(values) => values
                .get(row)
                .map(|micros| Cell::Timestamp(Timestamp::from_postgres_micros(*micros))),
            ChunkData::Text { offsets, data } => span(offsets, row)
                .and_then(|span| data.get(span))
                .map(Cell::Text),
            ChunkData::Bytes { offsets, data } => span(offsets, row)
                .and_then(|span| data.get(span))
                .map(Cell::Bytes),
        };
        cell.unwrap_or(Cell::Null)
    }
}

#[inline]
fn span(offsets: &[u32], row: usize) -> Option<std::ops::Range<usize>> {
    Some(*offsets.get(row)? as usize..*offsets.get(row + 1)? as usize)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn text_column(name: &str, values: &[Option<&str>]) -> raw::Column {
        let mut offsets = vec![0];
        let mut data = Vec::new();
        let mut validity = vec![0_u8; values.len().div_ceil(8)];
        for (i, value) in values.iter().enumerate() {
            if let Some(value) = value {
                data.extend_from_slice(value.as_bytes());
                validity[i / 8] |= 1 << (i % 8);
            }
            offsets.push(u32::try_from(data.len()).unwrap());
        }
        raw::Column {
            name: name.into(),
            type_name: "text".into(),
            validity,
            data: raw::ColumnData::Text(raw::VarData { offsets, data }),
        }
    }

    pub(crate) fn int_column(name: &str, values: Vec<i64>) -> raw::Column {
        raw::Column {
            name: name.into(),
            type_name: "int8".into(),
            validity: Vec::new(),
            data: raw::ColumnData::Int64(values),
        }
    }

    fn column(column: raw::Column, length: usize) -> Result<ChunkColumn> {
        ChunkColumn::new(column, length)
    }

    #[test]
    fn nulls_and_empty_texts_are_told_apart() {
        let mut values = vec![Some("x"); 9];
        values[1] = None;
        values[8] = Some("");
        let column = column(text_column("t", &values), 9).unwrap();
        assert_eq!(column.cell(0), Cell::Text("x"));
        assert_eq!(column.cell(1), Cell::Null);
        assert_eq!(column.cell(8), Cell::Text(""));
    }

    #[test]
    fn without_validity_nothing_is_null() {
        let column = column(int_column("n", vec![1, -2]), 2).unwrap();
        assert_eq!(column.cell(1), Cell::Int64(-2));
    }

    #[test]
    fn integers_are_checked_for_range() {
        assert_eq!(i16::from_cell(Cell::Int64(-32_768)), Ok(i16::MIN));
        assert_eq!(i16::from_cell(Cell::Int64(32_768)), Err(Misfit::Range));
        assert_eq!(u32::from_cell(Cell::Int64(-1)), Err(Misfit::Range));
        assert_eq!(u64::from_cell(Cell::Int64(i64::MAX)), Ok(i64::MAX as u64));
    }

    #[test]
    fn null_fits_an_option_only() {
        assert_eq!(Option::<i32>::from_cell(Cell::Null), Ok(None));
        assert_eq!(i32::from_cell(Cell::Null), Err(Misfit::Null));
        assert_eq!(Option::<i32>::from_cell(Cell::Text("1")), Err(Misfit::Kind));
    }

    #[test]
    fn a_column_of_another_length_is_refused() {
        let error = column(int_column("n", vec![1, 2]), 3).unwrap_err();
        assert_eq!(
            error.to_string(),
            "column \"n\" has 2 values and 0 bytes of validity for 3 rows"
        );
    }
}
