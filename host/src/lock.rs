//! The lock that implements `ownership: host`.

use std::fs::{File, TryLockError};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;
#[cfg(feature = "async")]
use crate::asynchronous::ending::Before;
use crate::holder::Holder;

/// The time that is given to those who ask whether there is an owner.
const QUESTION: Duration = Duration::from_millis(1);

/// The maximum of questions that an owner waits for.
const QUESTIONS_MAX: usize = 5000;

/// The longest first pause of one that waits for a lock.
const PAUSE_FIRST: Duration = Duration::from_micros(500);

/// The longest pause: a release is noticed within it.
const PAUSE_LONGEST: Duration = Duration::from_millis(8);

/// A lock of the operating system on a root directory, held until it is dropped.
///
/// It is on the directory itself, so no lock file is left behind, and the operating system releases it when
/// its holder dies. It excludes other owners, but not programs that do not ask for the lock.
#[derive(Debug)]
pub(crate) struct RootLock {
    directory: File,
}

impl RootLock {
    /// Takes the lock on a directory that messages call `root`, or fails with [`Error::Locked`] when another owner holds
    /// it and has not released it within `wait`. Only Unix locks directories; elsewhere the error is of the kind
    /// `unsupported`, and a root can be owned by a lock file.
    ///
    /// A lock that is held by a call whose future was dropped, or by a handle that is being closed, is waited for: both
    /// end by themselves.
    pub(crate) fn take(root: &Path, place: &Path, wait: Duration) -> Result<Self, Error> {
        if !cfg!(unix) {
            return Err(Error::io("lock the root", root, io::ErrorKind::Unsupported.into()));
        }
        let directory = File::open(place).map_err(|error| Error::io("open the root", root, error))?;
        #[cfg(feature = "async")]
        let mut before = Before::now();
        let mut pauses = Pauses::within(wait);
        loop {
            if is_taken(&directory).map_err(|error| Error::io("lock the root", root, error))? {
                return Ok(Self { directory });
            }
            #[cfg(feature = "async")]
            if before.wait() {
                continue;
            }
            match pauses.next() {
                Some(pause) => thread::sleep(pause),
                None => return Err(Error::Locked { root: root.to_owned(), holder: Holder::of(&directory) }),
            }
        }
    }
}

/// Takes the lock on an open directory. Returns `false` if another owner holds it.
fn is_taken(directory: &File) -> io::Result<bool> {
    for _ in 0..QUESTIONS_MAX {
        match directory.try_lock() {
            Ok(()) => return Ok(true),
            // An owner excludes the shared lock, too; a question does not.
            Err(TryLockError::WouldBlock) => match directory.try_lock_shared() {
                Ok(()) => {
                    let _for_a_moment = directory.unlock();
                    thread::sleep(QUESTION);
                }
                Err(_) => return Ok(false),
            },
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// A shared lock on a root, held while a question about it is asked: an owner that takes the root meanwhile waits for it.
#[derive(Debug)]
pub(crate) struct Question {
    directory: File,
}

impl Question {
    /// Takes the shared lock, and waits up to this time for an owner.
    pub(crate) fn ask(root: &Path, place: &Path, wait: Duration) -> Result<Self, Error> {
        let directory = File::open(place).map_err(|error| Error::io("open the root", root, error))?;
        let mut pauses = Pauses::within(wait);
        loop {
            match directory.try_lock_shared() {
                Ok(()) => return Ok(Self { directory }),
                Err(TryLockError::WouldBlock) => match pauses.next() {
                    Some(pause) => thread::sleep(pause),
                    None => return Err(Error::Locked { root: root.to_owned(), holder: Holder::of(&directory) }),
                },
                Err(TryLockError::Error(error)) => return Err(Error::io("lock the root", root, error)),
            }
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let _closing_does_it_otherwise = self.directory.unlock();
    }
}

/// The pauses between the attempts of one that waits for a lock: random, so that of many each gets its turn, and of
/// growing length.
pub(crate) struct Pauses {
    /// The end of the time; `None` if it is beyond what a clock can say.
    until: Option<Instant>,
    longest: Duration,
}

impl Pauses {
    pub(crate) fn within(wait: Duration) -> Self {
        Self { until: Instant::now().checked_add(wait), longest: PAUSE_FIRST }
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    /// Returns the next pause, or `None` when the time is over.
    fn next(&mut self) -> Option<Duration> {
        let left = self.until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return None;
        }
        // The seed of a new hasher is random.
        let random = RandomState::new().build_hasher().finish() % 1024;
        let pause = self.longest.mul_f64(random as f64 / 1024.0);
        self.longest = (self.longest * 2).min(PAUSE_LONGEST);
        Some(pause.min(left))
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
