//! Passes a text to the host that fits into one call, or one that does not.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

setting! {
    /// How much.
    pub enum Amount = "amount" {
        /// All that the manifest's limit allows, but for a little that the rest of the call takes.
        AtLimit = "at-limit",
        /// A little more.
        PastLimit = "past-limit",
    }
}

setting! {
    /// Where the text goes.
    pub enum Place = "place" {
        /// Into the statement.
        Sql = "sql",
        /// Into a parameter.
        Parameter = "parameter",
        /// Into the log.
        Log = "log",
    }
}

/// 1 MiB, as the manifest has it.
const CALL_BYTES: usize = 1 << 20;
/// What else than the text the call carries takes less than this.
const REST_OF_CALL: usize = 1 << 10;

struct HugeString;

impl Migration for HugeString {
    fn up() -> Result<()> {
        let length = match Amount::get()? {
            Amount::AtLimit => CALL_BYTES - REST_OF_CALL,
            Amount::PastLimit => CALL_BYTES + 1,
        };
        let huge = "x".repeat(length);
        match Place::get()? {
            Place::Sql => execute(format!("SELECT {}", Literal(&huge)), params![])?,
            Place::Parameter => execute("SELECT $1::text", params![huge])?,
            Place::Log => {
                info!("{huge}");
                0
            }
        };
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(HugeString);
