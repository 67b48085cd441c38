//! Work on tables that changes no definition: TRUNCATE, LOCK, VACUUM, ANALYZE, REFRESH, COMMENT.
//! Source: PostgreSQL, their reference pages.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CommentStmt, DropBehavior, LockStmt, Node, ObjectType, RefreshMatViewStmt, TruncateStmt,
    VacuumStmt,
};

use super::words::words;
use crate::guard::grants::name::Name;
use crate::guard::grants::{Kind, Object};
use crate::guard::statement::options::{OF_VACUUM, is_on};
use crate::guard::statement::walk::Walker;
use crate::guard::statement::{ChangeKind, Role};

impl Walker<'_> {
    fn each(&mut self, relations: &[Node], kinds: &[Kind]) {
        for relation in relations {
            match &relation.node {
                Some(NodeEnum::RangeVar(relation)) => {
                    if let Some(table) = self.relation(Some(relation)) {
                        self.worked_on(&table, kinds);
                    }
                }
                _ => self.deny_node(relation),
            }
        }
    }

    fn worked_on(&mut self, table: &Name, kinds: &[Kind]) {
        for kind in kinds {
            self.on(*kind, table);
        }
        self.touched(Role::Altered, table);
    }

    /// TRUNCATE.
    pub fn truncate(&mut self, truncate: &TruncateStmt) {
        self.is_change(ChangeKind::Truncate);
        self.each(&truncate.relations, &[Kind::Truncate]);
        if truncate.behavior() == DropBehavior::DropCascade {
            self.deny("CASCADE", "it reaches tables that are not named", -1);
        }
        if truncate.restart_seqs {
            self.deny(
                "RESTART IDENTITY",
                "it sets sequences that are not named; use setval",
                -1,
            );
        }
    }

    /// LOCK TABLE.
    pub fn lock(&mut self, lock: &LockStmt) {
        self.is_change(ChangeKind::Lock);
        self.each(&lock.relations, &[Kind::Lock]);
    }

    /// VACUUM and ANALYZE, of tables that are named.
    pub fn vacuum(&mut self, vacuum: &VacuumStmt) {
        let analyze = is_on(&vacuum.options, "analyze");
        let kinds: &[Kind] = match (vacuum.is_vacuumcmd, analyze) {
            (true, true) => &[Kind::Vacuum, Kind::Analyze],
            (true, false) => &[Kind::Vacuum],
            (false, _) => &[Kind::Analyze],
        };
        self.is_change(match vacuum.is_vacuumcmd {
            true => ChangeKind::Vacuum,
            false => ChangeKind::Analyze,
        });
        if vacuum.is_vacuumcmd {
            self.outside_transaction();
        }
        self.options(&vacuum.options, OF_VACUUM);
        if vacuum.rels.is_empty() {
            self.deny("VACUUM or ANALYZE of all tables", "name the table", -1);
        }
        for relation in &vacuum.rels {
            match &relation.node {
                Some(NodeEnum::VacuumRelation(relation)) => {
                    if let Some(table) = self.relation(relation.relation.as_ref()) {
                        self.worked_on(&table, kinds);
                    }
                }
                _ => self.deny_node(relation),
            }
        }
    }

    /// REFRESH MATERIALIZED VIEW, which the server takes in a transaction block, CONCURRENTLY too.
    pub fn refresh(&mut self, refresh: &RefreshMatViewStmt) {
        self.is_change(ChangeKind::Refresh);
        if let Some(view) = self.relation(refresh.relation.as_ref()) {
            self.worked_on(&view, &[Kind::Refresh]);
        }
    }

    /// COMMENT ON an object, or on a part of one.
    pub fn comment(&mut self, comment: &CommentStmt) {
        self.is_change(ChangeKind::Comment);
        let Some(object) = comment.object.as_deref() else {
            return self.deny("COMMENT", "it names no object", -1);
        };
        let names: &[Node] = match &object.node {
            Some(NodeEnum::List(list)) => &list.items,
            Some(NodeEnum::TypeName(name)) => &name.names,
            _ => &[],
        };
        match comment.objtype() {
            ObjectType::ObjectTable
            | ObjectType::ObjectView
            | ObjectType::ObjectMatview
            | ObjectType::ObjectSequence
            | ObjectType::ObjectType
            | ObjectType::ObjectDomain => {
                if let Some(name) = self.listed("relation", names, -1) {
                    self.worked_on(&name, &[Kind::Comment]);
                }
            }
            ObjectType::ObjectColumn
            | ObjectType::ObjectTabconstraint
            | ObjectType::ObjectTrigger
            | ObjectType::ObjectPolicy => {
                let table = names.split_last().map_or(names, |(_, table)| table);
                if let Some(table) = self.listed("relation", table, -1) {
                    self.worked_on(&table, &[Kind::Comment]);
                }
            }
            ObjectType::ObjectIndex => self.comment_on_part(Object::Index, names),
            ObjectType::ObjectStatisticExt => self.comment_on_part(Object::Statistics, names),
            kind => self.deny(
                format!("COMMENT ON {}", words(kind)),
                "only tables, views, sequences, types and their parts are known",
                -1,
            ),
        }
    }

    fn comment_on_part(&mut self, object: Object, names: &[Node]) {
        if let Some(name) = self.listed("index", names, -1) {
            self.owner(Kind::Comment, object, &name);
        }
    }
}
