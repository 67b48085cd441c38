//! Functions, triggers and policies: code that runs later, and so is granted by its digest.
//!
//! The digest is the SHA-256 of the statement as the guest sends it, without white space and
//! semicolons at its ends; comments count. What else the statement names is needed as well.
//! Source: PostgreSQL, `CREATE FUNCTION`, `CREATE TRIGGER`, `CREATE POLICY`.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    CreateFunctionStmt, CreatePolicyStmt, CreateTrigStmt, DefElem, FunctionParameterMode, Node,
};
use sha2::{Digest, Sha256};

use crate::guard::grants::name::Name;
use crate::guard::grants::{Grant, Kind, Need, Subject};
use crate::guard::statement::columns::{Scope, Source};
use crate::guard::statement::types::Place;
use crate::guard::statement::walk::{Walker, shown, string};
use crate::guard::statement::{ChangeKind, Role};

/// Languages whose bodies are SQL or run SQL under the rights of whoever calls.
const LANGUAGES: &[&str] = &["plpgsql", "sql"];

/// Attributes of a function that do no harm beyond its body. Source: PostgreSQL, `CREATE FUNCTION`.
const ATTRIBUTES: &[&str] = &[
    "cost",
    "leakproof",
    "parallel",
    "rows",
    "security",
    "set",
    "strict",
    "volatility",
    "window",
];

/// The digest that a `code` grant holds for a statement.
pub fn digest(sql: &str) -> String {
    let text = sql.trim_matches(|c: char| c == ';' || c.is_ascii_whitespace());
    hex::encode(Sha256::digest(text.as_bytes()))
}

impl Walker<'_> {
    /// Notes the need of the grant for exactly this text.
    pub fn code(&mut self, kind: Kind, name: Name) {
        let subject = Subject::Code(name, digest(self.sql));
        self.need(Need::Grant(Grant { kind, subject }));
    }

    /// CREATE FUNCTION.
    pub fn create_function(&mut self, create: &CreateFunctionStmt) {
        self.is_change(ChangeKind::Code);
        if create.is_procedure {
            self.deny(
                "CREATE PROCEDURE",
                "a procedure may end the transaction, and no one may call it",
                -1,
            );
        }
        if let Some(name) = self.listed("function", &create.funcname, -1) {
            self.touched(Role::Created, &name);
            self.code(Kind::CodeFunction, name);
        }
        self.type_name(create.return_type.as_ref(), Place::Signature);
        let scope = self.level(None);
        let name = create.funcname.last().and_then(string).unwrap_or_default();
        // its parameters are names in its body, bare or after its own name
        self.add_source(scope, name, Source::Derived);
        for parameter in &create.parameters {
            match &parameter.node {
                Some(NodeEnum::FunctionParameter(parameter)) => {
                    if parameter.mode() == FunctionParameterMode::Undefined {
                        self.deny(
                            "a parameter",
                            "the guard does not know what it would do",
                            -1,
                        );
                    }
                    self.type_name(parameter.arg_type.as_ref(), Place::Signature);
                    self.maybe(parameter.defexpr.as_deref(), scope);
                }
                _ => self.deny_node(parameter),
            }
        }
        for option in &create.options {
            match &option.node {
                Some(NodeEnum::DefElem(option)) => self.attribute(option),
                _ => self.deny_node(option),
            }
        }
        if let Some(body) = &create.sql_body {
            self.body(body, scope);
        }
    }

    fn attribute(&mut self, option: &DefElem) {
        let value = option.arg.as_deref().and_then(string);
        match (option.defname.as_str(), value) {
            ("language", Some(language)) if LANGUAGES.contains(&language) => {}
            ("language", _) => {
                let what = format!("language {}", shown(value.unwrap_or_default()));
                self.deny(what, "only sql and plpgsql are known", option.location);
            }
            // one string is a body, two are a library's file and a symbol in it
            ("as", _) => match option.arg.as_deref().map(|node| &node.node) {
                Some(Some(NodeEnum::List(list))) if list.items.len() == 1 => {}
                _ => self.deny("AS with a file", "a function has a body", option.location),
            },
            (name, _) if ATTRIBUTES.contains(&name) => {}
            (name, _) => {
                let what = format!("attribute {}", shown(name));
                self.deny(
                    what,
                    "it is not among the attributes that the guard knows",
                    option.location,
                );
            }
        }
    }

    /// A body that is parsed with the statement: RETURN, or BEGIN ATOMIC with queries.
    fn body(&mut self, node: &Node, scope: Scope) {
        match &node.node {
            Some(NodeEnum::ReturnStmt(value)) => self.maybe(value.returnval.as_deref(), scope),
            Some(NodeEnum::List(list)) => {
                for item in &list.items {
                    self.body(item, scope);
                }
            }
            // an empty statement between two semicolons
            None => {}
            _ => {
                if !self.query(node, Some(scope)) {
                    self.deny_node(node);
                }
            }
        }
    }

    /// CREATE TRIGGER.
    pub fn create_trigger(&mut self, create: &CreateTrigStmt) {
        self.is_change(ChangeKind::Code);
        if let Some(table) = self.relation(create.relation.as_ref()) {
            self.code_on(Kind::CodeTrigger, &table, &create.trigname);
        }
        if let Some(function) = self.listed("function", &create.funcname, -1) {
            self.need_call(function, 0);
        }
        if create.constrrel.is_some()
            && let Some(table) = self.relation(create.constrrel.as_ref())
        {
            self.on(Kind::Reference, &table);
            self.touched(Role::Referenced, &table);
        }
        let scope = self.own_level();
        self.maybe(create.when_clause.as_deref(), scope);
    }

    /// CREATE POLICY. Its expressions read the row at hand; what else they read is needed.
    pub fn create_policy(&mut self, create: &CreatePolicyStmt) {
        self.is_change(ChangeKind::Code);
        let scope = self.level(None);
        if let Some(table) = self.relation(create.table.as_ref()) {
            self.code_on(Kind::CodePolicy, &table, &create.policy_name);
            self.add_source(scope, table.name.as_str(), Source::Derived);
        }
        self.maybe(create.qual.as_deref(), scope);
        self.maybe(create.with_check.as_deref(), scope);
    }
}
