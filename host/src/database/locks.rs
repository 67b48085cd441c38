//! The run lock and the fence.
//!
//! The run lock is an advisory lock of a session of its own, so the server releases it when a runner
//! dies, however it dies. It is polled, never waited for: a session that blocks in pg_advisory_lock
//! holds a snapshot, for which a concurrent index build of the holder would wait for ever.
//!
//! The fence is a second advisory lock, held by the session that works. After a kill the server goes on
//! with the dead runner's statement; the next runner gets the run lock at once, and the fence only when
//! that statement has ended.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::failure::Failure;
use super::session::Session;
use crate::error::{Code, Error, Result};

/// "wasm" in the upper half, so that a look at pg_locks tells whose it is.
const RUN_LOCK: i64 = 0x7761_736d_0000_0001;
const FENCE: i64 = 0x7761_736d_0000_0002;
const POLL: Duration = Duration::from_millis(100);

/// A session that stands in the way.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Holder {
    /// Its process id on the server.
    pub pid: i32,
    /// Its database user.
    pub user: Option<String>,
    /// Its application name.
    pub application: Option<String>,
    /// Its state, for example `idle in transaction`.
    pub state: Option<String>,
    /// Its current or last statement, shortened.
    pub query: Option<String>,
    /// For how many seconds that statement or transaction has been going on.
    pub seconds: Option<f64>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pid {}", self.pid)?;
        for (label, field) in [
            ("user", &self.user),
            ("application", &self.application),
            ("state", &self.state),
            ("query", &self.query),
        ] {
            if let Some(text) = field.as_deref().filter(|text| !text.is_empty()) {
                write!(f, ", {label} {text}")?;
            }
        }
        match self.seconds {
            Some(seconds) => write!(f, ", for {seconds:.0} s"),
            None => Ok(()),
        }
    }
}

/// The server's process behind a session.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Backend {
    /// Its process id.
    pub pid: i32,
    /// Since when it serves the session; with the process id it names the session for all time.
    pub start: String,
}

/// The process behind this session.
pub async fn backend(session: &Session) -> Result<Backend, Failure> {
    let sql = "SELECT pg_catalog.json_build_object('pid', pid, 'start', backend_start)::text \
        FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())";
    Ok(session.json(sql, &[]).await?.unwrap_or_default())
}

/// Refuses sessions that are none: behind a pooler which hands each transaction to another backend, that of the lock
/// session moves, or is the one that works. To be asked before anything is set and a lock is taken, which would stay with
/// the pooler's connection.
pub async fn refuse_pooled(lock: &Session, work: &Session) -> Result<()> {
    let failed = |failure: Failure| failure.error(Code::Internal, "failed to take the run lock");
    let before = backend(lock).await.map_err(failed)?;
    // one after the other: a pooler gives who comes next what was given back last
    let working = backend(work).await.map_err(failed)?;
    let now = backend(lock).await.map_err(failed)?;
    let seen = if now == working {
        format!("both sessions are served by the backend {}", now.pid)
    } else if now != before {
        let (before, now) = (before.pid, now.pid);
        format!("the session of the run lock was served by the backend {before}, and then by {now}")
    } else {
        return Ok(());
    };
    let what = "failed to take the run lock: the connection is pooled by transaction";
    Err(Error::new(Code::ConnectionPooled, what)
        .cause(seen)
        .hint("point DATABASE_URL at the server itself, or at a pool with pool_mode = session"))
}

/// The columns of pg_stat_activity that make a [`Holder`].
const HOLDER: &str = "json_build_object('pid', a.pid, 'user', a.usename, \
    'application', a.application_name, 'state', a.state, \
    'query', left(regexp_replace(a.query, '\\s+', ' ', 'g'), 120), \
    'seconds', extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start)))::text";

async fn try_lock(session: &Session, key: i64) -> Result<bool, Failure> {
    let sql = format!("SELECT pg_catalog.pg_try_advisory_lock({key})::text");
    Ok(session.text(&sql, &[]).await?.as_deref() == Some("true"))
}

async fn holder(session: &Session, key: i64) -> Result<Option<Holder>, Failure> {
    let (class, object) = (key >> 32, key & 0xffff_ffff);
    let sql = format!(
        "SELECT {HOLDER} FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid) \
         WHERE l.locktype = 'advisory' AND l.granted AND l.classid = {class} AND l.objid = {object} \
           AND l.objsubid = 1 AND l.database = (SELECT oid FROM pg_catalog.pg_database \
             WHERE datname = pg_catalog.current_database())"
    );
    session.json(&sql, &[]).await
}

/// How long to wait for a lock, and what to do meanwhile.
pub struct Patience<'a> {
    /// How long at most.
    pub wait: Duration,
    /// After which time the backend that holds the fence is ended; none means never.
    pub end_after: Option<Duration>,
    /// Hears once who holds the lock.
    pub waiting: &'a mut dyn FnMut(&Holder),
}

/// Takes the run lock, on a session of its own.
pub async fn acquire(session: &Session, patience: Patience<'_>) -> Result<()> {
    let patience = Patience {
        end_after: None,
        ..patience
    };
    take(session, RUN_LOCK, patience).await?.map_err(|holder| {
        refused(
            holder,
            Code::LockNotAvailable,
            "failed to take the run lock in time",
        )
        .hint("another wasmigrate is at work on this database; wait longer with --wait")
    })
}

/// Takes the fence, on the session that will work.
pub async fn fence(session: &Session, patience: Patience<'_>) -> Result<()> {
    take(session, FENCE, patience).await?.map_err(|holder| {
        let what = "failed to start: the server is still at the statement of an earlier run";
        refused(holder, Code::FenceNotAvailable, what)
            .hint("wait longer with --wait, or end that backend with --fence-after 0s")
    })
}

fn refused(holder: Option<Holder>, code: Code, what: &str) -> Error {
    let error = Error::new(code, what);
    match holder {
        Some(holder) => error.cause(format!("held by {holder}")),
        None => error,
    }
}

/// Polls for an advisory lock; who holds it, where the patience ends first.
async fn take(
    session: &Session,
    key: i64,
    patience: Patience<'_>,
) -> Result<Result<(), Option<Holder>>> {
    let failed = |failure: Failure| failure.error(Code::Internal, "failed to take a lock");
    let started = Instant::now();
    let mut seen: Option<Holder> = None;
    let mut ended = None;
    while !try_lock(session, key).await.map_err(failed)? {
        let waited = started.elapsed();
        if let Some(now) = holder(session, key).await.map_err(failed)? {
            if seen.is_none() {
                (patience.waiting)(&now);
            }
            if patience.end_after.is_some_and(|after| waited >= after) && ended != Some(now.pid) {
                let sql = format!("SELECT pg_catalog.pg_terminate_backend({})::text", now.pid);
                session.text(&sql, &[]).await.map_err(failed)?;
                ended = Some(now.pid);
            }
            seen = Some(now);
        }
        if waited >= patience.wait {
            return Ok(Err(seen));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(Ok(()))
}

/// Who blocks the backend `pid` at this moment; asked from another session.
pub async fn blockers(session: &Session, pid: i32) -> Result<Vec<Holder>, Failure> {
    let sql = format!(
        "SELECT json_agg(h)::text FROM (SELECT {HOLDER}::json AS h FROM pg_catalog.pg_stat_activity a \
         WHERE a.pid = ANY (pg_catalog.pg_blocking_pids({pid}))) AS b"
    );
    Ok(session.json(&sql, &[]).await?.unwrap_or_default())
}

/// Makes sure that the run lock is still held: its session must answer.
pub async fn still_held(session: &Session) -> Result<()> {
    session.batch("SELECT 1").await.map_err(|failure| {
        failure
            .error(
                Code::DatabaseLost,
                "failed to commit: the session that holds the run lock is gone",
            )
            .hint("the transaction was rolled back; run again")
    })
}
