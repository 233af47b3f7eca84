//! The process that holds a lock, where the system names it.

use std::fmt;
use std::fs::{self, File};

/// The process that holds the lock on a root.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its number.
    pub process: u32,
    /// The name of its program, if it still runs.
    pub program: Option<String>,
}

impl Holder {
    /// Returns the holder of the lock on an open directory. Linux alone names it, in `/proc/locks`, and another process
    /// can hold the lock a moment later.
    pub(crate) fn of(directory: &File) -> Option<Self> {
        #[cfg(target_os = "linux")]
        {
            let inode = std::os::unix::fs::MetadataExt::ino(&directory.metadata().ok()?);
            let process = exclusive(&fs::read_to_string("/proc/locks").ok()?, inode)?;
            let program = fs::read_to_string(format!("/proc/{process}/comm")).ok();
            Some(Self { process, program: program.map(|name| name.trim_end().to_owned()) })
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _no_system_call_names_it = (directory, fs::exists("/"));
            None
        }
    }
}

/// Returns the process with the one exclusive lock of `flock` on an inode; `None` if there are several, on filesystems
/// that each have an inode of this number. proc(5) describes the lines: number, `FLOCK`, `ADVISORY`, `WRITE`, process,
/// device and inode, range.
#[cfg(any(target_os = "linux", test))]
fn exclusive(locks: &str, inode: u64) -> Option<u32> {
    let holder = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", process, place, ..] = words[..] else { return None };
        let is_it = place.rsplit(':').next()?.parse() == Ok(inode);
        is_it.then(|| process.parse().ok())?
    };
    let mut holders = locks.lines().filter_map(holder);
    let first = holders.next()?;
    holders.next().is_none().then_some(first)
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.program {
            Some(program) => write!(f, "process {} ({program})", self.process),
            None => write!(f, "process {}", self.process),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_system_names_the_holder() {
        let locks = "1: FLOCK  ADVISORY  WRITE 4711 fd:00:17 0 EOF\n\
                     1: -> FLOCK  ADVISORY  WRITE 4712 fd:00:17 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 4713 fd:00:18 0 EOF\n\
                     3: FLOCK  ADVISORY  READ 4714 fd:00:19 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 1 fd:00:20 0 EOF\n\
                     5: FLOCK  ADVISORY  WRITE 2 fd:01:20 0 EOF\n";
        let holders = [17, 18, 19, 20, 21].map(|inode| exclusive(locks, inode));
        assert_eq!(holders, [Some(4711), None, None, None, None]);
    }
}
