//! The work session: the one connection on which a migration's statements run.
//!
//! Guest text travels by the extended protocol, which takes a single statement. Rows are read by
//! cursors that the host names, so several results can be open at once and other statements can run
//! between their batches: a half-read stream would block the connection.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::Mutex;

use futures_util::TryStreamExt as _;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, RowStream, SimpleQueryMessage, Statement};

use super::Connection;
use super::columns::{Batch, Raw, Shape};
use super::copy::CopyIn;
use super::failure::Failure;
use super::values::{MAX_PARAMETERS, Value};

/// Rows of the first FETCH; the size of the later ones follows from what the rows weigh.
const FIRST_FETCH: usize = 128;
/// Rows of a FETCH at most.
const MOST_FETCH: usize = 10_000;
/// What a FETCH should weigh, in bytes.
const FETCH_BYTES: usize = 4 << 20;

/// How a statement's rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// By a cursor, batch after batch: for a statement that only selects.
    Cursor,
    /// At once into memory: for a statement that also changes rows, which no cursor can hold.
    Buffered,
}

/// One connection with at most one open transaction.
pub struct Session {
    connection: Connection,
    statements: Mutex<HashMap<String, Statement>>,
    row_bytes: usize,
    cursors_made: u32,
    cursors_open: usize,
}

/// An open result.
#[derive(Debug)]
pub struct Rows {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Cursor {
        name: String,
        shape: Shape,
        fetch: usize,
    },
    Buffered(VecDeque<Batch>),
}

impl Session {
    /// A session on that connection; a batch of rows holds at most `row_bytes` bytes.
    pub fn new(connection: Connection) -> Self {
        Session {
            connection,
            statements: Mutex::default(),
            row_bytes: usize::MAX,
            cursors_made: 0,
            cursors_open: 0,
        }
    }

    /// Sets the most bytes that a batch of rows may hold.
    pub fn limit_row_bytes(&mut self, row_bytes: usize) {
        self.row_bytes = row_bytes;
    }

    /// The connection, for the host's own statements.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Says goodbye to the server.
    pub async fn close_connection(self) {
        self.connection.close().await;
    }

    fn client(&self) -> &Client {
        &self.connection.client
    }

    /// How many results are open on the server.
    pub fn cursors_open(&self) -> usize {
        self.cursors_open
    }

    /// Runs the host's own statements, several in one round trip. Never give it a guest's text.
    pub async fn batch(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.client().batch_execute(sql).await?)
    }

    /// Runs the host's own statement that returns one text at most, with text parameters. It is prepared
    /// once a session: planning a catalog query costs more than running it.
    pub async fn text(&self, sql: &str, params: &[&str]) -> Result<Option<String>, Failure> {
        let statement = self.prepared(sql).await?;
        let params: Vec<&(dyn ToSql + Sync)> =
            params.iter().map(|p| p as &(dyn ToSql + Sync)).collect();
        let row = self.client().query_opt(&statement, &params).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
    }

    async fn prepared(&self, sql: &str) -> Result<Statement, Failure> {
        let known = |statements: &HashMap<String, Statement>| statements.get(sql).cloned();
        let found = self.statements.lock().map_or(None, |statements| known(&statements));
        if let Some(statement) = found {
            return Ok(statement);
        }
        let statement = self.client().prepare(sql).await?;
        if let Ok(mut statements) = self.statements.lock() {
            statements.insert(sql.to_owned(), statement.clone());
        }
        Ok(statement)
    }

    /// Runs one statement and tells how many rows it affected.
    pub async fn execute(&self, sql: &str, params: &[Value]) -> Result<u64, Failure> {
        let mut stream = pin!(self.stream(sql, params).await?);
        while stream.try_next().await?.is_some() {}
        Ok(stream.rows_affected().unwrap_or(0))
    }

    /// Runs one statement and tells how many rows it returned, which are discarded.
    pub async fn count(&self, sql: &str, params: &[Value]) -> Result<u64, Failure> {
        let mut stream = pin!(self.stream(sql, params).await?);
        let mut rows = 0;
        while stream.try_next().await?.is_some() {
            rows += 1;
        }
        Ok(rows)
    }

    /// Runs one statement and returns the first value of its first row, which is text or JSON.
    pub async fn first_text(&self, sql: &str, params: &[Value]) -> Result<Option<String>, Failure> {
        let mut stream = pin!(self.stream(sql, params).await?);
        let mut first = None;
        while let Some(row) = stream.try_next().await? {
            if first.is_none() {
                first = row
                    .try_get::<_, Option<Raw<'_>>>(0)?
                    .map(|raw| raw.0.to_vec());
            }
        }
        Ok(first.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Opens the result of one statement.
    pub async fn query(
        &mut self,
        sql: &str,
        params: &[Value],
        reading: Reading,
    ) -> Result<Rows, Failure> {
        let statement = self.client().prepare(sql).await?;
        let shape = Shape::new(statement.columns());
        if shape.is_empty() {
            return Err(Failure::Unusable(
                "the statement returns no rows: use execute".into(),
            ));
        }
        let source = match reading {
            Reading::Cursor => {
                self.cursors_made += 1;
                let name = format!("wasmigrate_{}", self.cursors_made);
                let declare = format!("DECLARE {name} NO SCROLL CURSOR FOR {sql}");
                self.execute(&declare, params).await?;
                self.cursors_open += 1;
                Source::Cursor {
                    name,
                    shape,
                    fetch: FIRST_FETCH,
                }
            }
            Reading::Buffered => Source::Buffered(self.buffer(&shape, sql, params).await?),
        };
        Ok(Rows { source })
    }

    /// The next batch of a result, none at its end; the server's side is then closed.
    pub async fn next(&mut self, rows: &mut Rows) -> Result<Option<Batch>, Failure> {
        let batch = match &mut rows.source {
            Source::Buffered(batches) => return Ok(batches.pop_front()),
            Source::Cursor { name, shape, fetch } => {
                let sql = format!("FETCH {fetch} FROM {name}");
                let (batch, bytes) = if shape.needs_text() {
                    self.fetch_text(shape, &sql, *fetch).await?
                } else {
                    self.fetch_binary(shape, &sql, *fetch).await?
                };
                let ended = batch.length < *fetch;
                if batch.length > 0 {
                    let fitting = FETCH_BYTES / (bytes / batch.length).max(1);
                    *fetch = fitting.clamp(1, MOST_FETCH).min(*fetch * 8);
                }
                if !ended {
                    return Ok(Some(batch));
                }
                batch
            }
        };
        self.close(rows).await?;
        Ok((batch.length > 0).then_some(batch))
    }

    /// Closes a result; closing it twice is nothing.
    pub async fn close(&mut self, rows: &mut Rows) -> Result<(), Failure> {
        let ended = Source::Buffered(VecDeque::new());
        if let Source::Cursor { name, .. } = std::mem::replace(&mut rows.source, ended) {
            self.cursors_open -= 1;
            self.batch(&format!("CLOSE {name}")).await?;
        }
        Ok(())
    }

    /// Opens a COPY into a table; an empty list of columns means all.
    pub async fn copy_in(
        &self,
        schema: &str,
        table: &str,
        columns: &[String],
    ) -> Result<CopyIn, Failure> {
        CopyIn::open(self.client(), schema, table, columns).await
    }

    async fn stream(&self, sql: &str, params: &[Value]) -> Result<RowStream, Failure> {
        if params.len() > MAX_PARAMETERS {
            return Err(Failure::Unusable(format!(
                "a statement takes at most {MAX_PARAMETERS} parameters, not {}",
                params.len()
            )));
        }
        // the type "unknown" leaves the choice to the server, as an untyped literal does
        let params = params.iter().map(|value| (value, Type::UNKNOWN));
        Ok(self.client().query_typed_raw(sql, params).await?)
    }

    async fn fetch_binary(
        &self,
        shape: &Shape,
        sql: &str,
        fetch: usize,
    ) -> Result<(Batch, usize), Failure> {
        let mut stream = pin!(self.stream(sql, &[]).await?);
        let mut builder = shape.builder(fetch);
        while let Some(row) = stream.try_next().await? {
            builder.push_row(&row).ok_or_else(unreadable)?;
            if builder.bytes() > self.row_bytes {
                return Err(Failure::TooLarge(self.row_bytes));
            }
        }
        let bytes = builder.bytes();
        Ok((builder.finish(), bytes))
    }

    async fn fetch_text(
        &self,
        shape: &Shape,
        sql: &str,
        fetch: usize,
    ) -> Result<(Batch, usize), Failure> {
        let mut stream = pin!(self.client().simple_query_raw(sql).await?);
        let mut builder = shape.builder(fetch);
        while let Some(message) = stream.try_next().await? {
            if let SimpleQueryMessage::Row(row) = message {
                builder
                    .push_texts(|place| row.get(place))
                    .ok_or_else(unreadable)?;
                if builder.bytes() > self.row_bytes {
                    return Err(Failure::TooLarge(self.row_bytes));
                }
            }
        }
        let bytes = builder.bytes();
        Ok((builder.finish(), bytes))
    }

    async fn buffer(
        &self,
        shape: &Shape,
        sql: &str,
        params: &[Value],
    ) -> Result<VecDeque<Batch>, Failure> {
        let mut stream = pin!(self.stream(sql, params).await?);
        let mut rows = Vec::new();
        let mut bytes = 0;
        while let Some(row) = stream.try_next().await? {
            bytes += row.raw_size_bytes();
            if bytes > self.row_bytes {
                return Err(Failure::TooLarge(self.row_bytes));
            }
            rows.push(row);
        }
        let mut batches = VecDeque::new();
        for rows in rows.chunks(MOST_FETCH) {
            let texts = self.foreign_texts(shape, rows).await?;
            let foreign = shape.foreign();
            let mut builder = shape.builder(rows.len());
            for (number, row) in rows.iter().enumerate() {
                let texts = &texts[number * foreign.len()..][..foreign.len()];
                builder
                    .push_mixed(row, &foreign, texts)
                    .ok_or_else(unreadable)?;
            }
            batches.push_back(builder.finish());
        }
        Ok(batches)
    }

    /// The text of every value that has no binary form of ours, row by row, as the server's own output
    /// functions print it: the values go back to it in binary form, a few thousand at a time.
    async fn foreign_texts(
        &self,
        shape: &Shape,
        rows: &[tokio_postgres::Row],
    ) -> Result<Vec<Option<String>>, Failure> {
        /// A target list has at most 1664 entries. Source: PostgreSQL, "PostgreSQL Limits".
        const AT_ONCE: usize = 1_600;
        let foreign = shape.foreign();
        let mut values = Vec::with_capacity(rows.len() * foreign.len());
        for row in rows {
            for &place in &foreign {
                let raw: Option<Raw<'_>> = row.try_get(place)?;
                values.push((raw, shape.type_of(place)));
            }
        }
        let mut texts = Vec::with_capacity(values.len());
        for values in values.chunks(AT_ONCE) {
            let list: Vec<String> = (1..=values.len())
                .map(|n| {
                    format!("CASE WHEN ${n} IS NOT NULL THEN pg_catalog.format('%s', ${n}) END")
                })
                .collect();
            let sql = format!("SELECT {}", list.join(", "));
            let params = values.iter().map(|(raw, ty)| (raw, (*ty).clone()));
            let mut stream = pin!(self.client().query_typed_raw(&sql, params).await?);
            let mut answer = Vec::new();
            while let Some(row) = stream.try_next().await? {
                answer.push(row);
            }
            let row = answer.first().ok_or_else(unreadable)?;
            for place in 0..values.len() {
                texts.push(row.try_get(place)?);
            }
        }
        Ok(texts)
    }
}

fn unreadable() -> Failure {
    Failure::Unusable("the server sent a value that does not have its type's form".into())
}
