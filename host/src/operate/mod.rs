//! An operator's jobs, over the migrator and the database.

pub mod approve;
pub mod grants;
pub mod init;
pub mod reached;
pub mod round_trip;
pub mod white_cross;
