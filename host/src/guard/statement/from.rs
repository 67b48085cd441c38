//! What stands in FROM. Source: PostgreSQL, "Table Expressions".

use pg_query::NodeEnum;
use pg_query::protobuf::{
    Alias, JoinExpr, Node, RangeFunction, RangeTableFunc, RangeTableSample, RangeVar,
};

use super::columns::{Scope, Source};
use super::types::Place;
use super::walk::{UNQUALIFIED, Walker, shown, string, strings};
use crate::guard::grants::Kind;
use crate::guard::grants::name::Name;

/// The built-in methods of sampling. Source: PostgreSQL, `SELECT`, TABLESAMPLE.
pub const SAMPLING: &[&str] = &["bernoulli", "system"];

/// Built-in functions whose rows have columns of their own, so that what follows their name is never a call.
/// Source: PostgreSQL, "JSON Processing Functions", "Text Search Debugging Functions".
const OF_ROWS: &[&str] = &[
    "json_each",
    "json_each_text",
    "json_to_record",
    "json_to_recordset",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_to_record",
    "jsonb_to_recordset",
    "ts_parse",
    "ts_token_type",
];

/// Built-in functions of plain values, in a column that is named `value` whatever the alias is.
const OF_ELEMENTS: &[&str] = &[
    "json_array_elements",
    "json_array_elements_text",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
];

/// A level of a statement, and the level around it, which is all that a sub-select sees of it
/// where LATERAL is not written.
#[derive(Clone, Copy)]
pub struct Levels {
    pub scope: Scope,
    pub outer: Option<Scope>,
}

fn alias_name(alias: Option<&Alias>) -> Option<&str> {
    alias.map(|alias| alias.aliasname.as_str())
}

impl Walker<'_> {
    /// Judges the entries of FROM or USING.
    pub fn from(&mut self, items: &[Node], levels: Levels) {
        for item in items {
            self.source_item(item, levels);
        }
    }

    /// Judges an entry of FROM; of a plain table it answers which.
    pub fn source_item(&mut self, item: &Node, levels: Levels) -> Option<Name> {
        let scope = levels.scope;
        match &item.node {
            Some(NodeEnum::RangeVar(relation)) => return self.source_relation(relation, scope),
            Some(NodeEnum::RangeSubselect(sub)) => {
                let around = match sub.lateral {
                    true => Some(scope),
                    false => levels.outer,
                };
                match sub.subquery.as_deref().and_then(|node| node.node.as_ref()) {
                    Some(NodeEnum::SelectStmt(select)) => self.select(select, around),
                    _ => self.deny_node(item),
                }
                self.derived(scope, sub.alias.as_ref(), "");
            }
            Some(NodeEnum::RangeFunction(functions)) => self.source_functions(functions, scope),
            Some(NodeEnum::RangeTableFunc(table)) => self.xml_table(table, scope),
            Some(NodeEnum::RangeTableSample(sample)) => {
                return self.sample(sample, levels);
            }
            Some(NodeEnum::JsonTable(table)) => {
                self.json_table(table, scope);
                self.derived(scope, table.alias.as_ref(), "json_table");
            }
            Some(NodeEnum::JoinExpr(join)) => self.join(join, levels),
            _ => self.deny_node(item),
        }
        None
    }

    fn derived(&mut self, scope: Scope, alias: Option<&Alias>, unnamed: &str) {
        let name = alias_name(alias).unwrap_or(unnamed);
        self.add_source(scope, name, Source::Derived);
    }

    fn source_relation(&mut self, relation: &RangeVar, scope: Scope) -> Option<Name> {
        let alias = relation.alias.as_ref();
        let bare = relation.schemaname.is_empty() && relation.catalogname.is_empty();
        if bare && self.is_cte(scope, &relation.relname) {
            self.derived(scope, alias, &relation.relname);
            return None;
        }
        if bare {
            let what = format!("unqualified relation {}", shown(&relation.relname));
            self.deny(what, UNQUALIFIED, relation.location);
            self.derived(scope, alias, &relation.relname);
            return None;
        }
        let Some(table) = self.relation(Some(relation)) else {
            self.derived(scope, alias, &relation.relname);
            return None;
        };
        // even a query that names none of its columns reads its rows
        self.touch(Kind::Read, &table);
        self.named.push(table.clone());
        self.add_table(scope, &table, alias);
        alias
            .is_none_or(|alias| alias.colnames.is_empty())
            .then_some(table)
    }

    /// Makes a table known under its alias or its name.
    pub fn add_table(&mut self, scope: Scope, table: &Name, alias: Option<&Alias>) {
        let name = alias_name(alias).unwrap_or(table.name.as_str()).to_owned();
        let source = match alias {
            Some(alias) if !alias.colnames.is_empty() => Source::Renamed(vec![table.clone()]),
            _ => Source::Table(table.clone()),
        };
        self.add_source(scope, &name, source);
    }

    fn source_functions(&mut self, functions: &RangeFunction, scope: Scope) {
        let mut name = "";
        let mut of_user = false;
        let mut plain = !functions.ordinality && functions.coldeflist.is_empty();
        for function in &functions.functions {
            let Some(NodeEnum::List(pair)) = &function.node else {
                self.deny_node(function);
                continue;
            };
            // a call, and the columns that it is said to return; without them an empty node
            let [call, columns @ ..] = &pair.items[..] else {
                continue;
            };
            self.expr(call, scope);
            for columns in columns.iter().filter(|node| node.node.is_some()) {
                self.column_types(std::slice::from_ref(columns));
                plain = false;
            }
            if let Some(NodeEnum::FuncCall(call)) = &call.node {
                name = call.funcname.last().and_then(string).unwrap_or_default();
                of_user = !matches!(
                    strings(&call.funcname).as_deref(),
                    Some([_] | ["pg_catalog", _])
                );
                let rows = OF_ROWS.contains(&name) || name == "unnest" && call.args.len() > 1;
                plain &= of_user || !rows;
            }
        }
        self.column_types(&functions.coldeflist);
        let alias = functions.alias.as_ref();
        let source = match (&functions.functions[..], alias) {
            ([_], Some(alias)) if plain && !alias.colnames.is_empty() => {
                let columns = alias.colnames.iter().filter_map(string);
                Source::Values(columns.map(str::to_owned).collect())
            }
            // the one column of a user's function may have any name
            ([_], _) if plain && of_user => Source::Values(Vec::new()),
            ([_], _) if plain && OF_ELEMENTS.contains(&name) => {
                Source::Values(vec!["value".to_owned()])
            }
            ([_], _) if plain => Source::Values(vec![alias_name(alias).unwrap_or(name).to_owned()]),
            _ => Source::Derived,
        };
        self.add_source(scope, alias_name(alias).unwrap_or(name), source);
    }

    /// Columns that are no more than a name, a type and a collation.
    pub fn column_types(&mut self, columns: &[Node]) {
        for column in columns {
            match &column.node {
                Some(NodeEnum::ColumnDef(column)) => {
                    self.type_name(column.type_name.as_ref(), Place::Value);
                    if let Some(collate) = &column.coll_clause {
                        self.collation(&collate.collname, collate.location);
                    }
                }
                Some(NodeEnum::List(list)) => self.column_types(&list.items),
                _ => self.deny_node(column),
            }
        }
    }

    fn xml_table(&mut self, table: &RangeTableFunc, scope: Scope) {
        self.maybe(table.docexpr.as_deref(), scope);
        self.maybe(table.rowexpr.as_deref(), scope);
        self.exprs(&table.namespaces, scope);
        for column in &table.columns {
            let Some(NodeEnum::RangeTableFuncCol(column)) = &column.node else {
                self.deny_node(column);
                continue;
            };
            self.type_name(column.type_name.as_ref(), Place::Value);
            self.maybe(column.colexpr.as_deref(), scope);
            self.maybe(column.coldefexpr.as_deref(), scope);
        }
        self.derived(scope, table.alias.as_ref(), "xmltable");
    }

    fn sample(&mut self, sample: &RangeTableSample, levels: Levels) -> Option<Name> {
        match strings(&sample.method).as_deref() {
            Some([method] | ["pg_catalog", method]) if SAMPLING.contains(method) => {}
            _ => self.deny(
                "a method of sampling",
                "only bernoulli and system are built in",
                sample.location,
            ),
        }
        let table = match sample.relation.as_deref() {
            Some(relation) => self.source_item(relation, levels),
            None => None,
        };
        self.exprs(&sample.args, levels.scope);
        self.maybe(sample.repeatable.as_deref(), levels.scope);
        table
    }

    fn join(&mut self, join: &JoinExpr, levels: Levels) {
        // an alias hides the names inside and may rename columns
        let inside = match &join.alias {
            Some(_) => Levels {
                scope: self.level(Some(levels.scope)),
                ..levels
            },
            None => levels,
        };
        let sides = [&join.larg, &join.rarg].map(|side| match side.as_deref() {
            Some(side) => self.source_item(side, inside),
            None => None,
        });
        for column in &join.using_clause {
            for side in &sides {
                match (side, string(column)) {
                    (Some(table), Some(column)) => self.column_of(Kind::Read, table, column),
                    _ => self.mark(inside.scope),
                }
            }
        }
        if join.is_natural {
            self.mark(inside.scope);
        }
        self.maybe(join.quals.as_deref(), inside.scope);
        let tables = self.tables(inside.scope);
        if let Some(alias) = &join.join_using_alias {
            self.add_name(
                inside.scope,
                &alias.aliasname,
                Source::Renamed(tables.clone()),
            );
        }
        if let Some(alias) = &join.alias {
            self.add_source(levels.scope, &alias.aliasname, Source::Renamed(tables));
        }
    }
}
