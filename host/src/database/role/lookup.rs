//! What exists of that which is to be granted, whose it is, and what the login may do: one query.

use serde::Deserialize;
use serde_json::json;

use super::Privileges;
use crate::database::label;

/// The answer of the catalog.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Lookup {
    pub login: String,
    pub superuser: bool,
    createrole: bool,
    /// From 16 on each membership says for itself.
    inherits: bool,
    recovery: bool,
    pub tables: Vec<Table>,
    pub sequences: Vec<Object>,
    pub routines: Vec<Object>,
    pub types: Vec<Object>,
    pub schemas: Vec<Object>,
}

/// A table and the sequences of its columns.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Table {
    pub schema: String,
    pub name: String,
    pub owner: String,
    /// Whether the login has the owner's privileges, and so can grant.
    pub may: bool,
    pub sequences: Vec<Object>,
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

/// Asks for a JSON text of the form of [`question`]. The comparisons are of texts: a cast to `name` would cut a
/// long name to another one. Source: PostgreSQL, "Access Privilege Inquiry Functions".
pub(super) const SQL: &str = "\
WITH q AS (SELECT $1::text::json AS j) \
SELECT json_build_object( \
  'login', current_user, 'superuser', r.rolsuper, 'createrole', r.rolcreaterole, \
  'inherits', r.rolinherit OR current_setting('server_version_num')::integer >= 160000, \
  'recovery', pg_is_in_recovery(), \
  'tables', (SELECT coalesce(json_agg(json_build_object('schema', n.nspname, 'name', c.relname, \
      'owner', pg_get_userbyid(c.relowner), 'may', pg_has_role(c.relowner, 'USAGE'), \
      'sequences', (SELECT coalesce(json_agg(json_build_object( \
          'sql', format('%I.%I', sn.nspname, s.relname), 'owner', pg_get_userbyid(s.relowner), \
          'may', pg_has_role(s.relowner, 'USAGE'), \
          'public', has_sequence_privilege('public', s.oid, 'USAGE'))), '[]') \
        FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
          JOIN pg_namespace sn ON sn.oid = s.relnamespace \
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid \
          AND d.classid = 'pg_class'::regclass AND d.deptype = 'a'))), '[]') \
    FROM json_array_elements(j -> 'tables') t JOIN pg_namespace n ON n.nspname = t ->> 0 \
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t ->> 1 \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')), \
  'sequences', (SELECT coalesce(json_agg(json_build_object('place', t.ordinality - 1, \
      'sql', format('%I.%I', n.nspname, c.relname), 'owner', pg_get_userbyid(c.relowner), \
      'may', pg_has_role(c.relowner, 'USAGE'), \
      'public', has_sequence_privilege('public', c.oid, 'USAGE'))), '[]') \
    FROM json_array_elements(j -> 'sequences') WITH ORDINALITY t \
      JOIN pg_namespace n ON n.nspname = t.value ->> 0 \
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.value ->> 1 WHERE c.relkind = 'S'), \
  'routines', (SELECT coalesce(json_agg(json_build_object('place', t.ordinality - 1, \
      'sql', format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), \
      'owner', pg_get_userbyid(p.proowner), 'may', pg_has_role(p.proowner, 'USAGE'), \
      'public', has_function_privilege('public', p.oid, 'EXECUTE'))), '[]') \
    FROM json_array_elements_text(j -> 'routines') WITH ORDINALITY t \
      JOIN pg_proc p ON p.oid = to_regprocedure(t.value) JOIN pg_namespace n ON n.oid = p.pronamespace), \
  'types', (SELECT coalesce(json_agg(json_build_object('place', t.ordinality - 1, \
      'sql', format('%I.%I', n.nspname, y.typname), 'owner', pg_get_userbyid(y.typowner), \
      'may', pg_has_role(y.typowner, 'USAGE'), \
      'public', has_type_privilege('public', y.oid, 'USAGE'))), '[]') \
    FROM json_array_elements(j -> 'types') WITH ORDINALITY t \
      JOIN pg_namespace n ON n.nspname = t.value ->> 0 \
      JOIN pg_type y ON y.typnamespace = n.oid AND y.typname = t.value ->> 1), \
  'schemas', (SELECT coalesce(json_agg(json_build_object('place', t.ordinality - 1, \
      'sql', quote_ident(n.nspname), 'owner', pg_get_userbyid(n.nspowner), \
      'may', pg_has_role(n.nspowner, 'USAGE') \
        OR has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION'), \
      'public', has_schema_privilege('public', n.oid, 'USAGE'))), '[]') \
    FROM json_array_elements_text(j -> 'schemas') WITH ORDINALITY t \
      JOIN pg_namespace n ON n.nspname = t.value))::text \
FROM q, pg_roles r WHERE r.rolname = current_user";

/// The text that [`SQL`] takes; refused where it names what no role may be given.
pub(super) fn question(privileges: &Privileges) -> Result<String, String> {
    let schemas = privileges.all_schemas();
    let reserved = |schema: &&&str| {
        matches!(**schema, "wasmigrate" | "information_schema") || schema.starts_with("pg_")
    };
    if let Some(schema) = schemas.iter().find(reserved) {
        return Err(format!("nothing in the schema {schema} is ever granted"));
    }
    let mut tables: Vec<(&str, &str)> = privileges
        .tables
        .iter()
        .map(|table| (table.schema.as_str(), table.name.as_str()))
        .collect();
    tables.sort_unstable();
    tables.dedup();
    let routines: Vec<String> = privileges
        .routines
        .iter()
        .map(|routine| {
            let name = crate::database::qualified(&routine.schema, &routine.name);
            format!("{name}({})", routine.arguments.join(", "))
        })
        .collect();
    Ok(json!({
        "tables": tables,
        "sequences": privileges.sequences,
        "routines": routines,
        "types": privileges.types,
        "schemas": schemas,
    })
    .to_string())
}

impl Lookup {
    /// Why no role can be made, where none can.
    pub fn obstacle(&self) -> Option<String> {
        let login = &self.login;
        if self.recovery {
            return Some("the server is a standby, on which no role can be made".to_owned());
        }
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

    /// What the question named and the catalog does not have.
    pub fn absent(&self, privileges: &Privileges) -> Vec<String> {
        let mut absent = Vec::new();
        for table in &privileges.tables {
            let found = |found: &Table| found.schema == table.schema && found.name == table.name;
            if !self.tables.iter().any(found) {
                absent.push(label(&table.schema, &table.name));
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
