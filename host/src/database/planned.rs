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
}

/// Sets of planner switches under which an index is tried: all but sequential scans, then bitmaps only,
/// then plain index scans only.
const TRIALS: [&str; 3] = [
    "SET LOCAL enable_seqscan = off",
    "SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off",
    "SET LOCAL enable_indexscan = on; SET LOCAL enable_indexonlyscan = on; SET LOCAL enable_bitmapscan = off",
];

/// The rows, by the planner's statistics, up to which one index is as good as another.
const FEW_ROWS: f64 = 100.0;

const SWITCHES_BACK: &str = "SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = on; \
    SET LOCAL enable_indexonlyscan = on; SET LOCAL enable_bitmapscan = on";

impl Session {
    /// Asks the planner, without running the query. Changes planner switches and puts them back.
    pub async fn index_use(
        &self,
        sql: &str,
        params: &[Value],
        index: &str,
    ) -> Result<IndexUse, Failure> {
        let chosen = self.explain(sql, params).await?;
        if chosen.indexes.iter().any(|used| used == index) {
            return Ok(IndexUse::Used);
        }
        let mut rival = None;
        for switches in TRIALS {
            self.batch(switches).await?;
            let plan = self.explain(sql, params).await?;
            if !plan.indexes.is_empty() {
                rival = Some(plan.words());
            }
            if plan.indexes.iter().any(|used| used == index) {
                self.batch(SWITCHES_BACK).await?;
                return Ok(IndexUse::Passed(chosen.words()));
            }
        }
        self.batch(SWITCHES_BACK).await?;
        match rival {
            Some(rival) if self.few_rows(index).await? => Ok(IndexUse::Untold(rival)),
            _ => Ok(IndexUse::Unusable(chosen.words())),
        }
    }

    /// Whether the table of an index is so small that the planner's costs tell nothing.
    async fn few_rows(&self, index: &str) -> Result<bool, Failure> {
        // a table that was never analyzed has -1 there
        let sql = "SELECT max(CASE WHEN t.reltuples < 0 THEN pg_catalog.pg_relation_size(t.oid) / 100 \
              ELSE t.reltuples END)::text \
            FROM pg_catalog.pg_class i JOIN pg_catalog.pg_index x ON x.indexrelid = i.oid JOIN pg_catalog.pg_class t ON t.oid = x.indrelid \
            WHERE i.relname = $1";
        let rows = self.text(sql, &[index]).await?;
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
            self.count(sql, params).await?;
            best = best.min(start.elapsed());
            if best <= limit {
                break;
            }
        }
        Ok(best)
    }

    async fn explain(&self, sql: &str, params: &[Value]) -> Result<Plan, Failure> {
        let text = self
            .first_text(&format!("EXPLAIN (FORMAT JSON) {sql}"), params)
            .await?;
        let plan = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
        let mut found = Plan::default();
        found.collect(&plan);
        Ok(found)
    }
}

#[derive(Debug, Default)]
struct Plan {
    scans: Vec<String>,
    indexes: Vec<String>,
}

impl Plan {
    fn collect(&mut self, node: &serde_json::Value) {
        match node {
            serde_json::Value::Array(nodes) => nodes.iter().for_each(|node| self.collect(node)),
            serde_json::Value::Object(fields) => {
                let text = |key: &str| fields.get(key).and_then(|value| value.as_str());
                if let Some(index) = text("Index Name") {
                    self.indexes.push(index.to_owned());
                    self.scans.push(format!(
                        "{} on {index}",
                        text("Node Type").unwrap_or("scan")
                    ));
                } else if let (Some(kind), Some(table)) = (text("Node Type"), text("Relation Name"))
                {
                    if kind != "Bitmap Heap Scan" {
                        self.scans.push(format!("{kind} on {table}"));
                    }
                }
                fields.values().for_each(|value| self.collect(value));
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
            "Plans": [{"Node Type": "Bitmap Index Scan", "Index Name": "ix"}]}}]);
        let mut found = Plan::default();
        found.collect(&plan);
        assert_eq!(found.indexes, ["ix"]);
        assert_eq!(found.words(), "Bitmap Index Scan on ix");
    }
}
