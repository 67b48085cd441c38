//! Components made without a compiler: small ones that do nothing or fail, and real ones with another manifest.

use std::path::{Path, PathBuf};

use wasm_encoder::{
    CodeSection, ComponentSection, ConstExpr, CustomSection, DataSection, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, ImportSection, MemorySection, MemoryType, Module,
    TypeSection, ValType,
};
use wasmigrate::component::{self, MANIFEST_SECTION};
use wasmigrate::manifest::Manifest;
use wit_component::StringEncoding;
use wit_parser::Resolve;

use crate::support::root;

const WORLD: &str = "package test:small; world small {
    import wasmigrate:migration/checks@0.1.0;
    export up: func() -> result<_, string>;
    export down: func() -> result<_, string>;
    export verify: func() -> result<_, string>;
}";

/// Where in the guest's memory things lie: the three results, the texts, and what calls return.
const RESULTS: i32 = 16;
const TEXTS: i32 = 1024;
const RETURNED: i32 = 8192;

/// A small migration: it requires an extension if asked to, and then returns what it was told to return.
#[derive(Clone, Default)]
pub struct Small {
    version: String,
    manifest: String,
    requires: Option<String>,
    fails: [Option<String>; 3],
    exports: Option<(String, String)>,
}

impl Small {
    /// One that does nothing.
    pub fn new(version: &str, name: &str) -> Self {
        Small {
            version: version.into(),
            manifest: format!("version = \"{version}\"\nname = \"{name}\"\n"),
            ..Small::default()
        }
    }

    /// Adds lines to its manifest.
    pub fn manifest(mut self, lines: &str) -> Self {
        self.manifest += lines;
        self
    }

    /// Its `up` requires this extension first.
    pub fn requires(mut self, extension: &str) -> Self {
        self.requires = Some(extension.into());
        self
    }

    /// Its `up` returns an error with this text.
    pub fn up_fails(mut self, text: &str) -> Self {
        self.fails[0] = Some(text.into());
        self
    }

    /// Its `verify` returns an error with this text.
    pub fn verify_fails(mut self, text: &str) -> Self {
        self.fails[2] = Some(text.into());
        self
    }

    /// It exports that function with this type.
    pub fn exports(mut self, function: &str, ty: &str) -> Self {
        self.exports = Some((function.into(), ty.into()));
        self
    }

    /// The component.
    pub fn bytes(&self) -> Vec<u8> {
        // an extension is asked for in the catalog
        let grants = match self.requires {
            Some(_) => "\n[grants]\nup = [\"catalog\"]\n",
            None => "",
        };
        let manifest = format!("{}{grants}", self.manifest);
        let manifest = Manifest::parse("small", &manifest).unwrap();
        component::encode_unchecked("small", &self.module(), &manifest).unwrap()
    }

    /// Writes the component into a folder.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("{}.wasm", self.version));
        std::fs::write(&path, self.bytes()).unwrap();
        path
    }

    fn module(&self) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([ValType::I32; 3], []);
        types.ty().function([], [ValType::I32]);
        types.ty().function([ValType::I32; 4], [ValType::I32]);
        let mut imports = ImportSection::new();
        imports.import(
            "wasmigrate:migration/checks@0.1.0",
            "require-extension",
            EntityType::Function(0),
        );
        let mut functions = FunctionSection::new();
        let mut exports = ExportSection::new();
        let mut code = CodeSection::new();
        let mut data = DataSection::new();
        let mut free = TEXTS;
        let mut store = |text: &str| {
            let at = free;
            data.active(0, &ConstExpr::i32_const(at), text.bytes());
            free += text.len() as i32;
            (at, text.len() as i32)
        };
        let required = self.requires.as_deref().map(&mut store);
        let mut results = Vec::new();
        for (place, name) in ["up", "down", "verify"].into_iter().enumerate() {
            let result = RESULTS + 16 * place as i32;
            if let Some(text) = &self.fails[place] {
                let (at, length) = store(text);
                let words = [1, at, length].map(i32::to_le_bytes);
                results.push((result, words.concat()));
            }
            let mut body = Function::new([]);
            if let (0, Some((at, length))) = (place, required) {
                let mut call = body.instructions();
                call.i32_const(at).i32_const(length).i32_const(RETURNED);
                call.call(0);
            }
            body.instructions().i32_const(result).end();
            functions.function(1);
            code.function(&body);
            exports.export(name, ExportKind::Func, 1 + place as u32);
        }
        for (at, bytes) in results {
            data.active(0, &ConstExpr::i32_const(at), bytes);
        }
        // what the host hands back is never read, so it may overlap
        let mut realloc = Function::new([]);
        realloc.instructions().i32_const(2 * RETURNED).end();
        functions.function(2);
        code.function(&realloc);
        exports.export("cabi_realloc", ExportKind::Func, 4);
        exports.export("memory", ExportKind::Memory, 0);
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 2,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let world = self.world();
        let mut module = Module::new();
        module
            .section(&types)
            .section(&imports)
            .section(&functions)
            .section(&memories)
            .section(&exports)
            .section(&code)
            .section(&data)
            .section(&CustomSection {
                name: "component-type:small".into(),
                data: world.into(),
            });
        module.finish()
    }

    fn world(&self) -> Vec<u8> {
        let text = match &self.exports {
            Some((function, ty)) => WORLD.replacen(
                &format!("{function}: func() -> result<_, string>"),
                &format!("{function}: {ty}"),
                1,
            ),
            None => WORLD.to_owned(),
        };
        let mut resolve = Resolve::default();
        resolve.push_dir(root().join("wit")).unwrap();
        let package = resolve.push_str("small.wit", &text).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        wit_component::metadata::encode(&resolve, world, StringEncoding::UTF8, None).unwrap()
    }
}

/// A folder of its own with these small migrations.
pub fn folder_of(all: &[Small]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for one in all {
        one.write(folder.path());
    }
    folder
}

/// The file of the component with that version.
pub fn file_of(folder: &Path, version: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(version)
        })
        .unwrap()
}

/// The same component with another manifest, which nobody checked.
pub fn with_manifest(component: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let section = |text: &str| {
        let mut bytes = Vec::new();
        CustomSection {
            name: MANIFEST_SECTION.into(),
            data: text.as_bytes().into(),
        }
        .append_to_component(&mut bytes);
        bytes
    };
    let source = component::read("test", component).unwrap().manifest.source;
    let code = component.strip_suffix(&section(&source)[..]).unwrap();
    [code, &section(&change(&source))].concat()
}

/// Puts the same component with another manifest in its place.
pub fn change_manifest(file: &Path, change: impl Fn(&str) -> String) {
    let bytes = with_manifest(&std::fs::read(file).unwrap(), change);
    std::fs::write(file, bytes).unwrap();
}
