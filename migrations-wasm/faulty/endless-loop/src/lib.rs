//! Loops forever, computing and calling nothing.
//!
//! One of the guests that misbehave, for the tests of the host.

use std::hint::black_box;

use wasmigrate_sdk::prelude::*;

struct EndlessLoop;

impl Migration for EndlessLoop {
    fn up() -> Result<()> {
        let mut turns = 0_u64;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(EndlessLoop);
