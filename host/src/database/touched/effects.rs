//! What writes set off: foreign keys' actions, triggers, rules, partitions and children, and the functions
//! in the definitions of what is written.

use serde::Deserialize;

use super::{Session, sql};
use crate::database::failure::Failure;
use crate::guard::functions;
use crate::touched::{Effects, Function, Other, Rule, Sequence, Trigger, Write, WrittenTable};

#[derive(Deserialize)]
struct Answer {
    tables: Option<Vec<WrittenTable>>,
    triggers: Option<Vec<Trigger>>,
    rules: Option<Vec<Rule>>,
    functions: Option<Vec<Function>>,
    sequences: Option<Vec<Sequence>>,
    others: Option<Vec<Other>>,
}

#[derive(Deserialize)]
struct PlainTable {
    #[serde(flatten)]
    written: WrittenTable,
    /// Whether nothing follows of the write, but for what these functions of the server's own do.
    plain: bool,
    calls: Vec<String>,
}

impl PlainTable {
    fn is_plain(&self) -> bool {
        self.plain && self.calls.iter().all(|name| functions::allowed(name))
    }
}

impl Session {
    /// Everything that these writes set off, in one round trip where that is nothing, else in two. It needs an open transaction under the pinned
    /// `search_path`, which is as before afterwards. A relation that does not exist is an error.
    pub async fn effects(&self, writes: &[Write]) -> Result<Effects, Failure> {
        if writes.is_empty() {
            return Ok(Effects::default());
        }
        let param = serde_json::json!(writes).to_string();
        let lookup = self
            .lookup(&self.lookups().plain_effects, sql::short::effects)
            .await?;
        let tables: Option<Vec<PlainTable>> = self.aside(None, &lookup, &[&param]).await?;
        let tables = tables.unwrap_or_default();
        if tables.len() == writes.len() && tables.iter().all(PlainTable::is_plain) {
            return Ok(Effects {
                tables: tables.into_iter().map(|table| table.written).collect(),
                ..Effects::default()
            });
        }
        let server = self.server();
        let lookup = self
            .lookup(&self.lookups().effects, || sql::effects(server))
            .await?;
        let found: Answer = self.aside(None, &lookup, &[&param]).await?;
        let tables = found.tables.unwrap_or_default();
        let known = |write: &&Write| {
            !tables.iter().any(|table| {
                table.via.is_none() && table.schema == write.schema && table.name == write.table
            })
        };
        if let Some(write) = writes.iter().find(known) {
            let table = crate::database::label(&write.schema, &write.table);
            return Err(Failure::Unusable(format!("there is no relation {table}")));
        }
        Ok(Effects {
            tables,
            triggers: found.triggers.unwrap_or_default(),
            rules: found.rules.unwrap_or_default(),
            functions: found.functions.unwrap_or_default(),
            sequences: found.sequences.unwrap_or_default(),
            others: found.others.unwrap_or_default(),
        })
    }
}
