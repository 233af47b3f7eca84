//! A directory of the host, by a handle. What is looked up in it is one name, and no link is followed.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;

use super::patch::Mode;

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    /// A file or link, with the mode that git has for it.
    Content(Mode),
    Other,
}

/// An open directory. Elsewhere than on Unix it is a path, and links that are swapped in are followed.
pub(super) struct Handle(#[cfg(unix)] std::os::fd::OwnedFd, #[cfg(not(unix))] std::path::PathBuf);

#[cfg(unix)]
mod by_descriptor {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

    use rustix::fs::{AtFlags, Dir, FileType, Mode as Permissions, OFlags, open, openat, readlinkat, statat};

    use super::{File, Handle, Kind, Mode, OsString, Path, io};

    const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

    impl Handle {
        /// Opens a directory by its path; a link to it is followed.
        pub(in super::super) fn open(path: &Path) -> io::Result<Self> {
            Ok(Self(open(path, DIRECTORY, Permissions::empty())?))
        }

        /// Opens a directory in this one. An entry of another kind, a link included, is `NotADirectory`.
        pub(in super::super) fn enter(&self, name: &str) -> io::Result<Self> {
            let opened = openat(&self.0, name, DIRECTORY | OFlags::NOFOLLOW, Permissions::empty());
            let opened = opened.map_err(|error| match error {
                rustix::io::Errno::LOOP | rustix::io::Errno::MLINK => rustix::io::Errno::NOTDIR,
                error => error,
            });
            Ok(Self(opened?))
        }

        /// Returns the kind of an entry, and its length in bytes.
        pub(in super::super) fn look(&self, name: &str) -> io::Result<(Kind, u64)> {
            let stat = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let kind = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Kind::Directory,
                FileType::Symlink => Kind::Content(Mode::Link),
                FileType::RegularFile if stat.st_mode & 0o100 != 0 => Kind::Content(Mode::Executable),
                FileType::RegularFile => Kind::Content(Mode::File),
                _ => Kind::Other,
            };
            Ok((kind, u64::try_from(stat.st_size).unwrap_or_default()))
        }

        /// Lists the names in the directory.
        pub(in super::super) fn names(&self) -> io::Result<Vec<OsString>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(&self.0)? {
                let name = entry?.file_name().to_bytes().to_vec();
                if !matches!(name.as_slice(), b"." | b"..") {
                    names.push(OsString::from_vec(name));
                }
            }
            Ok(names)
        }

        /// Opens an entry for reading, without waiting for the other end of a pipe.
        pub(in super::super) fn file(&self, name: &str) -> io::Result<File> {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            Ok(openat(&self.0, name, flags, Permissions::empty())?.into())
        }

        /// Returns the target of a link.
        pub(in super::super) fn link(&self, name: &str) -> io::Result<Vec<u8>> {
            let target = readlinkat(&self.0, name, Vec::new())?;
            Ok(std::ffi::OsStr::from_bytes(target.to_bytes()).as_bytes().to_vec())
        }
    }
}

#[cfg(not(unix))]
impl Handle {
    /// Opens a directory by its path.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(path.to_owned()))
    }

    /// Opens a directory in this one. An entry of another kind, a link included, is `NotADirectory`.
    pub(super) fn enter(&self, name: &str) -> io::Result<Self> {
        let place = self.0.join(name);
        if std::fs::symlink_metadata(&place)?.is_dir() {
            Ok(Self(place))
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    /// Returns the kind of an entry, and its length in bytes.
    pub(super) fn look(&self, name: &str) -> io::Result<(Kind, u64)> {
        let found = std::fs::symlink_metadata(self.0.join(name))?;
        let kind = match found.file_type() {
            kind if kind.is_dir() => Kind::Directory,
            kind if kind.is_symlink() => Kind::Content(Mode::Link),
            kind if kind.is_file() => Kind::Content(Mode::File),
            _ => Kind::Other,
        };
        Ok((kind, found.len()))
    }

    /// Lists the names in the directory.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(&self.0)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    /// Opens an entry for reading.
    pub(super) fn file(&self, name: &str) -> io::Result<File> {
        File::open(self.0.join(name))
    }

    /// Returns the target of a link.
    pub(super) fn link(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(std::fs::read_link(self.0.join(name))?.into_os_string().into_encoded_bytes())
    }
}
