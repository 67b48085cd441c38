//! What a requiring check expected and saw.

use serde::Serialize;

/// The outcome of one requiring check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check, for example `index` or `latency`.
    pub kind: &'static str,
    /// What was looked at, for example an index's name.
    pub subject: String,
    /// What was required.
    pub expected: String,
    /// What was there.
    pub seen: String,
    /// Whether the requirement is met.
    pub met: bool,
}
