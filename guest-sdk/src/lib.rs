//! What an author writes a `wasmigrate` migration with.
//!
//! A migration is a WebAssembly component that can do nothing but call the host: issue SQL, run checks,
//! report. This crate is that interface in Rust.
//!
//! ```no_run
//! use wasmigrate_sdk::prelude::*;
//!
//! const USERS: Table = Table::new("public", "users");
//!
//! struct DropDeadAccounts;
//!
//! impl Migration for DropDeadAccounts {
//!     fn up() -> Result<()> {
//!         let gone = execute(format!("DELETE FROM {USERS} WHERE email = $1"), params!["nobody@example.test"])?;
//!         info!("{gone} accounts are gone");
//!         Ok(())
//!     }
//!     fn down() -> Result<()> {
//!         bail!("deleted accounts don't come back: restore them from the backup")
//!     }
//!     fn verify() -> Result<()> {
//!         checks::require_no_rows(
//!             "no dead account is left",
//!             format!("SELECT id FROM {USERS} WHERE email = $1"),
//!             params!["nobody@example.test"],
//!         )
//!     }
//! }
//!
//! wasmigrate_sdk::export!(DropDeadAccounts);
//! ```
//!
//! # What is where
//! - [`Migration`] and [`export!`]: the shape of a migration.
//! - [`query`], [`query_one`], [`query_optional`], [`query_scalar`]: reading; [`Row`], [`FromRow`],
//!   [`from_row!`] and [`FromCell`] make types of what was read.
//! - [`execute`] with [`params!`], [`execute_all`] for many statements at once, and [`CopyIn`] for many rows: writing.
//! - [`Batches`]: going through a large table, range by range.
//! - [`Table`], [`Column`], [`Ident`], [`Literal`]: names and texts that quote themselves.
//! - [`Index`], [`ForeignKey`], [`Extension`], [`expr`]: things that a migration brings about, without SQL.
//! - [`checks`]: asking and requiring.
//! - [`setting!`], [`mode`], [`remember`], [`recall`], [`info!`], [`progress`]: the operator's choices, notes
//!   from `up` to `down`, and talk.
//!
//! # What the component imports
//! Only what the migration really calls: the rest vanishes when the component is built. So a migration that
//! reads no rows does not import `query`, and a reviewer sees that it can't.
//!
//! # The sandbox
//! `println!` goes nowhere (use [`info!`]), and there is no clock, no randomness, no thread and no file.
#![deny(missing_docs)]

pub mod bindings;
pub mod checks;
pub mod expr;

mod batches;
mod cell;
mod column;
mod copy;
mod error;
mod execute;
mod extension;
mod foreign_key;
mod from_row;
mod ident;
mod index;
mod key;
mod migration;
mod notes;
mod rows;
mod settings;
mod talk;
mod timestamp;
mod value;

pub use batches::{Batches, Range};
pub use cell::{Cell, FromCell, Misfit};
pub use copy::{CopyIn, CopyRow, CopyValue, Values};
pub use error::{DatabaseError, Error, ErrorKind, Result};
pub use execute::{Step, execute, execute_all};
pub use extension::{Extension, Installed};
pub use foreign_key::{ForeignKey, KeyAction};
pub use from_row::FromRow;
pub use ident::{Column, Ident, Literal, QualifiedColumn, Table};
pub use index::{Ensured, Index};
pub use key::{Key, OperatorClass};
pub use migration::Migration;
#[doc(hidden)]
pub use migration::run_phase;
pub use notes::{recall, remember};
pub use rows::{ColumnIndex, Row, Rows, query, query_one, query_optional, query_scalar};
pub use settings::{Mode, mode, setting};
pub use talk::{Level, log, progress};
pub use timestamp::Timestamp;
pub use value::Value;

/// All that most migrations need: `use wasmigrate_sdk::prelude::*;`
///
/// ```
/// use wasmigrate_sdk::prelude::*;
/// const USERS: Table = Table::new("public", "users");
/// ```
pub mod prelude {
    pub use crate::expr::{self, col};
    pub use crate::{
        Batches, Column, CopyIn, Extension, ForeignKey, Ident, Index, Key, KeyAction, Literal,
        Migration, Mode, OperatorClass, Result, Table, Timestamp, checks, execute, mode, progress,
        query, query_one, query_optional, query_scalar, recall, remember,
    };
    pub use crate::{bail, debug, from_row, info, params, setting, warn};
}
