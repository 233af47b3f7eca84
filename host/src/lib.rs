//! Runs the Onionskin component under wasmtime: atomic writes, and originals that never change.
//!
//! [`Onionskin::load`] loads the component that is built into this library; it is compiled for this machine
//! at its first use, and cached. [`Onionskin::store`] names a root directory and further grants; opening it
//! returns a [`Store`], with the calls of the contract in `wit/`. A [`Workspace`] of [`Onionskin::workspace`]
//! is a writable directory over others that do not change.
//!
//! ```
//! use onionskin_host::{Onionskin, OpenOptions, WriteOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let (root, cache) = (directory.path().join("root"), directory.path().join("cache"));
//! # std::fs::create_dir(&root)?;
//! # std::fs::create_dir(&cache)?;
//! let onionskin = Onionskin::load()?;
//! let store = onionskin.store(&root).lower(&cache).open(&OpenOptions::default())?;
//! store.replace_json("today.json", "{\"done\": true}", &WriteOptions::default())?;
//! store.close()?;
//! # assert_eq!(std::fs::read(root.join("today.json"))?, b"{\"done\": true}");
//! # Ok(())
//! # }
//! ```
//!
//! # Additions of the host to the component
//!
//! - One owner: the store holds a lock of the operating system on the root directory.
//! - Absolute links, which WASI hides from the component: the host resolves them when a call meets one, if
//!   they lead to a granted directory.
//! - Limits of memory and fuel ([`Builder`]), and errors that name the remedy ([`Error`]).
//! - [`Faults`]: counts every call on the filesystem, and stops or fails the N-th.
//!
//! # Threads and runtimes
//!
//! The calls of [`Store`] and [`Workspace`] block. They can be made from any thread, including a thread of an
//! asynchronous runtime of tokio, which they block until they return.
//!
//! Those of [`AsyncStore`] and [`AsyncWorkspace`] are futures, which block no thread of the runtime (cargo feature
//! `async`, on by default): [`StoreBuilder::open_async`], [`WorkspaceBuilder::open_async`].
//!
//! # Isolation
//!
//! The component can access the root and the granted directories only: no clock, environment or network is
//! linked. Programs that do not ask for the lock are not excluded.

/// The program of the README is compiled with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// So are those of its page on embedding.
#[cfg(all(doctest, feature = "async"))]
#[doc = include_str!("../../docs/embedding.md")]
struct Embedding;

#[cfg(feature = "async")]
mod asynchronous;
mod bindings;
mod cache;
mod component;
mod error;
mod faults;
pub mod filesystem;
mod grants;
mod guests;
mod holder;
mod instance;
mod linkage;
mod links;
mod lock;
mod meter;
mod options;
mod powers;
#[cfg(feature = "run")]
pub mod run;
mod runtime;
mod state;
mod store;
pub mod trust;
mod workspace;

#[cfg(feature = "async")]
pub use asynchronous::{AsyncStore, AsyncTransaction, AsyncWorkspace, AsyncWriter, CALLS_AT_ONCE_DEFAULT};
pub use bindings::capabilities::{Abilities, Limits, Tier};
pub use bindings::store::{Action, Content, Evidence, Identical, Publish, Step};
pub use bindings::types::{
    Cause, Durability, Error as GuestError, ErrorKind, Finding, Fingerprint, NodeKind, Ownership, Precondition,
    Receipt, SymlinkPolicy, Verdict,
};
pub use bindings::workspace::{
    Change, ChangeKind, ChangePage, Entry, Kept, Layer, LeftOut, OnConflict, Quota, Reason, Replaced, Resolution, Role,
    Select, Stat,
};
pub use component::{Builder, COMPONENT, MEMORY_BYTES_DEFAULT, OVERLAY, Onionskin, WITH_POWERS};
pub use error::{Error, Grant, Kind, Trap};
pub use faults::{Fault, Faults, HostCall, Outcome};
#[cfg(feature = "async")]
pub use guests::add_to_linker_async;
pub use guests::{GuestRoots, Rights, add_to_linker};
pub use holder::Holder;
pub use options::{CommitOptions, DirectoryOptions, OpenOptions, WriteOptions};
pub use store::{Source, Store, StoreBuilder, Transaction, Writer};
/// The engine, whose types are part of this interface: see [`Builder::engine`] and [`filesystem`].
pub use wasmtime;
/// WASI, whose types are part of the interface of [`run::LayersView`].
pub use wasmtime_wasi;
pub use wasmtime_wasi::p2::bindings::sync::filesystem::types::ErrorCode;
pub use workspace::{Workspace, WorkspaceBuilder};

pub use component::compile;
