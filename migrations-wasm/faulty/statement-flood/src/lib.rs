//! Runs as many statements as its limit allows, or one more.
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

struct StatementFlood;

impl Migration for StatementFlood {
    fn up() -> Result<()> {
        for _ in 0..100 + u8::from(Amount::get()? == Amount::PastLimit) {
            execute("SELECT 1", params![])?;
        }
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(StatementFlood);
