//! Keeps as many results open as its limit allows, or one more.
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

struct HandleHoarder;

impl Migration for HandleHoarder {
    fn up() -> Result<()> {
        let handles = 16 + usize::from(Amount::get()? == Amount::PastLimit);
        let mut hoard = Vec::new();
        for _ in 0..handles {
            hoard.push(query("SELECT 1", params![])?);
        }
        info!("{} results are open", hoard.len());
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(HandleHoarder);
