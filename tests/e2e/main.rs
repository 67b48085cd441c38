//! End to end: real servers, real connections, real components.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod analysis;
mod approval;
mod attacks;
mod batches;
mod builds;
mod bulk;
mod checks;
mod commands;
mod commit;
mod concurrency;
mod confinement;
mod connection;
mod contention;
mod copy_formats;
mod embedded;
mod endstate;
mod environments;
mod errors;
mod extensions;
mod foreign_keys;
mod grants;
mod guests;
mod history;
mod init;
mod inspect;
mod lifecycle;
mod output;
mod parameters;
mod plain;
mod pooled;
mod probe;
mod processes;
mod progress;
mod project;
mod records;
mod requirements;
mod restarts;
mod role;
mod round_trip;
mod rows;
mod settings;
mod statement_time;
mod steps;
mod stepwise;
mod support;
mod types;
mod values;
mod walls;
mod ways;
