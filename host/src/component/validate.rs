//! Whether a component is valid to its last byte, and exports what a run calls: what `inspect` tells and
//! what the engine, which compiles it, must find as well.

use wasmparser::component_types::{ComponentDefinedType, ComponentEntityType, ComponentValType};
use wasmparser::types::TypesRef;
use wasmparser::{PrimitiveValType, Validator, WasmFeatures};

use crate::component::interface::{EXPORTS, unfit};
use crate::error::{Code, Error, Result};

/// The parts of WebAssembly that a migration may use: those that the engine of the sandbox has.
const FEATURES: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::COMPONENT_MODEL)
    .difference(WasmFeatures::MEMORY64)
    .difference(WasmFeatures::MULTI_MEMORY)
    .difference(WasmFeatures::RELAXED_SIMD)
    .difference(WasmFeatures::THREADS)
    .difference(WasmFeatures::EXCEPTIONS)
    .difference(WasmFeatures::GC_TYPES);

/// Checks every byte of a component by WebAssembly's rules, and the types of the three functions.
pub fn validate(origin: &str, bytes: &[u8]) -> Result<()> {
    let types = Validator::new_with_features(FEATURES)
        .validate_all(bytes)
        .map_err(|error| invalid(origin, error))?;
    match EXPORTS
        .iter()
        .find(|name| !returns_a_result(types.as_ref(), name))
    {
        None => Ok(()),
        Some(name) => Err(unfit(format!(
            "`{origin}` exports `{name}`, but not as `func() -> result<_, string>`"
        ))),
    }
}

/// The error of a component that is not valid.
pub fn invalid(origin: &str, why: impl std::fmt::Display) -> Error {
    Error::new(
        Code::ComponentInvalid,
        format!("`{origin}` is damaged, or uses more of WebAssembly than a migration may"),
    )
    .cause(why)
    .hint("build it again with `wasmigrate build`")
}

fn returns_a_result(types: TypesRef<'_>, export: &str) -> bool {
    let Some(item) = types.component_item_for_export(export) else {
        return false;
    };
    let ComponentEntityType::Func(function) = item.ty else {
        return false;
    };
    let function = &types[function];
    let Some(ComponentValType::Type(result)) = function.result else {
        return false;
    };
    !function.async_
        && function.params.is_empty()
        && matches!(
            &types[result],
            ComponentDefinedType::Result {
                ok: None,
                err: Some(ComponentValType::Primitive(PrimitiveValType::String)),
                ..
            }
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::samples;

    fn code(bytes: &[u8]) -> Option<Code> {
        validate("x.wasm", bytes).err().map(|error| error.code())
    }

    #[test]
    fn a_function_of_another_type_is_named() {
        assert_eq!(code(&samples::component()), None);
        for (name, function) in samples::OTHER_FUNCTIONS {
            let error = validate("x.wasm", &samples::exporting(name, function)).unwrap_err();
            assert_eq!(error.code(), Code::ComponentInterface, "{function}");
            assert!(error.message().contains(&format!("`{name}`")), "{error}");
        }
    }

    #[test]
    fn every_byte_is_looked_at() {
        let mut bytes = samples::component();
        let middle = bytes.len() / 3;
        bytes[middle] ^= 0xff;
        assert!(crate::component::read("x.wasm", &bytes).is_ok());
        assert_eq!(code(&bytes), Some(Code::ComponentInvalid));
    }

    #[test]
    fn more_of_webassembly_than_the_engine_has_is_refused() {
        for (what, module) in samples::modules_of_proposals() {
            let bytes = samples::holding(&module);
            assert_eq!(code(&bytes), Some(Code::ComponentInvalid), "{what}");
        }
    }
}
