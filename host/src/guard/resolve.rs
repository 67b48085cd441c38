//! What the server said of a statement, as needs that are exact and denials that nothing can allow.
//!
//! [`resolved`] is a pure function over [`Touched`] and [`Effects`]. Where the text leaves a `?`, the server's
//! word stands here: real columns, real tables, real signatures. It also finds what no text shows: what views,
//! casts, attribute notation, defaults, triggers and foreign keys reach. So each need keeps its way.
//!
//! What needs nothing of its own, and why:
//! - A partition below its parent: its rows are the parent's. A child by inheritance has rows of its own, and
//!   a foreign partition has them on another server: each needs its own grant, though the server asks for none.
//! - A relation that is only named, such as the row type of a function's result: nothing of it is read.
//! - A serial's sequence: its USAGE comes with the insert, see the run role.
//! - A collation: it runs no function, and the server notes that of a column too, which no text names.
//! - An operator class of an extension under an index or a partition key: the extension's grant would also
//!   allow to drop it, which is more than a row that is written takes.
//! - A constraint that lets GROUP BY name a key alone.

use std::collections::{BTreeMap, BTreeSet};

use super::functions;
use super::grants::name::{Ident, Name, forbidden_schema};
use super::grants::signature::Signature;
use super::grants::{Grant, Kind, Need, Subject};
use super::statement::{Denial, MAX_DENIALS, OF_SEQUENCES, SAMPLING, escaped};
use crate::touched::{
    Access, Columns, Effects, EventTrigger, Function, Operator, Other, Relation, Touched, Type,
    WrittenTable,
};

/// Trigger functions of the server's own that change no more than the row that is written.
/// Source: PostgreSQL, "Trigger Functions", "Triggers for Automatic Updates".
const TRIGGERS: &[&str] = &[
    "suppress_redundant_updates_trigger",
    "tsvector_update_trigger",
    "tsvector_update_trigger_column",
];

/// Types that hold a text search object's name, which is told where it is a constant.
const OF_TEXT_SEARCH: &[&str] = &["regconfig", "regdictionary"];

/// How long a way may be that is shown.
const LONGEST_WAY: usize = 300;

/// What a statement needs, as the server says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// What must be granted, the most dangerous first.
    pub needs: Vec<Reached>,
    /// What nothing can grant.
    pub denied: Vec<Denial>,
}

/// A need and how the statement comes to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// What must be granted.
    pub need: Need,
    /// What leads to it, for example `view public.v`, escaped; none where the statement names it itself.
    pub way: Option<String>,
}

impl Reached {
    /// Both.
    pub fn parts(&self) -> (&Need, Option<&str>) {
        (&self.need, self.way.as_deref())
    }
}

/// Says what a statement needs that touches this and sets off that.
pub fn resolved(touched: &Touched, effects: &Effects) -> Resolution {
    let mut found = Found::default();
    for relation in &touched.relations {
        found.relation(relation);
    }
    for function in &touched.functions {
        found.function(function, function.via.as_deref(), touched);
    }
    for operator in &touched.operators {
        found.operator(operator);
    }
    for r#type in &touched.types {
        found.r#type(r#type, touched);
    }
    for other in &touched.others {
        found.other(other);
    }
    found.effects(effects, touched);
    found.finish()
}

/// Says what a command on objects needs whose work sets off this and for which these event triggers fire. Of the query
/// that it runs anew, if it runs one, the functions count: what it reads was granted when it was made a view.
pub fn commanded(effects: &Effects, fired: &[&EventTrigger], query: Option<Touched>) -> Resolution {
    let mut found = Found::default();
    for trigger in fired {
        found.call(
            Kind::Fires,
            &trigger.function,
            trigger.function.via.as_deref(),
        );
    }
    let touched = query.unwrap_or_default();
    for function in &touched.functions {
        found.function(function, function.via.as_deref(), &touched);
    }
    for operator in &touched.operators {
        found.operator(operator);
    }
    found.effects(effects, &touched);
    found.finish()
}

type Way<'a> = Option<&'a str>;

#[derive(Default)]
struct Found {
    /// A need that the statement names itself is so to the reader, however else it is reached.
    needs: BTreeMap<Need, Option<String>>,
    denied: Vec<Denial>,
}

impl Found {
    fn need(&mut self, need: Need, way: Way<'_>) {
        let way = way.map(|way| escaped(way, LONGEST_WAY));
        let known = self.needs.entry(need).or_insert_with(|| way.clone());
        if way.is_none() {
            *known = None;
        }
    }

    fn on(&mut self, kind: Kind, name: &Name, way: Way<'_>) {
        self.need(Need::on(kind, name.clone()), way);
    }

    fn deny(&mut self, what: &str, why: &'static str, way: Way<'_>) {
        let mut what = escaped(what, LONGEST_WAY);
        if let Some(way) = way {
            what += &format!(" through {}", escaped(way, LONGEST_WAY));
        }
        let denial = Denial {
            what,
            why,
            at: None,
        };
        if self.denied.len() < MAX_DENIALS && !self.denied.contains(&denial) {
            self.denied.push(denial);
        }
    }

    /// The name, if it can be granted: nothing of the host's and the server's own schemas can.
    fn name(&mut self, what: &str, schema: &str, name: &str, way: Way<'_>) -> Option<Name> {
        match Name::new(schema, name) {
            Ok(name) => Some(name),
            Err(why) => {
                let why = forbidden_schema(schema).unwrap_or(why);
                self.deny(&format!("{what} {schema}.{name}"), why, way);
                None
            }
        }
    }

    fn columns(&mut self, kind: Kind, table: &Name, columns: &Columns, way: Way<'_>) {
        let names = match columns {
            Columns::None => return,
            Columns::All => None,
            // a column that no grant can name needs the whole table
            Columns::Some(names) => names.iter().map(|name| Ident::new(name).ok()).collect(),
        };
        let table = table.clone();
        let need = match names {
            None => Need::on(kind, table),
            Some(columns) => columns_of(kind, table, columns),
        };
        self.need(need, way);
    }

    fn relation(&mut self, relation: &Relation) {
        let way = relation.via.as_deref();
        let Relation { access, kind, .. } = relation;
        if *access == Access::default() && *kind != 'S' {
            return;
        }
        let Some(name) = self.name("relation", &relation.schema, &relation.name, way) else {
            return;
        };
        self.columns(Kind::Read, &name, &access.read, way);
        if access.insert != Columns::None {
            self.on(Kind::Insert, &name, way);
        }
        self.columns(Kind::Update, &name, &access.update, way);
        if access.delete {
            self.on(Kind::Delete, &name, way);
        }
        if *access == Access::default() {
            self.on(Kind::UseSequence, &name, way);
        }
        for child in &relation.children {
            let way = match way {
                Some(way) => format!("child of {name}, {way}"),
                None => format!("child of {name}"),
            };
            let way = Some(way.as_str());
            let Some(child) = self.name("relation", &child.schema, &child.name, way) else {
                continue;
            };
            self.columns(Kind::Read, &child, &access.read, way);
            // what else is written follows with the effects
            if matches!(&access.update, Columns::Some(names) if names.is_empty()) {
                self.columns(Kind::Update, &child, &access.update, way);
            }
        }
    }

    fn function(&mut self, function: &Function, way: Way<'_>, touched: &Touched) {
        if !function.builtin {
            return self.call(Kind::Call, function, way);
        }
        let name = function.name.as_str();
        let what = || format!("function {name}");
        if OF_SEQUENCES.contains(&name) {
            if !touched.types.iter().any(|t| names_a_relation(t, way)) {
                let why = "name the sequence in a constant, as in 'public.s'";
                self.deny(&what(), why, way);
            }
        } else if !(functions::allowed(name)
            || way.is_some() && functions::allowed_in_definition(name)
            || SAMPLING.contains(&name) && function.arguments == ["internal"])
        {
            let why = "it is not among the built-in functions that only look at their arguments";
            self.deny(&what(), why, way);
        }
    }

    /// The need of a function of somebody's; an extension's too, as its grant allows no calls.
    fn call(&mut self, kind: Kind, function: &Function, way: Way<'_>) {
        let Some(name) = self.name("function", &function.schema, &function.name, way) else {
            return;
        };
        match Signature::of(name, &function.arguments) {
            Ok(signature) => {
                let subject = Subject::Function(signature);
                self.need(Need::Grant(Grant { kind, subject }), way);
            }
            Err(_) => {
                let arguments = function.arguments.join(", ");
                let what = format!(
                    "function {}.{}({arguments})",
                    function.schema, function.name
                );
                self.deny(&what, "no grant can name the types of its arguments", way);
            }
        }
    }

    /// The need of an extension's object: of the extension in the schema in which the object is.
    fn extension(&mut self, extension: &str, schema: &str, what: &str, way: Way<'_>) {
        match (Ident::new(extension), Name::new(schema, extension)) {
            (Ok(extension), Ok(Name { schema, .. })) => {
                let subject = Subject::Extension(extension, schema);
                let kind = Kind::Extension;
                self.need(Need::Grant(Grant { kind, subject }), way);
            }
            _ => self.deny(what, "no grant can name its extension and schema", way),
        }
    }

    /// An operator of nobody's extension: the guest writes the call instead; where a definition has it, the
    /// call is what is granted.
    fn operator(&mut self, operator: &Operator) {
        let way = operator.via.as_deref();
        let label = format!("operator {}.{}", operator.schema, operator.name);
        match (&operator.extension, &operator.function, way) {
            (Some(extension), _, _) => self.extension(extension, &operator.schema, &label, way),
            (None, Some(function), Some(way)) => {
                self.call(Kind::Call, function, Some(&format!("{label} in {way}")));
            }
            _ => {
                let why = "it belongs to no extension; call its function instead";
                self.deny(&label, why, way);
            }
        }
    }

    fn r#type(&mut self, r#type: &Type, touched: &Touched) {
        let Type { schema, name, .. } = r#type;
        let way = r#type.via.as_deref();
        if schema == "pg_catalog" && r#type.extension.is_none() {
            let drawn = names_a_relation(r#type, way)
                && touched.functions.iter().any(|f| {
                    f.builtin && OF_SEQUENCES.contains(&f.name.as_str()) && f.via == r#type.via
                });
            let searched = r#type.constant && OF_TEXT_SEARCH.contains(&name.as_str());
            if !drawn && !searched {
                let why = "it is not among the built-in types of plain values";
                self.deny(&format!("type {name}"), why, way);
            }
            return;
        }
        let Some(name) = self.name("type", schema, name, way) else {
            return;
        };
        match r#type.extension.as_deref().map(Ident::new) {
            Some(Ok(extension)) => self.need(Need::ExtensionType { extension, name }, way),
            _ => self.on(Kind::UseType, &name, way),
        }
    }

    fn other(&mut self, other: &Other) {
        let way = other.via.as_deref();
        // initdb makes some of the server's own text search objects, so they are told as a user's are
        let own = other.schema.as_deref() == Some("pg_catalog") && other.extension.is_none();
        if matches!(other.class.as_str(), "collation" | "table constraint")
            || own && other.class.starts_with("text search ")
        {
            return;
        }
        let what = match &other.schema {
            Some(schema) => format!("{} {schema}.{}", other.class, other.name),
            None => format!("{} {}", other.class, other.name),
        };
        match (&other.extension, &other.schema) {
            (Some(extension), Some(schema)) => self.extension(extension, schema, &what, way),
            _ => self.deny(&what, "it belongs to no extension", way),
        }
    }

    fn effects(&mut self, effects: &Effects, touched: &Touched) {
        for table in &effects.tables {
            self.written(table);
        }
        for trigger in &effects.triggers {
            let function = &trigger.function;
            if !(function.builtin && TRIGGERS.contains(&function.name.as_str())) {
                self.call(Kind::Fires, function, function.via.as_deref());
            }
        }
        for rule in &effects.rules {
            let what = format!("rule {} on {}.{}", rule.name, rule.schema, rule.table);
            self.deny(
                &what,
                "what a rule does in a statement's place is not known",
                None,
            );
        }
        for function in &effects.functions {
            self.function(function, function.via.as_deref(), touched);
        }
        for sequence in effects.sequences.iter().filter(|sequence| !sequence.owned) {
            let way = Some(sequence.via.as_str());
            if let Some(name) = self.name("sequence", &sequence.schema, &sequence.name, way) {
                self.on(Kind::UseSequence, &name, way);
            }
        }
        for other in &effects.others {
            if other.extension.is_none() {
                self.other(other);
            }
        }
    }

    fn written(&mut self, table: &WrittenTable) {
        if table.part && table.kind != 'f' {
            return;
        }
        let way = table.via.as_deref();
        let Some(name) = self.name("relation", &table.schema, &table.name, way) else {
            return;
        };
        match table.verb.as_str() {
            "insert" => self.on(Kind::Insert, &name, way),
            "delete" => self.on(Kind::Delete, &name, way),
            "truncate" => self.on(Kind::Truncate, &name, way),
            "update" => {
                let columns = match &table.columns {
                    Some(columns) => Columns::Some(columns.iter().cloned().collect()),
                    None => Columns::All,
                };
                self.columns(Kind::Update, &name, &columns, way);
            }
            // the text of the command names the grant for its work
            "build" | "define" => {}
            verb => self.deny(
                &format!("{verb} of {name}"),
                "the guard does not know what it would do",
                way,
            ),
        }
    }

    fn finish(self) -> Resolution {
        let needs = self.needs.into_iter();
        let mut needs: Vec<_> = needs.map(|(need, way)| Reached { need, way }).collect();
        needs.sort_by_cached_key(|r| (u8::MAX - r.need.kind().danger(), r.need.to_string()));
        Resolution {
            needs,
            denied: self.denied,
        }
    }
}

/// Whether a type is that of constants that name relations, which are told by their names.
fn names_a_relation(r#type: &Type, way: Way<'_>) -> bool {
    r#type.constant && r#type.name == "regclass" && r#type.via.as_deref() == way
}

fn columns_of(kind: Kind, table: Name, columns: BTreeSet<Ident>) -> Need {
    match columns.is_empty() {
        // any column will do
        true => Need::Columns {
            kind,
            table,
            columns,
        },
        false => {
            let subject = Subject::Columns(table, columns);
            Need::Grant(Grant { kind, subject })
        }
    }
}

#[cfg(test)]
mod tests;
