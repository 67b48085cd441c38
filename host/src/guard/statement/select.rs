//! SELECT, VALUES and TABLE, WITH, and locking of rows. Source: PostgreSQL, `SELECT`.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CommonTableExpr, LockingClause, Node, SelectStmt, SetOperation, WithClause,
};

use super::columns::{Scope, Source};
use super::from::Levels;
use super::walk::{Walker, string};
use super::{ChangeKind, Role};
use crate::guard::grants::Kind;
use crate::guard::grants::name::Name;

/// The name that a node is, where it is a column without a table.
pub fn bare_name(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::ColumnRef(column)) => match &column.fields[..] {
            [name] => string(name),
            _ => None,
        },
        _ => None,
    }
}

/// The names of output columns, and of these the ones that are columns under their own name.
fn outputs(targets: &[Node]) -> (Vec<&str>, Vec<&str>) {
    let mut all = Vec::new();
    let mut own = Vec::new();
    for target in targets {
        let Some(NodeEnum::ResTarget(target)) = &target.node else {
            continue;
        };
        let value = target.val.as_deref().and_then(|value| value.node.as_ref());
        match (target.name.as_str(), value) {
            ("", Some(NodeEnum::ColumnRef(column))) => {
                own.extend(column.fields.last().and_then(string));
            }
            ("", Some(NodeEnum::FuncCall(call))) => {
                all.extend(call.funcname.last().and_then(string));
            }
            ("", _) => {}
            (name, _) => all.push(name),
        }
    }
    all.extend(&own);
    (all, own)
}

impl Walker<'_> {
    /// Judges a query inside a level.
    pub fn select(&mut self, select: &SelectStmt, around: Option<Scope>) {
        let outer = self.with(select.with_clause.as_ref(), around);
        match select.op() {
            SetOperation::SetopNone => self.plain_select(select, outer),
            SetOperation::Undefined => {
                self.deny("a query", "the guard does not know what it would do", -1);
            }
            _ => self.set_operation(select, outer),
        }
    }

    fn set_operation(&mut self, select: &SelectStmt, outer: Option<Scope>) {
        for side in [&select.larg, &select.rarg].into_iter().flatten() {
            self.select(side, outer);
        }
        // what follows sees the columns of the result alone
        let scope = self.level(outer);
        self.add_source(scope, "", Source::Derived);
        self.tail(select, &[], scope);
        if !select.locking_clause.is_empty() {
            self.deny(
                "FOR UPDATE of a set operation",
                "the server does not take it",
                -1,
            );
        }
        self.into(select);
    }

    fn plain_select(&mut self, select: &SelectStmt, outer: Option<Scope>) {
        let scope = self.level(outer);
        let first = self.named.len();
        self.from(&select.from_clause, Levels { scope, outer });
        let named = self.named.get(first..).unwrap_or_default().to_vec();
        self.exprs(&select.values_lists, scope);
        self.exprs(&select.target_list, scope);
        self.maybe(select.where_clause.as_deref(), scope);
        let (outputs, own) = outputs(&select.target_list);
        for item in &select.group_clause {
            self.group_by(item, &outputs, &own, scope);
        }
        self.maybe(select.having_clause.as_deref(), scope);
        for window in &select.window_clause {
            match &window.node {
                Some(NodeEnum::WindowDef(window)) => self.window(window, scope),
                _ => self.deny_node(window),
            }
        }
        // plain DISTINCT is written as a list of one empty node
        for item in select
            .distinct_clause
            .iter()
            .filter(|node| node.node.is_some())
        {
            match bare_name(item) {
                Some(name) if outputs.contains(&name) => {}
                _ => self.expr(item, scope),
            }
        }
        self.tail(select, &outputs, scope);
        for clause in &select.locking_clause {
            match &clause.node {
                Some(NodeEnum::LockingClause(clause)) => self.locking(clause, &named, scope),
                _ => self.deny_node(clause),
            }
        }
        self.into(select);
    }

    fn tail(&mut self, select: &SelectStmt, outputs: &[&str], scope: Scope) {
        for item in &select.sort_clause {
            self.sort_by(item, outputs, scope);
        }
        self.maybe(select.limit_offset.as_deref(), scope);
        self.maybe(select.limit_count.as_deref(), scope);
    }

    /// A bare name in GROUP BY is a column of a table, or else one of the output.
    fn group_by(&mut self, item: &Node, outputs: &[&str], own: &[&str], scope: Scope) {
        match (&item.node, bare_name(item)) {
            (Some(NodeEnum::GroupingSet(set)), _) => {
                for item in &set.content {
                    self.group_by(item, outputs, own, scope);
                }
            }
            // the same column as in the output, where it was judged
            (_, Some(name)) if own.contains(&name) => {}
            (_, Some(name)) if outputs.contains(&name) => self.mark(scope),
            _ => self.expr(item, scope),
        }
    }

    /// SELECT INTO makes a table.
    fn into(&mut self, select: &SelectStmt) {
        let Some(into) = &select.into_clause else {
            return;
        };
        self.is_change(ChangeKind::CreateTableAs);
        if let Some(table) = self.new_table(into) {
            self.on(Kind::CreateTable, &table);
            self.touched(Role::Created, &table);
        }
    }

    /// FOR UPDATE and its weaker forms lock rows, which takes the right to update some column.
    fn locking(&mut self, clause: &LockingClause, named: &[Name], scope: Scope) {
        self.writes = true;
        let mut tables = Vec::new();
        for relation in &clause.locked_rels {
            let Some(NodeEnum::RangeVar(relation)) = &relation.node else {
                self.deny_node(relation);
                continue;
            };
            let sources = self.sources(None, &relation.relname, scope);
            for source in sources.unwrap_or_else(|| vec![Source::Derived]) {
                match source {
                    Source::Table(table) => tables.push(table),
                    Source::Renamed(renamed) => tables.extend(renamed),
                    // of a sub-select, the rows of its tables are locked
                    Source::Derived | Source::Values(_) => tables.extend(named.iter().cloned()),
                }
            }
        }
        if clause.locked_rels.is_empty() {
            tables = named.to_vec();
        }
        for table in tables {
            self.touch(Kind::Update, &table);
        }
    }

    /// Judges a WITH clause; answers the level where its names are known.
    pub fn with(&mut self, with: Option<&WithClause>, around: Option<Scope>) -> Option<Scope> {
        let Some(with) = with else { return around };
        let scope = self.level(around);
        let mut queries = Vec::new();
        for query in &with.ctes {
            match &query.node {
                Some(NodeEnum::CommonTableExpr(query)) => queries.push(&**query),
                _ => self.deny_node(query),
            }
        }
        // under RECURSIVE each query sees all names, else only those before it
        if with.recursive {
            for query in &queries {
                self.add_cte(scope, &query.ctename);
            }
        }
        for query in queries {
            self.with_query(query, scope);
            self.add_cte(scope, &query.ctename);
        }
        Some(scope)
    }

    fn with_query(&mut self, query: &CommonTableExpr, scope: Scope) {
        match query.ctequery.as_deref() {
            Some(inner) => {
                if !self.query(inner, Some(scope)) {
                    self.deny_node(inner);
                }
            }
            None => self.deny(
                "a WITH query",
                "the guard does not know what it would do",
                query.location,
            ),
        }
        if let Some(cycle) = &query.cycle_clause {
            self.maybe(cycle.cycle_mark_value.as_deref(), scope);
            self.maybe(cycle.cycle_mark_default.as_deref(), scope);
        }
    }

    /// Judges a statement that may stand in WITH; answers whether it is one.
    pub fn query(&mut self, node: &Node, around: Option<Scope>) -> bool {
        match &node.node {
            Some(NodeEnum::SelectStmt(select)) => self.select(select, around),
            Some(NodeEnum::InsertStmt(insert)) => self.insert(insert, around),
            Some(NodeEnum::UpdateStmt(update)) => self.update(update, around),
            Some(NodeEnum::DeleteStmt(delete)) => self.delete(delete, around),
            Some(NodeEnum::MergeStmt(merge)) => self.merge(merge, around),
            _ => return false,
        }
        true
    }
}
