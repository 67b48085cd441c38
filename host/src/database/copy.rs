//! Writing rows by COPY, in its text format: text reaches every column type.
//!
//! Source of the format: PostgreSQL, COPY, "Text Format".

use std::fmt::Write as _;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::SinkExt as _;
use tokio_postgres::{Client, CopyInSink};

use super::columns::{Batch, Column, Data, Var};
use super::failure::Failure;
use super::timestamps::TimestampText;
use super::values::FloatText;
use super::{qualified, quoted};

/// How many bytes are collected before they are handed to the connection.
const CHUNK: usize = 256 << 10;

/// An open COPY. Dropped before `finish` it is broken off, and the server fails the transaction.
pub struct CopyIn {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    columns: usize,
    buffer: BytesMut,
}

impl CopyIn {
    pub(super) async fn open(
        client: &Client,
        schema: &str,
        table: &str,
        columns: &[String],
    ) -> Result<Self, Failure> {
        let list: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        let list = if list.is_empty() {
            String::new()
        } else {
            format!(" ({})", list.join(", "))
        };
        let sql = format!("COPY {}{list} FROM STDIN", qualified(schema, table));
        let sink = Box::pin(client.copy_in(&sql).await?);
        Ok(CopyIn {
            sink,
            columns: columns.len(),
            buffer: BytesMut::new(),
        })
    }

    /// Writes a batch. The caller has made sure that it is well formed, by [`check`].
    pub async fn write(&mut self, batch: &Batch) -> Result<(), Failure> {
        for row in 0..batch.length {
            for (place, column) in batch.columns.iter().enumerate() {
                if place > 0 {
                    self.buffer.extend_from_slice(b"\t");
                }
                if is_null(column, row) {
                    self.buffer.extend_from_slice(b"\\N");
                } else {
                    write_value(&mut self.buffer, &column.data, row);
                }
            }
            self.buffer.extend_from_slice(b"\n");
            if self.buffer.len() >= CHUNK {
                let chunk = self.buffer.split().freeze();
                self.sink.feed(chunk).await?;
            }
        }
        Ok(())
    }

    /// How many columns were named when it was opened; 0 means all of the table's.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Ends the COPY and tells how many rows the table received.
    pub async fn finish(mut self) -> Result<u64, Failure> {
        if !self.buffer.is_empty() {
            let rest = self.buffer.split().freeze();
            self.sink.feed(rest).await?;
        }
        Ok(self.sink.as_mut().finish().await?)
    }
}

/// Whether a batch that a guest made is well formed; the text says what is not. Every length, offset
/// and byte is the guest's word, and writing relies on them.
pub fn check(batch: &Batch) -> Result<(), String> {
    // an empty line each would go out, as many as the guest likes to claim
    if batch.columns.is_empty() && batch.length > 0 {
        return Err(format!("the batch has {} rows and no column", batch.length));
    }
    for (place, column) in batch.columns.iter().enumerate() {
        let bad = |what: &str| Err(format!("column {} of the batch {what}", place + 1));
        let length = match &column.data {
            Data::Boolean(values) => values.len(),
            Data::Int64(values) | Data::Timestamp(values) => values.len(),
            Data::Float64(values) => values.len(),
            Data::Text(values) | Data::Bytes(values) => match values.offsets.len().checked_sub(1) {
                Some(length) => length,
                None => return bad("has no offsets"),
            },
        };
        if length != batch.length {
            return bad(&format!(
                "holds {length} values where the batch has {} rows",
                batch.length
            ));
        }
        if !column.validity.is_empty() && column.validity.len() < batch.length.div_ceil(8) {
            return bad("has a validity that is shorter than its rows");
        }
        if let Data::Text(values) | Data::Bytes(values) = &column.data {
            if values.offsets[0] != 0 || !values.offsets.is_sorted() {
                return bad("has offsets that do not ascend from 0");
            }
            if values
                .offsets
                .last()
                .is_some_and(|&end| end as usize > values.data.len())
            {
                return bad("has offsets past the end of its data");
            }
        }
        if let Data::Text(values) = &column.data {
            let Ok(text) = std::str::from_utf8(&values.data) else {
                return bad("holds text that is not UTF-8");
            };
            if values
                .offsets
                .iter()
                .any(|&offset| !text.is_char_boundary(offset as usize))
            {
                return bad("has an offset inside a character");
            }
            if values.data.contains(&0) {
                return bad("holds text with a NUL, which PostgreSQL cannot store");
            }
        }
    }
    Ok(())
}

fn is_null(column: &Column, row: usize) -> bool {
    column
        .validity
        .get(row / 8)
        .is_some_and(|bits| bits & (1 << (row % 8)) == 0)
}

fn value(values: &Var, row: usize) -> &[u8] {
    &values.data[values.offsets[row] as usize..values.offsets[row + 1] as usize]
}

fn write_value(out: &mut BytesMut, data: &Data, row: usize) {
    match data {
        Data::Boolean(values) => out.extend_from_slice(if values[row] { b"t" } else { b"f" }),
        Data::Int64(values) => {
            out.extend_from_slice(itoa::Buffer::new().format(values[row]).as_bytes());
        }
        Data::Float64(values) => write_display(out, FloatText(values[row])),
        Data::Timestamp(values) => write_display(out, TimestampText(values[row])),
        Data::Text(values) => write_escaped(out, value(values, row)),
        Data::Bytes(values) => {
            out.extend_from_slice(b"\\\\x");
            out.extend_from_slice(hex::encode(value(values, row)).as_bytes());
        }
    }
}

fn write_display(out: &mut BytesMut, value: impl std::fmt::Display) {
    // writing to a growing buffer does not fail
    let _ = write!(out, "{value}");
}

fn write_escaped(out: &mut BytesMut, text: &[u8]) {
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

    fn column(data: Data) -> Column {
        Column {
            name: String::new(),
            type_name: String::new(),
            validity: Vec::new(),
            data,
        }
    }

    fn batch(length: usize, data: Data) -> Batch {
        Batch {
            length,
            columns: vec![column(data)],
        }
    }

    fn var(offsets: &[u32], data: &[u8]) -> Var {
        Var {
            offsets: offsets.to_vec(),
            data: data.to_vec(),
        }
    }

    #[test]
    fn a_well_formed_batch_passes() {
        assert_eq!(
            check(&batch(2, Data::Text(var(&[0, 1, 3], "aé".as_bytes())))),
            Ok(())
        );
        assert_eq!(
            check(&batch(1, Data::Bytes(var(&[0, 2], &[0xff, 0])))),
            Ok(())
        );
    }

    /// A guest's offsets index the host's memory and its text reaches the server: each lie is refused.
    #[test]
    fn lies_about_lengths_offsets_and_text_are_refused() {
        let lies = [
            (
                Batch {
                    length: 4_000_000_000,
                    columns: Vec::new(),
                },
                "no column",
            ),
            (batch(2, Data::Int64(vec![1])), "holds 1 values"),
            (batch(0, Data::Text(var(&[], b""))), "no offsets"),
            (batch(1, Data::Text(var(&[0, 9], b"abc"))), "past the end"),
            (
                batch(2, Data::Text(var(&[0, 3, 1], b"abc"))),
                "do not ascend",
            ),
            (batch(1, Data::Text(var(&[1, 2], b"abc"))), "do not ascend"),
            (
                batch(1, Data::Text(var(&[0, 2], &[0xc3, 0x28]))),
                "not UTF-8",
            ),
            (
                batch(1, Data::Text(var(&[0, 1], "é".as_bytes()))),
                "inside a character",
            ),
            (batch(1, Data::Text(var(&[0, 1], &[0]))), "NUL"),
        ];
        for (batch, expected) in lies {
            let refused = check(&batch).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
        let mut short = batch(9, Data::Boolean(vec![true; 9]));
        short.columns[0].validity = vec![255];
        assert!(check(&short).unwrap_err().contains("validity"));
    }

    #[test]
    fn text_is_escaped_for_copy() {
        let mut out = BytesMut::new();
        write_escaped(&mut out, b"a\tb\\N\nc\r");
        assert_eq!(&out[..], b"a\\tb\\\\N\\nc\\r");
    }
}
