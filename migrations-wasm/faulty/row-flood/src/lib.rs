//! Reads as many rows as its limit allows, or one more.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

setting! {
    /// How much.
    pub enum Amount = "amount" {
        /// Exactly what the manifest's limit allows.
        AtLimit = "at-limit",
        /// A little more.
        PastLimit = "past-limit",
    }
}

struct RowFlood;

impl Migration for RowFlood {
    fn up() -> Result<()> {
        let wanted = 1000 + i64::from(Amount::get()? == Amount::PastLimit);
        let rows = query(
            "SELECT n FROM generate_series(1, $1::int) AS n",
            params![wanted],
        )?;
        let read = rows.typed::<(i64,)>().collect::<Result<Vec<_>>>()?;
        info!("{} rows were read", read.len());
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(RowFlood);
