//! The interface `settings`.

use super::state::State;
use super::wit::{settings, types};
use crate::migration::Mode;

impl settings::Host for State {
    async fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.settings.get(&name).cloned())
    }

    async fn mode(&mut self) -> wasmtime::Result<types::Mode> {
        Ok(match self.mode {
            Mode::Transactional => types::Mode::Transactional,
            Mode::Stepwise => types::Mode::Stepwise,
        })
    }
}
