//! The raw bindings to the host's interface, generated from the WIT files.
//!
//! Everything that an author needs is offered by the rest of this crate in a form that is harder to get
//! wrong. The bindings are public for the rare guest that must build a raw value by itself, such as the
//! guests of the host's own tests. Their shape follows the WIT files and `wit-bindgen`.
#![allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    rustdoc::broken_intra_doc_links
)]

wit_bindgen::generate!({
    path: "wit",
    world: "migration",
    pub_export_macro: true,
    default_bindings_module: "wasmigrate_sdk::bindings",
    additional_derives: [PartialEq],
});
