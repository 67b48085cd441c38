//! What is to be done: files and history compared. Pure functions; nothing here reads or writes.

mod compare;
mod down;
mod find;
mod open;
#[cfg(test)]
mod samples;
mod settings;
mod up;
mod verify;

use crate::migration::{Digest, Mode, Version};

pub use compare::{Entry, State, compare};
pub use down::{Undo, down};
pub use open::{Open, resume};
pub use settings::settings;
pub use up::up;
pub use verify::verify;

/// A migration that the history says is applied.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Its version.
    pub version: Version,
    /// Its name.
    pub name: String,
    /// The digest of the component that was applied.
    pub digest: Digest,
    /// How it ran.
    pub mode: Mode,
    /// The run that applied it.
    pub run: i64,
    /// The database user who applied it.
    pub by: String,
    /// When, in UTC, as ISO 8601.
    pub at: String,
    /// How long `up` took, in milliseconds.
    pub took_ms: u64,
    /// The rows that its statements affected.
    pub rows_affected: u64,
}

/// What the database says is applied, ordered by version.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The layout of the schema `wasmigrate`; 0 where there is none.
    pub layout: usize,
    /// The applied migrations.
    pub applied: Vec<Applied>,
    /// The migration that is half-way, if one is.
    pub open: Option<Open>,
}

impl History {
    /// The applied migration of that version.
    pub fn find(&self, version: &Version) -> Option<&Applied> {
        self.applied
            .iter()
            .find(|applied| applied.version == *version)
    }
}
