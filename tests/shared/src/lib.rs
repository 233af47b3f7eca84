//! Shared by the test suites of the host and the program.
//!
//! What the suites depend on is a dependency of this package, and not only of tests: so `cargo run` and
//! `cargo test` choose the same features of every package, and compile it once.

#![cfg(unix)]

pub mod command;
pub mod ground;
pub mod guests;
pub mod layers;
#[path = "../../guests/sqlite/src/ledger.rs"]
pub mod ledger;
pub mod ledgers;
pub mod packages;
pub mod plain;
pub mod screen;
pub mod words;
pub mod world;

pub use fastrand;
#[cfg(target_os = "linux")]
pub use fuser;
pub use {sha2, wasm_encoder, wat};

use std::io::Write as _;
use std::path::PathBuf;

/// Prints a line that is seen also for a test that passes, whose other output is kept back.
pub fn say(text: &str) {
    // In one piece, since tests run side by side. A closed standard error loses nothing that a test checks.
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Reports that something is not tested, since this machine lacks what it takes.
///
/// # Panics
/// Where `CI` is set: there everything is tested.
pub fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "not tested: {reason}");
    say(&format!("SKIPPED: {reason}"));
}

/// Returns the directory for files of tests in the target directory.
fn target_tmp() -> PathBuf {
    let program = std::env::current_exe().expect("the path of this program");
    // target/debug/deps/suite-0123
    program.ancestors().nth(3).expect("a suite is in the target directory").join("tmp")
}
