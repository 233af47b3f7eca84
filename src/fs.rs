//! The only interface to storage: one trait, modelled on the calls that `wasi:filesystem` offers.
//!
//! There is no lock, no exchange rename and no path of more than one component. Every name is looked up in an
//! open directory and a symbolic link is never followed, so no code above this trait can leave the tree or
//! write through a link by accident. Attributes such as the mode can be set where the host lends the calls
//! for it; elsewhere these are [`Cause::Unsupported`].
//!
//! *Visible* means seen by every later call; *durable* means present after a power loss. Each method that
//! changes storage states which of the two it guarantees.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

/// A call of the filesystem, by its effect on the path that an error names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// Opens a directory.
    OpenDirectory,
    /// Opens a file.
    Open,
    /// Reads the metadata of an entry.
    Stat,
    /// Lists a directory.
    List,
    /// Reads the text of a link.
    ReadLink,
    /// Reads bytes.
    Read,
    /// Reads the number that identifies a directory or an inode.
    Identify,
    /// Checks that a rename can reach a directory.
    Reach,
    /// Checks that an entry can be replaced or removed.
    Replace,
    /// Checks that entries can be moved into a directory and out of it.
    Fill,
    /// Makes a directory.
    MakeDirectory,
    /// Creates a file.
    Create,
    /// Writes bytes or sets the length of a file.
    Write,
    /// Syncs a file.
    SyncFile,
    /// Syncs a directory.
    SyncDirectory,
    /// Renames an entry to the path.
    Rename,
    /// Gives a file the path as a second name.
    Link,
    /// Gives an entry that belongs to others a second name.
    Carry,
    /// Makes a symbolic link.
    Symlink,
    /// Gives attributes to a file or directory.
    SetAttributes,
    /// Removes a file or link.
    RemoveFile,
    /// Removes a directory.
    RemoveDirectory,
}

impl Call {
    /// Returns the words that complete "the path cannot be".
    pub const fn text(self) -> &'static str {
        match self {
            Self::OpenDirectory => "opened as a directory",
            Self::Open => "opened",
            Self::Stat => "looked at",
            Self::List => "listed",
            Self::ReadLink => "read as a link",
            Self::Read => "read",
            Self::Identify => "identified",
            Self::Reach => "reached by a rename",
            Self::Replace => "replaced or removed",
            Self::Fill => "given new entries",
            Self::MakeDirectory => "made as a directory",
            Self::Create => "created",
            Self::Write => "written",
            Self::SyncFile | Self::SyncDirectory => "synced",
            Self::Rename => "the new name of an entry",
            Self::Link => "a second name",
            Self::Carry => "carried by a second name",
            Self::Symlink => "made as a link",
            Self::SetAttributes => "given the attributes that it is to have",
            Self::RemoveFile | Self::RemoveDirectory => "removed",
        }
    }

    /// Returns whether the call reads alone.
    pub const fn reads(self) -> bool {
        matches!(self, Self::Stat | Self::List | Self::ReadLink | Self::Read | Self::Identify | Self::Open)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// The cause of a failed call on the filesystem, in the terms of WASI.
///
/// Hosts are coarse: a cross-device rename, a read-only filesystem and a full table of open files may all
/// arrive as [`Cause::Io`]. A cause is meant for messages. Code that keeps data safe relies only on
/// [`Cause::NoEntry`] and [`Cause::NotDirectory`] (for a link, [`Cause::Loop`]) where a name is looked up,
/// [`Cause::AlreadyExists`] from exclusive calls, and [`Cause::Unsupported`] from the sync of a directory.
/// A hard link that is refused for any cause may become a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The host does not permit the access.
    Access,
    /// The name already exists.
    AlreadyExists,
    /// The two names are on different filesystems.
    CrossDevice,
    /// The directory still has entries.
    NotEmpty,
    /// No space is left on the device.
    InsufficientSpace,
    /// A quota is exhausted.
    Quota,
    /// The device failed, or the host mapped another cause to this one.
    Io,
    /// The entry is a directory, and another kind is required.
    IsDirectory,
    /// The entry is not a directory, and one is required.
    NotDirectory,
    /// The name does not exist.
    NoEntry,
    /// A name or path is longer than the filesystem permits.
    NameTooLong,
    /// The capability does not permit the call, as with every change below a read-only grant.
    NotPermitted,
    /// The filesystem is mounted read-only.
    ReadOnly,
    /// The entry is a symbolic link, and following it was not requested.
    Loop,
    /// The call was interrupted and may be repeated.
    Interrupted,
    /// Another part of the system uses the entry, as with a mount point.
    Busy,
    /// The host does not offer this call.
    Unsupported,
    /// The name cannot be represented, for example because it is not UTF-8.
    IllegalName,
    /// Any other cause.
    Other,
}

impl Cause {
    /// Returns the cause of a rename or link that was only a question. Hosts have no word for a mount point or a
    /// subvolume between its two names, and nothing was read or written that could have failed.
    #[must_use]
    pub const fn of_two_places(self) -> Self {
        match self {
            Self::Io | Self::Other => Self::CrossDevice,
            other => other,
        }
    }

    /// Returns the cause as text.
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
            Self::NotPermitted => "not permitted",
            Self::ReadOnly => "read-only filesystem",
            Self::Loop => "a symbolic link is in the way",
            Self::Interrupted => "interrupted",
            Self::Busy => "in use by the system, such as a mount point",
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

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, never followed.
    Symlink,
    /// A pipe, a socket or a device. It is never opened, because the call may not return.
    Other,
}

impl Kind {
    /// Returns the kind as text.
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

/// Metadata of an entry, available without reading its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stat {
    /// Kind of the entry.
    pub kind: Kind,
    /// Number of names of this inode; 1 for a file with no other hard link. Meaningless for a directory.
    pub links: u64,
    /// Length in bytes; meaningful for a regular file only.
    pub size: u64,
    /// Time of the last change of content, in nanoseconds since 1970, if the host reports it.
    pub modified: Option<u64>,
    /// Its other times.
    pub times: Times,
}

/// The times of an entry besides that of its content, in nanoseconds since 1970, where the host reports them. A reading
/// changes one of them, and a further name the other, so nothing is decided by them, and any two are equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Time of the last reading.
    pub accessed: Option<u64>,
    /// Time of the last change of the entry itself.
    pub changed: Option<u64>,
}

impl PartialEq for Times {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Times {}

impl Hash for Times {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// An entry by the directory that it is in and its name there, for the calls that take two entries.
pub type Named<'a, D> = (&'a D, &'a str);

/// One entry of a listing: its name and kind.
pub type Listed = (String, Kind);

/// Storage as the core sees it.
///
/// There are two implementations: `wasi:filesystem` in the component, and the simulated filesystem with which
/// the guarantees are tested.
///
/// `name` is always one component: not empty, without `/`, not `.` or `..`. No method follows a link.
pub trait Fs {
    /// An open directory. Dropping it closes it.
    type Dir;
    /// An open regular file. Dropping it closes it, which makes nothing durable.
    type File;

    /// Opens the directory `name` in `at`. Fails for a symbolic link, even one to a directory.
    fn open_dir(&self, at: &Self::Dir, name: &str) -> Result<Self::Dir, Cause>;
    /// Opens the regular file `name` in `at` for reading. The caller checks the kind with [`Fs::stat`] first:
    /// opening a pipe blocks, and opening a directory may succeed.
    fn open_file(&self, at: &Self::Dir, name: &str) -> Result<Self::File, Cause>;
    /// Creates the file `name` in `at` and opens it for writing only.
    ///
    /// The call is exclusive: it fails if the name exists, even as a symbolic link. The name is visible at
    /// once, and durable once `at` is synced.
    fn create_file(&self, at: &Self::Dir, name: &str) -> Result<Self::File, Cause>;
    /// Returns the metadata of the entry `name` in `at`; for a symbolic link, that of the link itself.
    fn stat(&self, at: &Self::Dir, name: &str) -> Result<Stat, Cause>;
    /// Lists every entry of a directory, in no particular order, without `.` and `..`. Fails with
    /// `IllegalName` if one name cannot be represented.
    fn list(&self, dir: &Self::Dir) -> Result<Vec<Listed>, Cause>;
    /// Returns the text of the symbolic link `name` in `at`. Fails with `NotPermitted` for an absolute link.
    fn read_link(&self, at: &Self::Dir, name: &str) -> Result<String, Cause>;
    /// Reads up to `length` bytes from `offset`. May return fewer; returns none at the end of the file.
    fn read(&self, file: &Self::File, offset: u64, length: usize) -> Result<Vec<u8>, Cause>;

    /// Writes at `offset`. Returns the number of bytes written, which may be fewer than given and is at least
    /// one.
    ///
    /// Visible at once, durable after [`Fs::sync_file`].
    fn write(&self, file: &Self::File, offset: u64, bytes: &[u8]) -> Result<usize, Cause>;
    /// Makes the content and length of a file durable, but not its name. A failure is final: the kernel may
    /// have dropped the pages, and a second call would report success.
    fn sync_file(&self, file: &Self::File) -> Result<(), Cause>;
    /// Makes every change of names in a directory durable, with the inodes it depends on.
    fn sync_dir(&self, dir: &Self::Dir) -> Result<(), Cause>;
    /// Creates a directory. Visible at once; durable once `at` is synced.
    fn make_dir(&self, at: &Self::Dir, name: &str) -> Result<(), Cause>;
    /// Removes an empty directory. Visible at once; durable once `at` is synced.
    fn remove_dir(&self, at: &Self::Dir, name: &str) -> Result<(), Cause>;
    /// Removes an entry that is not a directory. Visible at once; durable once `at` is synced.
    fn remove_file(&self, at: &Self::Dir, name: &str) -> Result<(), Cause>;
    /// Renames an entry, replacing the entry at the new name if the kinds permit.
    ///
    /// Visible at once and, within one directory, atomic. Durable once both directories are synced. Succeeds
    /// without any effect if both names refer to one inode.
    fn rename(&self, from: (&Self::Dir, &str), to: (&Self::Dir, &str)) -> Result<(), Cause>;
    /// Gives an inode a second name; fails if that name exists. A symbolic link is linked, not followed.
    ///
    /// Visible at once; durable once the directory of `to` is synced.
    fn link(&self, from: (&Self::Dir, &str), to: (&Self::Dir, &str)) -> Result<(), Cause>;
    /// Creates a symbolic link with the relative text `target`. Visible at once; durable once `at` is synced.
    fn symlink(&self, target: &str, at: &Self::Dir, name: &str) -> Result<(), Cause>;

    // ---- for workspaces only

    /// Opens an owned file for writing in place.
    ///
    /// The file must have been created by this or an earlier owner of the root and have no second name. No
    /// other file may be opened for writing.
    fn open_to_write(&self, _at: &Self::Dir, _name: &str) -> Result<Self::File, Cause> {
        Err(Cause::Unsupported)
    }
    /// Sets the length of a file that is open for writing; added bytes read as zeros. Visible at once,
    /// durable after [`Fs::sync_file`].
    fn set_size(&self, _file: &Self::File, _size: u64) -> Result<(), Cause> {
        Err(Cause::Unsupported)
    }
    /// Returns a number that identifies this directory uniquely, as long as it is not moved.
    fn identity(&self, _dir: &Self::Dir) -> Result<u128, Cause> {
        Err(Cause::Unsupported)
    }

    // ---- for overlays only

    /// Like [`Fs::sync_file`], but metadata other than the length, such as the time of the last change, need
    /// not become durable. Cheaper for a file whose length did not change.
    fn sync_data(&self, file: &Self::File) -> Result<(), Cause> {
        self.sync_file(file)
    }
    /// Returns a number that identifies the inode of the name `name` in `at`, the same for all its names.
    fn identity_of(&self, _at: &Self::Dir, _name: &str) -> Result<u128, Cause> {
        Err(Cause::Unsupported)
    }
    /// Returns the metadata of an open file.
    fn stat_open(&self, _file: &Self::File) -> Result<Stat, Cause> {
        Err(Cause::Unsupported)
    }
    /// Sets the time of the last change of a file that is open for writing, in nanoseconds since 1970.
    fn set_modified(&self, _file: &Self::File, _modified: u64) -> Result<(), Cause> {
        Err(Cause::Unsupported)
    }

    // ---- lent by some hosts, see `wit/host-powers.wit`

    /// Like [`Fs::create_file`], but no other user can ever open the file, until it is given attributes.
    fn create_private_file(&self, _at: &Self::Dir, _name: &str) -> Result<Self::File, Cause> {
        Err(Cause::Unsupported)
    }
    /// Like [`Fs::make_dir`], but no other user can ever look into the directory, until it is given
    /// attributes.
    fn make_private_dir(&self, _at: &Self::Dir, _name: &str) -> Result<(), Cause> {
        Err(Cause::Unsupported)
    }
    /// Gives the file or directory `to` the mode, owner, group, access control lists and extended attributes
    /// of `from`, and with `times` its times. The name of `from` is `.` for the directory itself. Where one
    /// cannot be given, the mode is narrowed so that no more users have access than to `from`. Returns whether
    /// all were given. Visible at once; durable after a sync of `to`.
    fn copy_attributes(
        &self,
        _from: Named<'_, Self::Dir>,
        _to: Named<'_, Self::Dir>,
        _times: bool,
    ) -> Result<bool, Cause> {
        Err(Cause::Unsupported)
    }
    /// Gives the file or directory `to` the attributes that a new one in the directory `parent` would have.
    /// Returns whether all were given. Visible at once; durable after a sync of `to`.
    fn inherit_attributes(&self, _parent: &Self::Dir, _to: Named<'_, Self::Dir>) -> Result<bool, Cause> {
        Err(Cause::Unsupported)
    }
    /// Sets the mode of a file or directory. Visible at once; durable after a sync of it.
    fn set_mode(&self, _at: Named<'_, Self::Dir>, _mode: u32) -> Result<(), Cause> {
        Err(Cause::Unsupported)
    }
}
