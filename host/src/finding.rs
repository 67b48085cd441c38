//! What a requiring check expected and saw.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The outcome of one requiring check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which check, for example `index` or `latency`.
    pub kind: Cow<'static, str>,
    /// What was looked at, for example an index's name.
    pub subject: String,
    /// What was required.
    pub expected: String,
    /// What was there.
    pub seen: String,
    /// Whether the requirement is met.
    pub met: bool,
}
