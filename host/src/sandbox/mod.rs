//! The sandbox: guests run here, and nowhere else is wasmtime known.
//!
//! A guest gets the interfaces of `wit/` and nothing more: no clock, no randomness, no file, no
//! socket, no environment. One file an imported interface.

mod actor;
mod analysis;
mod batches;
mod bulk;
mod checks;
mod commands;
mod engine;
mod execute;
mod limits;
mod outside;
mod owners;
mod query;
mod remember;
mod run;
mod settings;
mod standing;
mod state;
mod steps;
mod talk;
mod walls;

pub use actor::Left;
pub use engine::{Compiler, Prepared};
pub use limits::{statement_took_too_long, took_too_long};
pub use run::{Ended, Job, Verdict, run};
pub use steps::{Broken, Steps, Told};
pub use talk::{Events, Level};

/// What wasmtime generates from `wit/`; its docs are those of the interface.
#[allow(missing_docs, clippy::all)]
mod bindings {
    use crate::sandbox::{batches, bulk, query};

    wasmtime::component::bindgen!({
        path: "../wit",
        world: "migration",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wasmigrate:migration/query.rows": query::OpenRows,
            "wasmigrate:migration/bulk.copy-in": bulk::OpenCopy,
            "wasmigrate:migration/batches.ranges": batches::OpenRanges,
        },
    });
}

use bindings::wasmigrate::migration as wit;
use bindings::{Migration as Bindings, MigrationPre};
