//! Onionskin gives any WebAssembly host, and any guest in any language, two things the filesystem
//! does not give: a write that is all or nothing, for one file, one directory or many paths, and
//! copy-on-write, so that read-only originals never change, whatever is written over them.
//!
//! This crate is the component: pure logic that compiles and is tested natively, and, for the wasm
//! target alone, its face towards WASI. The contract is in `wit/`; ARCHITECTURE.md is the map.

#![cfg_attr(target_family = "wasm", no_std)]

#[macro_use]
extern crate alloc;

pub mod control;
pub mod error;
pub mod exec;
pub mod fs;
pub mod journal;
pub mod limits;
pub mod lock;
#[cfg(any(not(target_family = "wasm"), feature = "overlay"))]
pub mod overlay;
pub mod path;
pub mod persist;
pub mod plan;
pub mod probe;
pub mod recover;
mod resolve;
pub mod store;
pub mod text;
pub mod tree;
pub mod workspace;

#[cfg(target_family = "wasm")]
mod component;
