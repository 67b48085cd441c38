//! Run events and findings. They are written on the lock session, in autocommit, so that a run which
//! rolls back leaves its record too.

use super::failure::Failure;
use super::schema::HOST_VERSION;
use super::session::Session;
use super::values::Value;
use crate::error::{Code, Error, Result};
use crate::finding::Finding;
use crate::migration::{Migration, Mode, Phase, Settings};

fn failed(failure: Failure) -> Error {
    failure.error(Code::Internal, "failed to record the run")
}

/// Records the start of a run whose statements will come from the backend `pid`, and gives its id.
pub async fn start(
    lock: &Session,
    migration: &Migration,
    phase: Phase,
    mode: Mode,
    settings: &Settings,
    pid: i32,
) -> Result<i64> {
    let sql = "INSERT INTO wasmigrate.run \
          (version, name, digest, direction, mode, settings, state, host_version, pid, backend_start) \
        SELECT $1, $2, $3, $4, $5, $6::jsonb, 'running', $7, pid, backend_start \
        FROM pg_catalog.pg_stat_get_activity($8::integer) RETURNING id::text";
    let params = [
        Value::Text(migration.version().to_string()),
        Value::Text(migration.name().to_string()),
        Value::Text(migration.digest.to_string()),
        Value::Text(phase.to_string()),
        Value::Text(mode.to_string()),
        Value::Text(serde_json::json!(settings).to_string()),
        Value::Text(HOST_VERSION.to_owned()),
        Value::Int64(pid.into()),
    ];
    let id = lock.first_text(sql, &params).await.map_err(failed)?;
    id.and_then(|id| id.parse().ok()).ok_or_else(|| {
        Error::new(
            Code::DatabaseLost,
            "failed to record the run: the work session is gone",
        )
    })
}

/// Records the end of a run.
pub async fn end(lock: &Session, run: i64, error: Option<&Error>) -> Result<()> {
    let text = |text: Option<&str>| text.map_or(Value::Null, |text| Value::Text(text.to_owned()));
    let sqlstate = error
        .and_then(Error::server_report)
        .map(|report| report.sqlstate.as_str());
    let params = [
        Value::Text(
            if error.is_none() {
                "committed"
            } else {
                "failed"
            }
            .to_owned(),
        ),
        text(error.map(|error| error.code().name())),
        text(sqlstate),
        Value::Int64(run),
    ];
    let sql = "UPDATE wasmigrate.run SET state = $1, ended_at = clock_timestamp(), error_code = $2, \
        sqlstate = $3 WHERE id = $4";
    lock.execute(sql, &params).await.map(drop).map_err(failed)
}

/// Records what a phase's requiring checks found, in place of what an earlier attempt of it found.
pub async fn findings(lock: &Session, run: i64, phase: Phase, findings: &[Finding]) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let earlier = [Value::Int64(run), Value::Text(phase.to_string())];
    let sql = "DELETE FROM wasmigrate.finding WHERE run_id = $1 AND phase = $2";
    lock.execute(sql, &earlier).await.map_err(failed)?;
    let rows: Vec<_> = findings
        .iter()
        .map(|finding| {
            serde_json::json!({"kind": finding.kind, "subject": finding.subject,
                "expected": finding.expected, "seen": finding.seen, "met": finding.met})
        })
        .collect();
    let sql = "INSERT INTO wasmigrate.finding (run_id, phase, ordinal, kind, subject, expected, seen, met) \
        SELECT $1, $2, e.n, f.kind, f.subject, f.expected, f.seen, f.met \
        FROM json_array_elements($3::json) WITH ORDINALITY AS e(j, n), \
          json_to_record(e.j) AS f(kind text, subject text, expected text, seen text, met boolean)";
    let params = [
        Value::Int64(run),
        Value::Text(phase.to_string()),
        Value::Text(serde_json::Value::Array(rows).to_string()),
    ];
    lock.execute(sql, &params).await.map(drop).map_err(failed)
}

/// Closes the runs whose end is missing because their wasmigrate died: what they did is in the history
/// or was rolled back. Call it only under the lock and the fence.
pub async fn close_lost(lock: &Session) -> Result<u64> {
    let sql = "UPDATE wasmigrate.run r SET ended_at = clock_timestamp(), \
        state = CASE WHEN (r.direction = 'up') = EXISTS (SELECT FROM wasmigrate.migration m \
            WHERE m.version = r.version AND (m.run_id = r.id OR r.direction = 'down')) \
          THEN 'committed' ELSE 'lost' END \
        WHERE state = 'running'";
    lock.execute(sql, &[]).await.map_err(failed)
}
