//! Alters a table that its open rows still read.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

const ITEMS: Table = Table::new("public", "inventory_items");

struct RowsOpenDdl;

impl Migration for RowsOpenDdl {
    fn up() -> Result<()> {
        let mut rows = query(format!("SELECT id FROM {ITEMS}"), params![])?;
        rows.next().transpose()?;
        execute(
            format!("ALTER TABLE {ITEMS} ADD COLUMN {} text", Ident("note")),
            params![],
        )?;
        info!("{} rows were left", rows.count());
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(RowsOpenDdl);
