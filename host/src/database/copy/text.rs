//! Rows in COPY's text format, which reaches every column type.
//!
//! Source of the format: PostgreSQL, COPY, "Text Format".

use std::fmt::Write as _;

use bytes::BytesMut;

use super::{is_null, value};
use crate::database::columns::{Batch, Data};
use crate::database::timestamps::TimestampText;
use crate::database::values::FloatText;

/// Adds one row.
pub(super) fn put_row(out: &mut BytesMut, batch: &Batch, row: usize) {
    for (place, column) in batch.columns.iter().enumerate() {
        if place > 0 {
            out.extend_from_slice(b"\t");
        }
        if is_null(column, row) {
            out.extend_from_slice(b"\\N");
            continue;
        }
        match &column.data {
            Data::Text(values) => put_escaped(out, value(values, row)),
            Data::Bytes(_) => {
                out.extend_from_slice(b"\\");
                put_plain(out, &column.data, row);
            }
            data => put_plain(out, data, row),
        }
    }
    out.extend_from_slice(b"\n");
}

/// Adds a value's text as the type's input function takes it, without COPY's escapes.
pub(super) fn put_plain(out: &mut BytesMut, data: &Data, row: usize) {
    match data {
        Data::Boolean(values) => out.extend_from_slice(if values[row] { b"t" } else { b"f" }),
        Data::Int64(values) => {
            out.extend_from_slice(itoa::Buffer::new().format(values[row]).as_bytes());
        }
        Data::Float64(values) => put_display(out, FloatText(values[row])),
        Data::Timestamp(values) => put_display(out, TimestampText(values[row])),
        Data::Text(values) => out.extend_from_slice(value(values, row)),
        Data::Bytes(values) => {
            out.extend_from_slice(b"\\x");
            out.extend_from_slice(hex::encode(value(values, row)).as_bytes());
        }
    }
}

fn put_display(out: &mut BytesMut, value: impl std::fmt::Display) {
    // writing to a growing buffer does not fail
    let _ = write!(out, "{value}");
}

fn put_escaped(out: &mut BytesMut, text: &[u8]) {
    let mut start = 0;
    for (at, byte) in text.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'\\' => b"\\\\",
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            _ => continue,
        };
        out.extend_from_slice(&text[start..at]);
        out.extend_from_slice(escape);
        start = at + 1;
    }
    out.extend_from_slice(&text[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_for_copy() {
        let mut out = BytesMut::new();
        put_escaped(&mut out, b"a\tb\\N\nc\r");
        assert_eq!(&out[..], b"a\\tb\\\\N\\nc\\r");
    }
}
