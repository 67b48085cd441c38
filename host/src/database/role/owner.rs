//! Who owns what a statement changes: DDL and LOCK TABLE run as the owner.

use serde::Deserialize;
use serde_json::json;

use crate::database::failure::Failure;
use crate::database::session::Session;

/// What an object is, as far as its owner stands in another catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A table, an index, a sequence, a view.
    Relation,
    /// A type.
    Type,
    /// A schema; its name alone counts.
    Schema,
}

/// The owner of an object that exists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Owner {
    /// The object's place in the question.
    pub place: usize,
    /// The owner's name.
    pub owner: String,
    /// Whether it is the login itself: nothing need be switched.
    pub is_login: bool,
    /// Whether the login may act as the owner by SET ROLE.
    pub may_act: bool,
    /// Whether the login has the owner's privileges without acting as it: a foreign key between the tables
    /// of two owners is made as the login.
    pub inherits: bool,
    /// Whether the owner may create objects in the object's schema, as CREATE INDEX and a rename ask for. A
    /// superuser's tables may be a role's that may not.
    pub may_create: bool,
}

/// The look-up of one kind; `namespace` is the column that names the schema, none for a schema itself. A function
/// such as `to_regclass` would fail in a schema that the login may not use.
fn of_kind(kind: &str, catalog: &str, prefix: &str, namespace: Option<&str>) -> String {
    let found = match namespace {
        Some(column) => format!(
            "o.{prefix}name = t.value ->> 2 AND o.{column} = \
             (SELECT n.oid FROM pg_namespace n WHERE n.nspname = t.value ->> 1)"
        ),
        None => "o.nspname = t.value ->> 1".to_owned(),
    };
    let namespace = namespace.unwrap_or("oid");
    format!(
        "SELECT (t.value ->> 0)::integer AS place, o.{prefix}owner AS owner, o.{namespace} AS namespace \
         FROM json_array_elements($1::text::json -> '{kind}') t JOIN {catalog} o ON {found}"
    )
}

impl Session {
    /// The owners of objects, as kind, schema and name; those that don't exist are missing from the answer.
    /// The settings must be pinned.
    pub async fn owners(&self, objects: &[(Kind, &str, &str)]) -> Result<Vec<Owner>, Failure> {
        let mut asked = serde_json::Map::new();
        for (place, (kind, schema, name)) in objects.iter().enumerate() {
            let key = match kind {
                Kind::Relation => "relation",
                Kind::Type => "type",
                Kind::Schema => "schema",
            };
            if let Some(list) = asked.entry(key).or_insert_with(|| json!([])).as_array_mut() {
                list.push(json!([place, schema, name]));
            }
        }
        let kinds = [
            ("relation", "pg_class", "rel", Some("relnamespace")),
            ("type", "pg_type", "typ", Some("typnamespace")),
            ("schema", "pg_namespace", "nsp", None),
        ];
        let lookups: Vec<String> = kinds
            .into_iter()
            .filter(|(kind, ..)| asked.contains_key(*kind))
            .map(|(kind, catalog, prefix, namespace)| of_kind(kind, catalog, prefix, namespace))
            .collect();
        if lookups.is_empty() {
            return Ok(Vec::new());
        }
        let mode = if self.server() >= 16 { "SET" } else { "MEMBER" };
        let sql = format!(
            "SELECT coalesce(json_agg(json_build_object('place', o.place, 'owner', pg_get_userbyid(o.owner), \
               'is_login', pg_get_userbyid(o.owner) = current_user, \
               'may_act', pg_has_role(o.owner, '{mode}'), 'inherits', pg_has_role(o.owner, 'USAGE'), \
               'may_create', has_schema_privilege(o.owner, o.namespace, 'CREATE')) ORDER BY o.place), '[]')::text \
             FROM ({}) o",
            lookups.join(" UNION ALL ")
        );
        let asked = json!(asked).to_string();
        Ok(self.json(&sql, &[&asked]).await?.unwrap_or_default())
    }
}
