//! What a statement touches and what its writes set off, as the server told it.
//!
//! `database` asks and fills these, `guard` holds them against the grants.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What a statement touches. Each entry is given once for each way on which it is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Tables, views, sequences and the like.
    pub relations: Vec<Relation>,
    /// Functions that are called, aggregates and window functions among them, built-in ones too. Not those
    /// behind an operator.
    pub functions: Vec<Function>,
    /// Operators that are not the server's own.
    pub operators: Vec<Operator>,
    /// Types that are not the server's own, and of its own those that print the name of any object (`regclass`
    /// and its kin). For an array, the type of its elements.
    pub types: Vec<Type>,
    /// Collations, operator classes, text search objects and whatever else is not the server's own.
    pub others: Vec<Other>,
}

/// A relation, and what the server's permission check asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `pg_class.relkind`: `r` table, `p` partitioned, `v` view, `m` materialized view, `f` foreign table, `S`
    /// sequence. Source: PostgreSQL, pg_class.
    pub kind: char,
    /// What is done with it; nothing where it is only named, as in `'s.t'::regclass` or `nextval('s.q')`.
    pub access: Access,
    /// Whether row level security is on.
    pub row_security: bool,
    /// The extension it belongs to.
    pub extension: Option<String>,
    /// Tables that inherit from it, down to the last, and foreign partitions, where they are meant too and not
    /// ONLY the relation. Other partitions are not listed.
    pub children: Vec<Child>,
    /// The view through which it is reached; none where the statement itself names it.
    pub via: Option<String>,
}

/// What a statement does with a relation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Columns that are read.
    pub read: Columns,
    /// Columns that an INSERT gives.
    pub insert: Columns,
    /// Columns that an UPDATE sets; [`Columns::Some`] of none where rows are only locked. A lock of a view's rows
    /// locks those of the tables behind it too.
    pub update: Columns,
    /// Whether rows are deleted.
    pub delete: bool,
}

/// Columns of a relation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Columns {
    /// It is not done.
    #[default]
    None,
    /// It is done with these; an empty set is the relation as such, as in `count(*)`, for which the server asks
    /// for the privilege on any one column.
    Some(BTreeSet<String>),
    /// The whole row.
    All,
}

impl Columns {
    /// Adds columns by name; none is the whole row.
    pub fn add(&mut self, more: impl IntoIterator<Item = Option<String>>) {
        if matches!(self, Columns::None) {
            *self = Columns::Some(BTreeSet::new());
        }
        for column in more {
            match (column, &mut *self) {
                (Some(column), Columns::Some(columns)) => {
                    columns.insert(column);
                }
                (None, whole) => *whole = Columns::All,
                (Some(_), _) => {}
            }
        }
    }
}

/// A table that inherits from another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Child {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `pg_class.relkind`.
    pub kind: char,
    /// Whether it is a partition, where that is told.
    #[serde(default)]
    pub partition: bool,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Function {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Whether it is the server's own, in pg_catalog; others may have put theirs there too.
    pub builtin: bool,
    /// The types of its input arguments, as `format_type` prints them.
    pub arguments: Vec<String>,
    /// `pg_proc.prokind`: `f` function, `a` aggregate, `w` window function. Source: PostgreSQL, pg_proc.
    pub kind: char,
    /// Whether it runs with the privileges of its owner.
    pub security_definer: bool,
    /// The extension it belongs to.
    pub extension: Option<String>,
    /// How it is reached; none where the statement itself calls it.
    pub via: Option<String>,
}

/// An operator.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Operator {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The function behind it; a shell operator has none.
    pub function: Option<Function>,
    /// The extension it belongs to.
    pub extension: Option<String>,
    /// How it is reached; none where the statement itself uses it.
    pub via: Option<String>,
}

/// A type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Type {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `pg_type.typtype`: `b` base, `c` composite, `d` domain, `e` enum, `r` range. Source: PostgreSQL, pg_type.
    pub kind: char,
    /// Whether it is one of the server's own and only constants are of it, so that what they name is told too.
    pub constant: bool,
    /// The extension it belongs to.
    pub extension: Option<String>,
    /// The view through which it is reached.
    pub via: Option<String>,
}

/// Another object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Other {
    /// What it is, for example `text search configuration`. Source: PostgreSQL, `pg_identify_object`.
    pub class: String,
    /// Its schema.
    pub schema: Option<String>,
    /// Its name, or where that would not be unique its identity as the server prints it.
    pub name: String,
    /// The extension it belongs to.
    pub extension: Option<String>,
    /// How it is reached; none where the statement itself names it.
    pub via: Option<String>,
}

/// A write to a relation, or a command's work on one.
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
    /// Indexes are made of its rows, or it is looked at as the planner does, which runs what they are made of.
    Build,
    /// Its definition is changed, for which the server may run all that it holds.
    Define,
}

/// What a command on objects works on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Work {
    /// The tables, or indexes of tables.
    pub tables: Vec<Write>,
    /// The schemas and names of the types that it names, the server's own among them.
    pub types: BTreeSet<(String, String)>,
    /// Whether values may be cast, as in expressions that it holds.
    pub casts: bool,
}

/// What commands find on a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The schemas and names of tables of whose definitions nothing follows that a grant would have to name.
    pub quiet: BTreeSet<(String, String)>,
    /// Whether somebody made casts or default operator classes, which expressions reach without naming them.
    pub reaching: bool,
    /// The event triggers that are on.
    pub triggers: Vec<EventTrigger>,
}

/// An event trigger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventTrigger {
    /// When it fires, for example `ddl_command_end`.
    pub event: String,
    /// The commands for which it does; none means all.
    pub tags: Vec<String>,
    /// What it runs.
    pub function: Function,
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
    /// Functions that are not the server's own, and of its own those that may do more than look, which run in
    /// defaults, generated columns, CHECK constraints, domains, indexes, partition keys and triggers' conditions,
    /// also by way of an operator.
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
    /// What is done: the verb of [`Verb`], in lower case.
    pub verb: String,
    /// The columns that an update sets; none means that they are not known.
    pub columns: Option<Vec<String>>,
    /// Whether it is a partition.
    pub partition: bool,
    /// Whether it is written as a partition of a table that is written, for which the server asks no privilege.
    pub part: bool,
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
    /// Whether it belongs to a column of the table that has the default, as a serial's does.
    pub owned: bool,
    /// The default.
    pub via: String,
}

impl Surroundings {
    /// Whether a command's work sets off nothing, so far as is known; a table that is not known may set off anything.
    pub fn is_quiet(&self, work: &Work) -> bool {
        let quiet = |write: &Write| {
            self.quiet
                .contains(&(write.schema.clone(), write.table.clone()))
        };
        let plain_types = work.types.iter().all(|(schema, _)| schema == "pg_catalog");
        let none = work.tables.is_empty() && work.types.is_empty();
        none || !self.reaching && plain_types && work.tables.iter().all(quiet)
    }
}

impl Touched {
    /// The writes of the statement itself, whose effects can be asked for.
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
