//! Crash trials of components: the simulated filesystem of [`onionskin_sim`] as a host of
//! `wasi:filesystem`, and its explorer of crashes with a report that people can read.

pub mod crash;
mod error;
pub mod simulated;

pub use error::Error;
