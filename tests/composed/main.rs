//! Programs made one component with ours, which then asks for WASI alone;
//! run by a host that knows nothing of it.
//!
//! | promise | module |
//! |---|---|
//! | the same program in Rust, C, JavaScript and Python tells and leaves the same | [`languages`] |
//! | one does what every host does with the cases of `tests/scenario`, and finds what a crash left | [`scenario`] |
//! | one that knows nothing of us is the same on layered directories | [`layered`] |
//! | a volume below `/`, shared with programs that know nothing of each other, is a root | [`volumes`] |
//!
//! They run in this process, under wasmtime as it comes. Where `ONIONSKIN_WASMTIME` names the program
//! `wasmtime`, as `.ci/run wasmtime-cli` does, the last three run under that.

#![cfg(unix)]

#[path = "../scenario/command.rs"]
mod command;
#[path = "../hosts/ground.rs"]
mod ground;
#[path = "../run/guests.rs"]
mod guests;
mod languages;
mod layered;
#[path = "../run/ground.rs"]
mod layers;
mod plain;
mod play;
mod scenario;
mod volumes;
#[path = "../scenario/words.rs"]
mod words;
#[path = "../scenario/world.rs"]
mod world;
