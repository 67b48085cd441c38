//! Grows its memory to its limit, or one page past it.
//!
//! One of the guests that misbehave, for the tests of the host.

use wasmigrate_sdk::prelude::*;

setting! {
    /// How much.
    pub enum Amount = "amount" {
        /// Exactly what the manifest's limit allows.
        AtLimit = "at-limit",
        /// A little more.
        PastLimit = "past-limit",
    }
}

/// 64 MiB, as the manifest has it.
const LIMIT_PAGES: usize = 1024;

#[cfg(target_arch = "wasm32")]
fn grow_to(pages: usize) -> bool {
    use std::arch::wasm32::{memory_grow, memory_size};
    memory_grow::<0>(pages - memory_size::<0>()) != usize::MAX
}

/// Elsewhere there is no such memory.
#[cfg(not(target_arch = "wasm32"))]
fn grow_to(_pages: usize) -> bool {
    false
}

struct MemoryHog;

impl Migration for MemoryHog {
    fn up() -> Result<()> {
        let pages = LIMIT_PAGES + usize::from(Amount::get()? == Amount::PastLimit);
        if !grow_to(pages) {
            bail!("the host refused a memory of {pages} pages");
        }
        Ok(())
    }

    fn down() -> Result<()> {
        Ok(())
    }

    fn verify() -> Result<()> {
        Ok(())
    }
}

wasmigrate_sdk::export!(MemoryHog);
