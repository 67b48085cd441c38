//! The statements at the top: which kinds there are, and who judges each.

mod alter;
mod code;
mod indexes;
mod objects;
mod refused;
mod relations;
mod tables;
mod upkeep;
mod words;

use pg_query::NodeEnum;
use pg_query::protobuf::Node;

use super::walk::Walker;

/// Why what has no kind of grant is refused.
const UNGRANTED: &str = "no grant covers it";

impl Walker<'_> {
    /// Judges a statement.
    pub fn statement(&mut self, node: Option<&Node>) {
        let Some(node) = node else {
            return self.deny("no statement", "there is nothing to run", -1);
        };
        let Some(inner) = &node.node else {
            return self.deny_node(node);
        };
        if self.query(node, None) {
            return;
        }
        match inner {
            NodeEnum::CreateStmt(create) => self.create_table(create),
            NodeEnum::CreateTableAsStmt(create) => self.create_table_as(create),
            NodeEnum::ViewStmt(view) => self.create_view(view),
            NodeEnum::AlterTableStmt(alter) => self.alter_table(alter),
            NodeEnum::RenameStmt(rename) => self.rename(rename),
            NodeEnum::DropStmt(drop) => self.drop(drop),
            NodeEnum::IndexStmt(index) => self.create_index(index),
            NodeEnum::ReindexStmt(reindex) => self.reindex(reindex),
            NodeEnum::CreateStatsStmt(create) => self.create_statistics(create),
            NodeEnum::AlterStatsStmt(alter) => self.alter_statistics(alter),
            NodeEnum::CreateSeqStmt(create) => self.create_sequence(create),
            NodeEnum::AlterSeqStmt(alter) => self.alter_sequence(alter),
            NodeEnum::CreateEnumStmt(create) => self.create_enum(create),
            NodeEnum::AlterEnumStmt(alter) => self.alter_enum(alter),
            NodeEnum::CompositeTypeStmt(create) => self.create_composite(create),
            NodeEnum::CreateDomainStmt(create) => self.create_domain(create),
            NodeEnum::CreateSchemaStmt(create) => self.create_schema(create),
            NodeEnum::CreateExtensionStmt(create) => self.create_extension(create),
            NodeEnum::CommentStmt(comment) => self.comment(comment),
            NodeEnum::TruncateStmt(truncate) => self.truncate(truncate),
            NodeEnum::LockStmt(lock) => self.lock(lock),
            NodeEnum::VacuumStmt(vacuum) => self.vacuum(vacuum),
            NodeEnum::RefreshMatViewStmt(refresh) => self.refresh(refresh),
            NodeEnum::CreateFunctionStmt(create) => self.create_function(create),
            NodeEnum::CreateTrigStmt(create) => self.create_trigger(create),
            NodeEnum::CreatePolicyStmt(create) => self.create_policy(create),
            _ => self.refused(inner),
        }
    }
}
