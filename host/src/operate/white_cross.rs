//! The demonstration's database: White Cross, a school health platform, before its four migrations, and
//! a look at what they left.

use serde::{Deserialize, Serialize};

use crate::database::address::Address;
use crate::database::{Failure, Session};
use crate::error::{Code, Error, Result};

const SCHEMA: &str = include_str!("../../../migrations-wasm/white-cross/schema.sql");
const SEED: &str = include_str!("../../../migrations-wasm/white-cross/seed.sql");
const EXPECTED_INDEXES: &str =
    include_str!("../../../migrations-wasm/white-cross/expected-indexes.csv");

/// What the four migrations are to leave, as it is found.
#[derive(Debug, Clone, Serialize)]
pub struct EndState {
    /// The indexes of the list that are there and valid.
    pub indexes: usize,
    /// The indexes of the list.
    pub indexes_expected: usize,
    /// Log rows that refer to a medication that does not exist.
    pub orphans: u64,
    /// Whether the foreign key is there and validated.
    pub foreign_key: bool,
    /// Which of the two extensions are installed.
    pub extensions: Vec<String>,
}

impl EndState {
    /// Whether everything is as it is to be.
    pub fn is_complete(&self) -> bool {
        self.indexes == self.indexes_expected
            && self.orphans == 0
            && self.foreign_key
            && self.extensions.len() == 2
    }
}

#[derive(Deserialize)]
struct Found {
    indexes: Vec<String>,
    orphans: u64,
    foreign_key: bool,
    extensions: Vec<String>,
}

const LOOK: &str = "SELECT json_build_object(
    'indexes', (SELECT coalesce(json_agg(c.relname), '[]') FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        WHERE c.relnamespace = 'public'::regnamespace AND i.indisvalid AND i.indisready),
    'orphans', (SELECT count(*) FROM public.medication_logs l WHERE l.\"medicationId\" IS NOT NULL
        AND NOT EXISTS (SELECT FROM public.medications m WHERE m.id = l.\"medicationId\")),
    'foreign_key', EXISTS (SELECT FROM pg_constraint WHERE convalidated
        AND conname = 'fk_medication_logs_medication_id' AND conrelid = 'public.medication_logs'::regclass),
    'extensions', (SELECT coalesce(json_agg(extname ORDER BY extname), '[]') FROM pg_extension
        WHERE extname IN ('pg_trgm', 'unaccent')))::text";

/// Creates the tables and fills them: `rows` rows in each large one, of which `orphans` log rows refer to
/// medications that do not exist.
pub async fn load(address: &Address, rows: u64, orphans: u64) -> Result<()> {
    let failed = |failure: Failure| failure.error(Code::Internal, "failed to load White Cross");
    let session = open(address).await?;
    session.batch(SCHEMA).await.map_err(failed)?;
    session.batch(&seed(rows, orphans)).await.map_err(failed)?;
    session.close_connection().await;
    Ok(())
}

/// Looks at what the migrations left.
pub async fn look(address: &Address) -> Result<EndState> {
    let failed = |failure: Failure| failure.error(Code::Internal, "failed to look at White Cross");
    let session = open(address).await?;
    let text = session
        .text(LOOK, &[])
        .await
        .map_err(failed)?
        .unwrap_or_default();
    let found: Found = serde_json::from_str(&text)
        .map_err(|error| Error::new(Code::Internal, "failed to read the look").cause(error))?;
    let expected: Vec<&str> = EXPECTED_INDEXES
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').nth(2))
        .collect();
    Ok(EndState {
        indexes: expected
            .iter()
            .filter(|name| found.indexes.iter().any(|f| f == *name))
            .count(),
        indexes_expected: expected.len(),
        orphans: found.orphans,
        foreign_key: found.foreign_key,
        extensions: found.extensions,
    })
}

async fn open(address: &Address) -> Result<Session> {
    Ok(Session::new(address.connect("wasmigrate demo").await?))
}

/// The seed is written for psql; what psql does with it is done here: its commands left out, its two
/// variables filled in.
fn seed(rows: u64, orphans: u64) -> String {
    let plain: Vec<&str> = SEED
        .lines()
        .filter(|line| !line.starts_with('\\'))
        .collect();
    plain
        .join("\n")
        .replace(":rows", &rows.to_string())
        .replace(":orphans", &orphans.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_has_no_psql_left_in_it() {
        let seed = seed(10, 3);
        assert!(!seed.contains(":rows") && !seed.contains(":orphans") && !seed.contains("\\set"));
        assert!(seed.contains("generate_series(1, 10)") && seed.contains("n <= 3"));
    }

    #[test]
    fn the_list_names_34_indexes() {
        assert_eq!(EXPECTED_INDEXES.lines().skip(1).count(), 34);
    }
}
