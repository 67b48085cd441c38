//! INSERT, UPDATE, DELETE and MERGE. Source: PostgreSQL, their reference pages, on privileges.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CmdType, DeleteStmt, InsertStmt, MergeStmt, MergeWhenClause, Node, OnConflictClause, RangeVar,
    ReturningClause, UpdateStmt,
};

use super::columns::{Scope, Source};
use super::from::Levels;
use super::walk::Walker;
use crate::guard::grants::Kind;
use crate::guard::grants::name::Name;

impl Walker<'_> {
    /// The table that a statement writes, known under its alias in a new level.
    fn target(
        &mut self,
        relation: Option<&RangeVar>,
        outer: Option<Scope>,
    ) -> (Scope, Option<Name>) {
        self.writes = true;
        let scope = self.level(outer);
        let table = self.relation(relation);
        if let (Some(relation), Some(table)) = (relation, &table) {
            self.add_table(scope, table, relation.alias.as_ref());
        }
        (scope, table)
    }

    /// INSERT.
    pub fn insert(&mut self, insert: &InsertStmt, around: Option<Scope>) {
        let outer = self.with(insert.with_clause.as_ref(), around);
        let (scope, table) = self.target(insert.relation.as_ref(), outer);
        if let Some(table) = &table {
            self.on(Kind::Insert, table);
        }
        self.exprs(&insert.cols, scope);
        match insert.select_stmt.as_deref().map(|node| &node.node) {
            None => {}
            Some(Some(NodeEnum::SelectStmt(select))) => self.select(select, outer),
            Some(_) => self.deny(
                "what is inserted",
                "the guard does not know what it would do",
                -1,
            ),
        }
        if let Some(conflict) = &insert.on_conflict_clause {
            self.on_conflict(conflict, table.as_ref(), scope);
        }
        self.returning(insert.returning_clause.as_ref(), table.as_ref(), scope);
    }

    fn on_conflict(&mut self, conflict: &OnConflictClause, table: Option<&Name>, scope: Scope) {
        let Some(table) = table else { return };
        if let Some(infer) = &conflict.infer {
            for element in &infer.index_elems {
                match &element.node {
                    Some(NodeEnum::IndexElem(element)) => {
                        if !element.name.is_empty() {
                            self.column_of(Kind::Read, table, &element.name);
                        }
                        self.maybe(element.expr.as_deref(), scope);
                        self.collation(&element.collation, -1);
                        self.operator_class(&element.opclass);
                    }
                    _ => self.deny_node(element),
                }
            }
            if !infer.conname.is_empty() {
                // the columns of the constraint are read
                self.touch(Kind::Read, table).more = true;
            }
            self.maybe(infer.where_clause.as_deref(), scope);
        }
        // the proposed row is written as a table of that name, and reading it takes the table's rights
        self.add_name(scope, "excluded", Source::Table(table.clone()));
        self.assignments(&conflict.target_list, Some(table), scope);
        self.maybe(conflict.where_clause.as_deref(), scope);
    }

    /// UPDATE.
    pub fn update(&mut self, update: &UpdateStmt, around: Option<Scope>) {
        let outer = self.with(update.with_clause.as_ref(), around);
        let (scope, table) = self.target(update.relation.as_ref(), outer);
        self.from(&update.from_clause, Levels { scope, outer });
        self.assignments(&update.target_list, table.as_ref(), scope);
        self.maybe(update.where_clause.as_deref(), scope);
        self.returning(update.returning_clause.as_ref(), table.as_ref(), scope);
    }

    /// DELETE.
    pub fn delete(&mut self, delete: &DeleteStmt, around: Option<Scope>) {
        let outer = self.with(delete.with_clause.as_ref(), around);
        let (scope, table) = self.target(delete.relation.as_ref(), outer);
        if let Some(table) = &table {
            self.on(Kind::Delete, table);
        }
        self.from(&delete.using_clause, Levels { scope, outer });
        self.maybe(delete.where_clause.as_deref(), scope);
        self.returning(delete.returning_clause.as_ref(), table.as_ref(), scope);
    }

    /// MERGE.
    pub fn merge(&mut self, merge: &MergeStmt, around: Option<Scope>) {
        let outer = self.with(merge.with_clause.as_ref(), around);
        let (scope, table) = self.target(merge.relation.as_ref(), outer);
        match &merge.source_relation {
            Some(source) => {
                self.source_item(source, Levels { scope, outer });
            }
            None => self.deny("MERGE without a source", "the server does not take it", -1),
        }
        self.maybe(merge.join_condition.as_deref(), scope);
        for clause in &merge.merge_when_clauses {
            match &clause.node {
                Some(NodeEnum::MergeWhenClause(clause)) => self.when(clause, table.as_ref(), scope),
                _ => self.deny_node(clause),
            }
        }
        self.returning(merge.returning_clause.as_ref(), table.as_ref(), scope);
    }

    fn when(&mut self, clause: &MergeWhenClause, table: Option<&Name>, scope: Scope) {
        self.maybe(clause.condition.as_deref(), scope);
        match (clause.command_type(), table) {
            (_, None) | (CmdType::CmdNothing, _) => {}
            (CmdType::CmdDelete, Some(table)) => self.on(Kind::Delete, table),
            (CmdType::CmdUpdate, Some(_)) => self.assignments(&clause.target_list, table, scope),
            (CmdType::CmdInsert, Some(table)) => {
                self.on(Kind::Insert, table);
                self.exprs(&clause.target_list, scope);
            }
            _ => self.deny(
                "a clause of MERGE",
                "the guard does not know what it would do",
                -1,
            ),
        }
        self.exprs(&clause.values, scope);
    }

    /// `SET column = expression`: the columns are updated, the expressions read.
    fn assignments(&mut self, targets: &[Node], table: Option<&Name>, scope: Scope) {
        for target in targets {
            match (&target.node, table) {
                (Some(NodeEnum::ResTarget(assigned)), Some(table)) => {
                    self.column_of(Kind::Update, table, &assigned.name);
                }
                (Some(NodeEnum::ResTarget(_)), None) => {}
                _ => self.deny_node(target),
            }
            self.expr(target, scope);
        }
    }

    /// RETURNING reads what it returns; `old` and `new` are the row before and after.
    fn returning(
        &mut self,
        returning: Option<&ReturningClause>,
        table: Option<&Name>,
        scope: Scope,
    ) {
        let (Some(returning), Some(table)) = (returning, table) else {
            return;
        };
        let mut names = vec!["old".to_owned(), "new".to_owned()];
        for option in &returning.options {
            match &option.node {
                Some(NodeEnum::ReturningOption(option)) => names.push(option.value.clone()),
                _ => self.deny_node(option),
            }
        }
        for name in names {
            self.add_name(scope, &name, Source::Table(table.clone()));
        }
        self.exprs(&returning.exprs, scope);
    }
}
