//! Who may do what to an inode: owners, modes, seals and boundaries, checked in the order Linux does.
//!
//! Without a user in the [switches](super::Switches) the process has the rights of root, and no owner or mode is asked.

use onionskin::fs::{Cause, Kind};

use super::handle::Dir;
use super::state::State;
use crate::disk::Ino;

/// The sticky bit of a mode: only an owner removes or renames an entry of the directory.
pub const STICKY: u16 = 0o1000;

/// The setgid bit of a mode: a new directory below a directory that has it gets it, too.
pub const SETGID: u16 = 0o2000;

/// What an inode lets nobody do, root included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seal {
    /// Nothing is forbidden.
    #[default]
    None,
    /// No change of the inode, of its names, or of the names in it: `chattr +i`.
    Immutable,
    /// Bytes and names may be added, and nothing else: `chattr +a`.
    AppendOnly,
    /// A directory that cannot be renamed, as one of a lower layer of overlayfs: the answer is `CrossDevice`.
    Pinned,
}

/// Owner, mode and seal of an inode, and the part of the filesystem it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rights {
    /// The number of the user that owns the inode.
    pub owner: u32,
    /// The permission bits, with [`STICKY`] and [`SETGID`].
    pub mode: u16,
    /// What no user may do.
    pub seal: Seal,
    /// A subvolume of btrfs or a project of xfs. A rename or link of an entry that exists is `CrossDevice` between two
    /// of them; a name that does not exist is `NoEntry` first.
    pub project: u16,
}

impl Rights {
    /// Those of an inode that a process of `owner` makes with the usual mask.
    #[must_use]
    pub fn new(kind: Kind, owner: u32) -> Self {
        let mode = match kind {
            Kind::Directory => 0o755,
            Kind::Symlink => 0o777,
            Kind::File | Kind::Other => 0o644,
        };
        Rights { owner, mode, seal: Seal::None, project: 0 }
    }
}

const READ: u16 = 0o4;
const WRITE: u16 = 0o2;
const SEARCH: u16 = 0o1;

impl State {
    fn rights(&self, ino: Ino) -> Rights {
        self.disk.inode(ino).rights
    }

    /// Whether the user has all these permissions. Groups are not simulated: a user is the owner or another.
    fn may(&self, ino: Ino, wanted: u16) -> bool {
        let Some(user) = self.switches.user else { return true };
        let Rights { owner, mode, .. } = self.rights(ino);
        let granted = if owner == user { mode >> 6 } else { mode };
        granted & wanted == wanted
    }

    fn demand(&self, ino: Ino, wanted: u16) -> Result<(), Cause> {
        if self.may(ino, wanted) { Ok(()) } else { Err(Cause::Access) }
    }

    /// Whether a name may be looked up in a directory.
    pub(crate) fn check_search(&self, dir: Ino) -> Result<(), Cause> {
        self.demand(dir, SEARCH)
    }

    /// Whether a file may be opened, or a directory be listed.
    pub(crate) fn check_read(&self, ino: Ino) -> Result<(), Cause> {
        self.demand(ino, READ)
    }

    /// Whether a file may be opened for writing.
    pub(crate) fn check_write(&self, ino: Ino) -> Result<(), Cause> {
        if self.rights(ino).seal == Seal::Immutable {
            return Err(Cause::NotPermitted);
        }
        self.demand(ino, WRITE)
    }

    /// Whether a name may be added to a directory.
    pub(crate) fn check_add(&self, dir: Ino) -> Result<(), Cause> {
        self.demand(dir, WRITE | SEARCH)?;
        if self.rights(dir).seal == Seal::Immutable { Err(Cause::NotPermitted) } else { Ok(()) }
    }

    /// Whether a name that leads to an inode may be taken from a directory: removed, renamed, or given to another.
    pub(crate) fn check_take(&self, dir: Ino, ino: Ino) -> Result<(), Cause> {
        self.demand(dir, WRITE | SEARCH)?;
        let sealed = |ino| matches!(self.rights(ino).seal, Seal::Immutable | Seal::AppendOnly);
        let stuck = self.rights(dir).mode & STICKY != 0
            && self.switches.user.is_some_and(|user| self.rights(dir).owner != user && self.rights(ino).owner != user);
        if sealed(dir) || sealed(ino) || stuck { Err(Cause::NotPermitted) } else { Ok(()) }
    }

    /// Whether a directory may get another parent: `..` in it changes.
    pub(crate) fn check_new_parent(&self, ino: Ino, from: &Dir, to: &Dir) -> Result<(), Cause> {
        if self.kind(ino) == Kind::Directory && from.ino != to.ino { self.demand(ino, WRITE) } else { Ok(()) }
    }

    /// Whether a directory may get another name.
    pub(crate) fn check_pinned(&self, ino: Ino) -> Result<(), Cause> {
        if self.rights(ino).seal == Seal::Pinned { Err(Cause::CrossDevice) } else { Ok(()) }
    }

    /// Whether a name of an inode and a directory are in one part of a filesystem.
    pub(crate) fn check_project(&self, ino: Ino, to: Ino) -> Result<(), Cause> {
        if self.rights(ino).project == self.rights(to).project { Ok(()) } else { Err(Cause::CrossDevice) }
    }

    /// Whether an inode may get one more name.
    pub(crate) fn check_link(&self, ino: Ino) -> Result<(), Cause> {
        if matches!(self.rights(ino).seal, Seal::Immutable | Seal::AppendOnly) {
            return Err(Cause::NotPermitted);
        }
        // As with `fs.protected_hardlinks`: others may link what they can read and write.
        let owns = self.switches.user.is_none_or(|user| self.rights(ino).owner == user);
        let may_all = self.kind(ino) == Kind::File && self.may(ino, READ | WRITE);
        if !owns && !may_all {
            return Err(Cause::NotPermitted);
        }
        if self.links(ino) >= self.switches.links_max { Err(Cause::Other) } else { Ok(()) }
    }

    /// The rights of an inode that is made in a directory.
    pub(crate) fn rights_of_new(&self, dir: Ino, kind: Kind) -> Rights {
        let above = self.rights(dir);
        let mut rights = Rights::new(kind, self.switches.user.unwrap_or(0));
        rights.project = above.project;
        if kind == Kind::Directory {
            rights.mode |= above.mode & SETGID;
        }
        rights
    }
}
