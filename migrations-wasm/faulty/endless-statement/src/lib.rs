//! Runs a statement that has no end, within the guest's time and past the run's.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

struct EndlessStatement;

impl Migration for EndlessStatement {
    fn up() -> Result<()> {
        execute(
            "WITH RECURSIVE r (n) AS (SELECT 1::bigint UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
            params![],
        )?;
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(EndlessStatement);
