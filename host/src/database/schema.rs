//! The schema `wasmigrate` in the user's database, and its own small migrations.
//!
//! Created and upgraded under the run lock only; reading the history never writes.

use super::failure::Failure;
use super::session::Session;
use crate::error::{Code, Error, Result};

/// The steps from nothing to the newest layout; a step is never changed once released. An index, and the
/// index of a TOAST table, costs a flush to disk when it is made, so there are no more than needed.
const STEPS: [&str; 1] = ["
CREATE SCHEMA wasmigrate;
REVOKE ALL ON SCHEMA wasmigrate FROM PUBLIC;
CREATE TABLE wasmigrate.layout (
    version      integer     NOT NULL,
    host_version varchar(40) NOT NULL,
    installed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE wasmigrate.layout IS 'the steps that made this schema';
CREATE TABLE wasmigrate.run (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version       text        NOT NULL,
    name          text        NOT NULL,
    digest        text        NOT NULL,
    direction     text        NOT NULL CHECK (direction IN ('up', 'down')),
    mode          text        NOT NULL CHECK (mode IN ('transactional', 'stepwise')),
    settings      jsonb       NOT NULL,
    state         text        NOT NULL CHECK (state IN ('running', 'committed', 'failed', 'lost')),
    pid           integer     NOT NULL,
    backend_start timestamptz NOT NULL,
    database_user text        NOT NULL DEFAULT current_user,
    host_version  text        NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at      timestamptz,
    error_code    text,
    sqlstate      text
);
COMMENT ON TABLE wasmigrate.run IS 'every run of a migration, those that failed and rolled back too';
CREATE TABLE wasmigrate.migration (
    version       text        PRIMARY KEY,
    name          text        NOT NULL,
    digest        text        NOT NULL,
    run_id        bigint      NOT NULL REFERENCES wasmigrate.run (id),
    mode          text        NOT NULL,
    applied_by    text        NOT NULL DEFAULT current_user,
    applied_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    took_ms       bigint      NOT NULL,
    rows_affected bigint      NOT NULL,
    host_version  text        NOT NULL,
    remembered    jsonb       NOT NULL
);
COMMENT ON TABLE wasmigrate.migration IS 'the history: what is applied now';
CREATE TABLE wasmigrate.finding (
    run_id   bigint  NOT NULL REFERENCES wasmigrate.run (id),
    phase    text    NOT NULL,
    ordinal  integer NOT NULL,
    kind     text    NOT NULL,
    subject  text    NOT NULL,
    expected text    NOT NULL,
    seen     text    NOT NULL,
    met      boolean NOT NULL
);
COMMENT ON TABLE wasmigrate.finding IS 'what the requiring checks expected and saw';
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
    session.batch(&sql).await.map_err(|failure: Failure| {
        failure
            .error(Code::Internal, "failed to set up the schema wasmigrate")
            .hint("the login needs CREATE on the database; the schema wasmigrate belongs to wasmigrate alone")
    })
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
