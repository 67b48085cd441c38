//! What statements outside of transactions have left behind: asked of the catalog after a crash, and before and
//! after each of them.

use serde::Deserialize;

use super::failure::Failure;
use super::session::Session;
use super::wanted::IndexSpec;
use super::{Expected, Standing, qualified};

/// What an index is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Built {
    /// Nothing has its name.
    Absent,
    /// It is valid, ready and live.
    Whole,
    /// A build or a drop of it did not come to its end.
    Broken,
    /// Something else has its name.
    Other,
}

/// A partition that is to be detached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Attached {
    /// It is one.
    Yes,
    /// A detachment has begun and did not come to its end.
    Half,
    /// It is none.
    No,
}

const OF_LEFTOVERS: &str = "SELECT json_agg(json_build_array(n.nspname, c.relname) ORDER BY c.relname)::text \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND ";

impl Session {
    /// What an index of that name is good for.
    pub async fn built(&self, schema: &str, name: &str) -> Result<Built, Failure> {
        let sql = "SELECT to_json(CASE WHEN i.indexrelid IS NULL THEN 'Other' \
              WHEN i.indisvalid AND i.indisready AND i.indislive THEN 'Whole' ELSE 'Broken' END)::text \
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
              LEFT JOIN pg_index i ON i.indexrelid = c.oid WHERE n.nspname = $1 AND c.relname = $2";
        Ok(self
            .json(sql, &[schema, name])
            .await?
            .unwrap_or(Built::Absent))
    }

    /// Whether an index is as it is wanted; where not, how it differs.
    pub async fn differs(&self, spec: &IndexSpec) -> Result<Option<String>, Failure> {
        let specs = std::slice::from_ref(spec);
        let lookups = self.find_indexes(specs, Expected::Present).await?;
        let standings = self.compare_indexes(specs, lookups).await?;
        Ok(match standings.into_iter().next() {
            Some(Standing::Different(how)) => Some(how),
            _ => None,
        })
    }

    /// The indexes that REINDEX CONCURRENTLY of a table left when it was interrupted.
    /// Source: PostgreSQL, REINDEX, "Rebuilding Indexes Concurrently".
    pub async fn leftovers_on(
        &self,
        schema: &str,
        table: &str,
    ) -> Result<Vec<(String, String)>, Failure> {
        let sql = format!("{OF_LEFTOVERS} i.indrelid = to_regclass($1)");
        Ok(self
            .json(&sql, &[&qualified(schema, table)])
            .await?
            .unwrap_or_default())
    }

    /// The same of one index.
    pub async fn leftovers_of(
        &self,
        schema: &str,
        index: &str,
    ) -> Result<Vec<(String, String)>, Failure> {
        let sql = format!(
            "{OF_LEFTOVERS} i.indrelid = (SELECT o.indrelid FROM pg_index o \
               WHERE o.indexrelid = to_regclass($1)) AND starts_with(c.relname::text, left($2, 50))"
        );
        let params = [&*qualified(schema, index), index];
        Ok(self.json(&sql, &params).await?.unwrap_or_default())
    }

    /// About how many rows a table has, where a unique index has just these columns, in this order, and none of them
    /// takes NULL: then each row has its place in their order.
    pub async fn key_of(
        &self,
        schema: &str,
        table: &str,
        key: &[String],
    ) -> Result<Option<u64>, Failure> {
        let sql = "SELECT to_json(greatest(t.reltuples, 0)::bigint)::text FROM pg_class t \
            WHERE t.oid = to_regclass($1) AND EXISTS (SELECT FROM pg_index i \
              JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam \
              WHERE i.indrelid = t.oid AND i.indisunique AND i.indimmediate AND i.indisvalid \
                AND i.indpred IS NULL AND i.indexprs IS NULL AND m.amname = 'btree' \
                AND (SELECT json_agg(a.attname ORDER BY k.place)::text FROM unnest(i.indkey::int2[]) \
                    WITH ORDINALITY AS k (number, place) JOIN pg_attribute a \
                      ON a.attrelid = i.indrelid AND a.attnum = k.number AND a.attnotnull \
                  WHERE k.place <= i.indnkeyatts) = (SELECT json_agg(w)::text FROM json_array_elements_text($2::json) w))";
        let key = serde_json::json!(key).to_string();
        self.json(sql, &[&qualified(schema, table), &key]).await
    }

    /// Whether a table is a partition of another.
    pub async fn attached(
        &self,
        table: (&str, &str),
        partition: (&str, &str),
    ) -> Result<Attached, Failure> {
        let sql = "SELECT to_json(CASE WHEN inhdetachpending THEN 'Half' ELSE 'Yes' END)::text FROM pg_inherits \
            WHERE inhparent = to_regclass($1) AND inhrelid = to_regclass($2)";
        let params = [
            &*qualified(table.0, table.1),
            &*qualified(partition.0, partition.1),
        ];
        Ok(self.json(sql, &params).await?.unwrap_or(Attached::No))
    }
}
