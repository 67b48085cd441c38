//! Run events and findings. They are written on the lock session, in autocommit, so that a run which
//! rolls back leaves its record too.

use super::failure::Failure;
use super::history::Kept;
use super::journal;
use super::locks::Backend;
use super::schema::HOST_VERSION;
use super::session::Session;
use super::values::Value;
use crate::error::{Code, Error, Result};
use crate::finding::Finding;
use crate::migration::{Migration, Mode, Phase, Remembered, Settings};

fn failed(failure: Failure) -> Error {
    let what = "failed to record the run";
    match failure {
        Failure::Server(refusal) if refusal.is_contention() => Failure::Server(refusal)
            .error(Code::LockNotAvailable, what)
            .hint("another session has a lock on wasmigrate's own tables; end it and run again"),
        failure => failure.error(Code::Internal, what),
    }
}

/// Something about a run that is to be written.
#[derive(Debug)]
pub struct Event {
    sql: &'static str,
    params: Vec<Value>,
}

impl Event {
    /// Writes it, on the session that holds the run lock.
    pub async fn write(&self, lock: &Session) -> Result<()> {
        lock.execute(self.sql, &self.params)
            .await
            .map(drop)
            .map_err(failed)
    }

    /// The run `id` begins; its statements will come from that backend.
    pub fn started(
        id: i64,
        migration: &Migration,
        phase: Phase,
        mode: Mode,
        settings: &Settings,
        backend: &Backend,
    ) -> Self {
        Event {
            sql: "INSERT INTO wasmigrate.run (id, version, name, digest, direction, mode, settings, state, \
                host_version, pid, backend_start) \
              VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, 'running', $8, $9, $10)",
            params: vec![
                Value::Int64(id),
                Value::Text(migration.version().to_string()),
                Value::Text(migration.name().to_string()),
                Value::Text(migration.digest.to_string()),
                Value::Text(phase.to_string()),
                Value::Text(mode.to_string()),
                Value::Text(serde_json::json!(settings).to_string()),
                Value::Text(HOST_VERSION.to_owned()),
                Value::Int64(backend.pid.into()),
                Value::Text(backend.start.clone()),
            ],
        }
    }

    /// The run is gone on with; its statements will come from that backend.
    pub fn resumed(id: i64, backend: &Backend) -> Self {
        Event {
            sql: "UPDATE wasmigrate.run SET state = 'running', ended_at = NULL, error_code = NULL, sqlstate = NULL, \
                pid = $2, backend_start = $3 WHERE id = $1",
            params: vec![
                Value::Int64(id),
                Value::Int64(backend.pid.into()),
                Value::Text(backend.start.clone()),
            ],
        }
    }

    /// The run failed, and was rolled back; where steps of it are committed, it is half-way. Where a COMMIT may still be
    /// under way, what is journalled stays for the next runner, behind the fence.
    pub fn failed(run: i64, error: &Error) -> Self {
        let unsettled = [Code::Interrupted, Code::DatabaseLost, Code::LimitWallTime];
        let settled = !unsettled.contains(&error.first_code());
        let sqlstate = error
            .server_report()
            .map_or(Value::Null, |report| Value::Text(report.sqlstate.clone()));
        Event {
            sql: "WITH half AS (SELECT FROM wasmigrate.journal WHERE run_id = $3 AND changes LIMIT 1), \
                gone AS (DELETE FROM wasmigrate.journal WHERE run_id = $3 AND $4 AND NOT EXISTS (SELECT FROM half)) \
              UPDATE wasmigrate.run SET state = CASE WHEN EXISTS (SELECT FROM half) THEN 'stopped' ELSE 'failed' END, \
                ended_at = clock_timestamp(), error_code = $1, sqlstate = $2 WHERE id = $3 AND state = 'running'",
            params: vec![
                Value::Text(error.first_code().name().to_owned()),
                sqlstate,
                Value::Int64(run),
                Value::Boolean(settled),
            ],
        }
    }

    /// What a phase's requiring checks found, in place of what an earlier attempt of it found.
    pub fn found(run: i64, phase: Phase, findings: &[Finding]) -> Self {
        let rows: Vec<_> = findings
            .iter()
            .map(|finding| {
                serde_json::json!({"kind": finding.kind, "subject": finding.subject,
                    "expected": finding.expected, "seen": finding.seen, "met": finding.met})
            })
            .collect();
        Event {
            sql: "UPDATE wasmigrate.run SET findings = findings || jsonb_build_object($2::text, $3::jsonb) \
              WHERE id = $1",
            params: vec![
                Value::Int64(run),
                Value::Text(phase.to_string()),
                Value::Text(serde_json::Value::Array(rows).to_string()),
            ],
        }
    }
}

/// The id of the last run; 0 before the first. Only the holder of the run lock adds any.
pub async fn last(lock: &Session) -> Result<i64> {
    let sql = "SELECT max(id)::text FROM wasmigrate.run";
    let last = lock.text(sql, &[]).await.map_err(failed)?;
    Ok(last.and_then(|last| last.parse().ok()).unwrap_or(0))
}

/// Closes the runs whose end is missing because their wasmigrate died: the server rolled them back, as the
/// transaction that commits a run records its end too. One of which steps are committed is half-way, also where the one
/// who stopped it could not see yet that they were. Call it only
/// under the lock and the fence.
pub async fn close_lost(lock: &Session) -> Result<()> {
    let sql = "WITH half AS (SELECT run_id FROM wasmigrate.journal GROUP BY run_id HAVING bool_or(changes)), \
          gone AS (DELETE FROM wasmigrate.journal WHERE run_id NOT IN (SELECT run_id FROM half)) \
        UPDATE wasmigrate.run SET ended_at = clock_timestamp(), \
          state = CASE WHEN id IN (SELECT run_id FROM half) THEN 'stopped' ELSE 'lost' END \
        WHERE state = 'running' OR state = 'failed' AND id IN (SELECT run_id FROM half)";
    lock.execute(sql, &[]).await.map(drop).map_err(failed)
}

/// Closes a run that was half-way, in the transaction of the run that ends or undoes it.
pub async fn close(session: &Session, open: i64, by: i64) -> Result<(), Failure> {
    let sql = "UPDATE wasmigrate.run SET state = 'undone' WHERE id = $1 AND id <> $2";
    let params = [Value::Int64(open), Value::Int64(by)];
    let (closed, emptied) =
        tokio::join!(biased; session.execute(sql, &params), journal::close(session, open));
    closed.and(emptied).map(drop)
}

/// Hands what a half-way run has done over to the run that undoes it in steps, which so is half-way from the
/// beginning.
pub async fn hand_over(lock: &Session, open: i64, to: i64) -> Result<()> {
    let sql = "WITH was AS (UPDATE wasmigrate.run SET state = 'undone' WHERE id = $1 RETURNING remembered), \
          gone AS (DELETE FROM wasmigrate.journal WHERE run_id = $1), \
          begun AS (INSERT INTO wasmigrate.journal (run_id, ordinal, call, what, changes, answer) \
            VALUES ($2, 0, '', 'what run ' || $1 || ' has done is undone', true, '')) \
        UPDATE wasmigrate.run r SET remembered = was.remembered FROM was WHERE r.id = $2";
    let params = [Value::Int64(open), Value::Int64(to)];
    lock.execute(sql, &params).await.map(drop).map_err(failed)
}

/// Gives a half-way run up, for that reason: what it has done stays.
pub async fn abandon(lock: &Session, open: i64, reason: &str) -> Result<()> {
    let sql = "WITH gone AS (DELETE FROM wasmigrate.journal WHERE run_id = $1) \
        UPDATE wasmigrate.run SET state = 'abandoned', ended_at = clock_timestamp(), reason = $2 WHERE id = $1";
    let params = [Value::Int64(open), Value::Text(reason.to_owned())];
    lock.execute(sql, &params).await.map(drop).map_err(failed)
}

/// Writes what a run in steps remembers, in the transaction of a step.
pub async fn remember(session: &Session, run: i64, remembered: &Remembered) -> Result<(), Failure> {
    let sql = "UPDATE wasmigrate.run SET remembered = $2::jsonb WHERE id = $1";
    let remembered = serde_json::json!(remembered).to_string();
    let params = [Value::Int64(run), Value::Text(remembered)];
    session.execute(sql, &params).await.map(drop)
}

/// What is kept of a run.
pub async fn kept(lock: &Session, run: i64) -> Result<Kept> {
    let sql = "SELECT json_build_object('remembered', remembered, 'settings', settings)::text \
        FROM wasmigrate.run WHERE id = $1::bigint";
    let kept = lock.json(sql, &[&run.to_string()]).await;
    Ok(kept.map_err(failed)?.unwrap_or_default())
}
