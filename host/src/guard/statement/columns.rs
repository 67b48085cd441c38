//! What names mean where they stand: frames of range variables and of WITH names, and the columns
//! that references to them read. Source: PostgreSQL, "Table Expressions", "WITH Queries".

use std::collections::{HashMap, HashSet};

use pg_query::NodeEnum;
use pg_query::protobuf::ColumnRef;

use super::walk::{Walker, shown, string};
use crate::guard::functions;
use crate::guard::grants::Kind;
use crate::guard::grants::name::Name;

/// A level of a statement: the index of its frame.
pub type Scope = usize;

/// What a level of a statement can see, with the level around it.
#[derive(Default)]
pub struct Frame {
    outer: Option<Scope>,
    sources: HashMap<String, Vec<Source>>,
    tables: Vec<Name>,
    /// How many things rows come from here.
    count: usize,
    /// How many of the tables have been noted as read in columns that the text does not name.
    marked: usize,
    ctes: HashSet<String>,
    /// Whether names are columns of the table that a command changes.
    own: bool,
}

/// Where the rows of a range variable come from.
#[derive(Clone)]
pub enum Source {
    /// A table, with its own names of columns.
    Table(Name),
    /// Tables, under other names of columns.
    Renamed(Vec<Name>),
    /// A sub-select, a WITH query or a function: its parts were judged where they stand.
    Derived,
    /// One function that may give plain values, and the names that its column may go by.
    Values(Vec<String>),
}

impl Walker<'_> {
    /// A new level inside another.
    pub fn level(&mut self, outer: Option<Scope>) -> Scope {
        self.frames.push(Frame {
            outer,
            ..Frame::default()
        });
        self.frames.len() - 1
    }

    /// A level where names are columns of the table that a command changes.
    pub fn own_level(&mut self) -> Scope {
        self.own_columns.clear();
        let scope = self.level(None);
        if let Some(frame) = self.frames.get_mut(scope) {
            frame.own = true;
        }
        scope
    }

    /// Whether a level stands in an expression over the row of the table that a command changes.
    pub fn is_own(&self, scope: Scope) -> bool {
        self.chain(scope).any(|frame| frame.own)
    }

    fn chain(&self, scope: Scope) -> impl Iterator<Item = &Frame> {
        let mut next = Some(scope);
        std::iter::from_fn(move || {
            let frame = self.frames.get(next?)?;
            next = frame.outer;
            Some(frame)
        })
    }

    /// Makes a WITH name known.
    pub fn add_cte(&mut self, scope: Scope, name: &str) {
        if let Some(frame) = self.frames.get_mut(scope) {
            frame.ctes.insert(name.to_owned());
        }
    }

    /// Whether a bare name is one of a WITH query here.
    pub fn is_cte(&self, scope: Scope, name: &str) -> bool {
        self.chain(scope).any(|frame| frame.ctes.contains(name))
    }

    /// Makes a range variable known; without a name its columns are still there.
    pub fn add_source(&mut self, scope: Scope, name: &str, source: Source) {
        let Some(frame) = self.frames.get_mut(scope) else {
            return;
        };
        frame.count += 1;
        match &source {
            Source::Table(table) => frame.tables.push(table.clone()),
            Source::Renamed(tables) => {
                // renamed columns are never the only thing that a bare name can mean
                frame.count += 1;
                frame.tables.extend(tables.iter().cloned());
            }
            Source::Derived | Source::Values(_) => {}
        }
        self.add_name(scope, name, source);
    }

    /// Makes another name of rows known that are there already.
    pub fn add_name(&mut self, scope: Scope, name: &str, source: Source) {
        if let Some(frame) = self.frames.get_mut(scope) {
            let sources = frame.sources.entry(name.to_owned()).or_default();
            sources.push(source);
        }
    }

    /// The tables whose rows a level joins.
    pub fn tables(&self, scope: Scope) -> Vec<Name> {
        let frame = self.frames.get(scope);
        frame.map(|frame| frame.tables.clone()).unwrap_or_default()
    }

    /// Notes a reference to a column, to a whole row, or to all columns.
    pub fn column_ref(&mut self, reference: &ColumnRef, scope: Scope) {
        let star = |node: &NodeEnum| matches!(node, NodeEnum::AStar(_));
        let mut fields = &reference.fields[..];
        let mut all = false;
        if let [rest @ .., last] = fields
            && last.node.as_ref().is_some_and(star)
        {
            (fields, all) = (rest, true);
        }
        let names: Option<Vec<&str>> = fields.iter().map(string).collect();
        if self.is_own(scope) {
            match (names.as_deref(), all) {
                (Some([column] | [_, column] | [_, _, column]), false) => {
                    self.own_columns.insert((*column).to_owned());
                }
                _ => self.deny("a whole row here", "name the columns", reference.location),
            }
            return;
        }
        match (names.as_deref(), all) {
            (Some([]), true) => self.all_columns(scope),
            (Some([name]), false) => self.bare(name, scope),
            (Some([source]), true) => self.of_source(None, source, None, reference, scope),
            (Some([source, column]), false) => {
                self.of_source(None, source, Some(column), reference, scope);
            }
            (Some([schema, source]), true) => {
                self.of_source(Some(schema), source, None, reference, scope);
            }
            (Some([schema, source, column]), false) => {
                self.of_source(Some(schema), source, Some(column), reference, scope);
            }
            _ => self.deny(
                "the name of a database",
                "a name has a schema and nothing before it",
                reference.location,
            ),
        }
    }

    /// `*`: all columns of what this level joins.
    fn all_columns(&mut self, scope: Scope) {
        for table in self.tables(scope) {
            self.touch(Kind::Read, &table).whole = true;
        }
    }

    /// A bare name: a column of some table in sight, or the whole row of a range variable.
    pub fn bare(&mut self, name: &str, scope: Scope) {
        if let Some(sources) = self.sources(None, name, scope) {
            for source in sources {
                self.read(source, None, -1);
            }
            return self.mark(scope);
        }
        let with_rows: Vec<&Frame> = self.chain(scope).filter(|f| f.count > 0).collect();
        if let [frame] = with_rows.as_slice()
            && let (1, [table]) = (frame.count, frame.tables.as_slice())
        {
            let table = table.clone();
            return self.column_of(Kind::Read, &table, name);
        }
        self.mark(scope);
    }

    /// Notes that any table in sight may be read in a column that the text does not tie to it.
    pub fn mark(&mut self, scope: Scope) {
        let mut next = Some(scope);
        while let Some(frame) = next.and_then(|scope| self.frames.get_mut(scope)) {
            next = frame.outer;
            let new: Vec<Name> = frame.tables.iter().skip(frame.marked).cloned().collect();
            frame.marked = frame.tables.len();
            for table in new {
                self.touch(Kind::Read, &table).more = true;
            }
        }
    }

    /// A column, or the whole row, of a range variable.
    fn of_source(
        &mut self,
        schema: Option<&str>,
        source: &str,
        column: Option<&str>,
        reference: &ColumnRef,
        scope: Scope,
    ) {
        let Some(sources) = self.sources(schema, source, scope) else {
            let what = format!("no table {} in sight", shown(source));
            return self.deny(
                what,
                "a column is read from a table that FROM names",
                reference.location,
            );
        };
        for source in sources {
            self.read(source, column, reference.location);
        }
    }

    /// `x.f` calls the function `f` where `x` is a plain value and no row with such a column.
    /// Source: PostgreSQL, "Using Composite Types in Queries".
    fn of_values(&mut self, names: &[String], column: &str, at: i32) {
        if !names.iter().any(|name| name == column) && !functions::allowed(column) {
            let what = format!("the column {} of a function", shown(column));
            let why = "it may be a call; name the columns after the alias, as in AS x(a, b)";
            self.deny(what, why, at);
        }
    }

    fn read(&mut self, source: Source, column: Option<&str>, at: i32) {
        match (source, column) {
            (Source::Derived | Source::Values(_), None) | (Source::Derived, Some(_)) => {}
            (Source::Values(names), Some(column)) => self.of_values(&names, column, at),
            (Source::Table(table), Some(column)) => self.column_of(Kind::Read, &table, column),
            (Source::Table(table), None) => self.touch(Kind::Read, &table).whole = true,
            (Source::Renamed(tables), column) => {
                for table in tables {
                    let used = self.touch(Kind::Read, &table);
                    match column {
                        Some(_) => used.more = true,
                        None => used.whole = true,
                    }
                }
            }
        }
    }

    /// The range variables of a name, of the nearest level that has it.
    pub fn sources(&self, schema: Option<&str>, name: &str, scope: Scope) -> Option<Vec<Source>> {
        let fits = |source: &&Source| match (schema, source) {
            (None, _) => true,
            (Some(schema), Source::Table(table)) => {
                table.schema.as_str() == schema && table.name.as_str() == name
            }
            (Some(_), _) => false,
        };
        self.chain(scope).find_map(|frame| {
            let sources: Vec<_> = frame
                .sources
                .get(name)?
                .iter()
                .filter(fits)
                .cloned()
                .collect();
            (!sources.is_empty()).then_some(sources)
        })
    }
}
