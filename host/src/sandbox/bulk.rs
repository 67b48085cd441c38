//! The interface `bulk`.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wasmtime::component::Resource;

use super::limits::Stop;
use super::state::{Answer, Fault, State, excerpt};
use super::steps::{ABANDON, Call};
use super::wit::{bulk, types};
use crate::database::{Batch, Column, Data, Var, check_batch, label, qualified};
use crate::error::{Code, Error};
use crate::guard::statement::Class;

/// A bulk write that a guest has opened; the COPY itself is the state's, as there is one at most.
pub struct OpenCopy {
    sql: String,
    finished: bool,
    /// What was written, in stepwise mode.
    written: Option<Sha256>,
    /// What an earlier attempt has written: nothing is sent.
    done: Option<Copied>,
}

/// What the journal keeps of a bulk write.
#[derive(Clone, Serialize, Deserialize)]
struct Copied {
    digest: String,
    rows: u64,
}

impl bulk::Host for State {}

impl bulk::HostCopyIn for State {
    async fn open(
        &mut self,
        table: types::Relation,
        columns: Vec<String>,
    ) -> wasmtime::Result<Result<Resource<OpenCopy>, types::Error>> {
        let answer = self.open_copy(table, columns).await;
        self.answer(answer)
    }

    async fn write(
        &mut self,
        copy: Resource<OpenCopy>,
        rows: types::Batch,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        let answer = self.write_copy(&copy, rows).await;
        self.answer(answer)
    }

    async fn finish(
        &mut self,
        copy: Resource<OpenCopy>,
    ) -> wasmtime::Result<Result<u64, types::Error>> {
        let answer = self.finish_copy(&copy).await;
        self.answer(answer)
    }

    async fn drop(&mut self, copy: Resource<OpenCopy>) -> wasmtime::Result<()> {
        let open = self.table.delete(copy)?;
        if !open.finished {
            self.copy = None;
            self.poison(unfinished());
        }
        Ok(())
    }
}

/// The guest is run again, and wrote other rows than those that are there.
fn wrote_another(sql: &str) -> Fault {
    let what = format!("failed to go on: `{sql}` writes other rows than before the interruption");
    Fault::Stop(Stop::Failed(
        Error::new(Code::JournalDivergent, what).hint(ABANDON),
    ))
}

/// A bulk write was begun and never finished.
pub fn unfinished() -> Error {
    Error::new(
        Code::CopyOpen,
        "failed to complete a bulk write: it was not finished",
    )
    .hint("call finish() on the writer, and use the number of rows that it gives")
}

impl State {
    async fn open_copy(
        &mut self,
        table: types::Relation,
        columns: Vec<String>,
    ) -> Answer<Resource<OpenCopy>> {
        self.ready_to_write()?;
        let sql = excerpt(&format!(
            "COPY {} FROM STDIN",
            label(&table.schema, &table.name)
        ));
        if [&table.schema, &table.name]
            .into_iter()
            .chain(&columns)
            .any(|name| name.contains('\0'))
        {
            return Err(Fault::unsupported(
                format!("failed to run `{sql}`"),
                "a name holds a NUL character",
            ));
        }
        let given = (&table.schema, &table.name, &columns);
        let done = self
            .begin_step(Call::changing("copy-in", &sql, &given))
            .await?;
        let written = self.stepping.is_some().then(Sha256::new);
        if done.is_some() {
            let open = OpenCopy {
                sql,
                finished: false,
                written,
                done,
            };
            let handle = self.table.push(open);
            return handle.map_err(|error| Fault::handles(&error, self.meter.limits()));
        }
        // the host's own COPY inserts, and that is what must be granted
        let insert = format!(
            "INSERT INTO {} DEFAULT VALUES",
            qualified(&table.schema, &table.name)
        );
        let class = self.admit(&insert).await?;
        let ahead = self.ahead(&class).await?;
        let open = OpenCopy {
            sql,
            finished: false,
            written,
            done: None,
        };
        // the handle first: a refused handle must not leave a COPY behind
        let handle = self.table.push(open);
        let handle = handle.map_err(|error| Fault::handles(&error, self.meter.limits()))?;
        let opened = self.session.copy_in(&table.schema, &table.name, &columns);
        match self.session.between(&ahead, opened, "").await {
            Ok(copy) => {
                self.copy = Some(copy);
                Ok(handle)
            }
            Err(failure) => {
                let sql = self
                    .table
                    .delete(handle)
                    .map(|open| open.sql)
                    .unwrap_or_default();
                Err(self.fault(&sql, failure))
            }
        }
    }

    async fn write_copy(&mut self, handle: &Resource<OpenCopy>, rows: types::Batch) -> Answer<()> {
        let sql = self.writing(handle)?;
        let batch = Batch::from(rows);
        check_batch(&batch)
            .map_err(|why| Fault::unsupported(format!("failed to run `{sql}`"), why))?;
        if let Ok(open) = self.table.get_mut(handle) {
            if let Some(written) = &mut open.written {
                written.update(postcard::to_allocvec(&batch).unwrap_or_default());
            }
            if open.done.is_some() {
                return Ok(());
            }
        }
        let Some(copy) = &mut self.copy else {
            return Err(Fault::Poisoned);
        };
        if copy.columns() != 0 && copy.columns() != batch.columns.len() {
            let (wanted, given) = (copy.columns(), batch.columns.len());
            let why =
                format!("the bulk write was opened for {wanted} columns, the batch has {given}");
            return Err(Fault::unsupported(format!("failed to run `{sql}`"), why));
        }
        let written = copy.write(&self.session, &batch).await;
        written.map_err(|failure| self.fault(&sql, failure))
    }

    async fn finish_copy(&mut self, handle: &Resource<OpenCopy>) -> Answer<u64> {
        let sql = self.writing(handle)?;
        let mut digest = String::new();
        if let Ok(open) = self.table.get_mut(handle) {
            open.finished = true;
            let written = open.written.take();
            digest = written.map_or(digest, |written| hex::encode(written.finalize()));
            if let Some(done) = open.done.take() {
                return match done.digest == digest {
                    true => Ok(done.rows),
                    false => Err(wrote_another(&sql)),
                };
            }
        }
        let Some(copy) = self.copy.take() else {
            return Err(Fault::Poisoned);
        };
        let rows = copy.finish().await;
        let rows = rows.map_err(|failure| self.fault(&sql, failure))?;
        self.rows_affected = self.rows_affected.saturating_add(rows);
        self.pin_behind(&sql, &Class::Write).await?;
        for mut dropped in std::mem::take(&mut self.dropped) {
            let closed = self.session.close(&mut dropped).await;
            closed.map_err(|failure| self.fault(&sql, failure))?;
        }
        self.end_step(&Copied { digest, rows }, true).await?;
        Ok(rows)
    }

    /// The statement of an open bulk write.
    fn writing(&self, handle: &Resource<OpenCopy>) -> Answer<String> {
        if let Err(Fault::Poisoned) = self.ready() {
            return Err(Fault::Poisoned);
        }
        match self.table.get(handle) {
            Ok(open) if !open.finished => Ok(open.sql.clone()),
            Ok(_) => Err(Fault::unsupported(
                "failed to write rows",
                "the bulk write is finished",
            )),
            Err(error) => Err(Fault::handles(&error, self.meter.limits())),
        }
    }
}

impl From<types::Batch> for Batch {
    fn from(batch: types::Batch) -> Self {
        Batch {
            length: batch.length as usize,
            columns: batch.columns.into_iter().map(Column::from).collect(),
        }
    }
}

impl From<types::Column> for Column {
    fn from(column: types::Column) -> Self {
        let var = |var: types::VarData| Var {
            offsets: var.offsets,
            data: var.data,
        };
        Column {
            name: column.name,
            type_name: column.type_name,
            validity: column.validity,
            data: match column.data {
                types::ColumnData::Boolean(values) => Data::Boolean(values),
                types::ColumnData::Int64(values) => Data::Int64(values),
                types::ColumnData::Float64(values) => Data::Float64(values),
                types::ColumnData::Timestamp(values) => Data::Timestamp(values),
                types::ColumnData::Text(values) => Data::Text(var(values)),
                types::ColumnData::Bytes(values) => Data::Bytes(var(values)),
            },
        }
    }
}
