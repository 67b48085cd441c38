//! Sends a statement that no migration may send, after one that it may.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

const ITEMS: Table = Table::new("public", "inventory_items");

struct ForbiddenStatement;

impl Migration for ForbiddenStatement {
    fn up() -> Result<()> {
        execute(
            format!("INSERT INTO {ITEMS} (name) VALUES ($1)"),
            params!["kept?"],
        )?;
        let statement = match setting("statement")?.as_str() {
            "commit" => "/* really */ COMMIT",
            "rollback" => "rollback",
            "savepoint" => "SAVEPOINT mine",
            "set-role" => "SET ROLE pg_monitor",
            "reset" => "RESET ALL",
            "copy" => "COPY public.inventory_items TO PROGRAM 'true'",
            "declare" => "DECLARE mine CURSOR WITH HOLD FOR SELECT 1",
            "prepare" => "PREPARE mine AS SELECT 1",
            "listen" => "LISTEN mine",
            "explain" => "EXPLAIN ANALYZE DELETE FROM public.inventory_items",
            _ => "SELECT 1; COMMIT",
        };
        execute(statement, params![])?;
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(ForbiddenStatement);
