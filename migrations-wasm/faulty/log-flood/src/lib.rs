//! Logs as much as its limit allows, or one byte more.
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

struct LogFlood;

impl Migration for LogFlood {
    fn up() -> Result<()> {
        // 64 lines of a KiB each, with a byte for the line's end
        for _ in 0..63 {
            info!("{}", "x".repeat(1023));
        }
        let past = usize::from(Amount::get()? == Amount::PastLimit);
        info!("{}", "x".repeat(1023 + past));
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(LogFlood);
