//! An operator's jobs, over the migrator and the database.

pub mod white_cross;
