//! Going through a large table in ranges of a unique key.

use std::time::Duration;

use crate::bindings::wasmigrate::migration::batches as raw;
use crate::{Column, Ident, Result, Table, Value};

/// The way through a table, range by range.
///
/// In stepwise mode what is done for a range is one transaction, committed with the place that was reached: after
/// any interruption the migration goes on with the range that was not committed, and no row is changed twice. In
/// transactional mode all of it is part of the migration's one transaction.
///
/// ```no_run
/// use wasmigrate_sdk::prelude::*;
///
/// const READINGS: Table = Table::new("public", "readings");
///
/// fn fill() -> Result<u64> {
///     let mut changed = 0;
///     Batches::over(READINGS, ["id"]).each(|range| {
///         let sql = format!("UPDATE {READINGS} AS r SET value = 0 WHERE value IS NULL AND {}", range.filter("r", 1));
///         changed += execute(sql, &range.params())?;
///         Ok(())
///     })?;
///     Ok(changed)
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is gone through until `each` is called"]
pub struct Batches(raw::Pace);

/// Rows next to each other in the order of the key.
#[derive(Clone, Debug)]
pub struct Range {
    key: Vec<String>,
    raw: raw::Range,
}

impl Batches {
    /// Through a table, in the order of the columns of one of its unique indexes, none of which takes NULL. The
    /// first range has 1,000 rows; the size of the later ones is such that a range takes a second.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Batches, Table};
    /// let ways = Batches::over(Table::new("public", "readings"), ["sensor", "at"]);
    /// ```
    pub fn over(table: Table, key: impl IntoIterator<Item = impl Into<Column>>) -> Self {
        let key = key
            .into_iter()
            .map(|column| column.into().name().to_owned());
        Self(raw::Pace {
            table: table.into(),
            key: key.collect(),
            size: 1000,
            target_ms: 1000,
            pause_ms: 0,
        })
    }

    /// With so many rows in the first range.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Batches, Table};
    /// let ways = Batches::over(Table::new("public", "readings"), ["id"]).rows(10_000);
    /// ```
    pub fn rows(mut self, rows: u32) -> Self {
        self.0.size = rows;
        self
    }

    /// With ranges that take about so long; zero leaves them at the size of the first.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use wasmigrate_sdk::{Batches, Table};
    /// let ways = Batches::over(Table::new("public", "readings"), ["id"]).target(Duration::from_millis(200));
    /// ```
    pub fn target(mut self, target: Duration) -> Self {
        self.0.target_ms = millis(target);
        self
    }

    /// With a pause between two transactions, for replicas and for the other users of the table.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use wasmigrate_sdk::{Batches, Table};
    /// let ways = Batches::over(Table::new("public", "readings"), ["id"]).pause(Duration::from_millis(50));
    /// ```
    pub fn pause(mut self, pause: Duration) -> Self {
        self.0.pause_ms = millis(pause);
        self
    }

    /// Does something for each range, in order. Rows that come in above the largest key of the beginning are not
    /// gone through, so writers do not make it run for ever.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::prelude::*;
    /// # fn example(readings: Table) -> Result<()> {
    /// Batches::over(readings, ["id"]).each(|range| {
    ///     execute(format!("DELETE FROM {readings} AS r WHERE {}", range.filter("r", 1)), &range.params())?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// When no unique index has the key, when the host or the server refuses, or when `act` fails.
    pub fn each(&self, mut act: impl FnMut(&Range) -> Result<()>) -> Result<()> {
        let ranges = raw::Ranges::open(&self.0)?;
        while let Some(raw) = ranges.next()? {
            let key = self.0.key.clone();
            act(&Range { key, raw })?;
        }
        Ok(())
    }
}

impl Range {
    /// The SQL condition that holds for its rows, with the key's columns of the table or alias `of`, and with
    /// [`Range::params`] in the place of the parameters from `$first` on.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Range, params};
    /// # fn example(range: &Range) {
    /// let (filter, mut values) = (range.filter("r", 2), params![7].to_vec());
    /// values.extend(range.params());
    /// # }
    /// ```
    #[must_use]
    pub fn filter(&self, of: &str, first: usize) -> String {
        let columns: Vec<String> = (self.key.iter())
            .map(|column| format!("{}.{}", Ident(of), Ident(column)))
            .collect();
        let columns = columns.join(", ");
        let places = |from: usize| {
            let places = (from..from + self.key.len()).map(|place| format!("${place}"));
            places.collect::<Vec<_>>().join(", ")
        };
        match &self.raw.after {
            Some(after) => format!(
                "ROW({columns}) > ROW({}) AND ROW({columns}) <= ROW({})",
                places(first),
                places(first + after.len())
            ),
            None => format!("ROW({columns}) <= ROW({})", places(first)),
        }
    }

    /// What the parameters of [`Range::filter`] stand for.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Range, Value};
    /// # fn example(range: &Range) -> Vec<Value> { range.params() }
    /// ```
    #[must_use]
    pub fn params(&self) -> Vec<Value> {
        let after = self.raw.after.iter().flatten();
        after
            .chain(&self.raw.up_to)
            .map(|text| Value::Text(text.clone()))
            .collect()
    }

    /// How many rows it had when it was chosen.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::Range;
    /// # fn example(range: &Range) -> u64 { range.rows() }
    /// ```
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.raw.rows
    }
}

impl From<raw::Pace> for Batches {
    /// From the interface's own form, for names that are known only when the migration runs.
    fn from(pace: raw::Pace) -> Self {
        Self(pace)
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(after: Option<[&str; 2]>) -> Range {
        let owned = |texts: [&str; 2]| texts.map(str::to_owned).to_vec();
        Range {
            key: owned(["a", "odd \"b"]),
            raw: raw::Range {
                after: after.map(owned),
                up_to: owned(["5", "6"]),
                rows: 3,
            },
        }
    }

    #[test]
    fn the_filter_counts_its_parameters_from_where_it_is_told() {
        let first = range(None);
        assert_eq!(
            first.filter("t", 3),
            "ROW(\"t\".\"a\", \"t\".\"odd \"\"b\") <= ROW($3, $4)"
        );
        assert_eq!(first.params().len(), 2);
        let later = range(Some(["1", "2"]));
        assert_eq!(
            later.filter("t", 1),
            "ROW(\"t\".\"a\", \"t\".\"odd \"\"b\") > ROW($1, $2) \
             AND ROW(\"t\".\"a\", \"t\".\"odd \"\"b\") <= ROW($3, $4)"
        );
        let texts = later.params();
        assert_eq!(texts[0], Value::Text("1".into()));
        assert_eq!(texts[3], Value::Text("6".into()));
    }
}
