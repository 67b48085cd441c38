//! Building a column of a batch value by value, in the host's layout.

use crate::Cell;
use crate::bindings::wasmigrate::migration::types::{Column, ColumnData, VarData};

/// A column that grows. The first value that is not NULL decides its kind.
#[derive(Debug, Default)]
pub(crate) struct ColumnBuilder {
    length: usize,
    /// Empty until the first NULL.
    validity: Vec<u8>,
    data: Option<ColumnData>,
}

impl ColumnBuilder {
    pub(crate) fn int64(values: Vec<i64>) -> Self {
        Self::whole(values.len(), ColumnData::Int64(values))
    }

    pub(crate) fn float64(values: Vec<f64>) -> Self {
        Self::whole(values.len(), ColumnData::Float64(values))
    }

    fn whole(length: usize, data: ColumnData) -> Self {
        Self {
            length,
            validity: Vec::new(),
            data: Some(data),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// About how much the values weigh.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        match &self.data {
            Some(ColumnData::Text(values) | ColumnData::Bytes(values)) => {
                values.data.len() + 4 * self.length
            }
            _ => 8 * self.length,
        }
    }

    /// Adds a value; false, and nothing is added, where it is of another kind than those before it.
    #[inline]
    #[must_use]
    pub(crate) fn push(&mut self, cell: Cell<'_>) -> bool {
        if matches!(cell, Cell::Null) {
            self.push_null();
            return true;
        }
        let data = match &mut self.data {
            Some(data) => data,
            None => self.data.insert(empty(cell, self.length)),
        };
        let fits = add(data, cell);
        self.length += usize::from(fits);
        fits
    }

    fn push_null(&mut self) {
        if let Some(data) = &mut self.data {
            add_nothing(data);
        }
        self.validity.resize(self.length / 8 + 1, u8::MAX);
        if let Some(byte) = self.validity.last_mut() {
            *byte &= !(1 << (self.length % 8));
        }
        self.length += 1;
    }

    pub(crate) fn finish(mut self, name: &str) -> Column {
        if !self.validity.is_empty() {
            self.validity.resize(self.length.div_ceil(8), u8::MAX);
            if !self.length.is_multiple_of(8)
                && let Some(last) = self.validity.last_mut()
            {
                *last &= (1 << (self.length % 8)) - 1;
            }
        }
        Column {
            name: name.to_owned(),
            type_name: String::new(),
            validity: self.validity,
            // nothing but NULLs: text, which reaches every type
            data: self
                .data
                .unwrap_or_else(|| empty(Cell::Text(""), self.length)),
        }
    }
}

/// The data of a column that will take such values, with places for the NULLs before the first.
fn empty(cell: Cell<'_>, nulls: usize) -> ColumnData {
    let var = VarData {
        offsets: vec![0; nulls + 1],
        data: Vec::new(),
    };
    match cell {
        Cell::Boolean(_) => ColumnData::Boolean(vec![false; nulls]),
        Cell::Int64(_) => ColumnData::Int64(vec![0; nulls]),
        Cell::Float64(_) => ColumnData::Float64(vec![0.0; nulls]),
        Cell::Timestamp(_) => ColumnData::Timestamp(vec![0; nulls]),
        Cell::Text(_) | Cell::Null => ColumnData::Text(var),
        Cell::Bytes(_) => ColumnData::Bytes(var),
    }
}

#[inline]
fn add(data: &mut ColumnData, cell: Cell<'_>) -> bool {
    match (data, cell) {
        (ColumnData::Boolean(values), Cell::Boolean(value)) => values.push(value),
        (ColumnData::Int64(values), Cell::Int64(value)) => values.push(value),
        (ColumnData::Float64(values), Cell::Float64(value)) => values.push(value),
        (ColumnData::Timestamp(values), Cell::Timestamp(value)) => {
            values.push(value.postgres_micros());
        }
        (ColumnData::Text(values), Cell::Text(value)) => {
            return add_bytes(values, value.as_bytes());
        }
        (ColumnData::Bytes(values), Cell::Bytes(value)) => return add_bytes(values, value),
        _ => return false,
    }
    true
}

/// False where the offsets, 32 bits wide, do not reach.
#[inline]
fn add_bytes(values: &mut VarData, value: &[u8]) -> bool {
    let Ok(end) = u32::try_from(values.data.len() + value.len()) else {
        return false;
    };
    values.data.extend_from_slice(value);
    values.offsets.push(end);
    true
}

fn add_nothing(data: &mut ColumnData) {
    match data {
        ColumnData::Boolean(values) => values.push(false),
        ColumnData::Int64(values) | ColumnData::Timestamp(values) => values.push(0),
        ColumnData::Float64(values) => values.push(0.0),
        ColumnData::Text(values) | ColumnData::Bytes(values) => {
            values
                .offsets
                .push(values.offsets.last().copied().unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(cells: &[Cell<'_>]) -> Column {
        let mut column = ColumnBuilder::default();
        assert!(cells.iter().all(|cell| column.push(*cell)));
        column.finish("c")
    }

    #[test]
    fn nulls_keep_their_places_before_and_after_the_first_value() {
        let column = built(&[Cell::Null, Cell::Text("ab"), Cell::Null, Cell::Text("c")]);
        assert_eq!(column.validity, [0b1010]);
        let ColumnData::Text(values) = column.data else {
            panic!("not text")
        };
        assert_eq!(values.offsets, [0, 0, 2, 2, 3]);
        assert_eq!(values.data, b"abc");
    }

    #[test]
    fn without_a_null_there_is_no_validity() {
        let column = built(&[Cell::Int64(1); 9]);
        assert!(column.validity.is_empty());
        assert_eq!(column.data, ColumnData::Int64(vec![1; 9]));
    }

    #[test]
    fn a_column_of_nulls_is_text() {
        let column = built(&[Cell::Null; 9]);
        assert_eq!(column.validity, [0, 0]);
        let ColumnData::Text(values) = column.data else {
            panic!("not text")
        };
        assert_eq!(values.offsets, [0; 10]);
    }

    #[test]
    fn another_kind_is_refused_and_leaves_the_column_as_it_was() {
        let mut column = ColumnBuilder::default();
        assert!(column.push(Cell::Int64(1)));
        assert!(!column.push(Cell::Text("x")));
        assert_eq!(column.len(), 1);
    }
}
