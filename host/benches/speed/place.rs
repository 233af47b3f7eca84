//! The places of measurement: in memory, and on a disk.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Result;

/// The filesystem in memory of Linux.
const MEMORY: &str = "/dev/shm";

/// Scratch directories, which are removed on drop.
pub(crate) struct Places {
    memory: Option<Place>,
    disk: Place,
    cache: TempDir,
}

/// A scratch directory.
pub(crate) struct Place {
    scratch: TempDir,
    /// The type of the filesystem, where the system reports it.
    pub(crate) filesystem: String,
}

impl Places {
    pub(crate) fn make() -> Result<Self> {
        let memory = Path::new(MEMORY).is_dir().then(|| Place::make(Path::new(MEMORY))).transpose()?;
        Ok(Self { memory, disk: Place::make(&std::env::temp_dir())?, cache: tempfile::tempdir()? })
    }

    /// Returns the scratch directory in memory.
    pub(crate) fn memory(&self) -> Result<&Place> {
        self.memory.as_ref().ok_or_else(|| format!("there is no {MEMORY}").into())
    }

    /// Returns the scratch directory in the directory for temporary files, which may be in memory too.
    pub(crate) fn disk(&self) -> &Place {
        &self.disk
    }

    /// Returns the directory of compiled code, so that a measurement neither needs nor leaves a cache elsewhere.
    pub(crate) fn cache(&self) -> &Path {
        self.cache.path()
    }
}

impl Place {
    fn make(below: &Path) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("onionskin-bench-").tempdir_in(below)?;
        let filesystem = filesystem(scratch.path()).unwrap_or_else(|| "unknown".to_owned());
        Ok(Self { scratch, filesystem })
    }

    /// Creates an empty directory.
    pub(crate) fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.scratch.path().join(name);
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        Ok(path)
    }
}

/// Returns the type of the filesystem of a path: that of the deepest mount point above it, and the last one mounted
/// there.
fn filesystem(path: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let path = fs::canonicalize(path).ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((Path::new(fields.next()?), fields.next()?))
    });
    let above = mounts.filter(|(point, _)| path.starts_with(point));
    above.max_by_key(|(point, _)| point.components().count()).map(|(_, kind)| kind.to_owned())
}
