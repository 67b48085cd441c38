//! The engine behind the `wasmigrate` command: migrations are WebAssembly components that can do
//! nothing but ask this host to run SQL and checks on PostgreSQL.
//!
//! An arrow between the modules points only down this list.

pub mod database;
pub mod embedded;
pub mod error;
