//! The artifact: a component that carries its manifest. Reading one, making one, building one from source.
//!
//! Nothing here compiles a component to machine code, and nothing runs one.

mod build;
mod cargo;
mod encode;
mod interface;
mod read;
#[cfg(test)]
pub(crate) mod samples;
mod texts;
mod validate;

pub use build::{Built, build};
pub use encode::{encode, encode_unchecked};
pub use interface::{INTERFACES, PACKAGE, unfit};
pub use read::{Component, MANIFEST_SECTION, MAX_BYTES, read};
pub use texts::{Form, Text, Texts, texts};
pub use validate::{invalid, validate};
