//! Indexes and extended statistics: what hangs on a table that other texts may not name.
//! Source: PostgreSQL, `CREATE INDEX`, `REINDEX`, `CREATE STATISTICS`.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AlterStatsStmt, CreateStatsStmt, IndexStmt, Node, ReindexObjectType, ReindexStmt,
};

use crate::guard::grants::name::Name;
use crate::guard::grants::{Kind, Need, Object};
use crate::guard::statement::columns::Scope;
use crate::guard::statement::options::{OF_INDEXES, OF_REINDEX, is_on};
use crate::guard::statement::walk::{Walker, shown};
use crate::guard::statement::{ChangeKind, Role};

/// The built-in access methods of indexes. Source: PostgreSQL, "Index Types".
const METHODS: &[&str] = &["brin", "btree", "gin", "gist", "hash", "spgist"];

impl Walker<'_> {
    /// Notes that a command works on what hangs on a table, which the server must name.
    pub fn owner(&mut self, kind: Kind, object: Object, name: &Name) {
        self.need(Need::Owner {
            kind,
            object,
            name: name.clone(),
        });
        let role = match object {
            Object::Statistics => Role::Statistics,
            _ => Role::Index,
        };
        self.touched(role, name);
    }

    /// Notes that the server refuses the statement in a transaction block.
    pub fn outside_transaction(&mut self) {
        if let Some(change) = &mut self.change {
            change.outside_transaction = true;
        }
    }

    /// CREATE INDEX.
    pub fn create_index(&mut self, index: &IndexStmt) {
        self.is_change(ChangeKind::CreateIndex);
        if index.concurrent {
            self.outside_transaction();
        }
        if let Some(table) = self.relation(index.relation.as_ref()) {
            self.on(Kind::Index, &table);
            self.touched(Role::Altered, &table);
        }
        self.placement(&index.table_space, "");
        self.index_method(&index.access_method);
        self.options(&index.options, OF_INDEXES);
        let scope = self.own_level();
        self.index_elements(&index.index_params, scope);
        self.index_elements(&index.index_including_params, scope);
        self.maybe(index.where_clause.as_deref(), scope);
        if !index.exclude_op_names.is_empty() || index.primary || index.isconstraint {
            self.deny(
                "an index of a constraint",
                "the guard does not know what it would do",
                -1,
            );
        }
    }

    /// Judges an access method of an index.
    pub fn index_method(&mut self, method: &str) {
        if !method.is_empty() && !METHODS.contains(&method) {
            let what = format!("index method {}", shown(method));
            self.deny(what, "only the built-in ones are known", -1);
        }
    }

    /// Judges the columns and expressions of an index.
    pub fn index_elements(&mut self, elements: &[Node], scope: Scope) {
        for element in elements {
            let Some(NodeEnum::IndexElem(element)) = &element.node else {
                self.deny_node(element);
                continue;
            };
            self.maybe(element.expr.as_deref(), scope);
            self.collation(&element.collation, -1);
            self.operator_class(&element.opclass);
            for option in &element.opclassopts {
                match &option.node {
                    Some(NodeEnum::DefElem(option)) => self.constant_option(option),
                    _ => self.deny_node(option),
                }
            }
        }
    }

    /// REINDEX of a table or of an index.
    pub fn reindex(&mut self, reindex: &ReindexStmt) {
        self.is_change(ChangeKind::Reindex);
        self.options(&reindex.params, OF_REINDEX);
        if is_on(&reindex.params, "concurrently") {
            self.outside_transaction();
        }
        match reindex.kind() {
            ReindexObjectType::ReindexObjectTable => {
                if let Some(table) = self.relation(reindex.relation.as_ref()) {
                    self.on(Kind::Index, &table);
                    self.touched(Role::Altered, &table);
                }
            }
            ReindexObjectType::ReindexObjectIndex => {
                if let Some(index) = self.relation(reindex.relation.as_ref()) {
                    self.owner(Kind::Index, Object::Index, &index);
                }
            }
            _ => self.deny("REINDEX of a schema or a database", "name the table", -1),
        }
    }

    /// CREATE STATISTICS.
    pub fn create_statistics(&mut self, create: &CreateStatsStmt) {
        self.is_change(ChangeKind::CreateStatistics);
        // without a name the server makes one, in the table's schema
        if !create.defnames.is_empty()
            && let Some(name) = self.listed("statistics", &create.defnames, -1)
        {
            self.touched(Role::Created, &name);
        }
        for relation in &create.relations {
            match &relation.node {
                Some(NodeEnum::RangeVar(relation)) => {
                    if let Some(table) = self.relation(Some(relation)) {
                        self.on(Kind::Statistics, &table);
                        self.touched(Role::Altered, &table);
                    }
                }
                _ => self.deny_node(relation),
            }
        }
        let scope = self.own_level();
        for element in &create.exprs {
            match &element.node {
                Some(NodeEnum::StatsElem(element)) => self.maybe(element.expr.as_deref(), scope),
                _ => self.deny_node(element),
            }
        }
    }

    /// ALTER STATISTICS ... SET STATISTICS.
    pub fn alter_statistics(&mut self, alter: &AlterStatsStmt) {
        self.is_change(ChangeKind::AlterStatistics);
        if let Some(name) = self.listed("statistics", &alter.defnames, -1) {
            self.owner(Kind::Statistics, Object::Statistics, &name);
        }
    }
}
