//! The schema `wasmigrate` in the user's database, and its own small migrations.
//!
//! Created and upgraded under the run lock only; reading the history never writes.

use super::failure::Failure;
use super::session::Session;
use crate::error::{Code, Error, Result};

/// The steps from nothing to the newest layout; a step is never changed once released. An index, and the
/// index of a TOAST table, costs a flush to disk when it is made, so there are no more than needed: the
/// findings lie in the run's row, and the history's texts are so short that it needs no TOAST table. The first
/// migration waits for this, so it holds no constraint that the migrator's own statements already guarantee.
const STEPS: [&str; 1] = ["
CREATE SCHEMA wasmigrate;
COMMENT ON SCHEMA wasmigrate IS 'migration: the history, what is applied now; run: every run, those that failed and rolled back too; finding: what the requiring checks expected and saw; journal: the steps of a run that is half-way; layout: the steps that made this schema';
CREATE TABLE wasmigrate.layout (
    version      integer     NOT NULL,
    host_version varchar(40) NOT NULL,
    installed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE wasmigrate.run (
    id            bigint       PRIMARY KEY,
    version       varchar(20)  NOT NULL,
    name          varchar(100) NOT NULL,
    digest        char(64)     NOT NULL,
    direction     varchar(20)  NOT NULL CHECK (direction IN ('up', 'down')),
    mode          varchar(20)  NOT NULL CHECK (mode IN ('transactional', 'stepwise')),
    settings      jsonb        NOT NULL,
    state         varchar(20)  NOT NULL CHECK (state IN ('running', 'committed', 'failed', 'lost', 'stopped', 'undone', 'abandoned')),
    pid           integer      NOT NULL,
    backend_start timestamptz  NOT NULL,
    database_user name         NOT NULL DEFAULT current_user,
    host_version  varchar(40)  NOT NULL,
    started_at    timestamptz  NOT NULL DEFAULT clock_timestamp(),
    ended_at      timestamptz,
    error_code    varchar(60),
    sqlstate      varchar(5),
    reason        text,
    remembered    jsonb        NOT NULL DEFAULT '{}',
    findings      jsonb        NOT NULL DEFAULT '{}'
);
CREATE TABLE wasmigrate.migration (
    version       varchar(20)  PRIMARY KEY,
    name          varchar(100) NOT NULL,
    digest        char(64)     NOT NULL,
    run_id        bigint       NOT NULL,
    mode          varchar(20)  NOT NULL,
    applied_by    name         NOT NULL DEFAULT current_user,
    applied_at    timestamptz  NOT NULL DEFAULT clock_timestamp(),
    took_ms       bigint       NOT NULL,
    rows_affected bigint       NOT NULL,
    host_version  varchar(40)  NOT NULL
);
CREATE TABLE wasmigrate.journal (
    run_id        bigint       NOT NULL,
    ordinal       bigint       NOT NULL,
    call          char(64)     NOT NULL,
    what          text         NOT NULL,
    changes       boolean      NOT NULL,
    answer        bytea,
    written_at    timestamptz  NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, ordinal)
);
CREATE VIEW wasmigrate.finding AS
    SELECT r.id AS run_id, p.key AS phase, f.ordinal::integer AS ordinal, f.finding ->> 'kind' AS kind,
        f.finding ->> 'subject' AS subject, f.finding ->> 'expected' AS expected, f.finding ->> 'seen' AS seen,
        (f.finding ->> 'met')::boolean AS met
    FROM wasmigrate.run r, jsonb_each(r.findings) p,
        jsonb_array_elements(p.value) WITH ORDINALITY AS f (finding, ordinal);
"];

/// The newest layout that this release knows.
pub const NEWEST: usize = STEPS.len();

/// The release that writes into the schema.
pub const HOST_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Brings the schema from layout `from` (0 where there is none) to the newest one, in one transaction.
pub async fn upgrade(session: &Session, from: usize) -> Result<()> {
    if from == NEWEST {
        return Ok(());
    }
    let mut sql = String::from("BEGIN;");
    for (number, step) in STEPS.iter().enumerate().skip(from) {
        sql.push_str(step);
        sql.push_str(&format!(
            "INSERT INTO wasmigrate.layout (version, host_version) VALUES ({}, '{HOST_VERSION}');",
            number + 1
        ));
    }
    sql.push_str("COMMIT;");
    session.batch(&sql).await.map_err(failed)
}

const FAILED: &str = "failed to set up the schema wasmigrate";
const HINT: &str =
    "the login needs CREATE on the database; the schema wasmigrate belongs to wasmigrate alone";

fn failed(failure: Failure) -> Error {
    failure.error(Code::Internal, FAILED).hint(HINT)
}

/// Refuses, before anything is done for which the schema is needed, a login that could not create it, and a
/// schema of that name which is not ours.
pub async fn may_create(session: &Session) -> Result<()> {
    let sql = "SELECT CASE WHEN pg_catalog.to_regnamespace('wasmigrate') IS NOT NULL THEN 'taken' \
        WHEN pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') THEN 'yes' END";
    match session.text(sql, &[]).await.map_err(failed)?.as_deref() {
        Some("yes") => Ok(()),
        Some(_) => Err(Error::new(Code::HistoryForeign, FAILED)
            .cause("the database has a schema of that name without wasmigrate's tables")
            .hint("rename that schema, or drop it if it is left over")),
        None => Err(Error::new(Code::DatabasePrivilege, FAILED)
            .cause("the login may not create a schema in this database")
            .hint(HINT)),
    }
}

/// Refuses a layout that a newer release wrote.
pub fn check(layout: usize) -> Result<()> {
    if layout > NEWEST {
        return Err(Error::new(
            Code::HistoryNewer,
            format!("failed to read the history: its layout is {layout}, this release knows up to {NEWEST}"),
        )
        .hint("use the release of wasmigrate that last ran on this database, or a newer one"));
    }
    Ok(())
}
