//! What exists of that which is to be granted, whose it is, and what the login may do: one query.

use serde::Deserialize;
use serde_json::json;

use super::{Privileges, Verb};
use crate::database::{label, qualified, quoted};

/// The answer of the catalog.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Lookup {
    pub login: String,
    pub superuser: bool,
    createrole: bool,
    /// From 16 on each membership says for itself.
    inherits: bool,
    pub database: String,
    /// Whether everybody may make what is temporary.
    pub temporary: bool,
    /// Whether the login may grant it.
    pub may_temporary: bool,
    /// Whether everybody may use the language of a probe.
    sql: bool,
    /// Whether there are event triggers.
    pub events: bool,
    #[serde(default)]
    pub tables: Vec<Table>,
    #[serde(default)]
    pub sequences: Vec<Object>,
    #[serde(default)]
    pub routines: Vec<Object>,
    #[serde(default)]
    pub types: Vec<Object>,
    pub schemas: Vec<Object>,
}

/// A table and the sequences of its columns.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Table {
    /// Its place in [`Privileges::all_tables`].
    pub place: usize,
    pub owner: String,
    /// Whether the login has the owner's privileges, and so can grant.
    pub may: bool,
    pub sequences: Vec<Object>,
    /// Its columns, where it is asked which there are.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// Something else that can be granted.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Object {
    /// Its place in the question.
    #[serde(default)]
    pub place: usize,
    /// How SQL writes it.
    pub sql: String,
    pub owner: String,
    pub may: bool,
    /// Whether PUBLIC holds the privilege, so that the role does.
    pub public: bool,
}

/// The longest name of PostgreSQL, in bytes: it cuts a longer one, to what may be another's name.
const LONGEST: usize = 63;

/// The query for a text of the form of [`question`]. Names are looked up by functions and not by joins, and
/// nothing stands in it that is not asked for: planning is what such a query costs. Names come out
/// qualified as `pg_catalog` alone is searched. Source: PostgreSQL, "Access Privilege Inquiry Functions".
pub(super) fn sql(privileges: &Privileges) -> String {
    let object = |key, catalog, lookup, name, owner, test, privilege| {
        format!(
            "'{key}', (SELECT coalesce(json_agg(json_build_object('place', t.place - 1, 'sql', {name}, \
               'owner', pg_get_userbyid(o.{owner}), 'may', pg_has_role(o.{owner}, 'USAGE'), \
               'public', {test}('public', o.oid, '{privilege}'))), '[]') \
             FROM json_array_elements_text($1::text::json -> '{key}') WITH ORDINALITY t (name, place) \
             JOIN {catalog} o ON o.oid = {lookup}(t.name))"
        )
    };
    let mut parts = vec![
        "'login', current_user, 'superuser', r.rolsuper, 'createrole', r.rolcreaterole, \
         'inherits', r.rolinherit OR current_setting('server_version_num')::integer >= 160000, \
         'database', current_database(), 'temporary', has_database_privilege('public', current_database(), 'TEMPORARY'), \
         'may_temporary', has_database_privilege(current_database(), 'TEMPORARY WITH GRANT OPTION'), \
         'sql', has_language_privilege('public', 'sql', 'USAGE'), \
         'events', EXISTS (SELECT FROM pg_event_trigger)"
            .to_owned(),
    ];
    if !privileges.tables.is_empty() {
        let inserted = privileges
            .tables
            .iter()
            .any(|table| table.verb == Verb::Insert);
        let sequences = if inserted {
            "(SELECT coalesce(json_agg(json_build_object('sql', s.oid::regclass, \
               'owner', pg_get_userbyid(s.relowner), 'may', pg_has_role(s.relowner, 'USAGE'), \
               'public', has_sequence_privilege('public', s.oid, 'USAGE'))), '[]') \
             FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
             WHERE d.refclassid = 1259 AND d.refobjid = o.oid AND d.classid = 1259 AND d.deptype = 'a')"
        } else {
            "'[]'::json"
        };
        // a column that is not there yet, or no longer, can't be granted on
        let columns = if privileges
            .tables
            .iter()
            .any(|table| !table.columns.is_empty())
        {
            "(SELECT coalesce(json_agg(a.attname), '[]') FROM pg_attribute a \
             WHERE a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped)"
        } else {
            "'[]'::json"
        };
        parts.push(format!(
            "'tables', (SELECT coalesce(json_agg(json_build_object('place', t.place - 1, \
               'owner', pg_get_userbyid(o.relowner), 'may', pg_has_role(o.relowner, 'USAGE'), \
               'sequences', {sequences}, 'columns', {columns})), '[]') \
             FROM json_array_elements_text($1::text::json -> 'tables') WITH ORDINALITY t (name, place) \
             JOIN pg_class o ON o.oid = to_regclass(t.name) \
             WHERE o.relkind IN ('r', 'p', 'v', 'm', 'f'))"
        ));
    }
    if !privileges.sequences.is_empty() {
        let part = object(
            "sequences",
            "(SELECT * FROM pg_class WHERE relkind = 'S')",
            "to_regclass",
            "o.oid::regclass",
            "relowner",
            "has_sequence_privilege",
            "UPDATE",
        );
        parts.push(part);
    }
    if !privileges.routines.is_empty() {
        let part = object(
            "routines",
            "pg_proc",
            "to_regprocedure",
            "o.oid::regprocedure",
            "proowner",
            "has_function_privilege",
            "EXECUTE",
        );
        parts.push(part);
    }
    if !privileges.types.is_empty() {
        let part = object(
            "types",
            "pg_type",
            "to_regtype",
            "o.oid::regtype",
            "typowner",
            "has_type_privilege",
            "USAGE",
        );
        parts.push(part);
    }
    let schemas = object(
        "schemas",
        "pg_namespace",
        "to_regnamespace",
        "o.oid::regnamespace",
        "nspowner",
        "has_schema_privilege",
        "USAGE",
    );
    parts.push(schemas);
    format!(
        "SELECT json_build_object({})::text FROM pg_roles r WHERE r.rolname = current_user",
        parts.join(", ")
    )
}

/// The text that the query takes; refused where it names what no role may be given.
pub(super) fn question(privileges: &Privileges) -> Result<String, String> {
    let schemas = privileges.all_schemas();
    let reserved = |schema: &&&str| {
        matches!(**schema, "wasmigrate" | "information_schema") || schema.starts_with("pg_")
    };
    if let Some(schema) = schemas.iter().find(reserved) {
        return Err(format!("nothing in the schema {schema} is ever granted"));
    }
    let pairs = |pairs: &[(String, String)]| -> Vec<String> {
        let qualify = |(schema, name): &(String, String)| qualified(schema, name);
        pairs.iter().map(qualify).collect()
    };
    let routines: Vec<String> = privileges
        .routines
        .iter()
        .map(|routine| {
            let name = qualified(&routine.schema, &routine.name);
            format!("{name}({})", routine.arguments.join(", "))
        })
        .collect();
    let tables = privileges.all_tables();
    let named = tables.iter().map(|(_, name)| *name);
    let mut named = named
        .chain(schemas.iter().copied())
        .chain(privileges.routines.iter().map(|routine| &*routine.name))
        .chain(privileges.sequences.iter().map(|(_, name)| &**name))
        .chain(privileges.types.iter().map(|(_, name)| &**name));
    if let Some(name) = named.find(|name| name.len() > LONGEST) {
        return Err(format!("a name has at most {LONGEST} bytes: {name}"));
    }
    let tables: Vec<String> = tables
        .into_iter()
        .map(|(schema, name)| qualified(schema, name))
        .collect();
    let schemas: Vec<String> = schemas.into_iter().map(quoted).collect();
    Ok(json!({
        "tables": tables,
        "sequences": pairs(&privileges.sequences),
        "routines": routines,
        "types": pairs(&privileges.types),
        "schemas": schemas,
    })
    .to_string())
}

impl Lookup {
    /// Why no role can be made, where none can.
    pub fn obstacle(&self) -> Option<String> {
        let login = &self.login;
        if self.superuser {
            return None;
        }
        if !self.createrole {
            return Some(format!("the login {login} does not have CREATEROLE"));
        }
        if !self.inherits {
            return Some(format!(
                "the login {login} is NOINHERIT, so it can't use the privileges of the owners"
            ));
        }
        None
    }

    /// Whether the role may make a temporary procedure.
    pub fn may_probe(&self) -> bool {
        self.sql && (self.temporary || self.may_temporary)
    }

    /// What the question named and the catalog does not have.
    pub fn absent(&self, privileges: &Privileges) -> Vec<String> {
        let mut absent = Vec::new();
        for (place, (schema, name)) in privileges.all_tables().into_iter().enumerate() {
            if !self.tables.iter().any(|found| found.place == place) {
                absent.push(label(schema, name));
            }
        }
        for (asked, found) in [
            (&privileges.sequences, &self.sequences),
            (&privileges.types, &self.types),
        ] {
            for (place, (schema, name)) in asked.iter().enumerate() {
                if !found.iter().any(|found| found.place == place) {
                    absent.push(label(schema, name));
                }
            }
        }
        for (place, routine) in privileges.routines.iter().enumerate() {
            if !self.routines.iter().any(|found| found.place == place) {
                let name = label(&routine.schema, &routine.name);
                absent.push(format!("{name}({})", routine.arguments.join(", ")));
            }
        }
        absent.sort_unstable();
        absent.dedup();
        absent
    }
}
