//! Recurses a hundred times, or far past any stack.
//!
//! One of the guests that misbehave, for the tests of the host.

use std::hint::black_box;

use wasmigrate_sdk::prelude::*;

setting! {
    /// How deep.
    pub enum Depth = "depth" {
        /// Any stack will do.
        Shallow = "shallow",
        /// No stack will do.
        Deep = "deep",
    }
}

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
        let depth = match Depth::get()? {
            Depth::Shallow => 100,
            Depth::Deep => 100_000_000,
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
