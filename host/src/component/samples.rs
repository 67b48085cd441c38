//! Small components for tests, made without a compiler.

use wasm_encoder::{
    CodeSection, ComponentSection, ConstExpr, CustomSection, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, GlobalSection, GlobalType, ImportSection, MemorySection, MemoryType,
    Module, ModuleSection, TagKind, TagSection, TagType, TypeSection, ValType,
};
use wit_component::StringEncoding;
use wit_parser::Resolve;

use crate::component::encode_unchecked;
use crate::manifest::Manifest;

pub(crate) const MANIFEST: &str = "version = \"1\"\nname = \"sample\"\n";

/// A world with `log` imported and the three functions exported.
pub(crate) const WORLD: &str = "package test:sample; world sample {
    import wasmigrate:migration/log@0.1.0;
    export up: func() -> result<_, string>;
    export down: func() -> result<_, string>;
    export verify: func() -> result<_, string>;
}";

/// Functions of other types than those that a migration exports, each with the name it takes.
pub(crate) const OTHER_FUNCTIONS: &[(&str, &str)] = &[
    ("up", "func() -> u32"),
    ("up", "func() -> list<string>"),
    ("down", "func() -> result<_, u32>"),
    ("verify", "func() -> result<u32, string>"),
    ("verify", "func(dry: bool) -> result<_, string>"),
];

/// What a module imports: `log`.
const LOG: (&str, &str) = ("wasmigrate:migration/log@0.1.0", "log");

/// A component of the usual world.
pub(crate) fn component() -> Vec<u8> {
    component_of(&module(WORLD))
}

/// A component that exports one of the three functions with another type.
pub(crate) fn exporting(name: &str, function: &str) -> Vec<u8> {
    let usual = format!("export {name}: func() -> result<_, string>");
    let world = WORLD.replacen(&usual, &format!("export {name}: {function}"), 1);
    let takes_one = function.contains("dry").then_some(name);
    component_of(&module_of(interface(), &world, LOG, takes_one))
}

/// A component whose `log` takes a number for its level.
pub(crate) fn importing_another_type() -> Vec<u8> {
    let mut resolve = Resolve::default();
    let other = "package wasmigrate:migration@0.1.0; interface log { log: func(level: u32, message: string); }";
    resolve.push_str("other.wit", other).unwrap();
    component_of(&module_of(resolve, WORLD, LOG, None))
}

/// The usual component with one more module in it, which nothing instantiates.
pub(crate) fn holding(module: &Module) -> Vec<u8> {
    let mut bytes = component();
    ModuleSection(module).append_to_component(&mut bytes);
    bytes
}

/// Modules that use proposals of WebAssembly which the engine does not have, by the proposal's name.
pub(crate) fn modules_of_proposals() -> [(&'static str, Module); 6] {
    let memory = |memory64, shared, count| {
        let mut memories = MemorySection::new();
        for _ in 0..count {
            memories.memory(MemoryType {
                minimum: 1,
                maximum: Some(1),
                memory64,
                shared,
                page_size_log2: None,
            });
        }
        let mut module = Module::new();
        module.section(&memories);
        module
    };
    let mut tag = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut tags = TagSection::new();
    tags.tag(TagType {
        kind: TagKind::Exception,
        func_type_idx: 0,
    });
    tag.section(&types).section(&tags);
    let mut structure = Module::new();
    let mut types = TypeSection::new();
    types.ty().struct_([]);
    structure.section(&types);
    let mut relaxed = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([ValType::V128], [ValType::V128]);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut body = Function::new([]);
    let mut steps = body.instructions();
    steps
        .local_get(0)
        .local_get(0)
        .i8x16_relaxed_swizzle()
        .end();
    let mut code = CodeSection::new();
    code.function(&body);
    relaxed.section(&types).section(&functions).section(&code);
    [
        ("memory64", memory(true, false, 1)),
        ("threads", memory(false, true, 1)),
        ("multi-memory", memory(false, false, 2)),
        ("exceptions", tag),
        ("gc", structure),
        ("relaxed-simd", relaxed),
    ]
}

fn component_of(module: &[u8]) -> Vec<u8> {
    let manifest = Manifest::parse("m", MANIFEST).unwrap();
    encode_unchecked("sample", module, &manifest).unwrap()
}

/// A core module for a world: it imports `log` and exports the three functions, which return a pointer.
pub(crate) fn module(world: &str) -> Vec<u8> {
    module_of(interface(), world, LOG, None)
}

/// The same with another import in the place of `log`.
pub(crate) fn module_importing(world: &str, from: &str, name: &str) -> Vec<u8> {
    module_of(interface(), world, (from, name), None)
}

fn interface() -> Resolve {
    let mut resolve = Resolve::default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
    resolve.push_dir(folder).unwrap();
    resolve
}

/// The function named last takes a parameter.
fn module_of(
    mut resolve: Resolve,
    world: &str,
    import: (&str, &str),
    takes_one: Option<&str>,
) -> Vec<u8> {
    let package = resolve.push_str("sample.wit", world).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let metadata =
        wit_component::metadata::encode(&resolve, world, StringEncoding::UTF8, None).unwrap();

    let mut types = TypeSection::new();
    types.ty().function([ValType::I32; 3], []);
    types.ty().function([], [ValType::I32]);
    types.ty().function([ValType::I32], [ValType::I32]);
    let mut imports = ImportSection::new();
    imports.import(import.0, import.1, EntityType::Function(0));
    let mut functions = FunctionSection::new();
    functions.function(1).function(2);
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
        let place = if takes_one == Some(name) { 2 } else { 1 };
        exports.export(name, ExportKind::Func, place);
    }
    exports.export("memory", ExportKind::Memory, 0);
    let mut body = Function::new([]);
    body.instructions().i32_const(0).end();
    let mut code = CodeSection::new();
    code.function(&body).function(&body);
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
