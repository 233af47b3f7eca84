//! The lock that implements `ownership: host`.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::Error;
#[cfg(feature = "async")]
use crate::asynchronous::ending::Before;

/// The time that is given to those who ask whether there is an owner.
const QUESTION: Duration = Duration::from_millis(1);

/// The maximum of questions that an owner waits for.
const QUESTIONS_MAX: usize = 1000;

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
    ///
    /// A lock that is held by a call whose future was dropped, or by a handle that is being closed, is waited for: both
    /// end by themselves.
    pub(crate) fn take(root: &Path, place: &Path) -> Result<Self, Error> {
        #[cfg(feature = "async")]
        {
            let mut before = Before::now();
            loop {
                match Self::try_take(root, place) {
                    Err(Error::Locked { .. }) if before.wait() => {}
                    taken => return taken,
                }
            }
        }
        #[cfg(not(feature = "async"))]
        Self::try_take(root, place)
    }

    fn try_take(root: &Path, place: &Path) -> Result<Self, Error> {
        if !cfg!(unix) {
            return Err(Error::io("lock the root", root, io::ErrorKind::Unsupported.into()));
        }
        let directory = File::open(place).map_err(|error| Error::io("open the root", root, error))?;
        for _ in 0..QUESTIONS_MAX {
            match directory.try_lock() {
                Ok(()) => return Ok(Self { directory }),
                // An owner excludes the shared lock, too; a question does not.
                Err(TryLockError::WouldBlock) => match directory.try_lock_shared() {
                    Ok(()) => {
                        let _for_a_moment = directory.unlock();
                        thread::sleep(QUESTION);
                    }
                    Err(_) => break,
                },
                Err(TryLockError::Error(error)) => return Err(Error::io("lock the root", root, error)),
            }
        }
        Err(Error::Locked { root: root.to_owned() })
    }
}

/// Returns whether another owner holds the lock on a directory. The question keeps no owner out: it asks for a
/// shared lock for a moment, and [`RootLock::take`] waits for that.
pub(crate) fn is_held(root: &Path, place: &Path) -> Result<bool, Error> {
    if !cfg!(unix) {
        return Ok(false);
    }
    let directory = File::open(place).map_err(|error| Error::io("open the root", root, error))?;
    match directory.try_lock_shared() {
        Ok(()) => {
            let _closing_does_it_otherwise = directory.unlock();
            Ok(false)
        }
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(Error::io("lock the root", root, error)),
    }
}

impl Drop for RootLock {
    /// Unlocks explicitly, since closing is not enough: a process that the embedder forks meanwhile inherits
    /// the open directory, and would keep the lock until it executes another program.
    fn drop(&mut self) {
        let _closing_does_it_otherwise = self.directory.unlock();
    }
}
