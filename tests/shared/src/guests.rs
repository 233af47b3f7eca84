//! Builds guests with the scripts beside them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::skip;

/// The exit code of a build that lacks a tool, which it names.
const TOOL_MISSING: i32 = 69;

/// Returns the program of a guest, or `None`, with a message, where this machine lacks a tool to build it.
pub fn program(name: &'static str) -> Option<PathBuf> {
    static BUILT: Mutex<Option<HashMap<&str, Option<PathBuf>>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.get_or_insert_default().entry(name).or_insert_with(|| build(name)).clone()
}

fn build(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there");
    let output = Command::new("bash").arg(root.join("tests/guests").join(name).join("build")).output();
    let output = output.expect("bash runs");
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(TOOL_MISSING) {
        skip(said.trim_end());
        return None;
    }
    assert!(output.status.success(), "{name} did not build: {}\n{said}", output.status);
    Some(root.join("target/guests").join(name).with_extension("wasm"))
}
