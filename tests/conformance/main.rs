//! The simulated filesystem and the overlay answer as a real directory does.
//!
//! | promise | module |
//! |---|---|
//! | random scripts of calls get the same answers, and leave the same files | [`scripts`] |
//! | so do streams, listings, times, and what a guest must not reach | [`cases`] |
//! | the component makes the same calls on both, in the same order, and is told the same | [`component`] |
//!
//! The real one is the directory for temporary files, behind wasmtime; both are called through the
//! traits that wasmtime generates. `ONIONSKIN_SCRIPTS=N` plays N scripts, `ONIONSKIN_SEED=N` others.

mod cases;
mod component;
mod host;
mod overlay;
mod scripts;
