//! A binary that stops at each point of a run: killed there, or with its connection cut there, it is run again, and
//! what it leaves must be what an undisturbed run leaves.
//!
//! `cargo test --features wasmigrate/stopping-points --test crash`; a seeded sample of the points, of the size
//! CRASH_POINTS, and all of them where that is `all`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]
// the end-to-end tests have these for themselves
#![allow(dead_code)]

mod calls;
mod every_point;
#[path = "../e2e/guests.rs"]
mod guests;
mod harness;
#[path = "../e2e/probe.rs"]
mod probe;
#[path = "../e2e/processes.rs"]
mod processes;
#[path = "../e2e/support.rs"]
mod support;
