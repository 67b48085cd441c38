//! The interface `batches`: a table in ranges of a unique key. In stepwise mode a range is a transaction, which
//! is committed with its position when the next one is asked for.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wasmtime::component::Resource;

use super::state::{Answer, Fault, State};
use super::steps::Call;
use super::wit::{batches, types};
use crate::database::{Data, Value, label, qualified, quoted};

/// The most rows that a range may have.
const MOST_ROWS: u32 = 100_000;
/// The most columns that a key may have, as that of an index. Source: PostgreSQL, "Limits".
const MOST_COLUMNS: usize = 32;

/// A way through a table that a guest has open.
pub struct OpenRanges {
    pace: batches::Pace,
    /// Where it is, and where it ends; without an end there is nothing to go through.
    after: Option<Vec<String>>,
    end: Option<Vec<String>>,
    size: u32,
    /// Since when the guest works on the last range.
    since: Option<Instant>,
    done: u64,
    total: u64,
}

/// What the journal keeps of a beginning.
#[derive(Serialize, Deserialize)]
struct Begun {
    end: Option<Vec<String>>,
    total: u64,
}

/// What the journal keeps of a range.
#[derive(Serialize, Deserialize)]
struct KeptRange {
    up_to: Vec<String>,
    rows: u64,
    size: u32,
}

impl batches::Host for State {}

impl batches::HostRanges for State {
    async fn open(
        &mut self,
        pace: batches::Pace,
    ) -> wasmtime::Result<Result<Resource<OpenRanges>, types::Error>> {
        let answer = self.open_ranges(pace).await;
        self.answer(answer)
    }

    async fn next(
        &mut self,
        ranges: Resource<OpenRanges>,
    ) -> wasmtime::Result<Result<Option<batches::Range>, types::Error>> {
        let answer = self.next_range(&ranges).await;
        self.answer(answer)
    }

    async fn drop(&mut self, ranges: Resource<OpenRanges>) -> wasmtime::Result<()> {
        self.table.delete(ranges)?;
        if self.ready().is_ok() {
            let ended = self.end_batch().await;
            // a drop has no answer, so a failure shows at the next call
            let _ = self.answer(ended)?;
        }
        Ok(())
    }
}

impl State {
    /// Commits what was done since the last range was asked for.
    pub(super) async fn end_batch(&mut self) -> Answer<()> {
        match &mut self.stepping {
            Some(stepping) if stepping.in_batch => {
                stepping.in_batch = false;
                self.commit_transaction(None).await
            }
            _ => Ok(()),
        }
    }

    async fn open_ranges(&mut self, pace: batches::Pace) -> Answer<Resource<OpenRanges>> {
        self.ready_to_write()?;
        let what = format!("batches of {}", label(&pace.table.schema, &pace.table.name));
        let unsupported = |why: &str| Fault::unsupported(format!("failed to begin {what}"), why);
        if self
            .stepping
            .as_ref()
            .is_some_and(|stepping| stepping.in_batch)
        {
            return Err(unsupported("a range of another is open: end it first"));
        }
        if pace.key.is_empty() || pace.key.len() > MOST_COLUMNS {
            return Err(unsupported("a key has 1 to 32 columns"));
        }
        let names = [&pace.table.schema, &pace.table.name];
        if names
            .into_iter()
            .chain(&pace.key)
            .any(|name| name.contains('\0'))
        {
            return Err(unsupported("a name holds a NUL character"));
        }
        let given = (&pace.table.schema, &pace.table.name, &pace.key, pace.size);
        let begun = match self
            .begin_step(Call::asking("batches", &what, &given))
            .await?
        {
            Some(begun) => begun,
            None => {
                let begun = self.look_at_table(&pace, &what).await?;
                self.end_step(&begun, false).await?;
                begun
            }
        };
        let size = pace.size.clamp(1, MOST_ROWS);
        let open = OpenRanges {
            after: None,
            end: begun.end,
            size,
            since: None,
            done: 0,
            total: begun.total,
            pace,
        };
        let handle = self.table.push(open);
        handle.map_err(|error| Fault::handles(&error, self.meter.limits()))
    }

    async fn look_at_table(&mut self, pace: &batches::Pace, what: &str) -> Answer<Begun> {
        let columns: Vec<String> = pace.key.iter().map(|column| quoted(column)).collect();
        let listed = |column: &dyn Fn(&str) -> String| {
            let listed: Vec<String> = columns.iter().map(|name| column(name)).collect();
            listed.join(", ")
        };
        // qualified, since a bare name is that of a result's column first, which is text
        let sql = format!(
            "SELECT {} FROM {} AS w ORDER BY {} LIMIT 1",
            listed(&|name| format!("w.{name}::text")),
            qualified(&pace.table.schema, &pace.table.name),
            listed(&|name| format!("w.{name} DESC")),
        );
        // the grants first: what a table without a key is told would tell of it
        let end = self.one_row(&sql, &[]).await?;
        let (schema, name) = (pace.table.schema.clone(), pace.table.name.clone());
        let key = pace.key.clone();
        let total = self
            .ask(what, async |session| {
                session.key_of(&schema, &name, &key).await
            })
            .await?;
        match total {
            Some(total) => Ok(Begun { end, total }),
            None => Err(Fault::unsupported(
                format!("failed to begin {what}"),
                format!(
                    "no unique index has just the columns {}, or one of them takes NULL, or is of a type with operators of \
                     its own, as citext",
                    columns.join(", ")
                ),
            )),
        }
    }

    async fn next_range(
        &mut self,
        handle: &Resource<OpenRanges>,
    ) -> Answer<Option<batches::Range>> {
        self.ready()?;
        let was_open = self
            .stepping
            .as_ref()
            .is_some_and(|stepping| stepping.in_batch);
        self.end_batch().await?;
        let open = self.ranges(handle)?;
        if let Some(since) = open.since.take() {
            open.size = adapted(open.size, open.pace.target_ms, since.elapsed());
        }
        let pause = Duration::from_millis(open.pace.pause_ms.into());
        let (pace, after, size) = (open.pace.clone(), open.after.clone(), open.size);
        let end = open.end.clone();
        if was_open && !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let what = format!("a range of {}", label(&pace.table.schema, &pace.table.name));
        let given = (&pace.table.schema, &pace.table.name, &pace.key, &after);
        let kept = match self
            .begin_step(Call::asking("range", &what, &given))
            .await?
        {
            Some(kept) => kept,
            None => {
                let found = match &end {
                    Some(end) => self.find_range(&pace, after.as_deref(), end, size).await?,
                    None => None,
                };
                if found.is_some()
                    && let Some(stepping) = &mut self.stepping
                {
                    stepping.in_batch = true;
                }
                self.end_step(&found, false).await?;
                found
            }
        };
        let repeated = self.was_repeated();
        let open = self.ranges(handle)?;
        let Some(KeptRange { up_to, rows, size }) = kept else {
            return Ok(None);
        };
        let (before, total) = (open.done, open.total);
        open.size = size;
        open.after = Some(up_to.clone());
        open.done = open.done.saturating_add(rows);
        open.since = (!repeated).then(Instant::now);
        if !repeated {
            self.events.progress(before, total.max(before + rows));
        }
        Ok(Some(batches::Range { after, up_to, rows }))
    }

    async fn find_range(
        &mut self,
        pace: &batches::Pace,
        after: Option<&[String]>,
        end: &[String],
        size: u32,
    ) -> Answer<Option<KeptRange>> {
        let sql = range_sql(pace, after.is_some(), size);
        let params: Vec<Value> = after
            .unwrap_or_default()
            .iter()
            .chain(end)
            .map(|text| Value::Text(text.clone()))
            .collect();
        let Some(mut row) = self.one_row(&sql, &params).await? else {
            return Ok(None);
        };
        let rows = row.pop().and_then(|rows| rows.parse().ok()).unwrap_or(0);
        Ok(Some(KeptRange {
            up_to: row,
            rows,
            size,
        }))
    }

    /// The first row of a query whose columns are all text and not NULL, under the same walls as a guest's.
    async fn one_row(&mut self, sql: &str, params: &[Value]) -> Answer<Option<Vec<String>>> {
        let (mut rows, _) = self.opened(sql, params).await?;
        let batch = self.next_of(&mut rows, sql).await?;
        let closed = self.session.close(&mut rows).await;
        closed.map_err(|failure| self.fault(sql, failure))?;
        let Some(batch) = batch else {
            return Ok(None);
        };
        let first = |data: &Data| match data {
            Data::Text(var) => {
                let end = var.offsets.get(1).map_or(0, |end| *end as usize);
                let bytes = var.data.get(..end).unwrap_or_default();
                String::from_utf8_lossy(bytes).into_owned()
            }
            _ => String::new(),
        };
        Ok(Some(
            batch
                .columns
                .iter()
                .map(|column| first(&column.data))
                .collect(),
        ))
    }

    fn ranges(&mut self, handle: &Resource<OpenRanges>) -> Answer<&mut OpenRanges> {
        let limits = *self.meter.limits();
        let open = self.table.get_mut(handle);
        open.map_err(|error| Fault::handles(&error, &limits))
    }
}

/// The query for the last key of the next range, and how many rows that has.
fn range_sql(pace: &batches::Pace, has_after: bool, size: u32) -> String {
    let count = pace.key.len();
    // qualified, since a bare name in ORDER BY is that of a result's column first
    let names: Vec<String> = (pace.key.iter())
        .map(|column| format!("k.{}", quoted(column)))
        .collect();
    let list = names.join(", ");
    let places = |from: usize| {
        let places: Vec<String> = (from..from + count)
            .map(|place| format!("${place}"))
            .collect();
        places.join(", ")
    };
    let (after, end) = match has_after {
        true => (
            format!("ROW({list}) > ROW({}) AND ", places(1)),
            places(count + 1),
        ),
        false => (String::new(), places(1)),
    };
    let named: Vec<String> = (names.iter().enumerate())
        .map(|(place, name)| format!("{name} AS c{place}"))
        .collect();
    let inner: Vec<String> = (0..count).map(|place| format!("c{place}")).collect();
    let texts: Vec<String> = inner.iter().map(|name| format!("{name}::text")).collect();
    let table = qualified(&pace.table.schema, &pace.table.name);
    format!(
        "SELECT {}, r.n::text FROM (SELECT {inner}, row_number() OVER (ORDER BY {inner}) AS n \
           FROM (SELECT {} FROM {table} AS k WHERE {after}ROW({list}) <= ROW({end}) ORDER BY {list} LIMIT {size}) AS w) AS r \
         ORDER BY r.n DESC LIMIT 1",
        texts.join(", "),
        named.join(", "),
        inner = inner.join(", "),
    )
}

/// The size that would have taken the time wanted; it at most doubles or halves, so that one odd range does not
/// make the next one long.
fn adapted(size: u32, target_ms: u32, took: Duration) -> u32 {
    if target_ms == 0 {
        return size;
    }
    let ratio = f64::from(target_ms) / (took.as_secs_f64() * 1000.0).max(0.1);
    let wanted = f64::from(size) * ratio.clamp(0.5, 2.0);
    (wanted.round() as u32).clamp(1, MOST_ROWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_follows_the_time_and_stays_within_bounds() {
        let ms = Duration::from_millis;
        assert_eq!(adapted(1000, 100, ms(100)), 1000);
        assert_eq!(adapted(1000, 100, ms(125)), 800);
        assert_eq!(adapted(1000, 100, ms(1)), 2000);
        assert_eq!(adapted(1000, 100, ms(10_000)), 500);
        assert_eq!(adapted(1, 100, ms(10_000)), 1);
        assert_eq!(adapted(MOST_ROWS, 100, ms(1)), MOST_ROWS);
        assert_eq!(adapted(7, 0, ms(10_000)), 7);
    }

    #[test]
    fn a_range_is_asked_for_by_the_whole_key() {
        let pace = batches::Pace {
            table: types::Relation {
                schema: "s".into(),
                name: "t".into(),
            },
            key: vec!["a".into(), "b".into()],
            size: 10,
            target_ms: 0,
            pause_ms: 0,
        };
        assert_eq!(
            range_sql(&pace, true, 10),
            "SELECT c0::text, c1::text, r.n::text FROM (SELECT c0, c1, row_number() OVER (ORDER BY c0, c1) AS n \
             FROM (SELECT k.\"a\" AS c0, k.\"b\" AS c1 FROM \"s\".\"t\" AS k \
             WHERE ROW(k.\"a\", k.\"b\") > ROW($1, $2) AND ROW(k.\"a\", k.\"b\") <= ROW($3, $4) \
             ORDER BY k.\"a\", k.\"b\" LIMIT 10) AS w) AS r \
             ORDER BY r.n DESC LIMIT 1"
        );
    }
}
