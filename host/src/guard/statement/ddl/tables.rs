//! CREATE TABLE: its columns and constraints, which ALTER TABLE and CREATE DOMAIN share.
//! Source: PostgreSQL, `CREATE TABLE`.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    ColumnDef, ConstrType, Constraint, CreateStmt, Node, OnCommitAction, PartitionBoundSpec,
    PartitionSpec, RangeVar, TableLikeClause,
};

use crate::guard::grants::name::Name;
use crate::guard::grants::{Action, Kind};
use crate::guard::statement::columns::Scope;
use crate::guard::statement::options::OF_TABLES;
use crate::guard::statement::types::Place;
use crate::guard::statement::walk::{Walker, shown};
use crate::guard::statement::{ChangeKind, Role};

/// LIKE ... INCLUDING: what copies expressions that the text does not show, as PostgreSQL's
/// `TableLikeOption` numbers it: constraints, defaults, generated columns, indexes and statistics.
const OPAQUE_LIKE: u32 = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 7;

/// What a constraint stands on.
#[derive(Clone, Copy)]
pub enum Base<'a> {
    /// A table that the statement makes, a type, or a domain.
    New,
    /// A table that it changes.
    Existing(&'a Name),
}

impl Walker<'_> {
    /// CREATE TABLE.
    pub fn create_table(&mut self, create: &CreateStmt) {
        self.is_change(ChangeKind::CreateTable);
        if let Some(table) = self.relation(create.relation.as_ref()) {
            self.on(Kind::CreateTable, &table);
            self.touched(Role::Created, &table);
        }
        if create.partbound.is_some() {
            // the only parent of a partition
            self.partition_of(&create.inh_relations);
        } else if !create.inh_relations.is_empty() {
            self.deny("INHERITS", "its rows would be read as another table's", -1);
        }
        if create.of_typename.is_some() {
            self.deny("OF type", "write the columns", -1);
        }
        if create.oncommit() > OnCommitAction::OncommitNoop {
            self.deny("ON COMMIT", "temporary tables are the host's own", -1);
        }
        self.placement(&create.tablespacename, &create.access_method);
        self.options(&create.options, OF_TABLES);
        let scope = self.own_level();
        self.table_elements(&create.table_elts, Base::New, scope);
        for constraint in create.constraints.iter().chain(&create.nnconstraints) {
            self.constraint_node(constraint, Base::New, scope);
        }
        if let Some(spec) = &create.partspec {
            self.partition_spec(spec, scope);
        }
        if let Some(bound) = &create.partbound {
            self.partition_bound(bound);
        }
    }

    fn partition_of(&mut self, parents: &[Node]) {
        for parent in parents {
            let Some(NodeEnum::RangeVar(parent)) = &parent.node else {
                self.deny_node(parent);
                continue;
            };
            if let Some(parent) = self.relation(Some(parent)) {
                self.alter(&parent, Action::AttachPartition);
                self.touched(Role::Altered, &parent);
            }
        }
    }

    /// Where rows are put is the operator's choice.
    pub fn placement(&mut self, tablespace: &str, access_method: &str) {
        if !tablespace.is_empty() {
            self.deny(
                "TABLESPACE",
                "where rows are kept is the operator's choice",
                -1,
            );
        }
        if !matches!(access_method, "" | "heap") {
            let what = format!("access method {}", shown(access_method));
            self.deny(what, "how rows are kept is the operator's choice", -1);
        }
    }

    fn table_elements(&mut self, elements: &[Node], base: Base<'_>, scope: Scope) {
        for element in elements {
            match &element.node {
                Some(NodeEnum::ColumnDef(column)) => self.column_def(column, base, scope),
                Some(NodeEnum::Constraint(constraint)) => self.constraint(constraint, base, scope),
                Some(NodeEnum::TableLikeClause(like)) => self.like(like),
                _ => self.deny_node(element),
            }
        }
    }

    fn like(&mut self, like: &TableLikeClause) {
        if like.options & OPAQUE_LIKE != 0 {
            self.deny(
                "LIKE ... INCLUDING",
                "it copies expressions that the statement does not show",
                -1,
            );
        }
        if let Some(table) = self.relation(like.relation.as_ref()) {
            self.touch(Kind::Read, &table).whole = true;
        }
    }

    /// Judges the definition of a column.
    pub fn column_def(&mut self, column: &ColumnDef, base: Base<'_>, scope: Scope) {
        self.type_name(column.type_name.as_ref(), Place::Column);
        if let Some(collate) = &column.coll_clause {
            self.collation(&collate.collname, collate.location);
        }
        if !column.fdwoptions.is_empty() {
            self.deny(
                "options of a foreign table",
                "it reaches beyond this database",
                column.location,
            );
        }
        if let Some(default) = &column.raw_default {
            self.expr(default, scope);
        }
        if column.cooked_default.is_some() || column.identity_sequence.is_some() {
            self.deny(
                "a column",
                "the guard does not know what it would do",
                column.location,
            );
        }
        for constraint in &column.constraints {
            self.constraint_node(constraint, base, scope);
        }
    }

    /// Judges a constraint.
    pub fn constraint_node(&mut self, node: &Node, base: Base<'_>, scope: Scope) {
        match &node.node {
            Some(NodeEnum::Constraint(constraint)) => self.constraint(constraint, base, scope),
            _ => self.deny_node(node),
        }
    }

    /// Judges a constraint of a column or a table.
    pub fn constraint(&mut self, constraint: &Constraint, base: Base<'_>, scope: Scope) {
        self.own_columns.clear();
        self.maybe(constraint.raw_expr.as_deref(), scope);
        // a generated column shows the columns that it is made of
        if let (ConstrType::ConstrGenerated, Base::Existing(table)) = (constraint.contype(), base) {
            for column in std::mem::take(&mut self.own_columns) {
                self.column_of(Kind::Read, table, &column);
            }
        }
        self.maybe(constraint.where_clause.as_deref(), scope);
        self.placement(&constraint.indexspace, "");
        match constraint.contype() {
            ConstrType::Undefined => self.deny(
                "a constraint",
                "the guard does not know what it would do",
                constraint.location,
            ),
            ConstrType::ConstrIdentity => self.sequence_options(&constraint.options, None),
            ConstrType::ConstrPrimary | ConstrType::ConstrUnique => {
                self.options(
                    &constraint.options,
                    crate::guard::statement::options::OF_INDEXES,
                );
            }
            ConstrType::ConstrExclusion => self.exclusion(constraint, scope),
            ConstrType::ConstrForeign => self.foreign_key(constraint.pktable.as_ref()),
            _ => {}
        }
        let adds = matches!(
            constraint.contype(),
            ConstrType::ConstrCheck
                | ConstrType::ConstrPrimary
                | ConstrType::ConstrUnique
                | ConstrType::ConstrExclusion
                | ConstrType::ConstrForeign
        );
        if let (true, Base::Existing(table)) = (adds, base) {
            self.alter(table, Action::AddConstraint);
        }
    }

    fn exclusion(&mut self, constraint: &Constraint, scope: Scope) {
        self.options(
            &constraint.options,
            crate::guard::statement::options::OF_INDEXES,
        );
        self.index_method(&constraint.access_method);
        for pair in &constraint.exclusions {
            match &pair.node {
                Some(NodeEnum::List(pair)) => match &pair.items[..] {
                    [element, operator] => {
                        self.index_elements(std::slice::from_ref(element), scope);
                        match &operator.node {
                            Some(NodeEnum::List(names)) => self.operator(&names.items, -1),
                            _ => self.deny_node(operator),
                        }
                    }
                    _ => self.deny("EXCLUDE", "the guard does not know what it would do", -1),
                },
                _ => self.deny_node(pair),
            }
        }
    }

    fn foreign_key(&mut self, target: Option<&RangeVar>) {
        if let Some(target) = self.relation(target) {
            self.on(Kind::Reference, &target);
            self.touched(Role::Referenced, &target);
        }
    }

    fn partition_spec(&mut self, spec: &PartitionSpec, scope: Scope) {
        for part in &spec.part_params {
            match &part.node {
                Some(NodeEnum::PartitionElem(part)) => {
                    self.maybe(part.expr.as_deref(), scope);
                    self.collation(&part.collation, part.location);
                    self.operator_class(&part.opclass);
                }
                _ => self.deny_node(part),
            }
        }
    }

    /// The bounds of a partition, which are expressions that are run at once.
    pub fn partition_bound(&mut self, bound: &PartitionBoundSpec) {
        let scope = self.own_level();
        let data = bound.listdatums.iter();
        for datum in data.chain(&bound.lowerdatums).chain(&bound.upperdatums) {
            match &datum.node {
                Some(NodeEnum::PartitionRangeDatum(datum)) => {
                    self.maybe(datum.value.as_deref(), scope);
                }
                _ => self.expr(datum, scope),
            }
        }
    }
}
