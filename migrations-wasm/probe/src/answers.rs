//! What came of the steps, on its way into the table `probe_answer`.

use wasmigrate_sdk::Value;
use wasmigrate_sdk::bindings::wasmigrate::migration::types::{Batch, Column, ColumnData, VarData};
use wasmigrate_sdk::prelude::*;

/// Rows of one INSERT; each has seven parameters.
const AT_ONCE: usize = 500;

/// The answers of all steps.
#[derive(Default)]
pub struct Answers {
    step: i64,
    line: i64,
    rows: Vec<[Value; 7]>,
}

impl Answers {
    /// From now on the answers are to this step.
    pub fn begin(&mut self, step: i64) {
        self.step = step;
        self.line = 0;
    }

    /// An answer in words.
    pub fn say(&mut self, text: impl ToString) {
        self.push(0, ("", "", "word"), Some(text.to_string()));
        self.line += 1;
    }

    /// Every value of a batch, a line each row.
    pub fn batch(&mut self, batch: &Batch) {
        for row in 0..batch.length as usize {
            for (place, column) in (0..).zip(&batch.columns) {
                let (kind, value) = cell(column, row);
                self.push(place, (&column.name, &column.type_name, kind), value);
            }
            self.line += 1;
        }
    }

    fn push(
        &mut self,
        place: i64,
        (name, type_name, kind): (&str, &str, &str),
        value: Option<String>,
    ) {
        self.rows.push([
            self.step.into(),
            self.line.into(),
            place.into(),
            name.into(),
            type_name.into(),
            kind.into(),
            value.into(),
        ]);
    }

    /// Writes them down; `verify` says them.
    pub fn write(self, phase: &str) -> Result<()> {
        if phase == "verify" {
            for row in self.rows {
                info!("answer {:?}", row);
            }
            return Ok(());
        }
        for rows in self.rows.chunks(AT_ONCE) {
            let places = (0..rows.len()).map(|row| {
                let numbers = (1..=7).map(|n| format!("${}", row * 7 + n));
                format!("({})", numbers.collect::<Vec<_>>().join(", "))
            });
            let sql = format!(
                "INSERT INTO public.probe_answer VALUES {}",
                places.collect::<Vec<_>>().join(", ")
            );
            execute(sql, &rows.concat())?;
        }
        Ok(())
    }
}

/// The kind of a value and its text.
fn cell(column: &Column, row: usize) -> (&'static str, Option<String>) {
    let bits = column.validity.get(row / 8);
    let null = bits.is_some_and(|bits| bits & (1 << (row % 8)) == 0);
    let span = |values: &VarData| {
        values.data[values.offsets[row] as usize..values.offsets[row + 1] as usize].to_vec()
    };
    let (kind, value) = match &column.data {
        ColumnData::Boolean(values) => ("boolean", values[row].to_string()),
        ColumnData::Int64(values) => ("int64", values[row].to_string()),
        ColumnData::Float64(values) => ("float64", format!("{:e}", values[row])),
        ColumnData::Timestamp(values) => ("timestamp", values[row].to_string()),
        ColumnData::Text(values) => ("text", String::from_utf8_lossy(&span(values)).into_owned()),
        ColumnData::Bytes(values) => {
            let digits = span(values)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>();
            ("bytes", format!("\\x{digits}"))
        }
    };
    (kind, (!null).then_some(value))
}
