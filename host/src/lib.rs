//! The engine behind the `wasmigrate` command: migrations are WebAssembly components that can do
//! nothing but ask this host to run SQL and checks on PostgreSQL.
//!
//! An arrow between the modules points only down this list.

pub mod cli;

pub mod report;

pub mod operate;

pub mod migrator;

pub mod sandbox;

pub mod source;

pub mod review;

pub mod component;

pub mod database;

pub mod embedded;

pub mod plan;

pub mod project;

pub mod finding;

pub mod approval;

pub mod migration;

pub mod manifest;

pub mod guard;

pub mod limits;

pub mod touched;

pub mod toml_text;

pub mod text;

pub mod lines;

pub mod points;

pub mod error;
