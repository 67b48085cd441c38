//! Writing rows by COPY: in its binary format as long as every value has a binary form for its column, and
//! in its text format, which reaches every type, from the first one on that has none.

mod binary;
mod check;
mod target;
mod text;

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::SinkExt as _;
use tokio_postgres::CopyInSink;

pub use check::check;

use super::columns::{Batch, Column, Var};
use super::failure::Failure;
use super::session::Session;
use super::{qualified, quoted};

/// How many bytes are collected before they are handed to the connection. A Unix socket takes in more only
/// when it is down to a quarter, and counts a written piece until all of it is read: with pieces of 64 KiB the
/// server has run out of rows by then.
const CHUNK: usize = 16 << 10;

/// An open COPY. Dropped before `finish` it is broken off, and the server fails the transaction.
pub struct CopyIn {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    sql: String,
    columns: usize,
    /// How the columns take values, while it is in binary format.
    forms: Option<Vec<binary::Form>>,
    buffer: BytesMut,
    /// The rows that the table received in binary format, once it is in text format.
    rows: u64,
}

impl CopyIn {
    pub(super) async fn open(
        session: &Session,
        schema: &str,
        table: &str,
        columns: &[String],
    ) -> Result<Self, Failure> {
        let forms = target::forms(session, schema, table, columns).await?;
        let list: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        let list = if list.is_empty() {
            String::new()
        } else {
            format!(" ({})", list.join(", "))
        };
        let sql = format!("COPY {}{list} FROM STDIN", qualified(schema, table));
        let (sink, buffer) = if forms.is_some() {
            let sink = session.client().copy_in(&format!("{sql} BINARY")).await?;
            (sink, BytesMut::from(binary::HEADER))
        } else {
            (session.client().copy_in(&sql).await?, BytesMut::new())
        };
        Ok(CopyIn {
            sink: Box::pin(sink),
            sql,
            columns: columns.len(),
            forms,
            buffer,
            rows: 0,
        })
    }

    /// Writes a batch. The caller has made sure that it is well formed, by [`check`].
    pub async fn write(&mut self, session: &Session, batch: &Batch) -> Result<(), Failure> {
        let mut row = 0;
        while row < batch.length {
            match &self.forms {
                None => text::put_row(&mut self.buffer, batch, row),
                Some(forms) => {
                    if binary::put_row(&mut self.buffer, forms, batch, row).is_none() {
                        self.go_on_in_text(session).await?;
                        continue;
                    }
                }
            }
            row += 1;
            if self.buffer.len() >= CHUNK {
                self.send().await?;
            }
        }
        // the connection is another task of this thread, and a guest gives it no turn: in the first one here it
        // learns that the server has room, in the second one it writes
        for _ in 0..2 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// How many columns were named when it was opened; 0 means all of the table's.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Ends the COPY and tells how many rows the table received.
    pub async fn finish(mut self) -> Result<u64, Failure> {
        self.end().await?;
        Ok(self.rows)
    }

    /// Ends the COPY in binary format and opens one in text format.
    async fn go_on_in_text(&mut self, session: &Session) -> Result<(), Failure> {
        self.end().await?;
        self.sink = Box::pin(session.client().copy_in(&self.sql).await?);
        Ok(())
    }

    async fn end(&mut self) -> Result<(), Failure> {
        if self.forms.take().is_some() {
            self.buffer.extend_from_slice(binary::TRAILER);
        }
        self.send().await?;
        self.rows += self.sink.as_mut().finish().await?;
        Ok(())
    }

    /// Hands what was collected to the connection.
    async fn send(&mut self) -> Result<(), Failure> {
        if !self.buffer.is_empty() {
            let chunk = self.buffer.split().freeze();
            self.sink.feed(chunk).await?;
        }
        Ok(())
    }
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
