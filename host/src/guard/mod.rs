//! May this statement run? The guest's text is judged here before it reaches the server.
//!
//! Pure functions on data: nothing here asks a server, and nothing outside knows the grammar.

pub mod commands;
pub mod functions;
pub mod grants;
mod judge;
mod memory;
pub mod outside;
pub mod record;
mod refusal;
pub mod resolve;
pub mod statement;

pub use judge::{Guard, Held, STATEMENT_WALL};
pub use refusal::{Missing, Refusal};
