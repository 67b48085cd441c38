//! The only room that talks to PostgreSQL.

pub mod address;
pub mod connect;
mod passfile;
mod tls;

pub use connect::{Canceller, Connection};
