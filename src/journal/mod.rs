//! The intent log: the record of a decision. `codec` is its form as bytes.
//!
//! One format serves two files of the control directory. `log` (or `log-unsynced`) is the decision of a
//! transaction. `tx-N/intent` names the entries outside the control directory that a transaction is about to
//! prepare; it is written before they are made, so that after a crash every entry is accounted for.

mod codec;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use crate::control;
use crate::fs::{Kind, Stat};
use crate::order;
use crate::path::RelPath;

pub(crate) use codec::{Reader, put_number, put_old};

const DIGEST_BYTES: usize = 32;

/// Stands for the length of an entry that is no file: a symbolic link, a pipe or a socket.
pub const LINK_LENGTH: u64 = u64::MAX;

/// SHA-256 of a content.
pub type Digest = [u8; DIGEST_BYTES];

/// The entry at a path at the time a change to it was decided; `None` if the path was absent.
pub type Old = Option<OldEntry>;

/// State of an entry at the time a change to it was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldEntry {
    /// Kind of the entry.
    pub kind: Kind,
    /// Length in bytes.
    pub size: u64,
    /// Time of the last change of content.
    pub modified: Option<u64>,
}

impl From<Stat> for OldEntry {
    fn from(stat: Stat) -> Self {
        Self { kind: stat.kind, size: stat.size, modified: stat.modified }
    }
}

/// One decided change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// The path that is changed.
    pub path: RelPath,
    /// The change.
    pub change: Change,
}

/// A change to one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Replaces the path by the content staged under this number.
    Put {
        /// Number of the staged file in `tx-N`.
        staged: u32,
        /// Length in bytes; [`LINK_LENGTH`] for a symbolic link.
        length: u64,
        /// Digest of the content, if the bytes passed through this crate.
        digest: Option<Digest>,
        /// The entry before the change.
        old: Old,
    },
    /// Removes the path, unless it is a directory.
    Delete {
        /// The entry before the change.
        old: Old,
    },
    /// Creates a directory.
    MakeDir,
    /// Removes the path if it is a directory, empty after all other changes.
    RemoveDir,
    /// Replaces the path by the sibling prepared for it.
    Switch,
    /// Makes the path a link to a generation of a directory in the control directory.
    Pointer {
        /// Number of the directory.
        directory: u64,
        /// Number of the generation.
        generation: u64,
        /// Number of the oldest generation that stays, once this one is published.
        oldest: u64,
    },
}

/// A decision or an intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Whether the decision was made without syncing its content.
    pub unsynced: bool,
    /// Whether the record stays when the decision is complete, until the workspace that made it has gone on.
    pub kept: bool,
    /// Epoch of the owner that wrote it.
    pub epoch: u64,
    /// Number that names the staging directory.
    pub transaction: u64,
    /// The changes. Where directories are made or removed, a parent comes before the entries in it.
    pub ops: Vec<Op>,
}

/// The reason why bytes are not a valid journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A foreign file, a truncated one or one of an unknown version; with a description.
    Unreadable(&'static str),
    /// Well-formed, but the digest does not match, so the content cannot be trusted.
    Digest(Journal),
}

/// Returns the SHA-256 of some bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

impl Journal {
    /// Returns the path of the generation that a path is to lead to, if it becomes a pointer.
    pub fn generation_of(&self, path: &RelPath) -> Option<RelPath> {
        self.ops.iter().find_map(|op| match op.change {
            Change::Pointer { directory, generation, .. } if op.path == *path => {
                Some(control::generation(directory, generation))
            }
            _ => None,
        })
    }

    /// Returns the changes that stand for themselves: not those of the entries of a directory that is switched, which
    /// recovery compares only, nor the pointer of a switch.
    pub fn whole(&self) -> impl Iterator<Item = &Op> {
        let switched = self.switched().next();
        let is_whole =
            move |op: &&Op| op.change == Change::Switch || !switched.is_some_and(|path| op.path.is_within(path));
        self.ops.iter().filter(is_whole)
    }

    /// Returns the paths that are switched.
    pub fn switched(&self) -> impl Iterator<Item = &RelPath> {
        self.ops.iter().filter(|op| op.change == Change::Switch).map(|op| &op.path)
    }

    /// Returns the numbers of the directories of generations that are to be published.
    pub fn directories(&self) -> impl Iterator<Item = u64> {
        self.ops.iter().filter_map(|op| match op.change {
            Change::Pointer { directory, .. } => Some(directory),
            _ => None,
        })
    }

    /// Returns the existing directories that get a new entry under its final name, each once.
    pub fn filled(&self) -> BTreeSet<RelPath> {
        let made: BTreeSet<&RelPath> =
            self.ops.iter().filter(|op| op.change == Change::MakeDir).map(|op| &op.path).collect();
        let mut filled = BTreeSet::new();
        for op in self.whole() {
            let parent = op.path.parent();
            if matches!(op.change, Change::Put { .. } | Change::MakeDir) && !made.contains(&parent) {
                filled.insert(parent);
            }
        }
        filled
    }
}

/// The changes of a journal by their paths: a log may have any number, and each of its paths is looked up.
#[derive(Debug)]
pub struct ByPath<'j>(Vec<&'j Op>);

impl<'j> ByPath<'j> {
    /// Sorts the changes of a journal.
    pub fn of(journal: &'j Journal) -> Self {
        let mut ops: Vec<&Op> = journal.ops.iter().collect();
        order::sort_by(&mut ops, |one, other| one.path.cmp(&other.path));
        Self(ops)
    }

    /// Checks whether the journal creates this directory.
    pub fn makes(&self, directory: &RelPath) -> bool {
        self.has(directory, |change| matches!(change, Change::MakeDir))
    }

    /// Checks whether the journal deletes the entry at this path, unless it is a directory.
    pub fn deletes(&self, path: &RelPath) -> bool {
        self.has(path, |change| matches!(change, Change::Delete { .. }))
    }

    /// Returns the entry before the change at a path that the journal puts or deletes.
    pub fn replaced(&self, path: &RelPath) -> Option<Old> {
        self.at(path).find_map(|change| match change {
            Change::Put { old, .. } | Change::Delete { old } => Some(*old),
            _ => None,
        })
    }

    /// Checks whether the journal removes this directory.
    pub fn removes(&self, directory: &RelPath) -> bool {
        self.has(directory, |change| matches!(change, Change::RemoveDir))
    }

    /// Checks whether the journal switches this path or one above it.
    pub fn switches(&self, path: &RelPath) -> bool {
        let mut place = path.clone();
        while !place.is_root() {
            if self.has(&place, |change| matches!(change, Change::Switch)) {
                return true;
            }
            place = place.parent();
        }
        false
    }

    fn has(&self, path: &RelPath, is_it: fn(&Change) -> bool) -> bool {
        self.at(path).any(is_it)
    }

    /// Returns the changes at a path.
    fn at<'p>(&'p self, path: &'p RelPath) -> impl Iterator<Item = &'j Change> + use<'p, 'j> {
        let start = self.0.partition_point(|op| op.path < *path);
        self.0[start..].iter().take_while(move |op| op.path == *path).map(|op| &op.change)
    }
}
