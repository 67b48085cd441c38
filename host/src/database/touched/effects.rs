//! What writes set off: foreign keys' actions, triggers, rules, partitions and children, and the functions
//! in the definitions of what is written.

use serde::{Deserialize, Serialize};

use super::{Access, Columns, Function, Other, Session, Touched, sql};
use crate::database::failure::Failure;

/// A write to a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Write {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// What is done.
    #[serde(flatten)]
    pub verb: Verb,
}

/// What a write does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verb", content = "columns", rename_all = "lowercase")]
pub enum Verb {
    /// Rows are added.
    Insert,
    /// These columns are set, or any.
    Update(Option<Vec<String>>),
    /// Rows are deleted.
    Delete,
    /// The table is emptied.
    Truncate,
}

/// Everything that writes set off on this server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// The relations that are written: those that were asked about, with no `via`, and those that follow.
    pub tables: Vec<WrittenTable>,
    /// Triggers that fire. What their functions do is not known.
    pub triggers: Vec<Trigger>,
    /// Rules that rewrite one of the statements. What they do is not followed.
    pub rules: Vec<Rule>,
    /// Functions that are not the server's own and run in defaults, generated columns, CHECK constraints,
    /// domains, indexes, partition keys and triggers' conditions, also by way of an operator.
    pub functions: Vec<Function>,
    /// Sequences that defaults use.
    pub sequences: Vec<Sequence>,
    /// Operator classes of indexes and partition keys that are not the server's own.
    pub others: Vec<Other>,
}

/// A relation that is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WrittenTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `pg_class.relkind`. Source: PostgreSQL, pg_class.
    pub kind: char,
    /// What is done: `insert`, `update`, `delete` or `truncate`.
    pub verb: String,
    /// The columns that an update sets; none means that they are not known.
    pub columns: Option<Vec<String>>,
    /// Whether it is a partition.
    pub partition: bool,
    /// Whether row level security is on.
    pub row_security: bool,
    /// Whether row level security binds the table's owner too.
    pub row_security_forced: bool,
    /// What leads to it, for example `ON DELETE CASCADE of constraint c on public.t`.
    pub via: Option<String>,
}

/// A trigger that fires.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Trigger {
    /// The table's schema.
    pub schema: String,
    /// The table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// What it runs.
    pub function: Function,
}

/// A rule on a relation that is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rule {
    /// The relation's schema.
    pub schema: String,
    /// The relation.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Whether it replaces the statement.
    pub instead: bool,
}

/// A sequence that a default uses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sequence {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The default.
    pub via: String,
}

#[derive(Deserialize)]
struct Answer {
    tables: Option<Vec<WrittenTable>>,
    triggers: Option<Vec<Trigger>>,
    rules: Option<Vec<Rule>>,
    functions: Option<Vec<Function>>,
    sequences: Option<Vec<Sequence>>,
    others: Option<Vec<Other>>,
}

impl Touched {
    /// The writes of the statement itself, for [`Session::effects`].
    pub fn writes(&self) -> Vec<Write> {
        let mut writes = Vec::new();
        for relation in self
            .relations
            .iter()
            .filter(|relation| relation.via.is_none())
        {
            let Access {
                insert,
                update,
                delete,
                ..
            } = &relation.access;
            let mut add = |verb| {
                writes.push(Write {
                    schema: relation.schema.clone(),
                    table: relation.name.clone(),
                    verb,
                });
            };
            if *insert != Columns::None {
                add(Verb::Insert);
            }
            match update {
                Columns::All => add(Verb::Update(None)),
                // none where rows are only locked
                Columns::Some(columns) if !columns.is_empty() => {
                    add(Verb::Update(Some(columns.iter().cloned().collect())));
                }
                _ => {}
            }
            if *delete {
                add(Verb::Delete);
            }
        }
        writes
    }
}

impl Session {
    /// Everything that these writes set off, in one round trip. It needs an open transaction under the pinned
    /// `search_path`, which is as before afterwards. A relation that does not exist is an error.
    pub async fn effects(&self, writes: &[Write]) -> Result<Effects, Failure> {
        if writes.is_empty() {
            return Ok(Effects::default());
        }
        let server = self.server();
        let lookup = self
            .lookup(&self.lookups().effects, || sql::effects(server))
            .await?;
        let param = serde_json::json!(writes).to_string();
        let found: Answer = self.aside(None, &lookup, Some(&param)).await?;
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
