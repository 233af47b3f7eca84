//! Programs composed with the component, which then import only WASI; run by a host without any code of Onionskin.
//!
//! | promise | module |
//! |---|---|
//! | the same program in Rust, C, JavaScript and Python has the same output and leaves the same files | [`languages`] |
//! | a composed program behaves as every other host in the cases of `tests/scenario`, and recovers after a crash | [`scenario`] |
//! | an unmodified program behaves the same on layered directories | [`layered`] |
//! | a volume below `/` that independent programs share can be a root | [`volumes`] |
//!
//! They run in this process, under an unmodified wasmtime. Where `ONIONSKIN_WASMTIME` names the program `wasmtime`, as
//! `.ci/run wasmtime-cli` does, the last three suites run under that program.

#![cfg(unix)]

mod languages;
mod layered;
mod play;
mod scenario;
mod volumes;

use onionskin_tests::{command, ground, guests, layers, plain, words, world};
