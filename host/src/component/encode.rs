//! Core module and manifest -> component. The same input gives the same bytes.

use wasm_encoder::{ComponentSection, CustomSection};
use wit_component::ComponentEncoder;

use crate::component::{MANIFEST_SECTION, read, validate};
use crate::error::{Code, Error, Result};
use crate::manifest::Manifest;

/// Makes the artifact of a compiled guest: the component with its manifest inside. What comes out can be
/// read back and is valid; `origin` names the guest in errors.
pub fn encode(origin: &str, module: &[u8], manifest: &Manifest) -> Result<Vec<u8>> {
    let bytes = encode_unchecked(origin, module, manifest)?;
    read(origin, &bytes)?;
    validate(origin, &bytes)?;
    Ok(bytes)
}

/// The same for a guest that may import what no host of ours offers, or export what none calls: this is how
/// tests make the components that must be refused.
pub fn encode_unchecked(origin: &str, module: &[u8], manifest: &Manifest) -> Result<Vec<u8>> {
    let mut bytes = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| {
            let causes = error.chain().map(|cause| cause.to_string()).collect();
            refused(origin, causes)
        })?;
    let section = CustomSection {
        name: MANIFEST_SECTION.into(),
        data: manifest.source.as_bytes().into(),
    };
    section.append_to_component(&mut bytes);
    Ok(bytes)
}

fn refused(origin: &str, causes: Vec<String>) -> Error {
    let start = Error::new(
        Code::BuildFailed,
        format!("failed to make a component of `{origin}`"),
    );
    let hint = if causes.iter().any(|cause| cause.contains("wasi")) {
        "build it with `--target wasm32-unknown-unknown`, which has no WASI: `wasmigrate build` does"
    } else {
        "does the crate call the SDK's export macro, and does the SDK fit this wasmigrate?"
    };
    causes.into_iter().fold(start, Error::cause).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::samples;

    fn refusal(from: &str, name: &str) -> Error {
        let manifest = Manifest::parse("m", samples::MANIFEST).unwrap();
        let module = samples::module_importing(samples::WORLD, from, name);
        encode("guest", &module, &manifest).unwrap_err()
    }

    #[test]
    fn a_module_with_wasi_gets_the_flag() {
        let error = refusal("wasi_snapshot_preview1", "fd_write");
        assert_eq!(error.code(), Code::BuildFailed);
        assert!(
            error
                .hint_text()
                .unwrap()
                .contains("--target wasm32-unknown-unknown"),
            "{error}"
        );
    }

    #[test]
    fn a_module_with_another_import_is_refused() {
        let error = refusal("env", "f");
        assert_eq!(error.code(), Code::BuildFailed);
        assert!(
            error.hint_text().unwrap().contains("export macro"),
            "{error}"
        );
    }

    #[test]
    fn a_function_of_another_type_is_refused() {
        let manifest = Manifest::parse("m", samples::MANIFEST).unwrap();
        let world =
            samples::WORLD.replacen("up: func() -> result<_, string>", "up: func() -> u32", 1);
        let error = encode("guest", &samples::module(&world), &manifest).unwrap_err();
        assert_eq!(error.code(), Code::ComponentInterface, "{error}");
    }
}
