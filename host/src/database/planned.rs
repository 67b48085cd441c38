//! Whether the planner can answer a query by an index, and how long a query takes.

use std::time::{Duration, Instant};

use super::failure::Failure;
use super::session::Session;
use super::values::Value;

/// How a query stands to an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexUse {
    /// The plan uses it.
    Used,
    /// It could serve the query, but the planner prefers another way; the text names it.
    Passed(String),
    /// On a table of a few rows another index costs the same, so nothing is known; the text names it.
    Untold(String),
    /// It cannot serve the query; the text names what the plan uses instead.
    Unusable(String),
    /// There is no such index.
    Absent,
}

/// Sets of planner switches under which an index is tried, one after the other: all but sequential scans,
/// then bitmaps only, then plain index scans only.
const TRIALS: [&str; 3] = [
    "SAVEPOINT wasmigrate_plan; SET LOCAL enable_seqscan = off",
    "SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off",
    "SET LOCAL enable_indexscan = on; SET LOCAL enable_indexonlyscan = on; SET LOCAL enable_bitmapscan = off",
];

/// The rows, by the planner's statistics, up to which one index is as good as another.
const FEW_ROWS: f64 = 100.0;

/// An index and the indexes of partitions that belong to it.
const FAMILY: &str = "\
    WITH RECURSIVE family (oid) AS ( \
      SELECT i.indexrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 \
      UNION SELECT h.inhrelid FROM family f JOIN pg_inherits h ON h.inhparent = f.oid) \
    SELECT json_agg(json_build_array(n.nspname, c.relname))::text \
    FROM family f JOIN pg_class c ON c.oid = f.oid JOIN pg_namespace n ON n.oid = c.relnamespace";

impl Session {
    /// Asks the planner, without running the query. Its switches are as before afterwards.
    pub async fn index_use(
        &self,
        sql: &str,
        params: &[Value],
        index: (&str, &str),
    ) -> Result<IndexUse, Failure> {
        let name = [index.0, index.1];
        let (family, chosen) = tokio::join!(
            biased;
            self.json::<Vec<Name>>(FAMILY, &name),
            self.explain(sql, params),
        );
        let Some(family) = family? else {
            return Ok(IndexUse::Absent);
        };
        let chosen = chosen?;
        if chosen.uses(&family) {
            return Ok(IndexUse::Used);
        }
        let mut usable = false;
        let mut rival = None;
        for switches in TRIALS {
            // sent at once, answered in order
            let (switched, plan) =
                tokio::join!(biased; self.batch(switches), self.explain(sql, params));
            switched?;
            let plan = plan?;
            usable = plan.uses(&family);
            if usable {
                break;
            }
            if !plan.indexes.is_empty() {
                rival = Some(plan);
            }
        }
        self.batch("ROLLBACK TO wasmigrate_plan; RELEASE wasmigrate_plan")
            .await?;
        match rival {
            _ if usable => Ok(IndexUse::Passed(chosen.words())),
            Some(rival) if self.as_good(index, &rival).await? => {
                Ok(IndexUse::Untold(rival.words()))
            }
            _ => Ok(IndexUse::Unusable(chosen.words())),
        }
    }

    /// Whether a plan uses another index of the same table, and that is so small that the planner's costs
    /// tell nothing.
    async fn as_good(&self, index: (&str, &str), rival: &Plan) -> Result<bool, Failure> {
        let rivals = serde_json::json!(rival.indexes).to_string();
        // a table that was never analyzed has -1 there
        let sql = "SELECT max(CASE WHEN t.reltuples < 0 THEN pg_catalog.pg_relation_size(t.oid) / 100 \
              ELSE t.reltuples END)::text \
            FROM pg_catalog.pg_class i JOIN pg_catalog.pg_index x ON x.indexrelid = i.oid \
              JOIN pg_catalog.pg_class t ON t.oid = x.indrelid \
              JOIN pg_catalog.pg_namespace n ON n.oid = i.relnamespace \
            WHERE n.nspname = $1 AND i.relname = $2 AND EXISTS (SELECT \
              FROM pg_catalog.json_array_elements($3::text::json) AS e (rival) \
              JOIN pg_catalog.pg_class r ON r.relname = e.rival ->> 1 \
              JOIN pg_catalog.pg_namespace m ON m.oid = r.relnamespace AND m.nspname = e.rival ->> 0 \
              JOIN pg_catalog.pg_index y ON y.indexrelid = r.oid WHERE y.indrelid = t.oid)";
        let rows = self.text(sql, &[index.0, index.1, &rivals]).await?;
        Ok(rows
            .and_then(|rows| rows.parse().ok())
            .is_some_and(|rows: f64| rows <= FEW_ROWS))
    }

    /// The least time that the query took, rows read and discarded, in at most three runs; one that is
    /// within the limit at once is not run again.
    pub async fn latency(
        &self,
        sql: &str,
        params: &[Value],
        limit: Duration,
    ) -> Result<Duration, Failure> {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            self.execute(sql, params).await?;
            best = best.min(start.elapsed());
            if best <= limit {
                break;
            }
        }
        Ok(best)
    }

    async fn explain(&self, sql: &str, params: &[Value]) -> Result<Plan, Failure> {
        let text = self
            .first_text(&format!("EXPLAIN (VERBOSE, FORMAT JSON) {sql}"), params)
            .await?;
        let plan = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
        let mut found = Plan::default();
        found.collect(&plan, "");
        Ok(found)
    }
}

/// A schema and a name in it.
type Name = (String, String);

#[derive(Debug, Default)]
struct Plan {
    scans: Vec<String>,
    indexes: Vec<Name>,
}

impl Plan {
    fn uses(&self, family: &[Name]) -> bool {
        self.indexes.iter().any(|index| family.contains(index))
    }

    /// Collects from a node and those below it. A bitmap's index scan does not name the schema: it is that
    /// of the table in the node above, as an index lies in its table's schema.
    fn collect(&mut self, node: &serde_json::Value, schema: &str) {
        match node {
            serde_json::Value::Array(nodes) => {
                nodes.iter().for_each(|node| self.collect(node, schema));
            }
            serde_json::Value::Object(fields) => {
                let text = |key: &str| fields.get(key).and_then(|value| value.as_str());
                let schema = text("Schema").unwrap_or(schema);
                let kind = text("Node Type").unwrap_or("scan");
                if let Some(index) = text("Index Name") {
                    self.indexes.push((schema.to_owned(), index.to_owned()));
                    self.scans.push(format!("{kind} on {index}"));
                } else if let Some(table) = text("Relation Name")
                    && kind != "Bitmap Heap Scan"
                {
                    self.scans.push(format!("{kind} on {table}"));
                }
                fields
                    .values()
                    .for_each(|value| self.collect(value, schema));
            }
            _ => {}
        }
    }

    fn words(&self) -> String {
        if self.scans.is_empty() {
            "no scan of a table".into()
        } else {
            self.scans.join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_its_scans_and_indexes() {
        let plan = serde_json::json!([{"Plan": {"Node Type": "Bitmap Heap Scan", "Relation Name": "t",
            "Schema": "s", "Plans": [{"Node Type": "Bitmap Index Scan", "Index Name": "ix"}]}}]);
        let mut found = Plan::default();
        found.collect(&plan, "");
        assert!(found.uses(&[("s".into(), "ix".into())]));
        assert!(!found.uses(&[("t".into(), "ix".into())]));
        assert_eq!(found.words(), "Bitmap Index Scan on ix");
    }
}
