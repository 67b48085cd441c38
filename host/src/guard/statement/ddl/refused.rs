//! The kinds of statements that no migration may send, and why.

use pg_query::NodeEnum;
use pg_query::protobuf::ObjectType;

use super::UNGRANTED;
use super::words::words;
use crate::guard::statement::columns::Source;
use crate::guard::statement::walk::{Walker, kind_of};

const TRANSACTION: &str = "transactions are the host's";
const SESSION: &str = "the session is the host's";
const CURSOR: &str = "cursors are the host's; use query";
const PREPARED: &str = "prepared statements are the host's";
const TALK: &str = "a migration does not talk to other sessions";
const ROLES: &str = "roles and privileges are the operator's";
const OUTSIDE: &str = "it reaches beyond this database";
const HOOKS: &str = "it would change what other statements mean";
const SERVER: &str = "it is the operator's work on the server";

/// The name of a kind that is always refused, and why.
fn reason(node: &NodeEnum) -> Option<(&'static str, &'static str)> {
    Some(match node {
        NodeEnum::TransactionStmt(_) => ("transaction control", TRANSACTION),
        NodeEnum::ConstraintsSetStmt(_) => ("SET CONSTRAINTS", TRANSACTION),
        NodeEnum::VariableSetStmt(_) => ("SET or RESET", SESSION),
        NodeEnum::VariableShowStmt(_) => ("SHOW", SESSION),
        NodeEnum::DiscardStmt(_) => ("DISCARD", SESSION),
        NodeEnum::LoadStmt(_) => ("LOAD", SESSION),
        NodeEnum::DeclareCursorStmt(_) => ("a cursor", CURSOR),
        NodeEnum::FetchStmt(_) => ("FETCH or MOVE", CURSOR),
        NodeEnum::ClosePortalStmt(_) => ("CLOSE", CURSOR),
        NodeEnum::PrepareStmt(_) => ("PREPARE", PREPARED),
        NodeEnum::ExecuteStmt(_) => ("EXECUTE", PREPARED),
        NodeEnum::DeallocateStmt(_) => ("DEALLOCATE", PREPARED),
        NodeEnum::CopyStmt(_) => (
            "COPY",
            "COPY is written by the host; use the bulk interface",
        ),
        NodeEnum::ExplainStmt(_) => (
            "EXPLAIN",
            "EXPLAIN is written by the host; use the plan check",
        ),
        NodeEnum::DoStmt(_) => ("DO", "its body is opaque; write the statements themselves"),
        NodeEnum::CallStmt(_) => ("CALL", "a procedure's body may end the transaction"),
        NodeEnum::ListenStmt(_) => ("LISTEN", TALK),
        NodeEnum::NotifyStmt(_) => ("NOTIFY", TALK),
        NodeEnum::UnlistenStmt(_) => ("UNLISTEN", TALK),
        NodeEnum::GrantStmt(_) => ("GRANT or REVOKE", ROLES),
        NodeEnum::GrantRoleStmt(_) => ("GRANT or REVOKE of a role", ROLES),
        NodeEnum::AlterDefaultPrivilegesStmt(_) => ("ALTER DEFAULT PRIVILEGES", ROLES),
        NodeEnum::CreateRoleStmt(_) => ("CREATE ROLE", ROLES),
        NodeEnum::AlterRoleStmt(_) => ("ALTER ROLE", ROLES),
        NodeEnum::AlterRoleSetStmt(_) => ("ALTER ROLE", ROLES),
        NodeEnum::DropRoleStmt(_) => ("DROP ROLE", ROLES),
        NodeEnum::DropOwnedStmt(_) => ("DROP OWNED", ROLES),
        NodeEnum::ReassignOwnedStmt(_) => ("REASSIGN OWNED", ROLES),
        NodeEnum::AlterOwnerStmt(_) => ("OWNER TO", ROLES),
        NodeEnum::SecLabelStmt(_) => ("SECURITY LABEL", ROLES),
        NodeEnum::AlterPolicyStmt(_) => ("ALTER POLICY", ROLES),
        NodeEnum::CreateFdwStmt(_) | NodeEnum::AlterFdwStmt(_) => ("foreign data wrapper", OUTSIDE),
        NodeEnum::CreateForeignServerStmt(_) => ("foreign server", OUTSIDE),
        NodeEnum::AlterForeignServerStmt(_) => ("foreign server", OUTSIDE),
        NodeEnum::CreateForeignTableStmt(_) => ("foreign table", OUTSIDE),
        NodeEnum::ImportForeignSchemaStmt(_) => ("IMPORT FOREIGN SCHEMA", OUTSIDE),
        NodeEnum::CreateUserMappingStmt(_) => ("user mapping", OUTSIDE),
        NodeEnum::AlterUserMappingStmt(_) => ("user mapping", OUTSIDE),
        NodeEnum::DropUserMappingStmt(_) => ("user mapping", OUTSIDE),
        NodeEnum::CreatePublicationStmt(_) => ("publication", OUTSIDE),
        NodeEnum::AlterPublicationStmt(_) => ("publication", OUTSIDE),
        NodeEnum::CreateSubscriptionStmt(_) => ("subscription", OUTSIDE),
        NodeEnum::AlterSubscriptionStmt(_) => ("subscription", OUTSIDE),
        NodeEnum::DropSubscriptionStmt(_) => ("subscription", OUTSIDE),
        NodeEnum::CreateEventTrigStmt(_) => ("event trigger", HOOKS),
        NodeEnum::AlterEventTrigStmt(_) => ("event trigger", HOOKS),
        NodeEnum::RuleStmt(_) => ("CREATE RULE", HOOKS),
        NodeEnum::CreateCastStmt(_) => ("CREATE CAST", HOOKS),
        NodeEnum::AlterDomainStmt(_) => ("ALTER DOMAIN", UNGRANTED),
        NodeEnum::AlterExtensionStmt(_) => ("ALTER EXTENSION", UNGRANTED),
        NodeEnum::AlterExtensionContentsStmt(_) => ("ALTER EXTENSION", UNGRANTED),
        NodeEnum::AlterCollationStmt(_) => ("ALTER COLLATION", UNGRANTED),
        NodeEnum::AlterObjectDependsStmt(_) => ("DEPENDS ON EXTENSION", UNGRANTED),
        NodeEnum::CreateOpClassStmt(_) => ("CREATE OPERATOR CLASS", HOOKS),
        NodeEnum::CreateOpFamilyStmt(_) => ("CREATE OPERATOR FAMILY", HOOKS),
        NodeEnum::AlterOpFamilyStmt(_) => ("ALTER OPERATOR FAMILY", HOOKS),
        NodeEnum::AlterOperatorStmt(_) => ("ALTER OPERATOR", HOOKS),
        NodeEnum::CreateConversionStmt(_) => ("CREATE CONVERSION", HOOKS),
        NodeEnum::CreateTransformStmt(_) => ("CREATE TRANSFORM", HOOKS),
        NodeEnum::CreatePlangStmt(_) => ("CREATE LANGUAGE", HOOKS),
        NodeEnum::CreateAmStmt(_) => ("CREATE ACCESS METHOD", HOOKS),
        NodeEnum::CreateRangeStmt(_) => ("CREATE TYPE AS RANGE", HOOKS),
        NodeEnum::AlterFunctionStmt(_) => ("ALTER FUNCTION", HOOKS),
        NodeEnum::AlterObjectSchemaStmt(_) => ("SET SCHEMA", HOOKS),
        NodeEnum::AlterTsdictionaryStmt(_) => ("ALTER TEXT SEARCH DICTIONARY", HOOKS),
        NodeEnum::AlterTsconfigurationStmt(_) => ("ALTER TEXT SEARCH CONFIGURATION", HOOKS),
        NodeEnum::AlterTypeStmt(_) => ("ALTER TYPE SET", HOOKS),
        NodeEnum::AlterSystemStmt(_) => ("ALTER SYSTEM", SERVER),
        NodeEnum::CheckPointStmt(_) => ("CHECKPOINT", SERVER),
        NodeEnum::ClusterStmt(_) => ("CLUSTER", SERVER),
        NodeEnum::CreatedbStmt(_) => ("CREATE DATABASE", SERVER),
        NodeEnum::AlterDatabaseStmt(_) => ("ALTER DATABASE", SERVER),
        NodeEnum::AlterDatabaseSetStmt(_) => ("ALTER DATABASE", SERVER),
        NodeEnum::AlterDatabaseRefreshCollStmt(_) => ("ALTER DATABASE", SERVER),
        NodeEnum::DropdbStmt(_) => ("DROP DATABASE", SERVER),
        NodeEnum::CreateTableSpaceStmt(_) => ("tablespace", SERVER),
        NodeEnum::DropTableSpaceStmt(_) => ("tablespace", SERVER),
        NodeEnum::AlterTableSpaceOptionsStmt(_) => ("tablespace", SERVER),
        NodeEnum::AlterTableMoveAllStmt(_) => ("tablespace", SERVER),
        _ => return None,
    })
}

impl Walker<'_> {
    /// Refuses a statement; what it holds is judged too, so that its needs are shown.
    pub fn refused(&mut self, node: &NodeEnum) {
        match (node, reason(node)) {
            (NodeEnum::DefineStmt(define), _) => {
                let what = match define.kind() {
                    ObjectType::ObjectType => "CREATE TYPE of a base type".to_owned(),
                    kind => format!("CREATE {}", words(kind)),
                };
                self.deny(what, HOOKS, -1);
            }
            (_, Some((what, why))) => self.deny(what, why, -1),
            _ => self.deny(
                format!("{} as a statement", kind_of(node)),
                "the guard does not know what it would do",
                -1,
            ),
        }
        match node {
            NodeEnum::CopyStmt(copy) => self.copy(copy),
            NodeEnum::PrepareStmt(prepare) => self.held(prepare.query.as_deref()),
            NodeEnum::ExplainStmt(explain) => self.held(explain.query.as_deref()),
            NodeEnum::DeclareCursorStmt(cursor) => self.held(cursor.query.as_deref()),
            NodeEnum::CallStmt(call) => {
                if let Some(call) = &call.funccall {
                    let scope = self.level(None);
                    self.call(call, scope);
                }
            }
            NodeEnum::RuleStmt(rule) => {
                let scope = self.level(None);
                for row in ["new", "old"] {
                    self.add_source(scope, row, Source::Derived);
                }
                for action in &rule.actions {
                    self.query(action, Some(scope));
                }
            }
            _ => {}
        }
        self.refuse_class = true;
    }

    fn held(&mut self, query: Option<&pg_query::protobuf::Node>) {
        if let Some(query) = query {
            self.query(query, None);
        }
    }

    fn copy(&mut self, copy: &pg_query::protobuf::CopyStmt) {
        use crate::guard::grants::Kind;
        self.held(copy.query.as_deref());
        if copy.relation.is_none() {
            return;
        }
        if let Some(table) = self.relation(copy.relation.as_ref()) {
            if copy.is_from {
                return self.on(Kind::Insert, &table);
            }
            let columns = copy.attlist.iter();
            let columns: Vec<_> = columns
                .filter_map(crate::guard::statement::walk::string)
                .collect();
            for column in &columns {
                self.column_of(Kind::Read, &table, column);
            }
            if columns.is_empty() {
                self.touch(Kind::Read, &table).whole = true;
            }
        }
    }
}
