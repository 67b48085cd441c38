//! The steps that write in bulk.

use wasmigrate_sdk::bindings::wasmigrate::migration::bulk::CopyIn;
use wasmigrate_sdk::bindings::wasmigrate::migration::query as raw;
use wasmigrate_sdk::bindings::wasmigrate::migration::types::{Batch, Column, ColumnData, VarData};
use wasmigrate_sdk::prelude::*;

use crate::answers::Answers;
use crate::script::Args;
use crate::steps::Open;

impl Open {
    /// Does one step of a bulk write.
    pub fn bulk(&mut self, verb: &str, args: &Args, answers: &mut Answers) -> Result<()> {
        match verb {
            // reads all rows of a query, then writes them into a table, batch by batch
            "copy-query" => {
                let rows = raw::query(args.text(0)?, &[])?;
                let mut batches = Vec::new();
                while let Some(batch) = rows.next()? {
                    batches.push(batch);
                }
                drop(rows);
                let copy = open(args, 1)?;
                for batch in &batches {
                    copy.write(batch)?;
                }
                answers.say(copy.finish()?);
            }
            "copy-open" => self.copy = Some(open(args, 0)?),
            // a row of texts
            "copy-write" => {
                let columns = args.rest(0).iter().map(|value| texts(&[value.as_deref()]));
                let columns = columns.collect();
                self.write(&Batch { length: 1, columns })?;
            }
            // a row of values, each in the kind that its prefix says; `m:` is a moment in microseconds
            "copy-row" => {
                let columns = args.rest(0).iter().map(|value| kind(value.as_deref()));
                let columns = columns.collect::<Result<_>>()?;
                self.write(&Batch { length: 1, columns })?;
            }
            // the same text in one column of many rows
            "copy-many" => {
                let count: usize = args.text(0)?.parse()?;
                let values = vec![args.optional(1); count];
                let columns = vec![texts(&values)];
                let length = u32::try_from(count)?;
                self.write(&Batch { length, columns })?;
            }
            // rows without columns
            "copy-bare" => {
                let length = args.text(0)?.parse()?;
                let columns = Vec::new();
                self.write(&Batch { length, columns })?;
            }
            "copy-kinds" => self.write(&kinds())?,
            "copy-finish" => {
                if let Some(copy) = &self.copy {
                    answers.say(copy.finish()?);
                }
            }
            "copy-drop" => self.copy = None,
            "copy-forget" => std::mem::forget(self.copy.take()),
            _ => bail!("there is no step {verb}"),
        }
        Ok(())
    }

    fn write(&self, batch: &Batch) -> Result<()> {
        match &self.copy {
            Some(copy) => Ok(copy.write(batch)?),
            None => bail!("no copy is open"),
        }
    }
}

fn open(args: &Args, place: usize) -> Result<CopyIn> {
    let names: Vec<String> = args.names(place + 2).into_iter().map(Into::into).collect();
    Ok(CopyIn::open(&args.table(place)?.into(), &names)?)
}

fn column(validity: Vec<u8>, data: ColumnData) -> Column {
    Column {
        name: String::new(),
        type_name: String::new(),
        validity,
        data,
    }
}

fn var<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> VarData {
    let (mut offsets, mut data) = (vec![0], Vec::new());
    for value in values {
        data.extend_from_slice(value);
        offsets.push(u32::try_from(data.len()).unwrap_or(u32::MAX));
    }
    VarData { offsets, data }
}

fn texts(values: &[Option<&str>]) -> Column {
    let mut validity = vec![0; values.len().div_ceil(8)];
    for (row, value) in values.iter().enumerate() {
        validity[row / 8] |= u8::from(value.is_some()) << (row % 8);
    }
    let bytes = values
        .iter()
        .map(|value| value.unwrap_or_default().as_bytes());
    column(validity, ColumnData::Text(var(bytes)))
}

/// A column of one value; NULL is text, as it is where an author gives nothing else.
fn kind(value: Option<&str>) -> Result<Column> {
    let data = match value.and_then(|value| value.split_once(':')) {
        Some(("b", word)) => ColumnData::Boolean(vec![word == "true"]),
        Some(("i", number)) => ColumnData::Int64(vec![number.parse()?]),
        Some(("f", number)) => ColumnData::Float64(vec![number.parse()?]),
        Some(("m", micros)) => ColumnData::Timestamp(vec![micros.parse()?]),
        Some(("x", hex)) => ColumnData::Bytes(var([&crate::script::bytes(hex)?[..]])),
        Some(("t", text)) => return Ok(texts(&[Some(text)])),
        _ => return Ok(texts(&[value])),
    };
    Ok(column(Vec::new(), data))
}

/// Ten rows with a column of each kind; the second and the tenth are NULL throughout.
fn kinds() -> Batch {
    let nulls = || vec![0b1111_1101, 0b1111_1101];
    let extremes = [i64::MIN, 0, i64::MAX, -1, 1, 0, 0, 0, 0, 0];
    let floats = [
        0.1,
        0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        1e300,
        5e-324,
        1.0,
        0.0,
    ];
    let moments = [
        0,
        0,
        i64::MAX,
        i64::MIN,
        -1,
        1_500_000,
        -64_464_465_600_000_000,
        86_400_000_000,
        1,
        0,
    ];
    let words = [
        "tab\there",
        "",
        "line\nfeed",
        "back\\slash",
        "\\N",
        "\\.",
        "\r",
        "",
        "é漢🦀",
        "NULL",
    ];
    let bytes: [&[u8]; 10] = [
        b"\0\xff", b"", b"\t\n\\", b"", b"x", b"\\x", b"\r", b"'", b"\"", b"",
    ];
    let columns = vec![
        column(
            nulls(),
            ColumnData::Boolean((0..10).map(|row| row % 3 == 0).collect()),
        ),
        column(nulls(), ColumnData::Int64(extremes.to_vec())),
        column(nulls(), ColumnData::Float64(floats.to_vec())),
        column(nulls(), ColumnData::Timestamp(moments.to_vec())),
        column(nulls(), ColumnData::Timestamp(moments.to_vec())),
        column(nulls(), ColumnData::Text(var(words.map(str::as_bytes)))),
        column(nulls(), ColumnData::Bytes(var(bytes))),
    ];
    Batch {
        length: 10,
        columns,
    }
}
