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

/// `MEMBER` counts a membership without SET too, from 16 on it is `SET` that tells.
const SQL: &str = "\
SELECT coalesce(json_agg(json_build_object('place', o.place, 'owner', pg_get_userbyid(o.owner), \
  'is_login', pg_get_userbyid(o.owner) = current_user, \
  'may_act', pg_has_role(o.owner, '{mode}'), 'inherits', pg_has_role(o.owner, 'USAGE'), \
  'may_create', has_schema_privilege(o.owner, o.namespace, 'CREATE')) ORDER BY o.place), '[]')::text \
FROM (SELECT t.ordinality - 1 AS place, coalesce(c.relowner, y.typowner, s.nspowner) AS owner, \
    n.oid AS namespace \
  FROM json_array_elements($1::text::json) WITH ORDINALITY t \
    JOIN pg_namespace n ON n.nspname = t.value ->> 1 \
    LEFT JOIN pg_class c ON t.value ->> 0 = 'relation' AND c.relnamespace = n.oid \
      AND c.relname = t.value ->> 2 \
    LEFT JOIN pg_type y ON t.value ->> 0 = 'type' AND y.typnamespace = n.oid \
      AND y.typname = t.value ->> 2 \
    LEFT JOIN pg_namespace s ON t.value ->> 0 = 'schema' AND s.oid = n.oid) o \
WHERE o.owner IS NOT NULL";

impl Session {
    /// The owners of objects, as kind, schema and name; those that don't exist are missing from the answer.
    /// The settings must be pinned.
    pub async fn owners(&self, objects: &[(Kind, &str, &str)]) -> Result<Vec<Owner>, Failure> {
        let asked: Vec<_> = objects
            .iter()
            .map(|(kind, schema, name)| {
                let kind = match kind {
                    Kind::Relation => "relation",
                    Kind::Type => "type",
                    Kind::Schema => "schema",
                };
                json!([kind, schema, name])
            })
            .collect();
        let mode = if self.server() >= 16 { "SET" } else { "MEMBER" };
        let sql = SQL.replace("{mode}", mode);
        let asked = json!(asked).to_string();
        Ok(self.json(&sql, &[&asked]).await?.unwrap_or_default())
    }
}
