//! The walker: what it has found so far, and how a finding is noted.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::{self, Write};

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, RangeVar, RawStmt};

use super::columns::Frame;
use super::{Change, ChangeKind, Class, Demand, Denial, Role, Touched};
use crate::guard::grants::name::{Ident, Name, forbidden_schema};
use crate::guard::grants::{Action, Grant, Kind, Need, Subject};

/// The most reasons that are listed for one statement.
pub const MAX_DENIALS: usize = 32;

/// Why a relation's schema must be written.
pub const UNQUALIFIED: &str = "name its schema; the search path holds pg_catalog alone";

/// What is used of a table.
#[derive(Default)]
pub struct Use {
    /// All of it.
    pub whole: bool,
    /// Columns that the text does not name.
    pub more: bool,
    /// Columns that it names.
    pub columns: BTreeSet<Ident>,
}

/// A walk over one text.
#[derive(Default)]
pub struct Walker<'a> {
    pub sql: &'a str,
    pub frames: Vec<Frame>,
    /// The tables that FROM clauses named, in order.
    pub named: Vec<Name>,
    /// The columns that expressions over a table's own row named.
    pub own_columns: BTreeSet<String>,
    pub writes: bool,
    pub change: Option<Change>,
    /// Whether it is of a kind that no migration may send.
    pub refuse_class: bool,
    pub uses: BTreeMap<(Kind, Name), Use>,
    alters: BTreeMap<Name, BTreeSet<Action>>,
    needs: HashSet<Need>,
    denied: Vec<Denial>,
}

/// Judges the statements of a text, of which there may only be one.
pub fn judge(sql: &str, statements: &[RawStmt], query: Option<String>) -> Demand {
    let mut walker = Walker {
        sql,
        refuse_class: statements.len() != 1,
        ..Walker::default()
    };
    match statements {
        [] => walker.deny("no statement", "there is nothing to run", -1),
        [_] => {}
        [_, second, ..] => walker.deny(
            "two statements",
            "a call sends one statement",
            second.stmt_location,
        ),
    }
    for statement in statements {
        walker.statement(statement.stmt.as_deref());
    }
    walker.made_of(query);
    walker.finish()
}

/// The commands that make something of a query.
const OF_QUERIES: &[ChangeKind] = &[
    ChangeKind::CreateMatview,
    ChangeKind::CreateTableAs,
    ChangeKind::CreateView,
];

impl Walker<'_> {
    /// Notes the query of which a command makes something: the server is asked about it as about any other.
    fn made_of(&mut self, query: Option<String>) {
        let Some(change) = &mut self.change else {
            return;
        };
        if !OF_QUERIES.contains(&change.kind) {
            return;
        }
        change.query = query;
        let told = change.query.is_some();
        if self.writes {
            let why = "it would not run as the role of the run; write first, and make it of what is there";
            self.deny("a query that writes or locks rows in CREATE", why, -1);
        } else if !told {
            self.deny(
                "the query in CREATE",
                "the guard cannot tell it from the rest",
                -1,
            );
        }
    }

    /// Notes that nothing can allow the statement.
    pub fn deny(&mut self, what: impl AsRef<str>, why: &'static str, at: i32) {
        let denial = Denial {
            what: what.as_ref().to_owned(),
            why,
            at: usize::try_from(at).ok(),
        };
        let known = |other: &Denial| other.what == denial.what && other.why == why;
        if self.denied.len() < MAX_DENIALS && !self.denied.iter().any(known) {
            self.denied.push(denial);
        }
    }

    /// Denies a node that has no place where it stands.
    pub fn deny_node(&mut self, node: &Node) {
        let what = match &node.node {
            Some(node) => format!("{} here", kind_of(node)),
            None => "a part that the parser cannot show".to_owned(),
        };
        self.deny(what, "the guard does not know what it would do", -1);
    }

    /// Notes a need.
    pub fn need(&mut self, need: Need) {
        self.needs.insert(need);
    }

    /// Notes the need of a grant on an object.
    pub fn on(&mut self, kind: Kind, name: &Name) {
        self.need(Need::on(kind, name.clone()));
    }

    /// Notes the need to change a table.
    pub fn alter(&mut self, table: &Name, action: Action) {
        self.alters.entry(table.clone()).or_default().insert(action);
    }

    /// What is used of a table; being asked for, some of it is.
    pub fn touch(&mut self, kind: Kind, table: &Name) -> &mut Use {
        self.uses.entry((kind, table.clone())).or_default()
    }

    /// Notes the use of a column.
    pub fn column_of(&mut self, kind: Kind, table: &Name, column: &str) {
        let used = self.touch(kind, table);
        match Ident::new(column) {
            Ok(column) => {
                used.columns.insert(column);
            }
            // a column that no grant can name needs the whole table
            Err(_) => used.whole = true,
        }
    }

    /// Notes what the statement is; the objects that it names follow.
    pub fn is_change(&mut self, kind: ChangeKind) -> &mut Change {
        self.change.get_or_insert(Change {
            kind,
            touched: Vec::new(),
            outside_transaction: false,
            query: None,
            expressions: false,
            types: BTreeSet::new(),
        })
    }

    /// Notes the part that an object plays.
    pub fn touched(&mut self, role: Role, name: &Name) {
        if let Some(change) = &mut self.change {
            let name = name.clone();
            change.touched.push(Touched { role, name });
        }
    }

    /// Notes that a command names a type of the server's own.
    pub fn names_type(&mut self, name: &str) {
        if let Some(change) = &mut self.change {
            change.types.insert(name.to_owned());
        }
    }

    /// The name of a relation that is no CTE, if it can be granted.
    pub fn relation(&mut self, relation: Option<&RangeVar>) -> Option<Name> {
        let Some(relation) = relation else {
            self.deny(
                "a command on no table",
                "it would reach every table there is",
                -1,
            );
            return None;
        };
        let at = relation.location;
        if relation.relpersistence == "t" {
            self.deny(
                "a temporary table",
                "temporary objects are the host's own",
                at,
            );
            return None;
        }
        if !relation.catalogname.is_empty() {
            self.deny(
                "the name of a database",
                "a name has a schema and nothing before it",
                at,
            );
            return None;
        }
        self.qualified("relation", &relation.schemaname, &relation.relname, at)
    }

    /// The name of an object, if it can be granted.
    pub fn qualified(&mut self, what: &str, schema: &str, name: &str, at: i32) -> Option<Name> {
        if schema.is_empty() {
            self.deny(
                format!("unqualified {what} {}", shown(name)),
                UNQUALIFIED,
                at,
            );
            return None;
        }
        match Name::new(schema, name) {
            Ok(name) => Some(name),
            Err(why) => {
                let what = match forbidden_schema(schema) {
                    Some(_) => format!("{what} {}.{}", shown(schema), shown(name)),
                    None => format!("{what} {}", shown(name)),
                };
                self.deny(what, why, at);
                None
            }
        }
    }

    /// The name of an object from a list of one or two names.
    pub fn listed(&mut self, what: &str, names: &[Node], at: i32) -> Option<Name> {
        match strings(names).as_deref() {
            Some([name]) => self.qualified(what, "", name, at),
            Some([schema, name]) => self.qualified(what, schema, name, at),
            _ => {
                self.deny(
                    format!("a {what}'s name of many parts"),
                    "a name has a schema and nothing before it",
                    at,
                );
                None
            }
        }
    }

    fn finish(self) -> Demand {
        let mut needs = self.needs;
        for ((kind, table), used) in self.uses {
            let columns = used.columns;
            needs.insert(if used.whole {
                Need::on(kind, table)
            } else if used.more || columns.is_empty() {
                Need::Columns {
                    kind,
                    table,
                    columns,
                }
            } else {
                let subject = Subject::Columns(table, columns);
                Need::Grant(Grant { kind, subject })
            });
        }
        for (table, actions) in self.alters {
            let kind = Kind::Alter;
            let subject = Subject::Actions(table, actions);
            needs.insert(Need::Grant(Grant { kind, subject }));
        }
        let mut needs: Vec<_> = needs.into_iter().collect();
        needs.sort_by_cached_key(|need| (u8::MAX - need.kind().danger(), need.to_string()));
        let class = match self.change {
            _ if self.refuse_class => Class::Refused,
            Some(change) => Class::Change(change),
            None if self.writes => Class::Write,
            None => Class::Query,
        };
        Demand {
            class,
            needs,
            denied: self.denied,
        }
    }
}

/// The strings of a list of names, if it holds nothing else.
pub fn strings(nodes: &[Node]) -> Option<Vec<&str>> {
    nodes.iter().map(string).collect()
}

/// The string that a node is.
pub fn string(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::String(string)) => Some(&string.sval),
        _ => None,
    }
}

/// Foreign text for a message: escaped and shortened.
pub fn shown(text: &str) -> String {
    escaped(text, 100)
}

/// Foreign text for a message, of that many characters at most.
pub fn escaped(text: &str, most: usize) -> String {
    let mut short: String = text
        .chars()
        .take(most)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(most).is_some() {
        short.push_str("...");
    }
    short.replace("\\\"", "\"").replace("\\'", "'")
}

/// The name of a node's kind, which its debug form begins with.
pub fn kind_of(node: &NodeEnum) -> String {
    struct Head(String);
    impl Write for Head {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let end = text.find(|c: char| !c.is_ascii_alphanumeric());
            self.0
                .push_str(text.get(..end.unwrap_or(text.len())).unwrap_or_default());
            // the first name is enough, the rest may be large
            if end.is_some() {
                Err(fmt::Error)
            } else {
                Ok(())
            }
        }
    }
    let mut head = Head(String::new());
    let _ = write!(head, "{node:?}");
    head.0
}
