//! A filesystem that can lose power, and an explorer of every state it can lose power into.
//!
//! [`SimFs`] behaves as a filesystem of Linux does under `wasi:filesystem`. It is the core's
//! storage, by [`onionskin::fs::Fs`], and wide enough for a host to offer it to a component. What
//! was not synced is pending, operation by operation, and a loss of power keeps any part of it
//! that a [`Model`] allows.
//!
//! [`explore`] puts a [`explore::Subject`] on trial: an operation and its recovery. It crashes the
//! operation at every point, into every state, and recovery again, without limit. [`faults`] makes
//! every call of it fail in every way, [`obstacles`] refuse such calls for good, and in [`others`] somebody else changes
//! something before recovery.
//!
//! Not simulated: two processes at once, groups of users, and what a failing device does to data that was once
//! durable.

mod canon;
mod content;
mod disk;
pub mod explore;
pub mod faults;
mod images;
mod model;
pub mod mutation;
#[cfg(test)]
mod naive;
pub mod obstacles;
mod op;
pub mod operations;
pub mod others;
pub mod planted;
mod replay;
mod scan;
mod simfs;
mod subsets;
mod tree;
mod window;
mod workers;
pub mod workloads;

pub use disk::{Disk, Ino, Name, ROOT};
pub use images::{Census, Images};
pub use model::{Bounds, Model, Power, Tear};
pub use op::Trace;
pub use simfs::{
    Call, Counts, Dir, FILE_BYTES_MAX, Fault, File, Found, Harm, Intrusion, LINKS_FOLLOWED_MAX, Lstat, NAME_BYTES_MAX,
    NodeStat, Obstacle, OpenOptions, Place, Recording, Rights, SETGID, STICKY, Seal, SimFs, Stamp, Switches, Trespass,
    Verb, When,
};
pub use tree::{Node, Tree};
