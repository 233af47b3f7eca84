//! Guests in other languages that use the contract: the same program in each, a page of code in
//! `tests/guests`, made one component with ours and run.
//!
//! Each writes a file and JSON, is refused with an error that is a value, commits a directory, and then
//! changes, lists, commits and reads a workspace. What it tells and what it leaves is the same.
//!
//! Where the tools of a language are missing it is left out, and says so; where `CI` is set it fails.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;

use onionskin_host::COMPONENT_WITH_WORKSPACES;
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, OptLevel, Store};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// How a build ends where a tool is missing.
const MISSING: i32 = 69;

const TOLD: [&str; 10] = [
    "replaced a.txt: 5 bytes",
    "a.txt has 5 bytes",
    "replaced b.json: 8 bytes",
    "refused: b.json",
    "committed d: 2 paths",
    "changed: gone.txt",
    "changed: new.txt",
    "changed: notes.txt",
    "committed: 11 bytes",
    "notes.txt: one\ntwo\n",
];

#[test]
fn rust() {
    speaks("rust");
}

#[test]
fn c() {
    speaks("c");
}

#[test]
fn javascript() {
    speaks("javascript");
}

#[test]
fn python() {
    speaks("python");
}

fn speaks(language: &str) {
    let Some(guest) = built(language) else { return };
    let world = tempfile::tempdir().expect("a temporary directory");
    let at = |path: &str| world.path().join(path);
    for directory in ["root", "upper", "lower"] {
        fs::create_dir(at(directory)).expect("a new directory");
    }
    fs::write(at("lower/notes.txt"), "one\n").expect("a new file");
    fs::write(at("lower/gone.txt"), "gone").expect("a new file");

    assert_eq!(run(&composed(guest), world.path()), TOLD, "{language}");

    let left = [("root/a.txt", "hello"), ("root/b.json", "{\"b\": 1}"), ("root/d/one", "1"), ("root/d/two", "22")];
    for (path, content) in left.into_iter().chain([("lower/notes.txt", "one\ntwo\n"), ("lower/new.txt", "new")]) {
        assert_eq!(fs::read_to_string(at(path)).ok().as_deref(), Some(content), "{language}: {path}");
    }
    assert!(!at("lower/gone.txt").exists() && !at("root/.onionskin").exists(), "{language}");
}

/// The component of a guest; nothing where it cannot be built here.
fn built(language: &str) -> Option<Vec<u8>> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let build = repository.join("tests/guests").join(language).join("build");
    let output = Command::new(&build).output().unwrap_or_else(|error| panic!("{}: {error}", build.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(MISSING) && std::env::var_os("CI").is_none() {
        // Not by a macro, whose text is shown for tests that fail alone.
        io::stderr().write_all(said.as_bytes()).expect("it can be told");
        return None;
    }
    assert!(output.status.success(), "{} failed:\n{said}", build.display());
    let wasm = repository.join("target/guests").join(language).with_extension("wasm");
    Some(fs::read(&wasm).unwrap_or_else(|error| panic!("{}: {error}", wasm.display())))
}

/// The guest with our component behind its imports.
fn composed(guest: Vec<u8>) -> Vec<u8> {
    let mut graph = CompositionGraph::new();
    let mut package = |name, wasm| {
        let package = Package::from_bytes(name, None, wasm, graph.types_mut()).expect("it is a component");
        graph.register_package(package).expect("its name is its own")
    };
    let guest = package("guest", guest);
    let ours = package("onionskin", COMPONENT_WITH_WORKSPACES.to_vec());
    plug(&mut graph, vec![ours], guest).expect("it imports what we export");
    graph.encode(EncodeOptions::default()).expect("both fit together")
}

struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// What it tells, run in a world of its own.
fn run(component: &[u8], world: &Path) -> Vec<String> {
    let mut config = Config::new();
    // An interpreter runs once: to compile it well takes longer than that.
    config.cranelift_opt_level(OptLevel::None);
    let engine = Engine::new(&config).expect("the configuration is one");
    let mut linker = Linker::<Host>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).expect("each name is added once");
    let mut wasi = WasiCtxBuilder::new();
    wasi.allow_blocking_current_thread(true).inherit_stderr();
    for directory in ["root", "upper", "lower"] {
        let name = format!("/{directory}");
        wasi.preopened_dir(world.join(directory), name, FsPerms::ReadWrite).expect("it can be granted");
    }
    let mut store = Store::new(&engine, Host { wasi: wasi.build(), table: ResourceTable::new() });
    let component = Component::new(&engine, component).expect("it is a component");
    let instance = linker.instantiate(&mut store, &component).expect("it asks for WASI alone");
    let run = instance.get_typed_func::<(), (Vec<String>,)>(&mut store, "run").expect("it exports `run`");
    run.call(&mut store, ()).expect("it does not trap").0
}
