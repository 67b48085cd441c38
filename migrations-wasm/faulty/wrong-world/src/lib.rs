//! Imports the clock of WASI, which no migration may.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

#[allow(missing_docs, unsafe_code, unused_qualifications, clippy::all)]
mod clock {
    wit_bindgen::generate!({
        inline: "
            package faulty:wrong-world;
            world clock {
                import wasi:clocks/monotonic-clock@0.2.0;
            }
            package wasi:clocks@0.2.0 {
                interface monotonic-clock {
                    now: func() -> u64;
                }
            }
        ",
        world: "faulty:wrong-world/clock",
        generate_all,
    });
}

struct WrongWorld;

impl Migration for WrongWorld {
    fn up() -> Result<()> {
        info!("it is {}", clock::wasi::clocks::monotonic_clock::now());
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(WrongWorld);
