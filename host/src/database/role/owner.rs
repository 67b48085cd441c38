//! Who owns what a statement changes: DDL and LOCK TABLE run as the owner.

use serde::Deserialize;
use serde_json::json;

use crate::database::failure::Failure;
use crate::database::session::Session;
use crate::database::{qualified, quoted};

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

/// The look-up of one kind. `MEMBER` counts a membership without SET too, from 16 on it is `SET` that tells. Names
/// are looked up by functions: planning joins would take longer than running them.
fn of_kind(catalog: &str, lookup: &str, owner: &str, namespace: &str, kind: &str) -> String {
    format!(
        "SELECT (t.value ->> 0)::integer AS place, o.{owner} AS owner, o.{namespace} AS namespace \
         FROM json_array_elements($1::text::json -> '{kind}') t JOIN {catalog} o ON o.oid = {lookup}(t.value ->> 1)"
    )
}

impl Session {
    /// The owners of objects, as kind, schema and name; those that don't exist are missing from the answer.
    /// The settings must be pinned.
    pub async fn owners(&self, objects: &[(Kind, &str, &str)]) -> Result<Vec<Owner>, Failure> {
        let mut asked = serde_json::Map::new();
        for (place, (kind, schema, name)) in objects.iter().enumerate() {
            let (key, name) = match kind {
                Kind::Relation => ("relation", qualified(schema, name)),
                Kind::Type => ("type", qualified(schema, name)),
                Kind::Schema => ("schema", quoted(schema)),
            };
            let list = asked.entry(key).or_insert_with(|| json!([]));
            list.as_array_mut()
                .into_iter()
                .for_each(|list| list.push(json!([place, name])));
        }
        let kinds = [
            of_kind(
                "pg_class",
                "to_regclass",
                "relowner",
                "relnamespace",
                "relation",
            ),
            of_kind("pg_type", "to_regtype", "typowner", "typnamespace", "type"),
            of_kind(
                "pg_namespace",
                "to_regnamespace",
                "nspowner",
                "oid",
                "schema",
            ),
        ];
        let there = ["relation", "type", "schema"].map(|kind| asked.contains_key(kind));
        let lookups: Vec<String> = std::iter::zip(kinds, there)
            .filter_map(|(sql, there)| there.then_some(sql))
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
