//! The engine: how guests are compiled and what WebAssembly they may use.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine};

use super::Bindings;
use super::state::State;
use crate::error::{Code, Error, Result};
use crate::migration::Migration;

/// How often a running guest is looked at, for its deadline and for interrupts.
const TICK: Duration = Duration::from_millis(10);
/// Room on the stack for the host's own functions, beside the guest's.
const HOST_STACK: usize = 1 << 20;

/// Compiles components. Compiled code is kept on disk under the digest of the component.
pub struct Compiler {
    cache: Option<PathBuf>,
    engines: HashMap<u64, Engine>,
}

/// A component that is compiled and linked, ready to be instantiated.
pub struct Prepared {
    pub(super) engine: Engine,
    pub(super) instance: InstancePre<State>,
}

impl Compiler {
    /// A compiler that keeps compiled code in that folder; without one it compiles anew each time.
    pub fn new(cache: Option<PathBuf>) -> Self {
        Compiler {
            cache,
            engines: HashMap::new(),
        }
    }

    /// Compiles a migration, or takes its code from the cache, and links it to the host's interfaces.
    pub fn prepare(&mut self, migration: &Migration) -> Result<Prepared> {
        let failed = |error: wasmtime::Error| {
            Error::new(
                Code::ComponentInvalid,
                format!("failed to compile {}", migration.file),
            )
            .cause(format!("{error:#}"))
            .hint("build it again with `wasmigrate build`")
        };
        let engine = self
            .engine(migration.manifest.limits.stack)
            .map_err(|error| {
                Error::new(Code::Internal, "failed to start the engine").cause(format!("{error:#}"))
            })?;
        let component = Component::from_binary(&engine, &migration.component).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        Bindings::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)
            .map_err(failed)?;
        let instance = linker.instantiate_pre(&component).map_err(failed)?;
        Ok(Prepared { engine, instance })
    }

    fn engine(&mut self, stack: u64) -> wasmtime::Result<Engine> {
        if let Some(engine) = self.engines.get(&stack) {
            return Ok(engine.clone());
        }
        let engine = Engine::new(&self.config(stack)?)?;
        start_ticking(&engine);
        self.engines.insert(stack, engine.clone());
        Ok(engine)
    }

    fn config(&self, stack: u64) -> wasmtime::Result<Config> {
        let stack = usize::try_from(stack)?;
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            .max_wasm_stack(stack)
            .async_stack_size(stack + HOST_STACK)
            // the same component must do the same on every machine
            .cranelift_nan_canonicalization(true)
            .wasm_relaxed_simd(false)
            .wasm_multi_memory(false)
            .wasm_memory64(false);
        if let Some(folder) = &self.cache {
            let mut cache = CacheConfig::new();
            cache.with_directory(folder);
            config.cache(Some(Cache::new(cache)?));
        }
        Ok(config)
    }
}

fn start_ticking(engine: &Engine) {
    let engine = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
}
