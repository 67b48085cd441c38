//! Writes a batch whose parts do not fit each other.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::bindings::wasmigrate::migration::bulk::CopyIn;
use wasmigrate_sdk::bindings::wasmigrate::migration::types::{Batch, Column, ColumnData, VarData};
use wasmigrate_sdk::prelude::{Migration, Result, Table, setting};

const ITEMS: Table = Table::new("public", "inventory_items");

setting! {
    /// What the batch lies about.
    pub enum Lie = "lie" {
        /// The last offset lies past the data.
        OffsetsPastData = "offsets-past-data",
        /// An offset is less than the one before it.
        OffsetsDescend = "offsets-descend",
        /// There are fewer offsets than rows.
        OffsetsTooFew = "offsets-too-few",
        /// The columns differ in length.
        LengthsDisagree = "lengths-disagree",
        /// There are fewer bits of validity than rows.
        ValidityTooShort = "validity-too-short",
        /// The data is not UTF-8.
        BadUtf8 = "bad-utf8",
        /// The data is UTF-8, but an offset splits a character.
        SplitUtf8 = "split-utf8",
        /// There are fewer columns than were opened.
        TooFewColumns = "too-few-columns",
        /// The batch claims to have 4,294,967,295 rows.
        HugeLength = "huge-length",
    }
}

fn text(offsets: &[u32], data: &[u8]) -> Column {
    Column {
        name: String::new(),
        type_name: String::new(),
        validity: Vec::new(),
        data: ColumnData::Text(VarData {
            offsets: offsets.to_vec(),
            data: data.to_vec(),
        }),
    }
}

/// Nine rows, so that the bits of validity take two bytes, but for the lie.
fn batch(lie: Lie) -> Batch {
    let honest = || text(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], b"abcdefghi");
    let mut batch = Batch {
        length: 9,
        columns: vec![honest(), honest()],
    };
    let second = match lie {
        Lie::OffsetsPastData => text(&[0, 1, 2, 3, 4, 5, 6, 7, 8, u32::MAX], b"abcdefghi"),
        Lie::OffsetsDescend => text(&[0, 1, 2, 9, 4, 5, 6, 7, 8, 9], b"abcdefghi"),
        Lie::OffsetsTooFew => text(&[], b"abcdefghi"),
        Lie::LengthsDisagree => text(&[0, 1], b"a"),
        Lie::ValidityTooShort => Column {
            validity: vec![0xff],
            ..honest()
        },
        Lie::BadUtf8 => text(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], b"abcd\xfffghi"),
        Lie::SplitUtf8 => text(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "abcd\u{e9}ghi".as_bytes()),
        Lie::TooFewColumns | Lie::HugeLength => honest(),
    };
    batch.columns[1] = second;
    match lie {
        Lie::TooFewColumns => batch.columns.truncate(1),
        Lie::HugeLength => batch.length = u32::MAX,
        _ => {}
    }
    batch
}

struct LyingColumns;

impl Migration for LyingColumns {
    fn up() -> Result<()> {
        let copy = CopyIn::open(&ITEMS.into(), &["name".into(), "sku".into()])?;
        copy.write(&batch(Lie::get()?))?;
        copy.finish()?;
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(LyingColumns);
