//! Recurses to near its limit, past it, or far past any stack.
//!
//! One of the guests that misbehave, for the tests of the host.

use std::hint::black_box;

use wasmigrate_sdk::prelude::*;

setting! {
    /// How much.
    pub enum Amount = "amount" {
        /// Most of what the manifest's limit allows.
        AtLimit = "at-limit",
        /// A little more than that.
        PastLimit = "past-limit",
        /// No stack will do.
        Endless = "endless",
    }
}

/// How often it fits into 256 KiB, as the manifest has it: each call takes 64 bytes on the machines tried.
const FITS: u64 = 4_096;

/// Counts its own calls, in a way that no compiler turns into a loop.
fn down_to_zero(depth: u64) -> u64 {
    if black_box(depth) == 0 {
        return 0;
    }
    1 + black_box(down_to_zero(depth - 1))
}

struct DeepRecursion;

impl Migration for DeepRecursion {
    fn up() -> Result<()> {
        // the compiler of the host decides what a call takes, so a tenth is left to it
        let depth = match Amount::get()? {
            Amount::AtLimit => FITS * 9 / 10,
            Amount::PastLimit => FITS * 11 / 10,
            Amount::Endless => u64::MAX,
        };
        info!("returned from {}", down_to_zero(depth));
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(DeepRecursion);
