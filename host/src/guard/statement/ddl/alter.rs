//! ALTER TABLE: which change each of its subcommands is. Source: PostgreSQL, `ALTER TABLE`.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AlterTableCmd, AlterTableStmt, AlterTableType as At, DropBehavior, Node, ObjectType,
    PartitionCmd, RangeVar, RenameStmt,
};

use super::UNGRANTED;
use super::tables::Base;
use super::words::words;
use crate::guard::grants::name::Name;
use crate::guard::grants::{Action, Kind, Object};
use crate::guard::statement::options::{OF_COLUMNS, OF_INDEXES, OF_TABLES};
use crate::guard::statement::types::Place;
use crate::guard::statement::walk::Walker;
use crate::guard::statement::{ChangeKind, Role};

/// What a subcommand holds.
#[derive(Clone, Copy)]
enum Holds {
    Nothing,
    Constant,
    Column,
    Type,
    Default,
    Generation,
    Constraint,
    IdentityOptions,
    ColumnOptions,
    TableOptions,
    Partition,
}

/// A subcommand: the change that must be granted and what it holds, or why it never can be.
type Rule = Result<(Action, Holds), (&'static str, &'static str)>;

const TRIGGERS: &str = "triggers are not switched on or off";
const ROW_SECURITY: &str = "row security is not switched on or off";
const RULES: &str = "rules are not switched on or off";
const OPERATOR: &str = "it is the operator's choice";
const INHERITANCE: &str = "its rows would be read as another table's";

fn rule(subcommand: At) -> Rule {
    use Action::*;
    Ok(match subcommand {
        At::AtAddColumn => (AddColumn, Holds::Column),
        At::AtDropColumn => (DropColumn, Holds::Nothing),
        At::AtAlterColumnType => (ColumnType, Holds::Type),
        At::AtSetNotNull | At::AtDropNotNull => (Nullability, Holds::Nothing),
        At::AtColumnDefault => (Default, Holds::Default),
        At::AtSetExpression => (Default, Holds::Generation),
        At::AtDropExpression | At::AtDropIdentity => (Default, Holds::Nothing),
        At::AtAddIdentity => (Default, Holds::Constraint),
        At::AtSetIdentity => (Default, Holds::IdentityOptions),
        At::AtAddConstraint => (AddConstraint, Holds::Constraint),
        At::AtValidateConstraint => (ValidateConstraint, Holds::Nothing),
        At::AtDropConstraint => (DropConstraint, Holds::Nothing),
        At::AtSetStatistics | At::AtSetStorage | At::AtSetCompression => (Storage, Holds::Constant),
        At::AtSetOptions | At::AtResetOptions => (Storage, Holds::ColumnOptions),
        At::AtSetRelOptions | At::AtResetRelOptions => (Storage, Holds::TableOptions),
        At::AtAttachPartition => (AttachPartition, Holds::Partition),
        At::AtDetachPartition | At::AtDetachPartitionFinalize => {
            (DetachPartition, Holds::Partition)
        }
        At::AtAlterConstraint => {
            return Err((
                "ALTER CONSTRAINT",
                "drop the constraint and add it as it should be",
            ));
        }
        At::AtChangeOwner => return Err(("OWNER TO", "owners are the operator's choice")),
        At::AtEnableTrig
        | At::AtEnableAlwaysTrig
        | At::AtEnableReplicaTrig
        | At::AtDisableTrig
        | At::AtEnableTrigAll
        | At::AtDisableTrigAll
        | At::AtEnableTrigUser
        | At::AtDisableTrigUser => return Err(("ENABLE or DISABLE TRIGGER", TRIGGERS)),
        At::AtEnableRule | At::AtEnableAlwaysRule | At::AtEnableReplicaRule | At::AtDisableRule => {
            return Err(("ENABLE or DISABLE RULE", RULES));
        }
        At::AtEnableRowSecurity
        | At::AtDisableRowSecurity
        | At::AtForceRowSecurity
        | At::AtNoForceRowSecurity => return Err(("ROW LEVEL SECURITY", ROW_SECURITY)),
        At::AtSetLogged | At::AtSetUnLogged => return Err(("SET LOGGED or UNLOGGED", OPERATOR)),
        At::AtClusterOn | At::AtDropCluster => return Err(("CLUSTER ON", OPERATOR)),
        At::AtSetTableSpace => return Err(("SET TABLESPACE", OPERATOR)),
        At::AtSetAccessMethod => return Err(("SET ACCESS METHOD", OPERATOR)),
        At::AtReplicaIdentity => return Err(("REPLICA IDENTITY", OPERATOR)),
        At::AtAddInherit | At::AtDropInherit => return Err(("INHERIT", INHERITANCE)),
        At::AtAddOf | At::AtDropOf => return Err(("OF type", "write the columns")),
        _ => {
            return Err((
                "a change of a table",
                "the guard does not know what it would do",
            ));
        }
    })
}

impl Walker<'_> {
    /// ALTER TABLE, and ALTER VIEW and ALTER INDEX so far as they set defaults and parameters.
    pub fn alter_table(&mut self, alter: &AlterTableStmt) {
        match alter.objtype() {
            ObjectType::ObjectIndex => return self.alter_index(alter),
            ObjectType::ObjectTable => {}
            ObjectType::ObjectView | ObjectType::ObjectMatview => self.only_defaults(alter),
            ObjectType::ObjectSequence => self.deny("ALTER SEQUENCE", "only RESTART is known", -1),
            kind => self.deny(format!("ALTER {}", words(kind)), UNGRANTED, -1),
        }
        self.is_change(ChangeKind::AlterTable);
        let Some(table) = self.relation(alter.relation.as_ref()) else {
            return;
        };
        self.touched(Role::Altered, &table);
        for command in &alter.cmds {
            match &command.node {
                Some(NodeEnum::AlterTableCmd(command)) => self.subcommand(command, &table),
                _ => self.deny_node(command),
            }
        }
    }

    /// The options of a view decide whose rights it reads with.
    fn only_defaults(&mut self, alter: &AlterTableStmt) {
        for command in &alter.cmds {
            let known = match &command.node {
                Some(NodeEnum::AlterTableCmd(command)) => matches!(
                    command.subtype(),
                    At::AtColumnDefault
                        | At::AtSetStatistics
                        | At::AtSetOptions
                        | At::AtResetOptions
                ),
                _ => false,
            };
            if !known {
                let what = format!("ALTER {}", words(alter.objtype()));
                self.deny(what, "create it anew as it should be", -1);
            }
        }
    }

    fn alter_index(&mut self, alter: &AlterTableStmt) {
        self.is_change(ChangeKind::AlterIndex);
        let Some(index) = self.relation(alter.relation.as_ref()) else {
            return;
        };
        self.owner(Kind::Index, Object::Index, &index);
        for command in &alter.cmds {
            let Some(NodeEnum::AlterTableCmd(command)) = &command.node else {
                self.deny_node(command);
                continue;
            };
            match (command.subtype(), command.def.as_deref()) {
                (At::AtSetRelOptions | At::AtResetRelOptions, Some(def)) => {
                    self.option_list(def, OF_INDEXES);
                }
                (At::AtSetStatistics, _) => {}
                _ => self.deny("ALTER INDEX", "only its parameters can be set", -1),
            }
        }
    }

    fn option_list(&mut self, node: &Node, known: &[&str]) {
        match &node.node {
            Some(NodeEnum::List(list)) => self.options(&list.items, known),
            _ => self.deny_node(node),
        }
    }

    fn subcommand(&mut self, command: &AlterTableCmd, table: &Name) {
        if command.behavior() == DropBehavior::DropCascade {
            self.deny("CASCADE", "it reaches objects that are not named", -1);
        }
        let (action, holds) = match rule(command.subtype()) {
            Ok(known) => known,
            Err((what, why)) => return self.deny(what, why, -1),
        };
        self.alter(table, action);
        let scope = self.own_level();
        let def = command.def.as_deref();
        match (holds, def, def.and_then(|def| def.node.as_ref())) {
            (Holds::Nothing | Holds::Default, None, _) => {}
            (Holds::Default, Some(def), _) => self.expr(def, scope),
            (Holds::Generation, Some(def), _) => {
                self.expr(def, scope);
                self.reads_own(table, "");
            }
            (Holds::Constant, Some(_), Some(NodeEnum::Integer(_) | NodeEnum::String(_))) => {}
            // SET STATISTICS DEFAULT
            (Holds::Constant, None, _) => {}
            (Holds::Column, _, Some(NodeEnum::ColumnDef(column))) => {
                self.column_def(column, Base::Existing(table), scope);
            }
            (Holds::Type, _, Some(NodeEnum::ColumnDef(column))) => {
                self.type_name(column.type_name.as_ref(), Place::Value);
                if let Some(collate) = &column.coll_clause {
                    self.collation(&collate.collname, collate.location);
                }
                self.maybe(column.raw_default.as_deref(), scope);
                self.reads_own(table, &command.name);
            }
            (Holds::Constraint, Some(def), _) => {
                self.constraint_node(def, Base::Existing(table), scope);
            }
            (Holds::IdentityOptions, _, Some(NodeEnum::List(list))) => {
                self.sequence_options(&list.items, None);
            }
            (Holds::ColumnOptions, Some(def), _) => self.option_list(def, OF_COLUMNS),
            (Holds::TableOptions, Some(def), _) => self.option_list(def, OF_TABLES),
            (Holds::Partition, _, Some(NodeEnum::PartitionCmd(partition))) => {
                self.partition(partition, action);
            }
            _ => self.deny(
                "a change of a table",
                "the guard does not know what it would do",
                -1,
            ),
        }
    }

    /// An expression that fills a column shows the columns that it reads, but for the column itself.
    fn reads_own(&mut self, table: &Name, but: &str) {
        for column in std::mem::take(&mut self.own_columns) {
            // where no column has the table's name, that name is the whole row
            if column == table.name.as_str() {
                self.touch(Kind::Read, table).whole = true;
            } else if column != but {
                self.column_of(Kind::Read, table, &column);
            }
        }
    }

    fn partition(&mut self, partition: &PartitionCmd, action: Action) {
        if let Some(child) = self.relation(partition.name.as_ref()) {
            // its rows become rows of the parent, so it is changed as well
            if action == Action::AttachPartition {
                self.alter(&child, action);
            }
            self.touched(Role::Partition, &child);
        }
        if partition.concurrent {
            self.outside_transaction();
        }
        if let Some(bound) = &partition.bound {
            self.partition_bound(bound);
        }
    }

    /// ALTER ... RENAME: the new name must be granted as if the object were made under it.
    pub fn rename(&mut self, rename: &RenameStmt) {
        if rename.behavior() == DropBehavior::DropCascade {
            self.deny("CASCADE", "it reaches objects that are not named", -1);
        }
        self.is_change(ChangeKind::Rename);
        let relation = rename.relation.as_ref();
        match (rename.rename_type(), rename.relation_type()) {
            (ObjectType::ObjectTable, _) => self.rename_to(relation, rename, Kind::CreateTable),
            (ObjectType::ObjectView, _) => self.rename_to(relation, rename, Kind::CreateView),
            (ObjectType::ObjectMatview, _) => self.rename_to(relation, rename, Kind::CreateMatview),
            (ObjectType::ObjectSequence, _) => {
                self.rename_to(relation, rename, Kind::CreateSequence);
            }
            (
                ObjectType::ObjectColumn,
                ObjectType::ObjectTable | ObjectType::ObjectView | ObjectType::ObjectMatview,
            )
            | (ObjectType::ObjectTabconstraint, _) => {
                if let Some(table) = self.relation(relation) {
                    self.alter(&table, Action::Rename);
                    self.touched(Role::Altered, &table);
                }
            }
            (ObjectType::ObjectIndex, _) => {
                if let Some(index) = self.relation(relation) {
                    self.owner(Kind::Index, Object::Index, &index);
                }
            }
            (ObjectType::ObjectColumn, kind) | (kind, _) => {
                self.deny(format!("ALTER {} ... RENAME", words(kind)), UNGRANTED, -1);
            }
        }
    }

    fn rename_to(&mut self, relation: Option<&RangeVar>, rename: &RenameStmt, kind: Kind) {
        let Some(table) = self.relation(relation) else {
            return;
        };
        self.alter(&table, Action::Rename);
        self.touched(Role::Altered, &table);
        let at = relation.map_or(-1, |relation| relation.location);
        if let Some(new) = self.qualified("relation", table.schema.as_str(), &rename.newname, at) {
            self.on(kind, &new);
            self.touched(Role::Created, &new);
        }
    }
}
