//! sdk
pub mod bindings;
