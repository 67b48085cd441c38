//! The work session: the one connection on which a migration's statements run.
//!
//! Guest text travels by the extended protocol, which takes a single statement. Rows are read by
//! cursors that the host names, so several results can be open at once and other statements can run
//! between their batches: a half-read stream would block the connection.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use futures_util::TryStreamExt as _;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, RowStream, SimpleQueryMessage};

use super::Connection;
use super::buffer::Buffer;
use super::columns::{Batch, Raw, Shape};
use super::comparison::Asked;
use super::copy::CopyIn;
use super::failure::Failure;
use super::touched::Lookups;
use super::values::{MAX_PARAMETERS, Value};

/// Rows of the first FETCH, few because they may be wide; the size of the later ones follows from what the
/// rows weigh.
const FIRST_FETCH: usize = 16;
/// Rows of a FETCH at most.
pub(super) const MOST_FETCH: usize = 10_000;
/// What a FETCH should weigh, in bytes.
pub(super) const FETCH_BYTES: usize = 4 << 20;

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
    row_bytes: usize,
    cursors_made: AtomicU32,
    cursors_open: AtomicUsize,
    lookups: Lookups,
    /// What the catalog comparison has asked it.
    pub(super) asked: Asked,
}

/// An open result.
#[derive(Debug, Default)]
pub struct Rows {
    source: Source,
    affected: u64,
}

impl Rows {
    /// A result that was read before.
    pub fn read(batches: Vec<Batch>) -> Self {
        Rows {
            source: Source::Buffered(batches.into()),
            affected: 0,
        }
    }

    /// How many rows the statement affected, where it was run at once.
    pub fn affected(&self) -> u64 {
        self.affected
    }

    /// Whether the next batch is still to be read from the server.
    pub fn on_server(&self) -> bool {
        matches!(self.source, Source::Cursor { .. })
    }
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

impl Default for Source {
    fn default() -> Self {
        Source::Buffered(VecDeque::new())
    }
}

impl Session {
    /// A session on that connection; a batch of rows holds at most `row_bytes` bytes.
    pub fn new(connection: Connection) -> Self {
        Session {
            connection,
            row_bytes: usize::MAX,
            cursors_made: AtomicU32::new(0),
            cursors_open: AtomicUsize::new(0),
            lookups: Lookups::default(),
            asked: Asked::default(),
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

    /// The look-ups that are planned once a session.
    pub(super) fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    /// The server's major version.
    pub(super) fn server(&self) -> u32 {
        self.connection.version().major
    }

    /// Says goodbye to the server.
    pub async fn close_connection(self) {
        self.connection.close().await;
    }

    pub(super) fn client(&self) -> &Client {
        &self.connection.client
    }

    /// How many results are open on the server.
    pub fn cursors_open(&self) -> usize {
        self.cursors_open.load(Ordering::Relaxed)
    }

    /// A name for a cursor or a prepared statement that no other has.
    fn new_name(&self) -> String {
        let number = self.cursors_made.fetch_add(1, Ordering::Relaxed) + 1;
        format!("wasmigrate_{number}")
    }

    /// Runs the host's own statements, several in one round trip. Never give it a guest's text.
    pub async fn batch(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.client().batch_execute(sql).await?)
    }

    /// Runs the host's own statements, or nothing where there are none.
    pub async fn send_ahead(&self, sql: &str) -> Result<(), Failure> {
        match sql {
            "" => Ok(()),
            sql => self.batch(sql).await,
        }
    }

    /// Sends statements of the host's ahead of a request and behind it, all at once; the server answers in order
    /// and does nothing more once one has failed. Where the request is several, `behind` follows the first.
    pub async fn between<T>(
        &self,
        ahead: &str,
        request: impl Future<Output = Result<T, Failure>>,
        behind: &str,
    ) -> Result<T, Failure> {
        let (before, done, after) =
            tokio::join!(biased; self.send_ahead(ahead), request, self.send_ahead(behind));
        before?;
        let done = done?;
        after?;
        Ok(done)
    }

    /// Runs the host's own statement that returns one text at most, with text parameters, in one round trip.
    pub async fn text(&self, sql: &str, params: &[&str]) -> Result<Option<String>, Failure> {
        let params = params.iter().map(|param| (*param, Type::TEXT));
        let mut rows = pin!(self.client().query_typed_raw(sql, params).await?);
        let mut first = None;
        while let Some(row) = rows.try_next().await? {
            if first.is_none() {
                first = row.try_get(0)?;
            }
        }
        Ok(first)
    }

    /// Runs one statement and tells how many rows it affected, or returned where it only selects; rows are
    /// discarded.
    pub async fn execute(&self, sql: &str, params: &[Value]) -> Result<u64, Failure> {
        refuse_too_many(params)?;
        let params: Vec<(&(dyn ToSql + Sync), Type)> = params
            .iter()
            .map(|value| (value as &(dyn ToSql + Sync), Type::UNKNOWN))
            .collect();
        // it asks for no column's type, and so cannot wait for an answer behind rows that nobody reads
        Ok(self.client().execute_typed(sql, &params).await?)
    }

    /// Runs a statement that only selects to its end and tells how many rows it has; none of them leaves the server,
    /// since a guest may ask for rows of any size. Source: PostgreSQL, MOVE.
    pub async fn count(&self, sql: &str, params: &[Value]) -> Result<u64, Failure> {
        let name = self.new_name();
        let declare = format!("DECLARE {name} NO SCROLL CURSOR FOR {sql}");
        let (moved, closed) = (format!("MOVE ALL FROM {name}"), format!("CLOSE {name}"));
        // sent at once, answered in order
        let (declared, moved, closed) = tokio::join!(
            biased;
            self.execute(&declare, params),
            self.execute(&moved, &[]),
            self.batch(&closed),
        );
        declared?;
        let rows = moved?;
        closed?;
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
        &self,
        sql: &str,
        params: &[Value],
        reading: Reading,
    ) -> Result<Rows, Failure> {
        refuse_too_many(params)?;
        let statement = self.client().prepare(sql).await?;
        let shape = Shape::new(statement.columns());
        if shape.is_empty() {
            return Err(Failure::Unusable(
                "the statement returns no columns: use execute".into(),
            ));
        }
        let mut affected = 0;
        let source = match reading {
            Reading::Cursor => {
                let name = self.new_name();
                let declare = format!("DECLARE {name} NO SCROLL CURSOR FOR {sql}");
                self.execute(&declare, params).await?;
                self.cursors_open.fetch_add(1, Ordering::Relaxed);
                Source::Cursor {
                    name,
                    shape,
                    fetch: FIRST_FETCH,
                }
            }
            Reading::Buffered => {
                let batches;
                (batches, affected) = self.buffer(&shape, sql, params).await?;
                Source::Buffered(batches)
            }
        };
        Ok(Rows { source, affected })
    }

    /// The next batch of a result, none at its end; the server's side is then closed.
    pub async fn next(&self, rows: &mut Rows) -> Result<Option<Batch>, Failure> {
        let batch = match &mut rows.source {
            Source::Buffered(batches) => return Ok(batches.pop_front()),
            Source::Cursor { name, shape, fetch } => {
                let sql = format!("FETCH {fetch} FROM {name}");
                let (batch, bytes) = if shape.needs_text() {
                    self.fetch_text(shape, &sql, *fetch).await?
                } else {
                    self.fetch_binary(shape, &sql, *fetch).await?
                };
                shape.learn(&batch);
                let ended = batch.length < *fetch;
                if let Some(row_bytes) = bytes.checked_div(batch.length) {
                    let fitting = FETCH_BYTES / row_bytes.max(1);
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
    pub async fn close(&self, rows: &mut Rows) -> Result<(), Failure> {
        if let Source::Cursor { name, .. } = std::mem::take(&mut rows.source) {
            self.cursors_open.fetch_sub(1, Ordering::Relaxed);
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
        CopyIn::open(self, schema, table, columns).await
    }

    async fn stream(&self, sql: &str, params: &[Value]) -> Result<RowStream, Failure> {
        refuse_too_many(params)?;
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
    ) -> Result<(VecDeque<Batch>, u64), Failure> {
        let mut buffer = Buffer::new(shape, self.row_bytes);
        if !shape.needs_text() {
            let mut stream = pin!(self.stream(sql, params).await?);
            while let Some(row) = stream.try_next().await? {
                buffer.push(|builder| builder.push_row(&row))?;
            }
            let affected = stream.rows_affected().unwrap_or(0);
            return Ok((buffer.finish(), affected));
        }
        // only the simple protocol gives every type as text, and it takes no parameters. PREPARE itself goes
        // by the extended protocol, which refuses a second statement; EXECUTE holds literals of the host's
        let name = self.new_name();
        self.execute(&format!("PREPARE {name} AS {sql}"), &[])
            .await?;
        let literals: Vec<String> = params.iter().map(Value::literal).collect();
        let list = match &literals[..] {
            [] => String::new(),
            literals => format!("({})", literals.join(", ")),
        };
        let sql = format!("EXECUTE {name}{list}");
        let mut affected = 0;
        {
            let mut stream = pin!(self.client().simple_query_raw(&sql).await?);
            while let Some(message) = stream.try_next().await? {
                match message {
                    SimpleQueryMessage::Row(row) => {
                        buffer.push(|builder| builder.push_texts(|place| row.get(place)))?;
                    }
                    SimpleQueryMessage::CommandComplete(rows) => affected = rows,
                    _ => {}
                }
            }
        }
        self.batch(&format!("DEALLOCATE {name}")).await?;
        Ok((buffer.finish(), affected))
    }
}

fn refuse_too_many(params: &[Value]) -> Result<(), Failure> {
    if params.len() <= MAX_PARAMETERS {
        return Ok(());
    }
    let given = params.len();
    Err(Failure::Unusable(format!(
        "a statement takes at most {MAX_PARAMETERS} parameters, not {given}"
    )))
}

pub(super) fn unreadable() -> Failure {
    Failure::Unusable("the server sent a value that does not have its type's form".into())
}
