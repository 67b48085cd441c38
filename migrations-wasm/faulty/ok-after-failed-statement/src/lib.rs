//! Goes on with further statements after one failed, and returns as if all were well.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

const ITEMS: Table = Table::new("public", "inventory_items");

struct OkAfterFailedStatement;

impl Migration for OkAfterFailedStatement {
    fn up() -> Result<()> {
        // name is NOT NULL
        execute(
            format!("INSERT INTO {ITEMS} (name) VALUES ($1)"),
            params![None::<&str>],
        )
        .ok();
        execute(
            format!("INSERT INTO {ITEMS} (name) VALUES ($1)"),
            params!["kept?"],
        )
        .ok();
        let kind = execute(
            format!("INSERT INTO {ITEMS} (name) VALUES ($1)"),
            params!["kept?"],
        )
        .map_err(|error| error.kind());
        info!("the last statement came out as {kind:?}");
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(OkAfterFailedStatement);
