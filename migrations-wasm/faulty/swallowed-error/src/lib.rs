//! Ignores that a statement failed and returns as if all were well.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

const ITEMS: Table = Table::new("public", "inventory_items");

struct SwallowedError;

impl Migration for SwallowedError {
    fn up() -> Result<()> {
        execute(
            format!("INSERT INTO {ITEMS} (name) VALUES ($1)"),
            params!["kept?"],
        )?;
        // name is NOT NULL
        execute(
            format!("INSERT INTO {ITEMS} (name) VALUES ($1)"),
            params![None::<&str>],
        )
        .ok();
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(SwallowedError);
