//! Rows as columns: the shape in which they reach a guest.
//!
//! A column whose type has a form of ours is read from PostgreSQL's binary format. A result with any
//! other type is read as text, so that it arrives as psql shows it.

use std::error::Error as StdError;

use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Kind, Type};

use super::timestamps;

/// Some rows, column by column.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// How many rows there are.
    pub length: usize,
    /// The columns; each holds `length` values.
    pub columns: Vec<Column>,
}

impl Batch {
    /// About how many bytes its values take.
    pub fn weight(&self) -> usize {
        let of = |data: &Data| match data {
            Data::Boolean(values) => values.len(),
            Data::Int64(values) | Data::Timestamp(values) => values.len() * 8,
            Data::Float64(values) => values.len() * 8,
            Data::Text(var) | Data::Bytes(var) => var.data.len() + var.offsets.len() * 4,
        };
        self.columns.iter().map(|column| of(&column.data)).sum()
    }
}

/// One column of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// The name in the result.
    pub name: String,
    /// The name of the type in PostgreSQL.
    pub type_name: String,
    /// A bit for each row, lowest first, set where the value is not NULL; empty where none is NULL.
    pub validity: Vec<u8>,
    /// The values; a NULL has a place too.
    pub data: Data,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Data {
    /// `boolean`.
    Boolean(Vec<bool>),
    /// The integer types and `oid`.
    Int64(Vec<i64>),
    /// `real` and `double precision`.
    Float64(Vec<f64>),
    /// Microseconds since 2000-01-01; the extremes are the infinities.
    Timestamp(Vec<i64>),
    /// UTF-8 text, end to end.
    Text(Var),
    /// Bytes, end to end.
    Bytes(Var),
}

/// Values of varying length: value `i` is `data[offsets[i]..offsets[i + 1]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Var {
    /// One more than there are values, from 0.
    pub offsets: Vec<u32>,
    /// All values' bytes.
    pub data: Vec<u8>,
}

impl Var {
    /// Of no values yet, with room for `values` of `width` bytes each.
    pub fn with_capacity(values: usize, width: usize) -> Self {
        let mut offsets = Vec::with_capacity(values + 1);
        offsets.push(0);
        Var {
            offsets,
            data: Vec::with_capacity(values.saturating_mul(width)),
        }
    }

    /// Adds a value.
    pub fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        // a batch is limited to far less than 4 GiB before it grows this far
        self.offsets
            .push(u32::try_from(self.data.len()).unwrap_or(u32::MAX));
    }
}

/// How a column's binary form is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Boolean,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Timestamp,
    Text,
    Jsonb,
    Uuid,
    Bytea,
    /// No form of ours: the result is read as text.
    Foreign,
}

fn form(ty: &Type) -> Form {
    match *ty {
        Type::BOOL => Form::Boolean,
        Type::INT2 => Form::Int2,
        Type::INT4 => Form::Int4,
        Type::INT8 => Form::Int8,
        Type::OID => Form::Oid,
        Type::FLOAT4 => Form::Float4,
        Type::FLOAT8 => Form::Float8,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => Form::Timestamp,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON | Type::UNKNOWN => {
            Form::Text
        }
        Type::JSONB => Form::Jsonb,
        Type::UUID => Form::Uuid,
        Type::BYTEA => Form::Bytea,
        _ if matches!(ty.kind(), Kind::Enum(_)) => Form::Text,
        _ => Form::Foreign,
    }
}

/// The columns of a result: names, types and how to read them.
#[derive(Debug, Clone)]
pub struct Shape {
    columns: Vec<Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    name: String,
    ty: Type,
    form: Form,
    /// What a value of varying length weighed in the batch before, in bytes: what the next one makes room for.
    width: usize,
}

impl Shape {
    /// The shape of a described statement.
    pub fn new(columns: &[tokio_postgres::Column]) -> Self {
        let columns = columns
            .iter()
            .map(|column| Kept {
                name: column.name().to_owned(),
                ty: column.type_().clone(),
                form: form(column.type_()),
                width: 0,
            })
            .collect();
        Shape { columns }
    }

    /// Whether the statement returns no columns.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Whether a column has no binary form of ours, so that the result must be read as text.
    pub fn needs_text(&self) -> bool {
        self.columns
            .iter()
            .any(|column| column.form == Form::Foreign)
    }

    /// Learns from a batch how much room the next one needs.
    pub fn learn(&mut self, batch: &Batch) {
        for (column, filled) in std::iter::zip(&mut self.columns, &batch.columns) {
            if let Data::Text(values) | Data::Bytes(values) = &filled.data {
                column.width = values.data.len().div_ceil(batch.length.max(1));
            }
        }
    }

    /// An empty batch to fill, with room for that many rows.
    pub fn builder(&self, capacity: usize) -> Builder<'_> {
        let columns = self
            .columns
            .iter()
            .map(|column| Filling::new(column.form, capacity, column.width))
            .collect();
        Builder {
            shape: self,
            columns,
            length: 0,
            bytes: 0,
        }
    }
}

/// A value's bytes, as the server sent them.
pub struct Raw<'a>(pub &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Raw(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Fills a batch row by row.
pub struct Builder<'a> {
    shape: &'a Shape,
    columns: Vec<Filling>,
    length: usize,
    bytes: usize,
}

struct Filling {
    form: Form,
    data: Data,
    /// Empty until the first NULL.
    validity: Vec<u8>,
}

impl Filling {
    fn new(form: Form, capacity: usize, width: usize) -> Self {
        let data = match form {
            Form::Boolean => Data::Boolean(Vec::with_capacity(capacity)),
            Form::Int2 | Form::Int4 | Form::Int8 | Form::Oid => {
                Data::Int64(Vec::with_capacity(capacity))
            }
            Form::Float4 | Form::Float8 => Data::Float64(Vec::with_capacity(capacity)),
            Form::Timestamp => Data::Timestamp(Vec::with_capacity(capacity)),
            Form::Bytea => Data::Bytes(Var::with_capacity(capacity, width)),
            Form::Text | Form::Jsonb | Form::Uuid | Form::Foreign => {
                Data::Text(Var::with_capacity(capacity, width))
            }
        };
        Filling {
            form,
            data,
            validity: Vec::new(),
        }
    }

    fn push_null(&mut self, row: usize) {
        self.validity.resize(row / 8 + 1, u8::MAX);
        if let Some(last) = self.validity.last_mut() {
            *last &= !(1 << (row % 8));
        }
        match &mut self.data {
            Data::Boolean(values) => values.push(false),
            Data::Int64(values) | Data::Timestamp(values) => values.push(0),
            Data::Float64(values) => values.push(0.0),
            Data::Text(values) | Data::Bytes(values) => values.push(&[]),
        }
    }

    /// A bit for each of so many rows, and nothing where none is NULL.
    fn validity(&mut self, rows: usize) -> Vec<u8> {
        let mut validity = std::mem::take(&mut self.validity);
        if !validity.is_empty() {
            validity.resize(rows.div_ceil(8), u8::MAX);
            if let (Some(last), 1..) = (validity.last_mut(), rows % 8) {
                *last &= (1 << (rows % 8)) - 1;
            }
        }
        validity
    }

    fn push_binary(&mut self, raw: &[u8]) -> Option<()> {
        match (&mut self.data, self.form) {
            (Data::Boolean(values), _) => values.push(*raw.first()? != 0),
            (Data::Int64(values), Form::Int2) => {
                values.push(i16::from_be_bytes(raw.try_into().ok()?).into());
            }
            (Data::Int64(values), Form::Int4) => {
                values.push(i32::from_be_bytes(raw.try_into().ok()?).into());
            }
            (Data::Int64(values), Form::Oid) => {
                values.push(u32::from_be_bytes(raw.try_into().ok()?).into());
            }
            (Data::Int64(values) | Data::Timestamp(values), _) => {
                values.push(i64::from_be_bytes(raw.try_into().ok()?));
            }
            (Data::Float64(values), Form::Float4) => {
                values.push(f32::from_be_bytes(raw.try_into().ok()?).into());
            }
            (Data::Float64(values), _) => {
                values.push(f64::from_be_bytes(raw.try_into().ok()?));
            }
            (Data::Text(values), Form::Uuid) => values.push(&uuid_text(raw.try_into().ok()?)),
            (Data::Text(values), Form::Jsonb) => match raw.split_first()? {
                // the format's version, 1 since jsonb exists
                (1, text) => values.push(text),
                _ => return None,
            },
            (Data::Text(values) | Data::Bytes(values), _) => values.push(raw),
        }
        Some(())
    }

    fn push_text(&mut self, text: &str) -> Option<()> {
        match &mut self.data {
            Data::Boolean(values) => values.push(text == "t"),
            Data::Int64(values) => values.push(text.parse().ok()?),
            // f32's text parsed as f64 would differ from the widened f32 that the binary form gives
            Data::Float64(values) if self.form == Form::Float4 => {
                values.push(text.parse::<f32>().ok()?.into());
            }
            Data::Float64(values) => values.push(text.parse().ok()?),
            Data::Timestamp(values) => values.push(timestamps::parse(text)?),
            Data::Text(values) => values.push(text.as_bytes()),
            Data::Bytes(values) => values.push(&hex::decode(text.strip_prefix("\\x")?).ok()?),
        }
        Some(())
    }
}

fn uuid_text(raw: [u8; 16]) -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut out = [b'-'; 36];
    let mut at = 0;
    for (i, byte) in raw.into_iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            at += 1;
        }
        out[at] = HEX[usize::from(byte >> 4)];
        out[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    out
}

impl Builder<'_> {
    /// How many rows it holds.
    pub fn length(&self) -> usize {
        self.length
    }

    /// How many bytes of values it holds, as the server sent them.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a row in binary form; `None` where a value does not have its type's form.
    pub fn push_row(&mut self, row: &Row) -> Option<()> {
        for (place, filling) in self.columns.iter_mut().enumerate() {
            let value: Option<Raw<'_>> = row.try_get(place).ok()?;
            match value {
                Some(Raw(raw)) => {
                    self.bytes += raw.len();
                    filling.push_binary(raw)?;
                }
                None => filling.push_null(self.length),
            }
        }
        self.length += 1;
        Some(())
    }

    /// Adds a row whose values are all text; `None` where a text is not its type's.
    pub fn push_texts<'t>(&mut self, mut text: impl FnMut(usize) -> Option<&'t str>) -> Option<()> {
        for (place, filling) in self.columns.iter_mut().enumerate() {
            let value = text(place);
            match value {
                Some(text) => {
                    self.bytes += text.len();
                    filling.push_text(text)?;
                }
                None => filling.push_null(self.length),
            }
        }
        self.length += 1;
        Some(())
    }

    /// The batch.
    pub fn finish(self) -> Batch {
        let columns = std::iter::zip(&self.shape.columns, self.columns)
            .map(|(column, mut filling)| Column {
                name: column.name.clone(),
                type_name: column.ty.name().to_owned(),
                validity: filling.validity(self.length),
                data: filling.data,
            })
            .collect();
        Batch {
            length: self.length,
            columns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_read_as_psql_prints_them() {
        let raw: [u8; 16] = hex::decode("00112233445566778899aabbccddeeff")
            .unwrap()
            .try_into()
            .unwrap();
        assert_eq!(&uuid_text(raw), b"00112233-4455-6677-8899-aabbccddeeff");
    }

    #[test]
    fn a_short_value_is_refused_and_no_panic() {
        let mut filling = Filling::new(Form::Int4, 1, 0);
        assert_eq!(filling.push_binary(&[1, 2]), None);
        let mut filling = Filling::new(Form::Boolean, 1, 0);
        assert_eq!(filling.push_binary(&[]), None);
    }

    #[test]
    fn nulls_have_a_place_and_a_cleared_bit() {
        let mut filling = Filling::new(Form::Int8, 9, 0);
        assert!(filling.validity(0).is_empty());
        for row in 0..9 {
            match row {
                1 => filling.push_null(row),
                _ => filling.push_binary(&7i64.to_be_bytes()).unwrap(),
            }
        }
        assert_eq!(filling.validity(9), [0b1111_1101, 1]);
        assert_eq!(filling.data, Data::Int64(vec![7, 0, 7, 7, 7, 7, 7, 7, 7]));
    }
}
