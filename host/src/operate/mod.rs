//! An operator's jobs, over the migrator and the database.

pub mod approve;
pub mod grants;
pub mod white_cross;
