//! Onionskin adds two operations to any WebAssembly host and to guests in any language: atomic writes, of one
//! file, one directory or many paths; and copy-on-write, so that read-only originals never change when paths
//! over them are written.
//!
//! This crate is the component: logic that compiles and is tested natively, and, for the wasm target only,
//! its bindings to WASI. The contract is in `wit/`; ARCHITECTURE.md describes the design.

#![cfg_attr(target_family = "wasm", no_std)]

#[macro_use]
extern crate alloc;

pub mod control;
pub mod error;
pub mod exec;
pub mod fs;
pub mod generations;
pub mod journal;
pub mod limits;
pub mod lock;
pub mod order;
#[cfg(any(not(target_family = "wasm"), feature = "overlay"))]
pub mod overlay;
pub mod path;
pub mod persist;
pub mod plan;
pub mod probe;
pub mod records;
pub mod recover;
mod resolve;
pub mod store;
pub mod stray;
pub mod text;
pub mod tree;
pub mod workspace;

#[cfg(target_family = "wasm")]
mod component;
