//! Guests in other languages that use the contract: the same program in each, a page of code in
//! `tests/guests`, made one component with ours and run.
//!
//! Each writes a file and JSON, is refused with an error that is a value, commits a directory, and then
//! changes, lists, commits and reads a workspace. What it tells and what it leaves is the same.
//!
//! Where the tools of a language are missing it is left out, and says so; where `CI` is set it fails.

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

fn speaks(language: &'static str) {
    let Some(guest) = program(language) else { return };
    let guest = fs::read(&guest).unwrap_or_else(|error| panic!("{}: {error}", guest.display()));
    let composed = plug(guest, COMPONENT).expect("it imports what we export");
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

/// What it tells, run in a world of its own.
fn run(composed: &[u8], world: &Path) -> Vec<String> {
    let component = compiled(composed);
    let grants = [("root", "/root"), ("upper", "/upper"), ("lower", "/lower")];
    let grants = grants.map(|(place, name)| (world.join(place), name));
    let (mut store, linker) = wasi(component.engine(), &grants, |wasi| {
        wasi.inherit_stderr();
    });
    let instance = linker.instantiate(&mut store, &component).expect("it asks for WASI alone");
    let run = instance.get_typed_func::<(), (Vec<String>,)>(&mut store, "run").expect("it exports `run`");
    run.call(&mut store, ()).expect("it does not trap").0
}
