//! Plans: durable changes as values. A plan is a flat list of steps with at most one commit point.
//!
//! Every function that returns a plan keeps these ordering rules (R1 to R5 of ARCHITECTURE.md). Content is
//! synced before it gets its name. A change is published by one rename. No entry from which the old or the
//! new state could be restored is removed before the publish is durable. Recovery never removes the last
//! copy, and syncs a directory before it acts on the names read there.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::control;
use crate::fs::{Call, Kind};
use crate::path::{At, RelPath};

/// The attributes that a new file or directory is given: mode, owner, group, access control lists, extended
/// attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attributes {
    /// Those of an existing file or directory that it stands for; with `times`, its times as well.
    Of {
        /// The existing entry.
        from: At,
        /// Whether the times are copied.
        times: bool,
    },
    /// Those of a new entry in this directory of the store.
    NewIn(RelPath),
    /// This mode; everything else stays.
    Mode(u32),
}

/// The operation of a step. Paths are below the root of the store. Closed and flat: no step contains another.
#[derive(Clone, PartialEq, Eq)]
pub enum Action {
    /// Creates a directory. Durable once its parent is synced.
    MakeDir(RelPath),
    /// Creates a file and keeps it open for [`Action::Write`] and [`Action::Copy`]; fails if the name exists.
    /// Durable once its parent is synced.
    Create(RelPath),
    /// Appends to a file that was created and is not yet synced. Durable after [`Action::SyncFile`].
    Write {
        /// The file.
        path: RelPath,
        /// The bytes to append.
        bytes: Vec<u8>,
    },
    /// Appends at most `length` bytes of another file, from `offset`. Durable after [`Action::SyncFile`].
    Copy {
        /// The file that is read.
        from: At,
        /// The offset at which reading begins.
        offset: u64,
        /// The maximum number of bytes.
        length: u64,
        /// The file that is appended to.
        to: RelPath,
    },
    /// Makes the content of a file durable and closes it. A failure is final.
    SyncFile(RelPath),
    /// Makes all names in a directory durable.
    SyncDir(RelPath),
    /// Renames, replacing the entry at the new name. Durable once both parents are synced.
    Rename {
        /// The old name.
        from: RelPath,
        /// The new name.
        to: RelPath,
    },
    /// Gives a file a second name; fails if that name exists. Durable once the parent of `to` is synced.
    Link {
        /// The file.
        from: RelPath,
        /// Its second name.
        to: RelPath,
    },
    /// Like [`Action::Link`], but makes a synced copy if the link is refused.
    Share {
        /// The file or symbolic link. Below another root, it is a file that every owner copies before
        /// writing.
        from: At,
        /// Its second name, or the name of the copy.
        to: RelPath,
        /// Whether the entry belongs to others, who would miss its mode, owner and inode in a copy: a copy is then made
        /// only where no file can get a second name.
        carry: bool,
    },
    /// Creates a symbolic link with a relative text. Durable once its parent is synced.
    Symlink {
        /// The text.
        target: String,
        /// The name of the link.
        path: RelPath,
    },
    /// Writes in place, at an offset, to a file that a plan created and that has no other name. Durable after
    /// [`Action::SyncFile`].
    Edit {
        /// The file.
        path: RelPath,
        /// The offset at which the bytes are written.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Sets the length of a file that a plan created and that has no other name. Durable after
    /// [`Action::SyncFile`].
    SetSize {
        /// The file.
        path: RelPath,
        /// Its new length.
        size: u64,
    },
    /// Gives attributes to a file or directory that a plan created. Durable after a sync of it. Without effect
    /// if the host does not lend the call.
    SetAttributes {
        /// The file or directory.
        path: RelPath,
        /// Its attributes.
        as_of: Attributes,
    },
    /// Removes an entry that is not a directory. Durable once its parent is synced.
    RemoveFile(RelPath),
    /// Removes an empty directory. Durable once its parent is synced.
    RemoveDir(RelPath),
}

impl Action {
    /// Returns a verb phrase that names the act.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::MakeDir(_) => "make directory",
            Self::Create(_) => "create",
            Self::Write { .. } | Self::Edit { .. } | Self::SetSize { .. } => "write",
            Self::Copy { .. } => "copy to",
            Self::SyncFile(_) => "sync file",
            Self::SyncDir(_) => "sync directory",
            Self::Rename { .. } => "rename to",
            Self::Link { .. } | Self::Share { .. } => "link",
            Self::Symlink { .. } => "make link",
            Self::SetAttributes { .. } => "set attributes of",
            Self::RemoveFile(_) => "remove",
            Self::RemoveDir(_) => "remove directory",
        }
    }

    /// Returns the call that changes the path, which the error of a failure names.
    pub const fn call(&self) -> Call {
        match self {
            Self::MakeDir(_) => Call::MakeDirectory,
            Self::Create(_) => Call::Create,
            Self::Write { .. } | Self::Edit { .. } | Self::SetSize { .. } | Self::Copy { .. } => Call::Write,
            Self::SyncFile(_) => Call::SyncFile,
            Self::SyncDir(_) => Call::SyncDirectory,
            Self::Rename { .. } => Call::Rename,
            Self::Link { .. } | Self::Share { .. } => Call::Link,
            Self::Symlink { .. } => Call::Symlink,
            Self::SetAttributes { .. } => Call::SetAttributes,
            Self::RemoveFile(_) => Call::RemoveFile,
            Self::RemoveDir(_) => Call::RemoveDirectory,
        }
    }

    /// Returns the path that is changed.
    pub const fn path(&self) -> &RelPath {
        match self {
            Self::MakeDir(path)
            | Self::Create(path)
            | Self::SyncFile(path)
            | Self::SyncDir(path)
            | Self::RemoveFile(path)
            | Self::RemoveDir(path)
            | Self::Write { path, .. }
            | Self::Edit { path, .. }
            | Self::SetSize { path, .. }
            | Self::SetAttributes { path, .. }
            | Self::Symlink { path, .. } => path,
            Self::Copy { to, .. } | Self::Rename { to, .. } | Self::Link { to, .. } | Self::Share { to, .. } => to,
        }
    }

    /// Checks whether the act is a sync.
    pub const fn is_sync(&self) -> bool {
        matches!(self, Self::SyncFile(_) | Self::SyncDir(_))
    }
}

/// One step: an act and the reason for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Step {
    /// The act.
    pub act: Action,
    /// Reason for the step; for a sync, the crash that it guards against.
    pub why: &'static str,
    /// Whether the step is the commit point.
    pub commits: bool,
}

/// Steps in the order in which they run, with at most one commit point.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Plan {
    steps: Vec<Step>,
}

impl Plan {
    /// Creates an empty plan.
    pub const fn new() -> Self {
        Self { steps: Vec::new() }
    }

    /// Appends a step.
    fn push(&mut self, act: Action, why: &'static str) {
        self.steps.push(Step { act, why, commits: false });
    }

    /// Appends [`Action::MakeDir`].
    pub fn make_dir(&mut self, path: &RelPath, why: &'static str) {
        self.push(Action::MakeDir(path.clone()), why);
    }

    /// Appends [`Action::Create`].
    pub fn create(&mut self, path: &RelPath, why: &'static str) {
        self.push(Action::Create(path.clone()), why);
    }

    /// Appends [`Action::Write`].
    pub fn write(&mut self, path: &RelPath, bytes: Vec<u8>, why: &'static str) {
        self.push(Action::Write { path: path.clone(), bytes }, why);
    }

    /// Appends [`Action::Copy`].
    pub fn copy(&mut self, from: &At, offset: u64, length: u64, to: &RelPath, why: &'static str) {
        self.push(Action::Copy { from: from.clone(), offset, length, to: to.clone() }, why);
    }

    /// Appends [`Action::SyncFile`].
    pub fn sync_file(&mut self, path: &RelPath, why: &'static str) {
        self.push(Action::SyncFile(path.clone()), why);
    }

    /// Appends [`Action::SyncDir`].
    pub fn sync_dir(&mut self, path: &RelPath, why: &'static str) {
        self.push(Action::SyncDir(path.clone()), why);
    }

    /// Appends [`Action::Rename`].
    pub fn rename(&mut self, from: &RelPath, to: &RelPath, why: &'static str) {
        self.push(Action::Rename { from: from.clone(), to: to.clone() }, why);
    }

    /// Appends [`Action::Link`].
    pub fn link(&mut self, from: &RelPath, to: &RelPath, why: &'static str) {
        self.push(Action::Link { from: from.clone(), to: to.clone() }, why);
    }

    /// Appends [`Action::Share`] within the store.
    pub fn share(&mut self, from: &RelPath, to: &RelPath, why: &'static str) {
        self.share_from(&At::store(from.clone()), to, why);
    }

    /// Appends [`Action::Share`].
    pub fn share_from(&mut self, from: &At, to: &RelPath, why: &'static str) {
        self.push(Action::Share { from: from.clone(), to: to.clone(), carry: false }, why);
    }

    /// Appends [`Action::Share`] of an entry that belongs to others.
    pub fn carry(&mut self, from: &RelPath, to: &RelPath, why: &'static str) {
        self.push(Action::Share { from: At::store(from.clone()), to: to.clone(), carry: true }, why);
    }

    /// Appends [`Action::Edit`].
    pub fn edit(&mut self, path: &RelPath, offset: u64, bytes: Vec<u8>, why: &'static str) {
        self.push(Action::Edit { path: path.clone(), offset, bytes }, why);
    }

    /// Appends [`Action::SetSize`].
    pub fn set_size(&mut self, path: &RelPath, size: u64, why: &'static str) {
        self.push(Action::SetSize { path: path.clone(), size }, why);
    }

    /// Appends [`Action::Symlink`].
    pub fn symlink(&mut self, target: &str, path: &RelPath, why: &'static str) {
        self.push(Action::Symlink { target: String::from(target), path: path.clone() }, why);
    }

    /// Appends [`Action::SetAttributes`].
    pub fn set_attributes(&mut self, path: &RelPath, as_of: Attributes, why: &'static str) {
        self.push(Action::SetAttributes { path: path.clone(), as_of }, why);
    }

    /// Appends [`Action::RemoveFile`].
    pub fn remove_file(&mut self, path: &RelPath, why: &'static str) {
        self.push(Action::RemoveFile(path.clone()), why);
    }

    /// Appends [`Action::RemoveDir`].
    pub fn remove_dir(&mut self, path: &RelPath, why: &'static str) {
        self.push(Action::RemoveDir(path.clone()), why);
    }

    /// Appends the act that removes an entry of the given kind; a directory must be empty.
    pub fn remove(&mut self, path: &RelPath, kind: Kind, why: &'static str) {
        if kind == Kind::Directory { self.remove_dir(path, why) } else { self.remove_file(path, why) }
    }

    /// Appends the sync of the control directory.
    pub fn sync_control(&mut self, why: &'static str) {
        self.push(Action::SyncDir(control::directory()), why);
    }

    /// Appends the sync of the parent directory of a path.
    pub fn sync_parent(&mut self, path: &RelPath, why: &'static str) {
        self.push(Action::SyncDir(path.parent()), why);
    }

    /// Marks the last step as the commit point: before it nothing of the change has happened; after it the
    /// change is complete or will be completed.
    pub fn decides(&mut self) {
        debug_assert_eq!(self.commit(), None, "a plan decides once");
        if let Some(last) = self.steps.last_mut() {
            last.commits = true;
        }
    }

    /// Appends the steps of another plan; at most one of the two plans has a commit point.
    pub fn append(&mut self, mut other: Self) {
        debug_assert!(self.commit().is_none() || other.commit().is_none(), "a plan decides once");
        self.steps.append(&mut other.steps);
    }

    /// Returns the steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns the index of the commit point.
    pub fn commit(&self) -> Option<usize> {
        self.steps.iter().position(|step| step.commits)
    }

    /// Checks whether the plan has no steps.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns the plan without its syncs, for the durability `visible`.
    #[must_use]
    pub fn without_syncs(mut self) -> Self {
        self.steps.retain(|step| !step.act.is_sync());
        self
    }

    /// Returns the steps, for the executor.
    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.verb();
        match self {
            Self::MakeDir(path)
            | Self::Create(path)
            | Self::SyncFile(path)
            | Self::SyncDir(path)
            | Self::RemoveFile(path)
            | Self::RemoveDir(path)
            | Self::SetAttributes { path, .. } => write!(f, "{verb} {path}"),
            Self::Write { path, bytes } | Self::Edit { path, bytes, .. } => {
                write!(f, "{verb} {path} ({} bytes)", bytes.len())
            }
            Self::SetSize { path, size } => write!(f, "{verb} {path} to {size}"),
            Self::Copy { from, to, .. } => write!(f, "{verb} {to} from {}", from.path),
            Self::Rename { from, to } | Self::Link { from, to } => write!(f, "{verb} {to} from {from}"),
            Self::Share { from, to, .. } => write!(f, "{verb} {to} from {}", from.path),
            Self::Symlink { target, path } => write!(f, "{verb} {path} -> {target}"),
        }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.act, self.why)
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            let mark = if step.commits { '*' } else { ' ' };
            writeln!(f, "{index:3}{mark} {step:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_out_the_syncs_keeps_the_commit_point_on_its_step() {
        let path = |text| RelPath::parse(text).expect("a good path");
        let mut plan = Plan::new();
        plan.create(&path("a"), "");
        plan.sync_file(&path("a"), "");
        plan.rename(&path("a"), &path("b"), "");
        plan.decides();
        plan.sync_dir(&RelPath::ROOT, "");
        let rest = plan.without_syncs();
        assert_eq!(rest.steps().len(), 2);
        assert_eq!(rest.commit(), Some(1));
    }
}
