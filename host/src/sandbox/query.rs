//! The interface `query`.

use wasmtime::component::Resource;

use super::state::{Answer, Fault, State, values};
use super::wit::{query, types};
use crate::database::{Batch, Column, Data, Reading, Rows, Var};
use crate::guard::statement::Class;

/// Rows that a guest has open.
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
        let reading = match self.admit(&sql).await? {
            Class::Query => Reading::Cursor,
            _ => Reading::Buffered,
        };
        let rows = self.session.query(&sql, &values(params), reading).await;
        let rows = rows.map_err(|failure| self.fault(&sql, failure))?;
        self.rows_affected = self.rows_affected.saturating_add(rows.affected());
        let open = OpenRows { rows, sql };
        self.table
            .push(open)
            .map_err(|error| Fault::handles(&error, self.meter.limits()))
    }

    async fn next_batch(&mut self, rows: &Resource<OpenRows>) -> Answer<Option<types::Batch>> {
        self.ready()?;
        let open = match self.table.get_mut(rows) {
            Ok(open) => open,
            Err(error) => return Err(Fault::handles(&error, self.meter.limits())),
        };
        let batch = match self.session.next(&mut open.rows).await {
            Ok(batch) => batch,
            Err(failure) => {
                let sql = open.sql.clone();
                return Err(self.fault(&sql, failure));
            }
        };
        if let Some(batch) = &batch {
            self.meter.add_rows(batch.length).map_err(Fault::limit)?;
        }
        Ok(batch.map(types::Batch::from))
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
