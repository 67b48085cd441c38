//! A few notes from `up` to `down`.

use crate::Result;
use crate::bindings::wasmigrate::migration::remember as raw;

/// Keeps a text under a key with the history row, for [`recall`] in `down`. Only in `up`; a later call with
/// the same key replaces the text.
///
/// ```no_run
/// # fn example() -> wasmigrate_sdk::Result<()> {
/// wasmigrate_sdk::remember("rows made", "250")?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the host refuses: outside `up`, or past its limits.
pub fn remember(key: &str, text: &str) -> Result<()> {
    Ok(raw::remember(key, text)?)
}

/// What `up` kept under a key, if anything.
///
/// ```no_run
/// # fn example() -> wasmigrate_sdk::Result<()> {
/// if let Some(rows) = wasmigrate_sdk::recall("rows made")? { wasmigrate_sdk::info!("up made {rows}"); }
/// # Ok(()) }
/// ```
///
/// # Errors
/// When an earlier call failed.
pub fn recall(key: &str) -> Result<Option<String>> {
    Ok(raw::recall(key)?)
}
