//! Where is measured: in memory, and on a disk.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Result;

/// Where Linux has a filesystem in memory.
const MEMORY: &str = "/dev/shm";

/// Scratch directories, which go away with this.
pub(crate) struct Places {
    memory: Option<Place>,
    disk: Place,
    cache: TempDir,
}

/// A scratch directory.
pub(crate) struct Place {
    scratch: TempDir,
    /// The type of the filesystem, where the system tells it.
    pub(crate) filesystem: String,
}

impl Places {
    pub(crate) fn make() -> Result<Self> {
        let memory = Path::new(MEMORY).is_dir().then(|| Place::make(Path::new(MEMORY))).transpose()?;
        Ok(Self { memory, disk: Place::make(&std::env::temp_dir())?, cache: tempfile::tempdir()? })
    }

    /// The scratch directory in memory.
    pub(crate) fn memory(&self) -> Result<&Place> {
        self.memory.as_ref().ok_or_else(|| format!("there is no {MEMORY}").into())
    }

    /// The scratch directory in the directory for temporary files, which may be in memory too.
    pub(crate) fn disk(&self) -> &Place {
        &self.disk
    }

    /// Where compiled code is kept, so that the measurement neither needs nor leaves a cache.
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

    /// A new empty directory.
    pub(crate) fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.scratch.path().join(name);
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        Ok(path)
    }
}

/// The type of the filesystem that a path is on: that of the deepest mount point above it, the last
/// one where several are mounted there.
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
