//! Panics with a message.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

struct Panic;

// panicking is what it is for
#[allow(clippy::panic)]
impl Migration for Panic {
    fn up() -> Result<()> {
        panic!("the dosage form is not known")
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(Panic);
