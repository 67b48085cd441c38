//! Passes a text to the host that fits into one call, or one that does not.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

setting! {
    /// How much.
    pub enum Amount = "amount" {
        /// Exactly what the manifest's limit allows; as a parameter, the most that does for certain.
        AtLimit = "at-limit",
        /// A little more.
        PastLimit = "past-limit",
    }
}

setting! {
    /// Where the text goes.
    pub enum Place = "place" {
        /// Into the statement.
        Sql = "sql",
        /// Into a parameter.
        Parameter = "parameter",
        /// Into the log.
        Log = "log",
    }
}

/// 1 MiB, as the manifest has it.
const CALL_BYTES: usize = 1 << 20;
const READ: &str = "SELECT $1::text";
/// A parameter counts as much as its form on the host takes, beside its text: this many bytes or fewer ..
const PARAMETER_MOST: usize = 32;
/// .. but not fewer than this.
const PARAMETER_LEAST: usize = 24;

struct HugeString;

impl Migration for HugeString {
    fn up() -> Result<()> {
        let past = Amount::get()? == Amount::PastLimit;
        let length = CALL_BYTES + usize::from(past);
        match Place::get()? {
            Place::Sql => {
                let rest = "SELECT ''".len();
                let huge = "x".repeat(length - rest);
                execute(format!("SELECT {}", Literal(&huge)), params![])?;
            }
            Place::Parameter => {
                let rest = if past {
                    PARAMETER_LEAST
                } else {
                    PARAMETER_MOST
                };
                let huge = "x".repeat(length - READ.len() - rest);
                execute(READ, params![huge])?;
            }
            Place::Log => info!("{}", "x".repeat(length)),
        }
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(HugeString);
