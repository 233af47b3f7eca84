//! A directory of compiled code. Entries are checked before they are used.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// How the names of entries end.
pub(crate) const SUFFIX: &str = ".cwasm";

/// How many entries are kept: builds of the component, and programs, that are in use at the same time.
const ENTRIES_MAX: usize = 32;

/// Where compiled code is kept, if anywhere.
pub(crate) struct Cache {
    directory: Option<PathBuf>,
}

/// One name in the cache, there or not.
pub(crate) struct Entry {
    path: PathBuf,
}

impl Cache {
    /// `$ONIONSKIN_CACHE_DIR`, else `onionskin` in the cache directory of the user; off when the
    /// environment names neither.
    pub(crate) fn of_user() -> Self {
        let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let directory = named("ONIONSKIN_CACHE_DIR").or_else(|| {
            named("XDG_CACHE_HOME")
                .filter(|path| path.is_absolute())
                .or_else(|| named("LOCALAPPDATA"))
                .or_else(|| named("HOME").map(|home| home.join(".cache")))
                .map(|base| base.join("onionskin"))
        });
        Self { directory }
    }

    pub(crate) fn at(directory: PathBuf) -> Self {
        Self { directory: Some(directory) }
    }

    pub(crate) fn off() -> Self {
        Self { directory: None }
    }

    pub(crate) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// A name in the cache; `None` when there is no directory that this user alone may write.
    pub(crate) fn entry(&self, name: &str) -> Option<Entry> {
        let directory = self.directory()?;
        if !directory.is_dir() {
            create_private(directory).ok()?;
        }
        is_private(directory).then(|| Entry { path: directory.join(name) })
    }
}

impl Entry {
    /// The code, if it is there and is what was written.
    pub(crate) fn read(&self) -> Option<Vec<u8>> {
        let mut content = fs::read(&self.path).ok()?;
        let (code, digest) = content.split_last_chunk::<{ blake3::OUT_LEN }>()?;
        if blake3::hash(code) != *digest {
            return None;
        }
        content.truncate(content.len() - blake3::OUT_LEN);
        Some(content)
    }

    /// Writes the code under its name, all or nothing. A failure leaves the cache without it, and
    /// the next start compiles again.
    pub(crate) fn write(&self, code: &[u8]) {
        // Not worth an error: the code is at hand, only the next start is slower.
        let _ = self.try_write(code);
    }

    fn try_write(&self, code: &[u8]) -> std::io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        // With the suffix, so that what a killed process leaves goes away with the old entries.
        let mut file = tempfile::Builder::new().suffix(SUFFIX).tempfile_in(directory)?;
        file.write_all(code)?;
        file.write_all(blake3::hash(code).as_bytes())?;
        file.persist(&self.path)?;
        prune(directory)
    }
}

/// Removes the oldest entries beyond [`ENTRIES_MAX`]: each build of the component has its own.
fn prune(directory: &Path) -> std::io::Result<()> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(SUFFIX) {
            entries.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    entries.sort();
    let beyond = entries.len().saturating_sub(ENTRIES_MAX);
    entries.into_iter().take(beyond).try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(unix)]
fn create_private(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn create_private(directory: &Path) -> std::io::Result<()> {
    fs::create_dir_all(directory)
}

/// Whether nobody else may put code there for this user to run.
#[cfg(unix)]
fn is_private(directory: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    const WRITE_FOR_OTHERS: u32 = 0o022;
    fs::metadata(directory).is_ok_and(|it| it.permissions().mode() & WRITE_FOR_OTHERS == 0)
}

/// The directories of a user are private where there are no modes.
#[cfg(not(unix))]
fn is_private(_directory: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(directory: &Path) -> Entry {
        Cache::at(directory.to_owned()).entry("code").expect("the directory is private")
    }

    #[test]
    fn reads_back_what_was_written() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        assert_eq!(entry(directory.path()).read(), None);
        entry(directory.path()).write(b"machine code");
        assert_eq!(entry(directory.path()).read().as_deref(), Some(&b"machine code"[..]));
    }

    #[test]
    fn a_damaged_entry_is_not_used() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("code");
        entry(directory.path()).write(b"machine code");
        let whole = fs::read(&path).expect("it was written");
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            fs::write(&path, &flipped).expect("a writable file");
            assert_eq!(entry(directory.path()).read(), None, "flipped byte {at}");
            fs::write(&path, &whole[..at]).expect("a writable file");
            assert_eq!(entry(directory.path()).read(), None, "cut at {at}");
        }
    }

    #[test]
    fn old_entries_are_removed_and_other_files_are_not() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join("of somebody else"), "").expect("a writable directory");
        for number in 0..ENTRIES_MAX + 3 {
            let name = format!("{number}{SUFFIX}");
            let cache = Cache::at(directory.path().to_owned());
            cache.entry(&name).expect("the directory is private").write(b"machine code");
        }
        let left = fs::read_dir(directory.path()).expect("it is there").count();
        assert_eq!(left, ENTRIES_MAX + 1);
        assert!(directory.path().join("of somebody else").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_others_may_write_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).expect("ours");
        assert!(Cache::at(directory.path().to_owned()).entry("code").is_none());
    }
}
