//! Runs the Onionskin component under wasmtime: writes that are all or nothing, and originals that
//! never change.
//!
//! [`Onionskin::load`] takes the component that is built into this library, compiled for this
//! machine at its first use and cached. A [`Session`] names a root directory and what else is
//! granted; opening it gives a [`Store`], with the calls of the contract in `wit/`.
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
//! let store = onionskin.session(&root).lower(&cache).open(&OpenOptions::default())?;
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
mod linkage;
mod links;
mod live;
mod lock;
mod meter;
mod options;
pub mod run;
mod session;
mod state;
mod store;
mod workspace;

pub use bindings::capabilities::{Abilities, Limits, Tier};
pub use bindings::store::{
    Action, Content, DirectoryOptions, Evidence, Identical, OpenOptions, Publish, Source, Step, Tracing, WriteOptions,
};
pub use bindings::types::{
    Cause, Durability, Error as GuestError, ErrorKind, Finding, Fingerprint, NodeKind, Ownership, Precondition,
    Receipt, SymlinkPolicy, Verdict,
};
pub use bindings::workspace::{Change, ChangeKind, ChangePage, Entry, Kept, Layer, OnConflict, Quota, Select, Stat};
pub use component::{Builder, COMPONENT, MEMORY_BYTES_DEFAULT, OVERLAY, Onionskin};
pub use error::{Error, Grant, Trap};
pub use faults::{Fault, Faults, HostCall, Outcome};
pub use session::Session;
pub use store::{Store, Transaction, Writer};
pub use wasmtime_wasi::p2::bindings::sync::filesystem::types::ErrorCode;
pub use workspace::{Commit, Workspace, WorkspaceSession};
