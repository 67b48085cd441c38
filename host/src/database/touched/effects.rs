//! What writes set off: foreign keys' actions, triggers, rules, partitions and children, and the functions
//! in the definitions of what is written.

use serde::Deserialize;

use super::{Session, sql};
use crate::database::failure::Failure;
use crate::guard::functions;
use crate::touched::{
    Child, Effects, Function, Other, Rule, Sequence, Surroundings, Trigger, Work, Write,
    WrittenTable,
};

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
struct Short {
    tables: Option<Vec<PlainTable>>,
    reaching: bool,
    events: bool,
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
        self.plain
            && self
                .calls
                .iter()
                .all(|name| functions::allowed_in_definition(name))
    }
}

impl Session {
    /// Everything that these writes set off, in one round trip where that is nothing, else in two. It needs an open transaction under the pinned
    /// `search_path`, which is as before afterwards. A relation that does not exist is an error.
    pub async fn effects(&self, writes: &[Write]) -> Result<Effects, Failure> {
        if writes.is_empty() {
            return Ok(Effects::default());
        }
        let tables = self.short(writes).await?.tables.unwrap_or_default();
        if tables.len() == writes.len() && tables.iter().all(PlainTable::is_plain) {
            return Ok(Effects {
                tables: tables.into_iter().map(|table| table.written).collect(),
                ..Effects::default()
            });
        }
        let effects = self.all_effects(writes).await?;
        let tables = &effects.tables;
        let known = |write: &&Write| {
            !tables.iter().any(|table| {
                table.via.is_none() && table.schema == write.schema && table.name == write.table
            })
        };
        if let Some(write) = writes.iter().find(known) {
            let table = crate::database::label(&write.schema, &write.table);
            return Err(Failure::Unusable(format!("there is no relation {table}")));
        }
        Ok(effects)
    }

    /// What commands find: which of these tables are quiet, and the rest of [`Surroundings`]. One round trip where no event trigger is on.
    pub async fn surroundings(&self, tables: &[Write]) -> Result<Surroundings, Failure> {
        let found = self.short(tables).await?;
        let tables = found.tables.unwrap_or_default().into_iter();
        let quiet = tables.filter(PlainTable::is_plain);
        let mut triggers = None;
        if found.events {
            triggers = self.json(&sql::event_triggers(), &[]).await?;
        }
        Ok(Surroundings {
            quiet: quiet
                .map(|table| (table.written.schema, table.written.name))
                .collect(),
            reaching: found.reaching,
            triggers: triggers.unwrap_or_default(),
        })
    }

    /// All that a command's work may run. What does not exist runs nothing.
    pub async fn set_off(&self, work: &Work) -> Result<Effects, Failure> {
        let mut effects = self.all_effects(&work.tables).await?;
        let lookup = self.lookup(&self.lookups().commands, sql::commands).await?;
        let param = serde_json::json!(work).to_string();
        let more: Vec<Function> = self.aside(None, &lookup, &[Some(&param)]).await?;
        effects.functions.extend(more);
        Ok(effects)
    }

    /// The tables that inherit from one, at any depth.
    pub async fn heirs(&self, schema: &str, table: &str) -> Result<Vec<Child>, Failure> {
        Ok(self
            .json(sql::HEIRS, &[schema, table])
            .await?
            .unwrap_or_default())
    }

    async fn short(&self, writes: &[Write]) -> Result<Short, Failure> {
        let lookup = self
            .lookup(&self.lookups().plain_effects, sql::short::effects)
            .await?;
        let param = serde_json::json!(writes).to_string();
        self.aside(None, &lookup, &[Some(&param)]).await
    }

    async fn all_effects(&self, writes: &[Write]) -> Result<Effects, Failure> {
        let server = self.server();
        let lookup = self
            .lookup(&self.lookups().effects, || sql::effects(server))
            .await?;
        let param = serde_json::json!(writes).to_string();
        let found: Answer = self.aside(None, &lookup, &[Some(&param)]).await?;
        Ok(Effects {
            tables: found.tables.unwrap_or_default(),
            triggers: found.triggers.unwrap_or_default(),
            rules: found.rules.unwrap_or_default(),
            functions: found.functions.unwrap_or_default(),
            sequences: found.sequences.unwrap_or_default(),
            others: found.others.unwrap_or_default(),
        })
    }
}
