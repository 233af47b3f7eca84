//! A directory of compiled code. The code is executed, so no entry that another user could have put there is
//! used.
//!
//! The rules are those of a secure shell for its keys: the directory and all directories above it belong to
//! this user or to root, and no other user has write permission; links are not followed; the checked
//! descriptor stays open while it is used. Each entry belongs to this user, has one name, and ends with a
//! keyed hash, whose key only this user can read. If any check fails, the cache is not used, and the code is
//! compiled again.

use std::env;
#[cfg(not(unix))]
use std::path::Path;
use std::path::PathBuf;

#[cfg(unix)]
pub(crate) use self::place::Entry;

/// The suffix of the names of entries.
pub(crate) const SUFFIX: &str = ".cwasm";

/// The cache of compiled code: a directory, or none.
pub(crate) struct Cache {
    directory: Option<PathBuf>,
}

impl Cache {
    /// Returns the cache in `$ONIONSKIN_CACHE_DIR`, else in `onionskin` in the cache directory of the user; a
    /// disabled cache if the environment names neither.
    pub(crate) fn of_user() -> Self {
        let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // A relative one would be a directory of the place where this was started.
        let absolute = |name| named(name).filter(|path| path.is_absolute());
        let directory = named("ONIONSKIN_CACHE_DIR").or_else(|| {
            let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
            base.map(|base| base.join("onionskin"))
        });
        Self { directory }
    }

    pub(crate) fn at(directory: PathBuf) -> Self {
        Self { directory: Some(directory) }
    }

    pub(crate) fn off() -> Self {
        Self { directory: None }
    }

    /// Returns an entry of the cache, present or absent; `None` without a directory that only this user may
    /// write.
    pub(crate) fn entry(&self, name: &str) -> Option<Entry> {
        self.directory.as_deref().and_then(|directory| Entry::at(directory, name))
    }
}

/// The cache is disabled on systems other than Unix, where the owner of a directory is not available.
#[cfg(not(unix))]
pub(crate) enum Entry {}

#[cfg(not(unix))]
impl Entry {
    fn at(_: &Path, _: &str) -> Option<Self> {
        None
    }

    pub(crate) fn read(&self) -> Option<Vec<u8>> {
        match *self {}
    }

    pub(crate) fn write(&self, _: &[u8]) {
        match *self {}
    }
}

#[cfg(unix)]
mod place {
    use std::fs::{self, DirBuilder, File};
    use std::io::{self, Read as _, Write as _};
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    use std::path::{Component, Path};

    use rustix::fs::{self as at, AtFlags, Mode, OFlags};
    use rustix::process::geteuid;

    use super::SUFFIX;

    /// The maximum size of the cache in bytes. Beyond it, the least recently used entries are removed.
    const BYTES_MAX: u64 = 2 << 30;

    /// The name of the file with the key.
    const KEY: &str = "key";

    /// Write permission for the group and for all.
    const WRITE_FOR_OTHERS: u32 = 0o022;

    /// The sticky bit: users cannot rename or remove files of other users.
    const STICKY: u32 = 0o1000;

    /// One name in the cache, present or absent.
    pub(crate) struct Entry {
        directory: OwnedFd,
        key: [u8; blake3::KEY_LEN],
        name: String,
    }

    impl Entry {
        pub(super) fn at(directory: &Path, name: &str) -> Option<Self> {
            let directory = open(directory)?;
            let key = key(&directory)?;
            Some(Self { directory, key, name: name.to_owned() })
        }

        /// Returns the code, if the entry exists and was written by this user.
        pub(crate) fn read(&self) -> Option<Vec<u8>> {
            let file = own_file(&self.directory, &self.name, WRITE_FOR_OTHERS)?;
            let mut content = Vec::new();
            (&file).read_to_end(&mut content).ok()?;
            let (code, digest) = content.split_last_chunk::<{ blake3::OUT_LEN }>()?;
            if self.hash(code) != *digest {
                return None;
            }
            content.truncate(content.len() - blake3::OUT_LEN);
            // Marks the entry as used now; if that fails, it is removed earlier.
            let _ = file.set_modified(std::time::SystemTime::now());
            Some(content)
        }

        /// Writes the code under its name atomically. After an error the cache has no entry, and the next
        /// start compiles again.
        pub(crate) fn write(&self, code: &[u8]) {
            // A failure is not reported: the code is in memory, and only the next start is slower.
            let _ = self.try_write(code);
        }

        fn try_write(&self, code: &[u8]) -> io::Result<()> {
            // With the suffix, so that the file of a killed process is removed with the old entries.
            let staged = format!("{:032x}{SUFFIX}", u128::from_le_bytes(random()?));
            create(&self.directory, &staged, &[code, self.hash(code).as_bytes()])?;
            at::renameat(&self.directory, &staged, &self.directory, &self.name)?;
            prune(&self.directory, BYTES_MAX)
        }

        /// Returns the hash of code under this name. The name is part of it, so an entry that is moved to
        /// another name is rejected.
        fn hash(&self, code: &[u8]) -> blake3::Hash {
            let mut hasher = blake3::Hasher::new_keyed(&self.key);
            hasher.update(self.name.as_bytes()).update(&[0]).update(code);
            hasher.finalize()
        }
    }

    /// Opens the directory, and creates it if it does not exist. Returns `None` if other users can write in
    /// it, or can replace it.
    fn open(directory: &Path) -> Option<OwnedFd> {
        let directory = std::path::absolute(directory).ok()?;
        if fs::symlink_metadata(&directory).is_err() {
            DirBuilder::new().recursive(true).mode(0o700).create(&directory).ok()?;
        }
        // Links on the way are resolved, and the resolved path is checked. The last component must not be a
        // link.
        let place = fs::canonicalize(directory.parent()?).ok()?.join(directory.file_name()?);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut opened = at::open("/", flags, Mode::empty()).ok()?;
        for component in place.components() {
            let Component::Normal(name) = component else { continue };
            if !is_private(&opened, STICKY)? {
                return None;
            }
            opened = at::openat(&opened, name, flags, Mode::empty()).ok()?;
        }
        is_private(&opened, 0)?.then_some(opened)
    }

    /// Checks whether only this user and root can create entries in a directory; with the sticky bit, whether
    /// only they can replace existing entries.
    fn is_private(directory: &OwnedFd, sticky: u32) -> Option<bool> {
        let stat = at::fstat(directory).ok()?;
        let is_closed = stat.st_mode & WRITE_FOR_OTHERS == 0 || stat.st_mode & sticky != 0;
        Some(is_closed && (stat.st_uid == 0 || stat.st_uid == geteuid().as_raw()))
    }

    /// Opens a file of this user, on which others have none of these permissions.
    fn own_file(directory: &OwnedFd, name: &str, others: u32) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(at::openat(directory, name, flags, Mode::empty()).ok()?);
        let is = file.metadata().ok()?;
        let is_own = is.is_file() && is.uid() == geteuid().as_raw() && is.nlink() == 1 && is.mode() & others == 0;
        is_own.then_some(file)
    }

    /// Returns the key, and creates it if there is none.
    fn key(directory: &OwnedFd) -> Option<[u8; blake3::KEY_LEN]> {
        let read = || {
            let mut key = [0; blake3::KEY_LEN];
            own_file(directory, KEY, 0o077)?.read_exact(&mut key).ok()?;
            Some(key)
        };
        read().or_else(|| {
            let staged = format!("{:032x}{SUFFIX}", u128::from_le_bytes(random().ok()?));
            create(directory, &staged, &[&random::<{ blake3::KEY_LEN }>().ok()?]).ok()?;
            // The first process to rename creates the key, and all others use that one; a key that fails the
            // checks stays, and is not used.
            let _ = at::renameat_with(directory, &staged, directory, KEY, at::RenameFlags::NOREPLACE);
            let _ = at::unlinkat(directory, &staged, AtFlags::empty());
            read()
        })
    }

    fn create(directory: &OwnedFd, name: &str, pieces: &[&[u8]]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(at::openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?);
        pieces.iter().try_for_each(|piece| file.write_all(piece))
    }

    fn random<const N: usize>() -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Removes the least recently used entries until the total is at most this number of bytes.
    fn prune(directory: &impl AsFd, most: u64) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in at::Dir::read_from(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_bytes().ends_with(SUFFIX.as_bytes())
                && let Ok(stat) = at::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
            {
                let used = (stat.st_mtime, stat.st_mtime_nsec);
                entries.push((used, u64::try_from(stat.st_size).unwrap_or_default(), name.to_owned()));
            }
        }
        entries.sort();
        let mut held: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, name) in entries {
            if held <= most {
                break;
            }
            at::unlinkat(directory, &*name, AtFlags::empty())?;
            held -= bytes;
        }
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        use std::ffi::OsStr;
        use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

        use super::super::Cache;
        use super::*;

        fn entry(directory: &Path) -> Option<Entry> {
            Cache::at(directory.to_owned()).entry("code")
        }

        fn written() -> (tempfile::TempDir, std::path::PathBuf) {
            let directory = tempfile::tempdir().expect("a temporary directory");
            let cache = directory.path().join("parent/cache");
            entry(&cache).expect("the directory is private").write(b"machine code");
            assert_eq!(read(&cache).as_deref(), Some(&b"machine code"[..]));
            (directory, cache)
        }

        fn read(directory: &Path) -> Option<Vec<u8>> {
            entry(directory)?.read()
        }

        fn set_mode(path: &Path, mode: u32) {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
        }

        #[test]
        fn what_was_written_is_read_back_and_nothing_before() {
            let (_directory, cache) = written();
            let other = Cache::at(cache.clone()).entry("other").expect("the directory is private");
            assert_eq!(other.read(), None);
            assert_eq!(fs::metadata(cache.join(KEY)).expect("it is there").mode() & 0o777, 0o600);
            assert_eq!(fs::metadata(&cache).expect("it is there").mode() & 0o777, 0o700);
        }

        #[test]
        fn a_damaged_entry_is_not_used() {
            let (_directory, cache) = written();
            let path = cache.join("code");
            let whole = fs::read(&path).expect("it was written");
            for at in 0..whole.len() {
                let mut flipped = whole.clone();
                flipped[at] ^= 1;
                fs::write(&path, &flipped).expect("a writable file");
                assert_eq!(read(&cache), None, "flipped byte {at}");
                fs::write(&path, &whole[..at]).expect("a writable file");
                assert_eq!(read(&cache), None, "cut at {at}");
            }
        }

        /// A digest is no proof of origin, since any user can compute one. An entry under another name is
        /// rejected too.
        #[test]
        fn an_entry_that_was_not_written_by_this_user_is_not_used() {
            let (_directory, cache) = written();
            let code = b"code of somebody else";
            fs::write(cache.join("code"), [&code[..], blake3::hash(code).as_bytes()].concat()).expect("writable");
            assert_eq!(read(&cache), None);
            let (_directory, cache) = written();
            fs::copy(cache.join("code"), cache.join("other")).expect("writable");
            assert_eq!(Cache::at(cache).entry("other").expect("private").read(), None);
        }

        #[test]
        fn what_others_may_write_is_not_used() {
            for (what, mode) in [(".", 0o777), (".", 0o770), ("..", 0o777), ("code", 0o666), (KEY, 0o644)] {
                let (_directory, cache) = written();
                set_mode(&cache.join(what), mode);
                assert_eq!(read(&cache), None, "{what} {mode:o}");
            }
        }

        #[test]
        fn a_link_in_the_place_of_the_directory_or_of_an_entry_is_not_followed() {
            for what in ["", "code", KEY] {
                let (directory, cache) = written();
                let aside = directory.path().join("aside");
                fs::rename(cache.join(what), &aside).expect("writable");
                symlink(&aside, if what.is_empty() { cache.clone() } else { cache.join(what) }).expect("writable");
                assert_eq!(read(&cache), None, "{what}");
                fs::remove_file(if what.is_empty() { cache.clone() } else { cache.join(what) }).expect("the link");
                fs::rename(&aside, cache.join(what)).expect("writable");
                assert!(read(&cache).is_some(), "{what}");
            }
            let (directory, cache) = written();
            fs::hard_link(cache.join("code"), directory.path().join("second")).expect("writable");
            assert_eq!(read(&cache), None, "a second name");
        }

        /// An entry or directory of another user is rejected, at any place in the path. Only root can run
        /// this test.
        #[test]
        fn what_belongs_to_another_user_is_not_used() {
            if !geteuid().is_root() {
                assert!(std::env::var_os("CI").is_none(), "under CI this is tried by root");
                eprintln!("LEFT OUT: what belongs to another user: it takes root to try");
                return;
            }
            for what in ["..", ".", "code", KEY] {
                let (_directory, cache) = written();
                chown(cache.join(what), Some(4711), Some(4711)).expect("root may");
                assert_eq!(read(&cache), None, "{what}");
            }
        }

        #[test]
        fn what_was_not_used_for_the_longest_time_goes_and_other_files_stay() {
            let (_directory, cache) = written();
            fs::write(cache.join("of somebody else"), "").expect("writable");
            for number in 0..6 {
                let name = format!("{number}{SUFFIX}");
                Cache::at(cache.clone()).entry(&name).expect("private").write(&[0; 1000]);
                let hours = std::time::Duration::from_secs(3600 * (10 - number));
                let file = File::options().write(true).open(cache.join(&name)).expect("it was written");
                file.set_modified(std::time::SystemTime::now() - hours).expect("ours");
            }
            let used = Cache::at(cache.clone()).entry(&format!("0{SUFFIX}")).expect("private");
            assert!(used.read().is_some());
            prune(&open(&cache).expect("private"), 3500).expect("writable");
            let mut left: Vec<_> = fs::read_dir(&cache)
                .expect("readable")
                .map(|entry| entry.expect("readable").file_name())
                .filter(|name| name.to_string_lossy().ends_with(SUFFIX) || *name == *OsStr::new("of somebody else"))
                .collect();
            left.sort();
            let names = ["0.cwasm", "4.cwasm", "5.cwasm", "of somebody else"];
            assert_eq!(left, names.map(OsStr::new));
        }
    }
}
