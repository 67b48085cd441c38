//! The interface `remember`.

use super::state::{Answer, Fault, State};
use super::wit::{remember, types};
use crate::migration::Phase;

/// What one migration may remember, in bytes of keys and texts: notes, not data.
const MOST_BYTES: usize = 1 << 20;

impl remember::Host for State {
    async fn remember(
        &mut self,
        key: String,
        text: String,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        let answer = self.keep(key, text);
        self.answer(answer)
    }

    async fn recall(
        &mut self,
        key: String,
    ) -> wasmtime::Result<Result<Option<String>, types::Error>> {
        let answer = self.ready().map(|()| self.remembered.get(&key).cloned());
        self.answer(answer)
    }
}

impl State {
    fn keep(&mut self, key: String, text: String) -> Answer<()> {
        self.ready()?;
        let what = "failed to remember a text";
        if self.phase != Phase::Up {
            return Err(Fault::unsupported(what, "only up can remember"));
        }
        if key.contains('\0') || text.contains('\0') {
            return Err(Fault::unsupported(
                what,
                "it holds a NUL character, which PostgreSQL cannot store",
            ));
        }
        // counted as it grows: adding it all up for each of many short notes would take the host long
        let added = key.len() + text.len();
        let replaced = self.remembered.get(&key).map(|old| key.len() + old.len());
        self.remembered_bytes = self.remembered_bytes + added - replaced.unwrap_or(0);
        self.remembered.insert(key, text);
        if let Some(stepping) = &mut self.stepping {
            stepping.remembers = true;
        }
        if self.remembered_bytes > MOST_BYTES {
            return Err(Fault::unsupported(
                what,
                "a migration can remember 1 MiB at most",
            ));
        }
        Ok(())
    }
}
