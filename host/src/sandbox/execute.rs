//! The interface `execute`.

use super::state::{Answer, State, values};
use super::wit::{execute, types};
use crate::guard::statement::Class;

impl execute::Host for State {
    async fn execute(
        &mut self,
        sql: String,
        params: Vec<types::Value>,
    ) -> wasmtime::Result<Result<u64, types::Error>> {
        let answer = self.execute_statement(&sql, params).await;
        self.answer(answer)
    }
}

impl State {
    async fn execute_statement(&mut self, sql: &str, params: Vec<types::Value>) -> Answer<u64> {
        self.ready_to_write()?;
        let class = self.admit(sql).await?;
        let affected = self.session.execute(sql, &values(params)).await;
        let affected = affected.map_err(|failure| self.fault(sql, failure))?;
        // of a SELECT the server tells how many rows it returned, which are not changed
        if class != Class::Query {
            self.rows_affected = self.rows_affected.saturating_add(affected);
        }
        Ok(affected)
    }
}
