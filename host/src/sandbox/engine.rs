//! The engine: how guests are compiled and what WebAssembly they may use.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine};

use super::state::State;
use super::{Bindings, MigrationPre};
use crate::component;
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
    pub(super) instance: MigrationPre<State>,
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
    /// What passes here is valid to its last byte, and can be instantiated and called.
    pub fn prepare(&mut self, migration: &Migration) -> Result<Prepared> {
        let file = migration.file.as_str();
        let failed = |error: wasmtime::Error| {
            Error::new(Code::Internal, "failed to start the engine").cause(format!("{error:#}"))
        };
        let engine = self
            .engine(migration.manifest.limits.stack)
            .map_err(failed)?;
        let component = Component::from_binary(&engine, &migration.component)
            .map_err(|error| component::invalid(file, format_args!("{error:#}")))?;
        let mut linker = Linker::new(&engine);
        Bindings::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)
            .map_err(failed)?;
        let instance = linker
            .instantiate_pre(&component)
            .and_then(MigrationPre::new)
            .map_err(|error| unfit(migration, &error))?;
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

/// Why a component that compiles does not fit: a function's type, which `inspect` tells too, or an import's.
fn unfit(migration: &Migration, why: &wasmtime::Error) -> Error {
    let file = &migration.file;
    match component::validate(file, &migration.component) {
        Err(error) => error,
        Ok(()) => component::unfit(format!(
            "`{file}` imports something in another form than this wasmigrate has it"
        ))
        .cause(format!("{why:#}")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::samples;
    use crate::manifest::Manifest;

    fn prepared(component: Vec<u8>) -> Result<()> {
        let manifest = Manifest::parse("m", samples::MANIFEST).unwrap();
        let migration = Migration::new("x.wasm", component.into(), manifest);
        Compiler::new(None).prepare(&migration).map(|_| ())
    }

    #[test]
    fn a_function_of_another_type_is_refused_as_inspect_refuses_it() {
        prepared(samples::component()).unwrap();
        for (name, function) in samples::OTHER_FUNCTIONS {
            let component = samples::exporting(name, function);
            let inspected = component::validate("x.wasm", &component);
            assert_eq!(prepared(component), inspected, "{function}");
        }
    }

    #[test]
    fn the_engine_has_no_more_of_webassembly_than_inspect_lets_pass() {
        for (what, module) in samples::modules_of_proposals() {
            let error = prepared(samples::holding(&module)).unwrap_err();
            assert_eq!(error.code(), Code::ComponentInvalid, "{what}: {error}");
        }
    }

    #[test]
    fn an_import_of_another_type_is_refused() {
        let error = prepared(samples::importing_another_type()).unwrap_err();
        assert_eq!(error.code(), Code::ComponentInterface);
        assert!(error.to_string().contains("log"), "{error}");
    }
}
