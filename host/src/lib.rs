//! Runs the Onionskin component under wasmtime: writes that are all or nothing, and originals that
//! never change.
//!
//! [`Onionskin::load`] takes the component that is built into this library, compiled for this
//! machine at its first use and cached. [`Onionskin::store`] names a root directory and what else is
//! granted; opening it gives a [`Store`], with the calls of the contract in `wit/`. A [`Workspace`] of
//! [`Onionskin::workspace`] is a writable directory over others that do not change.
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
//! # What the host adds to the component
//!
//! - One owner: a lock of the operating system on the root directory, held by the store.
//! - Absolute links, which WASI hides from the component: they are resolved when it meets one, if
//!   they lead to a directory that was granted.
//! - Limits of memory and fuel ([`Builder`]), and errors that say what to do ([`Error`]).
//! - [`Faults`]: every call on the filesystem counted, and the N-th stopped or failed.
//!
//! # Threads and runtimes
//!
//! Calls block. They may be made from any thread, also from one of an asynchronous runtime of tokio,
//! which they then keep busy until they return; `tokio::task::spawn_blocking` avoids that.
//!
//! # What it does not
//!
//! The component sees the root, the granted directories, and nothing else: no clock, environment
//! or network is even linked. Programs that do not ask for the lock are not kept out.

/// The program of the README is compiled with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

mod bindings;
mod cache;
mod component;
mod error;
mod faults;
pub mod filesystem;
mod grants;
mod instance;
mod linkage;
mod links;
mod lock;
#[cfg_attr(not(feature = "run"), expect(dead_code, reason = "programs alone have a quota of the host"))]
mod meter;
mod options;
#[cfg(feature = "run")]
pub mod run;
mod runtime;
mod state;
mod store;
mod workspace;

pub use bindings::capabilities::{Abilities, Limits, Tier};
pub use bindings::store::{Action, Content, Evidence, Identical, Publish, Step};
pub use bindings::types::{
    Cause, Durability, Error as GuestError, ErrorKind, Finding, Fingerprint, NodeKind, Ownership, Precondition,
    Receipt, SymlinkPolicy, Verdict,
};
pub use bindings::workspace::{Change, ChangeKind, ChangePage, Entry, Kept, Layer, OnConflict, Quota, Select, Stat};
pub use component::{Builder, COMPONENT, MEMORY_BYTES_DEFAULT, OVERLAY, Onionskin};
pub use error::{Error, Grant, Kind, Trap};
pub use faults::{Fault, Faults, HostCall, Outcome};
pub use options::{CommitOptions, DirectoryOptions, OpenOptions, WriteOptions};
pub use store::{Source, Store, StoreBuilder, Transaction, Writer};
/// The engine, of which types are part of this interface: see [`Builder::engine`] and [`filesystem`].
pub use wasmtime;
pub use wasmtime_wasi::p2::bindings::sync::filesystem::types::ErrorCode;
pub use workspace::{Workspace, WorkspaceBuilder};
