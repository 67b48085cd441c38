//! Small components for tests, made without a compiler.

use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, ImportSection, MemorySection, MemoryType, Module, TypeSection,
    ValType,
};
use wit_component::StringEncoding;
use wit_parser::Resolve;

use crate::component::encode;
use crate::manifest::Manifest;

pub(crate) const MANIFEST: &str = "version = \"1\"\nname = \"sample\"\n";

/// A world with `log` imported and the three functions exported.
pub(crate) const WORLD: &str = "package test:sample; world sample {
    import wasmigrate:migration/log@0.1.0;
    export up: func() -> result<_, string>;
    export down: func() -> result<_, string>;
    export verify: func() -> result<_, string>;
}";

/// A component of the usual world.
pub(crate) fn component() -> Vec<u8> {
    encode(
        "sample",
        &module(WORLD),
        &Manifest::parse("m", MANIFEST).unwrap(),
    )
    .unwrap()
}

/// A core module for a world: it imports `log` and exports the three functions, which return a pointer.
pub(crate) fn module(world: &str) -> Vec<u8> {
    module_importing(world, "wasmigrate:migration/log@0.1.0", "log")
}

/// The same with another import in the place of `log`.
pub(crate) fn module_importing(world: &str, from: &str, name: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve
        .push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit"))
        .unwrap();
    let package = resolve.push_str("sample.wit", world).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let metadata =
        wit_component::metadata::encode(&resolve, world, StringEncoding::UTF8, None).unwrap();

    let mut types = TypeSection::new();
    types.ty().function([ValType::I32; 3], []);
    types.ty().function([], [ValType::I32]);
    let mut imports = ImportSection::new();
    imports.import(from, name, wasm_encoder::EntityType::Function(0));
    let mut functions = FunctionSection::new();
    functions.function(1);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    for name in ["up", "down", "verify"] {
        exports.export(name, ExportKind::Func, 1);
    }
    exports.export("memory", ExportKind::Memory, 0);
    let mut body = Function::new([]);
    body.instructions().i32_const(0).end();
    let mut code = CodeSection::new();
    code.function(&body);
    let mut globals = GlobalSection::new();
    globals.global(
        GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        },
        &ConstExpr::i32_const(0),
    );

    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&memories)
        .section(&globals)
        .section(&exports)
        .section(&code)
        .section(&CustomSection {
            name: "component-type:sample".into(),
            data: metadata.into(),
        });
    module.finish()
}
