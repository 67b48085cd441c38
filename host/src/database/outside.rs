//! What statements outside of transactions have left behind: asked of the catalog after a crash, and before and
//! after each of them.

use std::fmt;

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

/// The keys of which an index would have more than one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicates {
    /// What the keys are: columns and expressions.
    pub of: Vec<String>,
    /// Some of them, each cut to what a line holds, with how many rows have it; those of most rows first.
    pub keys: Vec<(String, u64)>,
    /// Whether there are more.
    pub more: bool,
}

/// How many duplicate keys are named.
const MOST_DUPLICATES: usize = 10;

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.iter();
        let keys: Vec<_> = keys
            .map(|(key, rows)| format!("({key}) in {rows} rows"))
            .collect();
        let more = if self.more { ", and others" } else { "" };
        write!(
            f,
            "more than one row has the same ({}): {}{more}",
            self.of.join(", "),
            keys.join(", ")
        )
    }
}

const OF_LEFTOVERS: &str = "SELECT json_agg(json_build_array(n.nspname, c.relname) ORDER BY c.relname)::text \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND ";

impl Session {
    /// What an index of that name is good for; one of another table than is asked for is another's.
    pub async fn built(
        &self,
        schema: &str,
        name: &str,
        table: Option<&(String, String)>,
    ) -> Result<Built, Failure> {
        let sql = "SELECT to_json(CASE WHEN i.indexrelid IS NULL \
                OR $3 <> '' AND i.indrelid IS DISTINCT FROM to_regclass($3) THEN 'Other' \
              WHEN i.indisvalid AND i.indisready AND i.indislive THEN 'Whole' ELSE 'Broken' END)::text \
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
              LEFT JOIN pg_index i ON i.indexrelid = c.oid WHERE n.nspname = $1 AND c.relname = $2";
        let table = table.map_or(String::new(), |(schema, table)| qualified(schema, table));
        Ok(self
            .json(sql, &[schema, name, &table])
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

    /// The keys that keep a unique index from being built. The index's expressions are run.
    pub async fn duplicates(&self, index: &IndexSpec) -> Result<Duplicates, Failure> {
        let of: Vec<_> = index
            .keys
            .iter()
            .map(|key| key.target.to_string())
            .collect();
        let (sql, most) = (duplicates(index), MOST_DUPLICATES);
        let keys: Option<Vec<(String, u64)>> = self.json(&sql, &[]).await?;
        let mut keys = keys.unwrap_or_default();
        let more = keys.len() > most;
        keys.truncate(most);
        Ok(Duplicates { of, keys, more })
    }

    /// The indexes that REINDEX CONCURRENTLY of a table left when it was interrupted, on its partitions too, and on what
    /// they keep their long values in.
    /// Source: PostgreSQL, REINDEX, "Rebuilding Indexes Concurrently".
    pub async fn leftovers_on(
        &self,
        schema: &str,
        table: &str,
    ) -> Result<Vec<(String, String)>, Failure> {
        let sql = format!(
            "{OF_LEFTOVERS} i.indrelid IN (SELECT unnest(ARRAY[t.oid, t.reltoastrelid]) FROM pg_class t \
               WHERE t.oid = to_regclass($1) OR t.oid IN (SELECT relid FROM pg_partition_tree(to_regclass($1))))"
        );
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
    /// takes NULL: then each row has its place in their order. A type that brings its own operators is none to go by: its
    /// order is another than that of `<` under a search path of pg_catalog alone.
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
                    JOIN LATERAL (WITH RECURSIVE base AS (SELECT o.* FROM pg_type o WHERE o.oid = a.atttypid \
                        UNION ALL SELECT o.* FROM base b JOIN pg_type o ON o.oid = b.typbasetype WHERE b.typtype = 'd') \
                      SELECT FROM base b WHERE b.typtype <> 'd' AND (b.typnamespace = 'pg_catalog'::regnamespace \
                        OR b.typcategory = 'A' OR b.typtype IN ('e', 'r', 'm', 'c'))) t_known ON true \
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

/// The question for one more of an index's duplicate keys than are named. A key with a NULL in it is nobody's duplicate.
fn duplicates(index: &IndexSpec) -> String {
    let numbered = || index.keys.iter().enumerate();
    let list = |of_each: &dyn Fn(usize) -> String, between: &str| {
        let each: Vec<_> = numbered().map(|(place, _)| of_each(place)).collect();
        each.join(between)
    };
    let keys: Vec<_> = numbered()
        .map(|(place, key)| format!("({}) AS k{place}", key.target))
        .collect();
    let predicate = match &index.predicate {
        Some(predicate) => format!(" WHERE {predicate}"),
        None => String::new(),
    };
    format!(
        "SELECT json_agg(json_build_array(d.key, d.rows))::text FROM (SELECT concat_ws(', ', {}) AS key, \
           count(*) AS rows FROM (SELECT {} FROM {}{predicate}) t WHERE {} GROUP BY {} HAVING count(*) > 1 \
           ORDER BY 2 DESC, 1 LIMIT {}) d",
        list(&|place| format!("left(k{place}::text, 60)"), ", "),
        keys.join(", "),
        qualified(&index.schema, &index.table),
        list(&|place| format!("k{place} IS NOT NULL"), " AND "),
        list(&|place| format!("k{place}"), ", "),
        MOST_DUPLICATES + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_told_with_what_they_are_keys_of() {
        let mut found = Duplicates {
            of: vec!["a".into(), "lower(b)".into()],
            keys: vec![("1, x".into(), 3), ("2, y".into(), 2)],
            more: false,
        };
        let told =
            "more than one row has the same (a, lower(b)): (1, x) in 3 rows, (2, y) in 2 rows";
        assert_eq!(found.to_string(), told);
        found.more = true;
        assert_eq!(found.to_string(), format!("{told}, and others"));
    }
}
