//! An operator's jobs, over the migrator and the database.

pub mod approve;
pub mod grants;
pub mod reached;
pub mod white_cross;
