//! The only room that talks to PostgreSQL.

pub mod address;
pub mod connect;
mod failure;
mod passfile;
mod tls;
