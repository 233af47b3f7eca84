//! Guests in other languages that use the contract: the same program in each, a page of code in `tests/guests`,
//! composed with the component and run.
//!
//! Each writes a file and JSON, handles a refusal as an error value, commits a directory, and then changes, lists,
//! commits and reads a workspace. Its output and the resulting files are the same in each language.
//!
//! A language whose tools are missing is skipped with a message, and fails where `CI` is set.

use std::fs;
use std::path::Path;

use onionskin_host::COMPONENT;
use onionskin_host::run::plug;

use crate::guests::program;
use crate::plain::{compiled, wasi};

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
    uses_the_contract("rust");
}

#[test]
fn c() {
    uses_the_contract("c");
}

#[test]
fn javascript() {
    uses_the_contract("javascript");
}

#[test]
fn python() {
    uses_the_contract("python");
}

fn uses_the_contract(language: &'static str) {
    let Some(guest) = program(language) else { return };
    let guest = fs::read(&guest).unwrap_or_else(|error| panic!("{}: {error}", guest.display()));
    let composed = plug(guest, COMPONENT).expect("its imports match our exports");
    let world = tempfile::tempdir().expect("a temporary directory");
    let at = |path: &str| world.path().join(path);
    for directory in ["root", "upper", "lower"] {
        fs::create_dir(at(directory)).expect("a new directory");
    }
    fs::write(at("lower/notes.txt"), "one\n").expect("a new file");
    fs::write(at("lower/gone.txt"), "gone").expect("a new file");

    assert_eq!(run(&composed, world.path()), TOLD, "{language}");

    let left = [("root/a.txt", "hello"), ("root/b.json", "{\"b\": 1}"), ("root/d/one", "1"), ("root/d/two", "22")];
    for (path, content) in left.into_iter().chain([("lower/notes.txt", "one\ntwo\n"), ("lower/new.txt", "new")]) {
        assert_eq!(fs::read_to_string(at(path)).ok().as_deref(), Some(content), "{language}: {path}");
    }
    assert!(!at("lower/gone.txt").exists() && !at("root/.onionskin").exists(), "{language}");
}

/// Returns the output of a run in a world of its own.
fn run(composed: &[u8], world: &Path) -> Vec<String> {
    let component = compiled(composed);
    let grants = [("root", "/root"), ("upper", "/upper"), ("lower", "/lower")];
    let grants = grants.map(|(place, name)| (world.join(place), name));
    let (mut store, linker) = wasi(component.engine(), &grants, |wasi| {
        wasi.inherit_stderr();
    });
    let instance = linker.instantiate(&mut store, &component).expect("it imports only WASI");
    let run = instance.get_typed_func::<(), (Vec<String>,)>(&mut store, "run").expect("it exports `run`");
    run.call(&mut store, ()).expect("it does not trap").0
}
