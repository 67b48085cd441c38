//! End to end: real servers, real connections, real components.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod connection;
mod lifecycle;
mod support;
