//! The only door to storage: one trait, shaped after what `wasi:filesystem` really offers.
//!
//! There is no lock, no chmod, no exchange rename and no path of more than one component: every
//! name is looked up in an open directory and a symbolic link is never followed, so nothing above
//! this trait can leave the tree or write through a link by accident.
//!
//! *Visible* means seen by every later call; *durable* means still there after a power loss. Each
//! method that changes something says which of the two it gives.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Why a call on the filesystem failed, in the words of WASI.
///
/// Hosts are coarse: a cross-device rename, a read-only filesystem and a full table of open files
/// may all arrive as [`Cause::Io`]. A cause is for people; nothing that keeps data safe branches
/// on it, with one exception: [`Cause::NoEntry`] is taken at its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The host does not permit the access.
    Access,
    /// The name is taken.
    AlreadyExists,
    /// The two names are on different filesystems.
    CrossDevice,
    /// The directory still has entries.
    NotEmpty,
    /// No space is left on the device.
    InsufficientSpace,
    /// A quota is used up.
    Quota,
    /// The device failed, or the host folded another cause into this one.
    Io,
    /// A directory stands where something else is wanted.
    IsDirectory,
    /// Something else stands where a directory is wanted.
    NotDirectory,
    /// There is no such name.
    NoEntry,
    /// A name or path is longer than the filesystem takes.
    NameTooLong,
    /// The capability at hand does not allow this, as with every change below a read-only grant.
    NotPermitted,
    /// The filesystem is mounted read-only.
    ReadOnly,
    /// A symbolic link stands where following it was not asked for.
    Loop,
    /// The call was interrupted; it may be made again.
    Interrupted,
    /// The host does not offer this call.
    Unsupported,
    /// The name cannot be expressed, as with one that is not UTF-8.
    IllegalName,
    /// Anything else.
    Other,
}

impl Cause {
    /// The cause in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Access => "access denied",
            Self::AlreadyExists => "the name is taken",
            Self::CrossDevice => "on another filesystem",
            Self::NotEmpty => "the directory is not empty",
            Self::InsufficientSpace => "no space left",
            Self::Quota => "quota used up",
            Self::Io => "input/output error",
            Self::IsDirectory => "is a directory",
            Self::NotDirectory => "not a directory",
            Self::NoEntry => "no such file or directory",
            Self::NameTooLong => "name too long",
            Self::NotPermitted => "not permitted; is it granted for writing?",
            Self::ReadOnly => "read-only filesystem",
            Self::Loop => "a symbolic link is in the way",
            Self::Interrupted => "interrupted",
            Self::Unsupported => "not supported here",
            Self::IllegalName => "a name that is not UTF-8",
            Self::Other => "the host gave no reason",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, never followed.
    Symlink,
    /// A pipe, a socket, a device: opening one may never return, so nobody does.
    Other,
}

impl Kind {
    /// The kind in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Symlink => "symbolic link",
            Self::Other => "pipe, socket or device",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// What is known of an entry without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stat {
    /// What the entry is.
    pub kind: Kind,
    /// Names that lead to this inode; 1 for a file with no other hard link. Of no meaning for a
    /// directory.
    pub links: u64,
    /// Length in bytes; of no meaning but for a regular file.
    pub size: u64,
    /// Last change of the content, in nanoseconds since 1970, where the host tells.
    pub modified: Option<u64>,
}

/// One entry of a listing: its name and what it is.
pub type Listed = (String, Kind);

/// Storage as the core sees it. Two implementers: `wasi:filesystem` in the component, and the
/// simulated filesystem under which every promise is proven.
///
/// `name` is always one component: not empty, no `/`, not `.` or `..`. No method follows a link.
pub trait Fs {
    /// An open directory. Dropping it closes it.
    type Dir;
    /// An open regular file. Dropping it closes it, and makes nothing durable.
    type File;

    /// Opens the directory `name` in `at`; a link fails, whatever it leads to.
    fn open_dir(&self, at: &Self::Dir, name: &str) -> Result<Self::Dir, Cause>;
    /// Opens the regular file `name` in `at` for reading. Ask [`Fs::stat`] first: a pipe blocks, and
    /// a directory may open as well.
    fn open_file(&self, at: &Self::Dir, name: &str) -> Result<Self::File, Cause>;
    /// Creates the file `name` in `at` and opens it for writing. Exclusive: a taken name fails, a
    /// link too. The name is visible, and durable once `at` is synced. The handle is for writing
    /// alone.
    fn create_file(&self, at: &Self::Dir, name: &str) -> Result<Self::File, Cause>;
    /// What the entry `name` in `at` is; of a link, the link itself.
    fn stat(&self, at: &Self::Dir, name: &str) -> Result<Stat, Cause>;
    /// Every entry of a directory, in no order, without `.` and `..`. A name that cannot be told fails
    /// the whole: `IllegalName`.
    fn list(&self, dir: &Self::Dir) -> Result<Vec<Listed>, Cause>;
    /// The text of the link `name` in `at`. An absolute one cannot be read: `NotPermitted`.
    fn read_link(&self, at: &Self::Dir, name: &str) -> Result<String, Cause>;
    /// Up to `length` bytes from `offset`; empty at the end of the file. May be short.
    fn read(&self, file: &Self::File, offset: u64, length: usize) -> Result<Vec<u8>, Cause>;

    /// Writes at `offset`; returns how many bytes were taken, which may be fewer than given and is
    /// at least one. Visible at once, durable after [`Fs::sync_file`].
    fn write(&self, file: &Self::File, offset: u64, bytes: &[u8]) -> Result<usize, Cause>;
    /// Makes the content and length of a file durable, not its name. A failure is final: the
    /// kernel may have dropped the pages, and a second call would report success.
    fn sync_file(&self, file: &Self::File) -> Result<(), Cause>;
    /// Makes every change of names in a directory durable, with what it depends on.
    fn sync_dir(&self, dir: &Self::Dir) -> Result<(), Cause>;
    /// Creates a directory. Visible; durable once `at` is synced.
    fn make_dir(&self, at: &Self::Dir, name: &str) -> Result<(), Cause>;
    /// Removes an empty directory. Visible; durable once `at` is synced.
    fn remove_dir(&self, at: &Self::Dir, name: &str) -> Result<(), Cause>;
    /// Removes a name that is not a directory. Visible; durable once `at` is synced.
    fn remove_file(&self, at: &Self::Dir, name: &str) -> Result<(), Cause>;
    /// Renames, replacing what the new name held if the kinds allow. Visible and, within one
    /// directory, atomic. Durable once the directories are synced. Does nothing, with success,
    /// when both names lead to one inode.
    fn rename(&self, from: (&Self::Dir, &str), to: (&Self::Dir, &str)) -> Result<(), Cause>;
    /// Gives an inode a second name; fails when that is taken. A link is linked, not followed.
    /// Visible; durable once the directory of `to` is synced.
    fn link(&self, from: (&Self::Dir, &str), to: (&Self::Dir, &str)) -> Result<(), Cause>;
    /// Creates a symbolic link with the relative text `target`. Visible; durable once synced.
    fn symlink(&self, target: &str, at: &Self::Dir, name: &str) -> Result<(), Cause>;

    // ---- for workspaces alone

    /// Opens a file of one's own for writing in place: one that this or an earlier owner of the
    /// root created and that has no second name. Nothing else may be opened so.
    fn open_to_write(&self, _at: &Self::Dir, _name: &str) -> Result<Self::File, Cause> {
        Err(Cause::Unsupported)
    }
    /// Sets the length of a file that is open for writing; what is added reads as zeros. Visible at
    /// once, durable after [`Fs::sync_file`].
    fn set_size(&self, _file: &Self::File, _size: u64) -> Result<(), Cause> {
        Err(Cause::Unsupported)
    }
    /// A number that tells this directory from every other, for as long as it stays where it is.
    fn identity(&self, _dir: &Self::Dir) -> Result<u128, Cause> {
        Err(Cause::Unsupported)
    }

    // ---- for overlays alone

    /// As [`Fs::sync_file`], and of what is known beside content and length nothing need be durable: the
    /// time of the last change. A file that neither grew nor shrank is cheaper so.
    fn sync_data(&self, file: &Self::File) -> Result<(), Cause> {
        self.sync_file(file)
    }
    /// A number that tells what the name `name` in `at` leads to from everything else, however many
    /// names lead there.
    fn identity_of(&self, _at: &Self::Dir, _name: &str) -> Result<u128, Cause> {
        Err(Cause::Unsupported)
    }
    /// What an open file is.
    fn stat_open(&self, _file: &Self::File) -> Result<Stat, Cause> {
        Err(Cause::Unsupported)
    }
    /// Sets the time of the last change of a file that is open for writing, in nanoseconds since 1970.
    fn set_modified(&self, _file: &Self::File, _modified: u64) -> Result<(), Cause> {
        Err(Cause::Unsupported)
    }
}
