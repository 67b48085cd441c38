//! The history: which migrations are applied. Only the migrator writes it.

use tokio_postgres::SimpleQueryMessage;

use super::Connection;
use super::failure::Failure;
use super::schema::{self, HOST_VERSION};
use super::session::Session;
use super::values::Value;
use crate::error::{Code, Error, Result};
use crate::migration::{Migration, Mode, Phase, Remembered, Settings, Version};
use crate::plan::{Applied, History, Open};

const LOOK: &str = "SELECT max(version) FROM wasmigrate.layout; \
    SELECT version, name, digest, mode, run_id, applied_by, took_ms, rows_affected, \
      to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
    FROM wasmigrate.migration; \
    SELECT r.version, r.name, r.digest, r.id, r.direction, r.settings, r.state, r.error_code, r.sqlstate, \
      to_char(r.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), count(*) FILTER (WHERE j.ordinal > 0), \
      (array_agg(j.what ORDER BY j.ordinal DESC))[1], bool_or(j.answer IS NULL) \
    FROM wasmigrate.journal j JOIN wasmigrate.run r ON r.id = j.run_id \
    GROUP BY r.id HAVING bool_or(j.changes) ORDER BY r.id DESC LIMIT 1";

/// Looks at the history in one round trip, writing nothing; where the schema is missing it is empty.
pub async fn look(connection: &Connection) -> Result<History> {
    let messages = match connection
        .client
        .simple_query(LOOK)
        .await
        .map_err(Failure::from)
    {
        Ok(messages) => messages,
        // undefined table, undefined schema: nothing was ever run here
        Err(Failure::Server(refusal)) if matches!(&refusal.sqlstate[..], "42P01" | "3F000") => {
            return Ok(History::default());
        }
        Err(failure) => {
            let error = failure.error(Code::Internal, "failed to read the history");
            return Err(match error.code() {
                Code::DatabasePrivilege => error
                    .hint("run as the login that owns the schema wasmigrate, or as a member of it"),
                _ => error,
            });
        }
    };
    let mut history = History::default();
    for message in messages {
        let SimpleQueryMessage::Row(row) = message else {
            continue;
        };
        if row.len() == 1 {
            history.layout = row.get(0).and_then(|text| text.parse().ok()).unwrap_or(0);
            schema::check(history.layout)?;
        } else if row.len() == OF_OPEN {
            history.open = Some(open(&row).ok_or_else(not_understood)?);
        } else {
            history
                .applied
                .push(applied(&row).ok_or_else(not_understood)?);
        }
    }
    history.applied.sort_by(|a, b| a.version.cmp(&b.version));
    Ok(history)
}

/// How many columns are asked of a run that is half-way.
const OF_OPEN: usize = 13;

fn not_understood() -> Error {
    Error::new(
        Code::Internal,
        "failed to read the history: a row is not understood",
    )
    .hint("the schema wasmigrate belongs to wasmigrate alone; restore its tables from a backup")
}

fn open(row: &tokio_postgres::SimpleQueryRow) -> Option<Open> {
    let text = |place| row.get(place).map(str::to_owned);
    Some(Open {
        version: row.get(0)?.parse().ok()?,
        name: text(1)?,
        digest: row.get(2)?.parse().ok()?,
        run: row.get(3)?.parse().ok()?,
        phase: match row.get(4)? {
            "up" => Phase::Up,
            _ => Phase::Down,
        },
        settings: serde_json::from_str(row.get(5)?).ok()?,
        runs: row.get(6)? == "running",
        stopped_by: text(7),
        sqlstate: text(8),
        since: text(9)?,
        steps: row.get(10)?.parse().ok()?,
        at: text(11)?,
        in_it: row.get(12)? == "t",
    })
}

fn applied(row: &tokio_postgres::SimpleQueryRow) -> Option<Applied> {
    Some(Applied {
        version: row.get(0)?.parse().ok()?,
        name: row.get(1)?.to_owned(),
        digest: row.get(2)?.parse().ok()?,
        mode: row.get(3)?.parse().ok()?,
        run: row.get(4)?.parse().ok()?,
        by: row.get(5)?.to_owned(),
        took_ms: row.get(6)?.parse().ok()?,
        rows_affected: row.get(7)?.parse().ok()?,
        at: row.get(8)?.to_owned(),
    })
}

/// What the history row of a migration that was just applied says beside the migration itself.
#[derive(Debug, Clone)]
pub struct Outcome<'a> {
    /// The run.
    pub run: i64,
    /// How it ran.
    pub mode: Mode,
    /// How long `up` took, in milliseconds.
    pub took_ms: u64,
    /// The rows that its statements affected.
    pub rows_affected: u64,
    /// What `up` remembered for `down`.
    pub remembered: &'a Remembered,
}

/// Writes the history row and the end of its run, in the migration's own transaction.
pub async fn record(
    session: &Session,
    migration: &Migration,
    outcome: &Outcome<'_>,
) -> Result<(), Failure> {
    let remembered = serde_json::json!(outcome.remembered).to_string();
    let number = |number: u64| Value::Int64(i64::try_from(number).unwrap_or(i64::MAX));
    let params = [
        Value::Text(migration.version().to_string()),
        Value::Text(migration.name().to_string()),
        Value::Text(migration.digest.to_string()),
        Value::Int64(outcome.run),
        Value::Text(outcome.mode.to_string()),
        number(outcome.took_ms),
        number(outcome.rows_affected),
        Value::Text(HOST_VERSION.to_owned()),
        Value::Text(remembered),
    ];
    let sql = "WITH run AS (UPDATE wasmigrate.run SET state = 'committed', ended_at = clock_timestamp(), \
          remembered = $9::jsonb WHERE id = $4) \
        INSERT INTO wasmigrate.migration \
          (version, name, digest, run_id, mode, took_ms, rows_affected, host_version) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    session.execute(sql, &params).await.map(drop)
}

/// Removes the history row and writes the end of the run, in the transaction that undoes the migration.
pub async fn forget(session: &Session, version: &Version, run: i64) -> Result<(), Failure> {
    let params = [Value::Text(version.to_string()), Value::Int64(run)];
    let sql = "WITH run AS (UPDATE wasmigrate.run SET state = 'committed', ended_at = clock_timestamp() \
          WHERE id = $2) \
        DELETE FROM wasmigrate.migration WHERE version = $1";
    session.execute(sql, &params).await.map(drop)
}

/// What is kept of the run that applied a migration, for its `down` and its `verify`.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub struct Kept {
    /// What `up` remembered.
    pub remembered: Remembered,
    /// The operator's choices.
    pub settings: Settings,
}

/// Reads what is kept of an applied migration's run; none where it is not applied.
pub async fn kept(session: &Session, version: &Version) -> Result<Option<Kept>> {
    let sql = "SELECT json_build_object('remembered', r.remembered, 'settings', r.settings)::text \
        FROM wasmigrate.migration m JOIN wasmigrate.run r ON r.id = m.run_id WHERE m.version = $1";
    let kept = session.json(sql, &[version.as_str()]).await;
    let what = "failed to read what is kept of the migration's run";
    kept.map_err(|failure| failure.error(Code::Internal, what))
}
