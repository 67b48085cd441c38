//! Runs a statement while a copy is open.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

const ITEMS: Table = Table::new("public", "inventory_items");

struct CallWhileCopyOpen;

impl Migration for CallWhileCopyOpen {
    fn up() -> Result<()> {
        let copy = CopyIn::open(ITEMS, ["name"])?;
        execute("SELECT 1", params![])?;
        copy.finish()?;
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(CallWhileCopyOpen);
