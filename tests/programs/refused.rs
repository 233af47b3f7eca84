//! What cannot be tried.

use std::fs;

use crate::save::{before, program};
use crate::trial::crash;

/// A module is no component: the message says how to make one of it.
#[test]
fn a_module_is_refused_with_the_way_out() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let module = directory.path().join("old.wasm");
    fs::write(&module, b"\0asm\x01\0\0\0").expect("a writable directory");
    let said = crash(&module, "a", "b", &[]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("Build it for wasm32-wasip2") && said.err.contains("--adapt"), "{}", said.err);
}

/// A program that fails without a crash is told so, and is not crashed.
#[test]
fn a_program_that_fails_by_itself_is_not_crashed() {
    let said = crash(program(), "careful text", "check", &[]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("`check` before the run exited with 1"), "{}", said.err);
    assert!(said.err.contains("No crash was tried"), "{}", said.err);
}

/// The options of the component belong together, and quotes are closed.
#[test]
fn arguments_that_do_not_go_together_are_usage() {
    let before = before();
    let directory = before.path().to_str().expect("a plain name");
    for more in [&["--operation", "swap"][..], &["--faults"], &["--list"]] {
        let said = crash(program(), "careful text", "check", &[&["--dir", directory], more].concat());
        assert_eq!(said.code, Some(2), "{more:?}: {}", said.err);
    }
    let said = crash(program(), "careful 'text", "check", &[]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("a quote is not closed"), "{}", said.err);
}
