//! Sequences, types, schemas, extensions, and DROP. Source: PostgreSQL, their reference pages.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AlterEnumStmt, AlterSeqStmt, CompositeTypeStmt, CreateDomainStmt, CreateEnumStmt,
    CreateExtensionStmt, CreateSchemaStmt, CreateSeqStmt, DefElem, DropBehavior, DropStmt, Node,
    ObjectType,
};

use super::UNGRANTED;
use super::tables::Base;
use super::words::words;
use crate::guard::grants::name::{Ident, Name, forbidden_schema};
use crate::guard::grants::{Action, Grant, Kind, Need, Object, Subject};
use crate::guard::statement::types::Place;
use crate::guard::statement::walk::{Walker, shown, string, strings};
use crate::guard::statement::{ChangeKind, Role};

/// Options of a sequence that have a number or nothing. Source: PostgreSQL, `CREATE SEQUENCE`.
const OF_SEQUENCES: &[&str] = &[
    "cache",
    "cycle",
    "increment",
    "maxvalue",
    "minvalue",
    "restart",
    "start",
];

impl Walker<'_> {
    /// CREATE SEQUENCE.
    pub fn create_sequence(&mut self, create: &CreateSeqStmt) {
        self.is_change(ChangeKind::CreateSequence);
        if let Some(name) = self.relation(create.sequence.as_ref()) {
            self.on(Kind::CreateSequence, &name);
            self.touched(Role::Created, &name);
        }
        self.sequence_options(&create.options, Some(()));
    }

    /// ALTER SEQUENCE, so far as it is what setval does.
    pub fn alter_sequence(&mut self, alter: &AlterSeqStmt) {
        self.is_change(ChangeKind::AlterSequence);
        if let Some(name) = self.relation(alter.sequence.as_ref()) {
            self.on(Kind::UseSequence, &name);
            self.touched(Role::Altered, &name);
        }
        for option in &alter.options {
            match &option.node {
                Some(NodeEnum::DefElem(option)) if option.defname == "restart" => {
                    self.constant_option(option);
                }
                _ => self.deny("ALTER SEQUENCE", "only RESTART is known", -1),
            }
        }
    }

    /// Judges the options of a sequence; that of an identity column has its owner already.
    pub fn sequence_options(&mut self, options: &[Node], owner: Option<()>) {
        for option in options {
            let Some(NodeEnum::DefElem(option)) = &option.node else {
                self.deny_node(option);
                continue;
            };
            match (option.defname.as_str(), option.arg.as_deref()) {
                (name, _) if OF_SEQUENCES.contains(&name) => self.constant_option(option),
                // of an identity column: ALWAYS or BY DEFAULT, which the parser numbers
                ("generated", _) if owner.is_none() => self.constant_option(option),
                (
                    "as",
                    Some(Node {
                        node: Some(NodeEnum::TypeName(name)),
                    }),
                ) => {
                    self.type_name(Some(name), Place::Value);
                }
                (
                    "owned_by",
                    Some(Node {
                        node: Some(NodeEnum::List(names)),
                    }),
                ) if owner.is_some() => {
                    self.owned_by(&names.items, option);
                }
                (name, _) => {
                    let what = format!("option {}", shown(name));
                    self.deny(
                        what,
                        "it is not among the options that the guard knows",
                        option.location,
                    );
                }
            }
        }
    }

    /// A sequence that a column owns is dropped with it.
    fn owned_by(&mut self, names: &[Node], option: &DefElem) {
        if strings(names).as_deref() == Some(&["none"]) {
            return;
        }
        let table = names.split_last().map_or(names, |(_, table)| table);
        if let Some(table) = self.listed("relation", table, option.location) {
            self.alter(&table, Action::Default);
            self.touched(Role::Altered, &table);
        }
    }

    fn new_type(&mut self, names: &[Node]) {
        self.is_change(ChangeKind::CreateType);
        if let Some(name) = self.listed("type", names, -1) {
            self.on(Kind::CreateType, &name);
            self.touched(Role::Created, &name);
        }
    }

    /// CREATE TYPE ... AS ENUM.
    pub fn create_enum(&mut self, create: &CreateEnumStmt) {
        self.new_type(&create.type_name);
    }

    /// CREATE TYPE ... AS ( ... ).
    pub fn create_composite(&mut self, create: &CompositeTypeStmt) {
        self.is_change(ChangeKind::CreateType);
        if let Some(name) = self.relation(create.typevar.as_ref()) {
            self.on(Kind::CreateType, &name);
            self.touched(Role::Created, &name);
        }
        self.column_types(&create.coldeflist);
    }

    /// CREATE DOMAIN.
    pub fn create_domain(&mut self, create: &CreateDomainStmt) {
        self.new_type(&create.domainname);
        self.type_name(create.type_name.as_ref(), Place::Value);
        if let Some(collate) = &create.coll_clause {
            self.collation(&collate.collname, collate.location);
        }
        let scope = self.own_level();
        for constraint in &create.constraints {
            self.constraint_node(constraint, Base::New, scope);
        }
    }

    /// ALTER TYPE ... ADD VALUE and RENAME VALUE.
    pub fn alter_enum(&mut self, alter: &AlterEnumStmt) {
        self.is_change(ChangeKind::AlterType);
        if let Some(name) = self.listed("type", &alter.type_name, -1) {
            self.on(Kind::EnumValue, &name);
            self.touched(Role::Altered, &name);
        }
    }

    /// CREATE SCHEMA.
    pub fn create_schema(&mut self, create: &CreateSchemaStmt) {
        self.is_change(ChangeKind::CreateSchema);
        if create.authrole.is_some() {
            self.deny("AUTHORIZATION", "owners are the operator's choice", -1);
        }
        if !create.schema_elts.is_empty() {
            self.deny(
                "CREATE SCHEMA with its contents",
                "make them with statements of their own",
                -1,
            );
        }
        if let Some(schema) = self.schema(&create.schemaname) {
            let kind = Kind::CreateSchema;
            let subject = Subject::Schema(schema);
            self.need(Need::Grant(Grant { kind, subject }));
        }
    }

    fn schema(&mut self, name: &str) -> Option<Ident> {
        let schema = match forbidden_schema(name) {
            Some(why) => Err(why),
            None => Ident::new(name),
        };
        match schema {
            Ok(schema) => Some(schema),
            Err(why) => {
                self.deny(format!("schema {}", shown(name)), why, -1);
                None
            }
        }
    }

    /// CREATE EXTENSION, which must name its schema: else it would go where the search path begins.
    pub fn create_extension(&mut self, create: &CreateExtensionStmt) {
        self.is_change(ChangeKind::CreateExtension);
        let mut schema = None;
        for option in &create.options {
            let Some(NodeEnum::DefElem(option)) = &option.node else {
                self.deny_node(option);
                continue;
            };
            let value = option.arg.as_deref().and_then(string);
            match (option.defname.as_str(), value) {
                ("schema", Some(name)) => schema = Some(name),
                ("new_version", Some(_)) => {}
                ("cascade", _) => self.deny(
                    "CASCADE",
                    "it makes extensions that are not named",
                    option.location,
                ),
                (name, _) => self.deny(
                    format!("option {}", shown(name)),
                    "it is not among the options that the guard knows",
                    option.location,
                ),
            }
        }
        let Some(schema) = schema else {
            return self.deny(
                "CREATE EXTENSION without SCHEMA",
                "it would go into pg_catalog",
                -1,
            );
        };
        let schema = self.schema(schema);
        match (Ident::new(&create.extname), schema) {
            (Ok(name), Some(schema)) => {
                let kind = Kind::Extension;
                let subject = Subject::Extension(name, schema);
                self.need(Need::Grant(Grant { kind, subject }));
            }
            (Err(why), _) => self.deny("an extension", why, -1),
            (Ok(_), None) => {}
        }
    }

    /// DROP.
    pub fn drop(&mut self, drop: &DropStmt) {
        if drop.behavior() == DropBehavior::DropCascade {
            self.deny("CASCADE", "it reaches objects that are not named", -1);
        }
        self.is_change(match drop.remove_type() {
            ObjectType::ObjectExtension => ChangeKind::DropExtension,
            ObjectType::ObjectFunction | ObjectType::ObjectTrigger | ObjectType::ObjectPolicy => {
                ChangeKind::Code
            }
            _ => ChangeKind::Drop,
        });
        if drop.concurrent {
            self.outside_transaction();
        }
        for object in &drop.objects {
            self.drop_object(drop.remove_type(), object);
        }
    }

    fn drop_object(&mut self, kind: ObjectType, object: &Node) {
        let names: &[Node] = match &object.node {
            Some(NodeEnum::List(list)) => &list.items,
            Some(NodeEnum::TypeName(name)) => &name.names,
            Some(NodeEnum::ObjectWithArgs(function)) => &function.objname,
            Some(NodeEnum::String(_)) => std::slice::from_ref(object),
            _ => return self.deny_node(object),
        };
        match kind {
            ObjectType::ObjectTable => self.drop_as(Kind::DropTable, names),
            ObjectType::ObjectView => self.drop_as(Kind::DropView, names),
            ObjectType::ObjectMatview => self.drop_as(Kind::DropMatview, names),
            ObjectType::ObjectSequence => self.drop_as(Kind::DropSequence, names),
            ObjectType::ObjectType | ObjectType::ObjectDomain => {
                self.drop_as(Kind::DropType, names)
            }
            ObjectType::ObjectIndex => self.drop_part(Kind::Index, Object::Index, names),
            ObjectType::ObjectStatisticExt => {
                self.drop_part(Kind::Statistics, Object::Statistics, names);
            }
            ObjectType::ObjectFunction => {
                if let Some(name) = self.listed("function", names, -1) {
                    self.code(Kind::CodeFunction, name);
                }
            }
            ObjectType::ObjectTrigger => self.drop_code(Kind::CodeTrigger, names),
            ObjectType::ObjectPolicy => self.drop_code(Kind::CodePolicy, names),
            ObjectType::ObjectExtension => match strings(names).as_deref() {
                Some([name]) => match Ident::new(name) {
                    Ok(name) => self.need(Need::Extension(name)),
                    Err(why) => self.deny("an extension", why, -1),
                },
                _ => self.deny_node(object),
            },
            _ => self.deny(format!("DROP {}", words(kind)), UNGRANTED, -1),
        }
    }

    fn drop_as(&mut self, kind: Kind, names: &[Node]) {
        if let Some(name) = self.listed("relation", names, -1) {
            self.on(kind, &name);
            self.touched(Role::Dropped, &name);
        }
    }

    fn drop_part(&mut self, kind: Kind, object: Object, names: &[Node]) {
        if let Some(name) = self.listed(&object.to_string(), names, -1) {
            self.owner(kind, object, &name);
        }
    }

    /// A trigger or a policy, named after its table.
    fn drop_code(&mut self, kind: Kind, names: &[Node]) {
        let Some((name, table)) = names.split_last() else {
            return;
        };
        if let Some(table) = self.listed("relation", table, -1) {
            self.code_on(kind, &table, string(name).unwrap_or_default());
        }
    }

    /// Notes the need of code that lives on a table: it is named in the table's schema.
    pub fn code_on(&mut self, kind: Kind, table: &Name, name: &str) {
        self.touched(Role::Altered, table);
        match Ident::new(name) {
            Ok(name) => {
                let schema = table.schema.clone();
                self.code(kind, Name { schema, name });
            }
            Err(why) => self.deny(format!("the name {}", shown(name)), why, -1),
        }
    }
}
