//! Talking to the operator: log and progress.

use crate::bindings::wasmigrate::migration::{log as raw_log, progress as raw_progress};

#[doc(inline)]
pub use raw_log::Level;

/// Shows a message at a level. [`debug!`](crate::debug), [`info!`](crate::info) and
/// [`warn!`](crate::warn) are shorter.
///
/// ```no_run
/// wasmigrate_sdk::log(wasmigrate_sdk::Level::Info, "250 rows repaired");
/// ```
pub fn log(level: Level, message: &str) {
    raw_log::log(level, message);
}

/// Says how far the migration is; a total of 0 means that it is not known.
///
/// ```no_run
/// for done in 1..=10 { wasmigrate_sdk::progress(done, 10); }
/// ```
pub fn progress(done: u64, total: u64) {
    raw_progress::progress(done, total);
}

/// Tells the author something; the operator sees it with `--verbose`. Written like `format!`.
///
/// ```no_run
/// wasmigrate_sdk::debug!("batch of {} rows", 100);
/// ```
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log($crate::Level::Debug, &::std::format!($($message)+)) };
}

/// Tells the operator something. Written like `format!`.
///
/// ```no_run
/// wasmigrate_sdk::info!("{} rows repaired", 250);
/// ```
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log($crate::Level::Info, &::std::format!($($message)+)) };
}

/// Tells the operator something to look at. Written like `format!`.
///
/// ```no_run
/// wasmigrate_sdk::warn!("{} rows were deleted", 250);
/// ```
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log($crate::Level::Warn, &::std::format!($($message)+)) };
}
