//! What a component says about itself, from its bytes alone: nothing is compiled and nothing runs.
//!
//! [`read`] walks only the top-level sections, because it is done to every component at each start; what
//! is inside of them [`validate`](crate::component::validate) looks at.

use wasmparser::{
    BinaryReaderError, Chunk, ComponentExternName, ComponentExternalKind, ComponentTypeRef,
    Encoding, Parser, Payload,
};

use crate::component::interface;
use crate::error::{Code, Error, Result};
use crate::manifest::{self, Manifest};

/// The custom section that holds the manifest.
pub const MANIFEST_SECTION: &str = "wasmigrate:manifest";

/// The largest component, in bytes.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What a component imports, exports and declares.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// The interfaces it imports, as they are written; all of them are this package's.
    pub imports: Vec<String>,
    /// The names it exports.
    pub exports: Vec<String>,
    /// The version of the interface it was built for; none where it imports nothing.
    pub interface: Option<String>,
    /// What the author declared.
    pub manifest: Manifest,
}

#[derive(Default)]
struct Outline<'a> {
    imports: Vec<(&'a str, bool)>,
    exports: Vec<(&'a str, bool)>,
    manifests: Vec<&'a [u8]>,
}

/// Reads a component and refuses one that is not ours to run; `origin` names it in errors.
pub fn read(origin: &str, bytes: &[u8]) -> Result<Component> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::new(
            Code::ComponentInvalid,
            format!("`{origin}` is larger than {MAX_BYTES} bytes"),
        ));
    }
    refuse_other_formats(origin, bytes)?;
    let outline = outline(bytes).map_err(|why| damaged(origin, why))?;
    let interface = interface::check_imports(origin, &outline.imports)?;
    interface::check_exports(origin, &outline.exports)?;
    Ok(Component {
        imports: outline
            .imports
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        exports: outline
            .exports
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        interface,
        manifest: read_manifest(origin, &outline.manifests)?,
    })
}

const CUT_SHORT: &str = "the file ends inside a section";

pub(super) fn text(error: BinaryReaderError) -> String {
    error.to_string()
}

pub(super) fn damaged(origin: &str, why: String) -> Error {
    Error::new(
        Code::ComponentInvalid,
        format!("`{origin}` is damaged or cut short"),
    )
    .cause(why)
    .hint("build it again with `wasmigrate build`")
}

fn refuse_other_formats(origin: &str, bytes: &[u8]) -> Result<()> {
    let what = if bytes.is_empty() {
        "is empty"
    } else if Parser::is_component(bytes) {
        return Ok(());
    } else if Parser::is_core_wasm(bytes) {
        "is a core module, not a component"
    } else if bytes.trim_ascii_start().starts_with(b"(") {
        "is WebAssembly text, not a component"
    } else if b"\0asm".starts_with(bytes.get(..4).unwrap_or(bytes)) {
        "is cut short, or of a WebAssembly version that is not known here"
    } else {
        "is not WebAssembly"
    };
    Err(
        Error::new(Code::ComponentInvalid, format!("`{origin}` {what}"))
            .hint("`wasmigrate build` makes components"),
    )
}

/// Walks the top-level sections; the error is what is wrong with them.
fn outline(bytes: &[u8]) -> Result<Outline<'_>, String> {
    let mut outline = Outline::default();
    let mut parser = Parser::new(0);
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Chunk::Parsed { consumed, payload } = parser.parse(rest, true).map_err(text)? else {
            return Err(CUT_SHORT.to_owned());
        };
        at += consumed;
        match payload {
            // what is inside is no business of the outside: step over it
            Payload::ModuleSection {
                unchecked_range, ..
            }
            | Payload::ComponentSection {
                unchecked_range, ..
            } => {
                at = unchecked_range.end;
                if at > bytes.len() {
                    return Err(CUT_SHORT.to_owned());
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import.map_err(text)?;
                    let instance = matches!(import.ty, ComponentTypeRef::Instance(_));
                    outline
                        .imports
                        .push((import.name.name, instance && plain(&import.name)));
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export.map_err(text)?;
                    let function = export.kind == ComponentExternalKind::Func;
                    outline
                        .exports
                        .push((export.name.name, function && plain(&export.name)));
                }
            }
            Payload::CustomSection(section) if section.name() == MANIFEST_SECTION => {
                outline.manifests.push(section.data());
            }
            Payload::Version { encoding, .. } => debug_assert_eq!(encoding, Encoding::Component),
            Payload::End(_) => return Ok(outline),
            _ => {}
        }
    }
}

/// Whether a name is only a name, without the options by which newer formats change its meaning.
fn plain(name: &ComponentExternName<'_>) -> bool {
    name.implements.is_none() && name.version_suffix.is_none() && name.external_id.is_none()
}

fn read_manifest(origin: &str, sections: &[&[u8]]) -> Result<Manifest> {
    let invalid = |what: String| {
        Error::new(
            Code::ManifestInvalid,
            format!("the manifest of `{origin}` {what}"),
        )
    };
    let [section] = sections else {
        return Err(match sections.len() {
            0 => Error::new(Code::ManifestMissing, format!("`{origin}` has no manifest")).hint(
                "build it with `wasmigrate build`, with a migration.toml beside its Cargo.toml",
            ),
            count => invalid(format!("is there {count} times")),
        });
    };
    if section.len() > manifest::MAX_BYTES {
        return Err(invalid(format!(
            "is {} bytes long; at most {} fit",
            section.len(),
            manifest::MAX_BYTES
        )));
    }
    let text = std::str::from_utf8(section)
        .map_err(|error| invalid("is not UTF-8".to_owned()).cause(error))?;
    Manifest::parse(&format!("manifest of `{origin}`"), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::samples;
    use wasm_encoder::{ComponentSection, CustomSection};

    /// A valid component without a manifest, so that tests can add sections.
    fn bare() -> Vec<u8> {
        let whole = samples::component();
        let manifest = samples::MANIFEST.len() + 1 + MANIFEST_SECTION.len() + 2;
        whole[..whole.len() - manifest].to_vec()
    }

    fn with(sections: &[&[u8]]) -> Vec<u8> {
        let mut bytes = bare();
        for data in sections {
            CustomSection {
                name: MANIFEST_SECTION.into(),
                data: (*data).into(),
            }
            .append_to_component(&mut bytes);
        }
        bytes
    }

    fn code(bytes: &[u8]) -> Code {
        read("x.wasm", bytes).unwrap_err().code()
    }

    #[test]
    fn a_component_tells_what_it_imports_exports_and_declares() {
        let bytes = samples::component();
        let component = read("x.wasm", &bytes).unwrap();
        assert_eq!(component.imports, ["wasmigrate:migration/log@0.1.0"]);
        assert_eq!(component.exports, ["up", "down", "verify"]);
        assert_eq!(component.interface.as_deref(), Some("0.1.0"));
        assert_eq!(component.manifest.source, samples::MANIFEST);
        assert_eq!(samples::component(), bytes);
    }

    #[test]
    fn other_formats_are_refused_and_named() {
        for (bytes, words) in [
            (&b""[..], "is empty"),
            (b"\0asm\x01\0\0\0", "core module"),
            (b" (component)", "text"),
            (b"\0as", "cut short"),
            (b"\0asm\x63\0\x01\0", "not known"),
            (b"\x7fELF", "not WebAssembly"),
        ] {
            let error = read("x.wasm", bytes).unwrap_err();
            assert_eq!(error.code(), Code::ComponentInvalid, "{words}");
            assert!(error.message().contains(words), "{error}");
        }
    }

    #[test]
    fn cut_anywhere_it_is_refused() {
        let bytes = samples::component();
        for length in 0..bytes.len() {
            let code = code(&bytes[..length]);
            assert!(
                matches!(
                    code,
                    Code::ComponentInvalid | Code::ComponentInterface | Code::ManifestMissing
                ),
                "{length}: {code:?}"
            );
        }
    }

    #[test]
    fn one_whole_manifest_must_be_there() {
        assert_eq!(code(&with(&[])), Code::ManifestMissing);
        let good = samples::MANIFEST.as_bytes();
        assert!(read("x.wasm", &with(&[good])).is_ok());
        assert_eq!(code(&with(&[good, good])), Code::ManifestInvalid);
        assert_eq!(code(&with(&[b"\xff"])), Code::ManifestInvalid);
        assert_eq!(code(&with(&[b"version ="])), Code::ManifestInvalid);
        let long = [good, &vec![b'#'; manifest::MAX_BYTES]].concat();
        assert_eq!(code(&with(&[&long])), Code::ManifestInvalid);
    }
}
