//! The artifact: a component that carries its manifest. Reading one, making one, building one from source.
//!
//! Nothing here compiles or runs a component.

mod interface;
mod read;

pub use interface::{INTERFACES, PACKAGE};
pub use read::{Component, MANIFEST_SECTION, MAX_BYTES, read, validate};
