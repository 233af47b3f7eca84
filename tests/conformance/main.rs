//! The simulated filesystem and the overlay behave as a real directory does.
//!
//! | promise | module |
//! |---|---|
//! | random scripts of calls get the same results, and leave the same files | [`scripts`] |
//! | so do streams, listings, times, and accesses that must fail | [`cases`] |
//! | the component makes the same calls on both, in the same order, with the same results | [`component`] |
//!
//! The real directory is one for temporary files, behind wasmtime; both are called through the traits that wasmtime
//! generates. `ONIONSKIN_SCRIPTS=N` runs N scripts, `ONIONSKIN_SEED=N` chooses others.

mod cases;
mod component;
mod host;
mod overlay;
mod scripts;
