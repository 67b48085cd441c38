//! Returns an error whose text tries to rewrite the terminal.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

struct ErrorReturned;

impl Migration for ErrorReturned {
    fn up() -> Result<()> {
        bail!("\u{1b}[2J\u{1b}[31mall is well\u{7}\r\n\u{202e}done\u{9b}1A\u{0}end")
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(ErrorReturned);
