//! The lock that implements `ownership: host`.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::Error;

/// A lock of the operating system on a root directory, held until it is dropped.
///
/// It is on the directory itself, so no lock file is left behind, and the operating system releases it when
/// its holder dies. It excludes other owners, but not programs that do not ask for the lock.
#[derive(Debug)]
pub(crate) struct RootLock {
    directory: File,
}

impl RootLock {
    /// Takes the lock on a directory that messages call `root`, or fails at once with
    /// [`Error::Locked`]. Only Unix locks directories; elsewhere the error is of the kind `unsupported`,
    /// and a root can be owned by a lock file.
    pub(crate) fn take(root: &Path, place: &Path) -> Result<Self, Error> {
        if !cfg!(unix) {
            return Err(Error::io("lock the root", root, io::ErrorKind::Unsupported.into()));
        }
        let directory = File::open(place).map_err(|error| Error::io("open the root", root, error))?;
        match directory.try_lock() {
            Ok(()) => Ok(Self { directory }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { root: root.to_owned() }),
            Err(TryLockError::Error(error)) => Err(Error::io("lock the root", root, error)),
        }
    }
}

impl Drop for RootLock {
    /// Unlocks explicitly, since closing is not enough: a process that the embedder forks meanwhile inherits
    /// the open directory, and would keep the lock until it executes another program.
    fn drop(&mut self) {
        let _closing_does_it_otherwise = self.directory.unlock();
    }
}
