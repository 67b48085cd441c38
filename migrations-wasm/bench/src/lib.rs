//! Reads, writes and calls a lot, for the benches of the host. Not a migration of any project.

use wasmigrate_sdk::prelude::*;

const SOURCE: Table = Table::new("public", "bench_source");
const TARGET: Table = Table::new("public", "bench_target");
const ROWS: i64 = 1_000_000;
const CALLS: u64 = 1_000_000;

setting! {
    /// What to do a million times.
    pub enum Work = "work" {
        /// Nothing: the cost of a run by itself.
        Nothing = "nothing",
        /// Read rows.
        Scan = "scan",
        /// Write rows.
        Bulk = "bulk",
        /// Call the host.
        Call = "call",
    }
}

struct Bench;

fn scan() -> Result<()> {
    let rows = query(format!("SELECT id, amount, name FROM {SOURCE}"), params![])?;
    let (mut ids, mut amounts, mut letters) = (0i64, 0f64, 0usize);
    for row in rows {
        let row = row?;
        ids = ids.wrapping_add(row.get::<i64>(0)?);
        amounts += row.get::<f64>(1)?;
        letters += row.get::<&str>(2)?.len();
    }
    info!("{ids} {amounts} {letters}");
    Ok(())
}

fn bulk() -> Result<()> {
    let mut copy = CopyIn::open(TARGET, ["id", "amount", "name"])?;
    for id in 0..ROWS {
        copy.row((id, id as f64 * 0.5, "a name of some length"))?;
    }
    copy.finish()?;
    Ok(())
}

impl Migration for Bench {
    fn up() -> Result<()> {
        match Work::get()? {
            Work::Nothing => Ok(()),
            Work::Scan => scan(),
            Work::Bulk => bulk(),
            Work::Call => {
                (0..CALLS).for_each(|done| progress(done, CALLS));
                Ok(())
            }
        }
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(Bench);
