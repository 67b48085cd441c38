//! Changes a row when it is asked to verify.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

const ITEMS: Table = Table::new("public", "inventory_items");

struct WritesInVerify;

impl Migration for WritesInVerify {
    fn up() -> Result<()> {
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        execute(
            format!("INSERT INTO {ITEMS} (name) VALUES ($1)"),
            params!["from verify"],
        )?;
        Ok(())
    }
}

wasmigrate_sdk::export!(WritesInVerify);
