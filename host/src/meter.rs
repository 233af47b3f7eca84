//! The use of directories, measured against their quota.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use crate::Quota;

/// The growth by one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Growth {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

/// Counts the total use of several directories: the lengths of their files, and the number of their names.
///
/// Growth is counted before it happens; freed space is found by a complete count when the quota is reached.
/// An open file counts until it is closed, even without a name.
#[derive(Debug)]
pub(crate) struct Meter {
    /// The name of each directory in the program, and its path on the host.
    directories: Vec<(String, PathBuf)>,
    quota: Quota,
    held: Growth,
    /// Whether space may have been freed since the last complete count.
    is_stale: bool,
    open: Vec<Weak<File>>,
    /// Which growth was refused.
    pub(crate) denied: Denied,
}

/// The bounds of a quota that refused a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) bytes: bool,
    pub(crate) entries: bool,
}

impl Meter {
    /// Counts the existing files and names.
    pub(crate) fn new(directories: Vec<(String, PathBuf)>, quota: Quota) -> io::Result<Self> {
        let held = Growth::default();
        let mut meter = Self { directories, quota, held, is_stale: false, open: Vec::new(), denied: Denied::default() };
        meter.held = meter.count()?;
        Ok(meter)
    }

    /// Returns whether a path of the program is in a metered directory.
    pub(crate) fn counts(&self, path: &str) -> bool {
        let is_in = |name: &str| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.directories.iter().any(|(name, _)| is_in(name))
    }

    /// Counts growth before it happens. Returns `false`, and counts nothing, if the quota would be exceeded.
    pub(crate) fn charge(&mut self, growth: Growth) -> bool {
        if growth == Growth::default() {
            return true;
        }
        if !self.fits(growth) && self.is_stale {
            // If the count fails, the previous count stays, which is no less.
            if let Ok(held) = self.count() {
                (self.held, self.is_stale) = (held, false);
            }
        }
        let fits = self.fits(growth);
        if fits {
            self.held.bytes += growth.bytes;
            self.held.entries += growth.entries;
        }
        let refused = self.refuses(if fits { Growth::default() } else { growth });
        self.denied.bytes |= refused.bytes;
        self.denied.entries |= refused.entries;
        fits
    }

    /// Marks the count as stale, since space may have been freed.
    pub(crate) fn freed(&mut self) {
        self.is_stale = true;
    }

    /// Remembers an open file.
    pub(crate) fn opened(&mut self, file: &Arc<File>) {
        if self.open.len() == self.open.capacity() {
            self.open.retain(|file| file.strong_count() > 0);
        }
        self.open.push(Arc::downgrade(file));
    }

    fn fits(&self, growth: Growth) -> bool {
        self.refuses(growth) == Denied::default()
    }

    /// Returns the bounds that growth would exceed.
    fn refuses(&self, growth: Growth) -> Denied {
        let exceeds = |most: Option<u64>, held: u64, more: u64| {
            more > 0 && most.is_some_and(|most| held.checked_add(more).is_none_or(|sum| sum > most))
        };
        Denied {
            bytes: exceeds(self.quota.bytes, self.held.bytes, growth.bytes),
            entries: exceeds(self.quota.entries, self.held.entries, growth.entries),
        }
    }

    fn count(&self) -> io::Result<Growth> {
        let mut held = Growth::default();
        for (_, directory) in &self.directories {
            count_below(directory, &mut held)?;
        }
        let nameless = self.open.iter().filter_map(Weak::upgrade).filter_map(|file| file.metadata().ok());
        held.bytes += nameless.filter(has_no_name).map(|it| it.len()).sum::<u64>();
        Ok(held)
    }
}

/// Checks whether the last name of an open file was removed.
#[cfg(unix)]
fn has_no_name(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.nlink() == 0
}

/// An open file keeps its name on other systems.
#[cfg(not(unix))]
fn has_no_name(_: &Metadata) -> bool {
    false
}

fn count_below(directory: &Path, held: &mut Growth) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        held.entries += 1;
        if metadata.is_dir() {
            count_below(&entry.path(), held)?;
        } else if metadata.is_file() {
            held.bytes += metadata.len();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn bytes(bytes: u64) -> Growth {
        Growth { bytes, entries: 0 }
    }

    #[test]
    fn what_is_given_back_may_be_taken_again_and_an_open_file_counts_without_a_name() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let place = directory.path().join("file");
        fs::write(&place, [0; 60]).expect("a writable directory");
        let quota = Quota { bytes: Some(100), entries: Some(1) };
        let mut meter = Meter::new(vec![("/data#upper".to_owned(), directory.path().to_owned())], quota)
            .expect("a readable directory");
        assert!(meter.counts("/data#upper/a") && meter.counts("/data#upper") && !meter.counts("/data#upper2"));
        assert!(!meter.charge(Growth { bytes: 0, entries: 1 }), "one entry is there");
        assert!(meter.charge(bytes(40)) && !meter.charge(bytes(1)));
        let file = Arc::new(File::open(&place).expect("it is there"));
        meter.opened(&file);
        fs::remove_file(&place).expect("it is there");
        meter.freed();
        assert!(!meter.charge(bytes(41)), "the open file has 60 bytes");
        drop(file);
        meter.freed();
        assert!(meter.charge(bytes(100)) && !meter.charge(bytes(1)));
        assert!(meter.charge(Growth { bytes: 0, entries: 1 }));
    }
}
