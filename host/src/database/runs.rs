//! Run events and findings. They are written on the lock session, in autocommit, so that a run which
//! rolls back leaves its record too.

use super::failure::Failure;
use super::locks::Backend;
use super::schema::HOST_VERSION;
use super::session::Session;
use super::values::Value;
use crate::error::{Code, Error, Result};
use crate::finding::Finding;
use crate::migration::{Migration, Mode, Phase, Settings};

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

    /// The run failed, and was rolled back.
    pub fn failed(run: i64, error: &Error) -> Self {
        let sqlstate = error
            .server_report()
            .map_or(Value::Null, |report| Value::Text(report.sqlstate.clone()));
        Event {
            sql: "UPDATE wasmigrate.run SET state = 'failed', ended_at = clock_timestamp(), error_code = $1, \
                sqlstate = $2 WHERE id = $3 AND state = 'running'",
            params: vec![
                Value::Text(error.code().name().to_owned()),
                sqlstate,
                Value::Int64(run),
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
/// transaction that commits a run records its end too. Call it only under the lock and the fence.
pub async fn close_lost(lock: &Session) -> Result<()> {
    let sql = "UPDATE wasmigrate.run SET state = 'lost', ended_at = clock_timestamp() WHERE state = 'running'";
    lock.execute(sql, &[]).await.map(drop).map_err(failed)
}
