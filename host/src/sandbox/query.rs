//! The interface `query`.

use wasmtime::component::Resource;

use super::state::{Answer, Fault, State, excerpt, values};
use super::steps::Call;
use super::wit::{query, types};
use crate::database::{Batch, Column, Data, Reading, Rows, Value, Var};
use crate::guard::statement::Class;

/// Rows that a guest has open.
#[derive(Default)]
pub struct OpenRows {
    rows: Rows,
    sql: String,
}

impl query::Host for State {
    async fn query(
        &mut self,
        sql: String,
        params: Vec<types::Value>,
    ) -> wasmtime::Result<Result<Resource<OpenRows>, types::Error>> {
        let answer = self.open_rows(sql, params).await;
        self.answer(answer)
    }
}

impl query::HostRows for State {
    async fn next(
        &mut self,
        rows: Resource<OpenRows>,
    ) -> wasmtime::Result<Result<Option<types::Batch>, types::Error>> {
        let answer = self.next_batch(&rows).await;
        self.answer(answer)
    }

    async fn drop(&mut self, rows: Resource<OpenRows>) -> wasmtime::Result<()> {
        let mut open = self.table.delete(rows)?;
        // after a failure the connection is given up, and during a COPY the server takes no statement
        if self.copy.is_some() {
            self.dropped.push(open.rows);
        } else if self.ready().is_ok() {
            let closed = self.session.close(&mut open.rows).await;
            let answer = closed.map_err(|failure| self.fault(&open.sql, failure));
            // a drop has no answer, so a failure shows at the next call
            let _ = self.answer(answer)?;
        }
        Ok(())
    }
}

impl State {
    async fn open_rows(
        &mut self,
        sql: String,
        params: Vec<types::Value>,
    ) -> Answer<Resource<OpenRows>> {
        self.ready()?;
        let params = values(params);
        let rows = match self.stepping {
            Some(_) => self.read_rows(&sql, &params).await?,
            None => self.opened(&sql, &params).await?.0,
        };
        let open = OpenRows { rows, sql };
        self.table
            .push(open)
            .map_err(|error| Fault::handles(&error, self.meter.limits()))
    }

    /// Reads the whole result, which the journal keeps.
    async fn read_rows(&mut self, sql: &str, params: &[Value]) -> Answer<Rows> {
        let call = Call::changing("query", sql, &(sql, params));
        if let Some(batches) = self.begin_step::<Vec<Batch>>(call).await? {
            return Ok(Rows::read(batches));
        }
        let (mut rows, class) = self.opened(sql, params).await?;
        let mut batches = Vec::new();
        let mut bytes = 0;
        while let Some(batch) = self.next_of(&mut rows, sql).await? {
            bytes += batch.weight();
            batches.push(batch);
            // what is more than the journal takes is not read to its end
            if !self.meter.fits_journal(bytes) {
                break;
            }
        }
        self.end_step(&batches, class != Class::Query).await?;
        Ok(Rows::read(batches))
    }

    /// Opens the result of a statement, if it may run.
    pub(super) async fn opened(&mut self, sql: &str, params: &[Value]) -> Answer<(Rows, Class)> {
        let class = self.admit(sql).await?;
        let reading = match class {
            Class::Query => Reading::Cursor,
            _ => Reading::Buffered,
        };
        if reading == Reading::Buffered {
            self.ready_to_write()?;
        }
        let ahead = self.ahead(&class).await?;
        let opened = self.session.query(sql, params, reading);
        let rows = self.session.between(&ahead, opened, "").await;
        let rows = rows.map_err(|failure| self.fault(sql, failure))?;
        tracing::debug!(statement = excerpt(sql), "opened");
        self.pin_behind(sql, &class).await?;
        self.rows_affected = self.rows_affected.saturating_add(rows.affected());
        Ok((rows, class))
    }

    async fn next_batch(&mut self, rows: &Resource<OpenRows>) -> Answer<Option<types::Batch>> {
        self.ready()?;
        let open = self.table.get_mut(rows).map(std::mem::take);
        let mut open = open.map_err(|error| Fault::handles(&error, self.meter.limits()))?;
        let batch = self.next_of(&mut open.rows, &open.sql).await;
        if let Ok(place) = self.table.get_mut(rows) {
            *place = open;
        }
        let batch = batch?;
        if let Some(batch) = &batch {
            self.meter.add_rows(batch.length).map_err(Fault::limit)?;
        }
        Ok(batch.map(types::Batch::from))
    }

    /// The next batch of a result.
    pub(super) async fn next_of(&mut self, rows: &mut Rows, sql: &str) -> Answer<Option<Batch>> {
        let (mut ahead, mut behind) = (String::new(), String::new());
        // a function in the target list runs as whoever is current at the FETCH
        if rows.on_server() {
            (ahead, behind) = self.around_rows().await?;
        }
        let next = self.session.next(rows);
        let batch = self.session.between(&ahead, next, &behind).await;
        batch.map_err(|failure| self.fault(sql, failure))
    }
}

impl From<Batch> for types::Batch {
    fn from(batch: Batch) -> Self {
        types::Batch {
            length: u32::try_from(batch.length).unwrap_or(u32::MAX),
            columns: batch.columns.into_iter().map(types::Column::from).collect(),
        }
    }
}

impl From<Column> for types::Column {
    fn from(column: Column) -> Self {
        let var = |var: Var| types::VarData {
            offsets: var.offsets,
            data: var.data,
        };
        types::Column {
            name: column.name,
            type_name: column.type_name,
            validity: column.validity,
            data: match column.data {
                Data::Boolean(values) => types::ColumnData::Boolean(values),
                Data::Int64(values) => types::ColumnData::Int64(values),
                Data::Float64(values) => types::ColumnData::Float64(values),
                Data::Timestamp(values) => types::ColumnData::Timestamp(values),
                Data::Text(values) => types::ColumnData::Text(var(values)),
                Data::Bytes(values) => types::ColumnData::Bytes(var(values)),
            },
        }
    }
}
