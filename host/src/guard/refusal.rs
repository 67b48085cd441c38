//! Why a statement may not run, as a guest and an operator are told.

use std::fmt;

use super::grants::Need;

/// Why a statement may not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What nothing can allow; foreign text in it is escaped.
    pub never: Vec<String>,
    /// What is needed and not granted.
    pub missing: Vec<Missing>,
    /// All that the phase is granted.
    pub granted: Vec<String>,
}

/// What is needed and not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The need.
    pub need: Need,
    /// The line of a manifest that would grant it, where one is known.
    pub line: Option<String>,
    /// What leads to it, where the statement does not name it itself; or what is wrong with what it names. Escaped.
    pub note: Option<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.need)?;
        match &self.note {
            Some(note) => write!(f, " ({note})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.never.is_empty() {
            return f.write_str(&self.never.join("; "));
        }
        let missing: Vec<_> = self.missing.iter().map(Missing::to_string).collect();
        write!(f, "not granted: {}", missing.join(", "))
    }
}
