//! Logs as much as its limit allows, or one message more.
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
        let messages = 64 + usize::from(Amount::get()? == Amount::PastLimit);
        for _ in 0..messages {
            info!("{}", "x".repeat(1024));
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

wasmigrate_sdk::export!(LogFlood);
