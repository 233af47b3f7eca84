//! Arguments and programs that cannot be tested.

use std::fs;

use crate::save::{before, program};
use crate::trial::crash;

/// A core module is not a component: the message says how to make one.
#[test]
fn a_module_is_refused_with_the_way_out() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let module = directory.path().join("old.wasm");
    fs::write(&module, b"\0asm\x01\0\0\0").expect("a writable directory");
    let output = crash(&module, "a", "b", &[]);
    assert_eq!(output.code, Some(1));
    assert!(output.err.contains("Build it for wasm32-wasip2") && output.err.contains("--adapt"), "{}", output.err);
}

/// A program that fails without a crash is reported, and no crash is tested.
#[test]
fn a_program_that_fails_by_itself_is_not_crashed() {
    let output = crash(program(), "careful text", "check", &[]);
    assert_eq!(output.code, Some(1));
    assert!(output.err.contains("`check` before the run exited with 1"), "{}", output.err);
    assert!(output.err.contains("No crash was tried"), "{}", output.err);
}

/// The options of the component belong together, and quotes must be closed.
#[test]
fn arguments_that_do_not_go_together_are_usage() {
    let before = before();
    let directory = before.path().to_str().expect("a plain name");
    for more in [&["--operation", "swap"][..], &["--faults"], &["--list"]] {
        let output = crash(program(), "careful text", "check", &[&["--dir", directory], more].concat());
        assert_eq!(output.code, Some(2), "{more:?}: {}", output.err);
    }
    let output = crash(program(), "careful 'text", "check", &[]);
    assert_eq!(output.code, Some(2));
    assert!(output.err.contains("a quote is not closed"), "{}", output.err);
}
