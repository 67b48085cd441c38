//! What a statement needs, or why nobody may send it: read from its text with PostgreSQL's grammar.
//!
//! [`required`] is a pure function. It walks the whole tree of a statement and knows each node that
//! it lets through; a node, a field or an option that it does not know is denied. Names mean what
//! the server will take them to mean under the pinned `search_path = pg_catalog, pg_temp`: every
//! relation has its schema, a bare function, operator or type is a built-in one.
//!
//! What the text cannot tell is a need with a `?` (see [`Need`]), which the walls behind this one
//! resolve with the server. The rule for columns: a column that the text ties to one table is
//! needed by name; a whole row needs the whole table; and where a bare name may be of several
//! tables or of an outer query, each of them is needed with a `?`.

mod call;
mod columns;
mod ddl;
mod dml;
mod expr;
mod from;
mod json;
mod options;
mod parser;
mod select;
mod types;
mod walk;

use std::collections::BTreeSet;
use std::fmt;

use super::grants::Need;
use super::grants::name::Name;
pub use call::OF_SEQUENCES;
pub(super) use from::SAMPLING;
pub(super) use parser::ask;
pub(super) use walk::{MAX_DENIALS, escaped};

/// The longest statement in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;

/// What a statement is, what it needs, and why it may never run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// What it is.
    pub class: Class,
    /// What must be granted, the most dangerous first.
    pub needs: Vec<Need>,
    /// What nothing can grant; a statement with an entry here is never sent.
    pub denied: Vec<Denial>,
}

/// What a statement is, as far as it decides how it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// It only selects, so a cursor can hold its rows.
    Query,
    /// It inserts, updates, deletes or locks rows.
    Write,
    /// It changes definitions, or is another command on objects.
    Change(Change),
    /// It is none that a migration may send.
    Refused,
}

/// A command on objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it does.
    pub kind: ChangeKind,
    /// The objects in schemas that it names, with the part that they play.
    pub touched: Vec<Touched>,
    /// Whether the server refuses it in a transaction block.
    pub outside_transaction: bool,
    /// The query of which it makes a table or a view, as a statement of its own.
    pub query: Option<String>,
    /// Whether it holds expressions.
    pub expressions: bool,
    /// The types of the server's own that it names.
    pub types: BTreeSet<String>,
}

/// What a command on objects does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named as its command is")]
pub enum ChangeKind {
    AlterIndex,
    AlterSequence,
    AlterStatistics,
    AlterTable,
    AlterType,
    Analyze,
    Code,
    Comment,
    CreateExtension,
    CreateIndex,
    CreateMatview,
    CreateSchema,
    CreateSequence,
    CreateStatistics,
    CreateTable,
    CreateTableAs,
    CreateType,
    CreateView,
    Drop,
    DropExtension,
    Lock,
    Refresh,
    Reindex,
    Rename,
    Truncate,
    Vacuum,
}

/// An object and its part in a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Its part.
    pub role: Role,
    /// The object.
    pub name: Name,
}

/// The part that an object plays in a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It is made.
    Created,
    /// It is changed, or worked on; its owner must run the command.
    Altered,
    /// It is dropped.
    Dropped,
    /// A foreign key points at it.
    Referenced,
    /// It becomes or ceases to be a partition.
    Partition,
    /// It is an index, whose table is changed.
    Index,
    /// It is extended statistics, whose table is changed.
    Statistics,
}

/// Why nobody may send a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What is refused, in a few words; foreign text in it is escaped.
    pub what: String,
    /// Why, in a sentence.
    pub why: &'static str,
    /// The byte of the statement that it concerns, where known.
    pub at: Option<usize>,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl Demand {
    fn refused(denial: Denial) -> Self {
        Demand {
            class: Class::Refused,
            needs: Vec::new(),
            denied: vec![denial],
        }
    }
}

/// Says what a statement needs. Whatever the text is, it answers, and what it does not know is denied.
pub fn required(sql: &str) -> Demand {
    parser::with_tree(sql, |statements, query| walk::judge(sql, statements, query))
        .unwrap_or_else(Demand::refused)
}

/// The same of several texts, which takes less time than one after the other.
pub fn required_of_all(texts: &[&str]) -> Vec<Demand> {
    let demands = parser::with_trees(texts, walk::judge).into_iter();
    demands
        .map(|demand| demand.unwrap_or_else(Demand::refused))
        .collect()
}

/// Whether a text is SQL by PostgreSQL's grammar, of whatever kind and however many statements.
pub fn parses(sql: &str) -> bool {
    parser::with_tree(sql, |_, _| Demand {
        class: Class::Refused,
        needs: Vec::new(),
        denied: Vec::new(),
    })
    .is_ok()
}

/// The statements of a text of several, for example of a file.
pub fn split(sql: &str) -> Result<Vec<String>, Denial> {
    parser::split(sql)
}

#[cfg(test)]
mod tests;
