//! The binary without its statement wall: what the walls behind it stop by themselves.
//!
//! `cargo test --workspace --features wasmigrate/without-statement-wall --test walls_off`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]
// the end-to-end tests have these for themselves
#![allow(dead_code)]

mod attacks;
#[path = "../e2e/guests.rs"]
mod guests;
#[path = "../e2e/attacks/list.rs"]
mod list;
#[path = "../e2e/attacks/place.rs"]
mod place;
#[path = "../e2e/probe.rs"]
mod probe;
#[path = "../e2e/processes.rs"]
mod processes;
#[path = "../e2e/attacks/run.rs"]
mod run;
#[path = "../e2e/support.rs"]
mod support;
#[path = "../e2e/walls.rs"]
mod walls;
#[path = "../e2e/ways.rs"]
mod ways;
