//! The options of calls, with their default values.

use crate::bindings::store as wire;
use crate::bindings::types::{Durability, Ownership, Precondition, SymlinkPolicy};
use crate::bindings::workspace::{CommitOptions as WireCommit, OnConflict, Quota, Select};
use wire::{Identical, Publish, Tracing};

/// Options for opening a root; see [`StoreBuilder::open`](crate::StoreBuilder::open).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenOptions {
    /// The owner of the root; [`Ownership::Host`] by default.
    pub owner: Ownership,
    /// Whether steps are recorded for [`Store::steps`](crate::Store::steps); `false` by default.
    pub trace: bool,
}

/// Options of a change to one file; see [`Store::replace`](crate::Store::replace).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WriteOptions {
    /// The durability when the call returns; [`Durability::Full`] by default.
    pub durability: Durability,
    /// The treatment of symbolic links; [`SymlinkPolicy::Replace`] by default.
    pub symlinks: SymlinkPolicy,
    /// The condition under which the file is written; none by default.
    pub when: Precondition,
    /// The treatment of identical content; [`Identical::Rewrite`] by default.
    pub if_identical: Identical,
}

/// Options of a transaction on a directory; see [`Store::begin`](crate::Store::begin).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectoryOptions {
    /// The publish mode; [`Publish::InPlace`] by default.
    pub publish: Publish,
    /// The durability when the commit returns; [`Durability::Full`] by default.
    pub durability: Durability,
    /// The treatment of symbolic links; [`SymlinkPolicy::Replace`] by default.
    pub symlinks: SymlinkPolicy,
    /// The number of the newest generations that stay with [`Publish::Pointer`], the new one included; 2 by
    /// default.
    pub keep_generations: u32,
}

/// Options of [`Workspace::commit`](crate::Workspace::commit).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CommitOptions {
    /// The changes to commit, with their dependencies; all by default.
    pub paths: Select,
    /// The durability when the commit returns; [`Durability::Full`] by default.
    pub durability: Durability,
    /// The treatment of paths that have changed in the lowers since the workspace first touched them;
    /// [`OnConflict::Fail`] by default.
    pub conflicts: OnConflict,
}

/// Defines a method that sets the field of its name.
macro_rules! setters {
    ($($field:ident: $type:ty),+ $(,)?) => {$(
        #[doc = concat!("Sets `", stringify!($field), "`.")]
        #[must_use]
        pub fn $field(mut self, $field: $type) -> Self {
            self.$field = $field;
            self
        }
    )+};
}

impl OpenOptions {
    setters! { owner: Ownership, trace: bool }

    pub(crate) fn wire(&self) -> wire::OpenOptions {
        let trace = if self.trace { Tracing::On } else { Tracing::Off };
        wire::OpenOptions { owner: self.owner.clone(), trace }
    }
}

impl WriteOptions {
    setters! {
        durability: Durability,
        symlinks: SymlinkPolicy,
        when: Precondition,
        if_identical: Identical,
    }

    pub(crate) fn wire(&self) -> wire::WriteOptions {
        let Self { durability, symlinks, ref when, if_identical } = *self;
        wire::WriteOptions { durability, symlinks, when: when.clone(), if_identical }
    }
}

impl DirectoryOptions {
    setters! { publish: Publish, durability: Durability, symlinks: SymlinkPolicy, keep_generations: u32 }

    pub(crate) fn wire(self) -> wire::DirectoryOptions {
        let Self { publish, durability, symlinks, keep_generations: _ } = self;
        wire::DirectoryOptions { publish, durability, symlinks }
    }
}

impl CommitOptions {
    setters! { paths: Select, durability: Durability, conflicts: OnConflict }

    pub(crate) fn wire(&self, into: &str) -> WireCommit {
        let Self { ref paths, durability, conflicts } = *self;
        WireCommit { into: into.to_owned(), paths: paths.clone(), durability, conflicts }
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { owner: Ownership::Host, trace: false }
    }
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            symlinks: SymlinkPolicy::Replace,
            when: Precondition::None,
            if_identical: Identical::Rewrite,
        }
    }
}

impl Default for DirectoryOptions {
    fn default() -> Self {
        Self {
            publish: Publish::InPlace,
            durability: Durability::Full,
            symlinks: SymlinkPolicy::Replace,
            keep_generations: 2,
        }
    }
}

impl Default for CommitOptions {
    fn default() -> Self {
        Self { paths: Select::default(), durability: Durability::Full, conflicts: OnConflict::Fail }
    }
}

/// No limits.
impl Default for Quota {
    fn default() -> Self {
        Self { bytes: None, entries: None }
    }
}

/// All paths.
impl Default for Select {
    fn default() -> Self {
        Self { only: Vec::new(), except: Vec::new() }
    }
}
