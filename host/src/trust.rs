//! Trust in records on the disk. An open carries out what they say, with the rights of this user; so it first
//! checks whose they are.
//!
//! Trusted are this user and root, and no entry that every user may write. A check is of one moment: whoever
//! may rename the directory itself can replace it afterwards.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::Error;

/// The directory of records in a root.
const CONTROL: &str = ".onionskin";

/// The directory of a workspace in its upper directory.
const WORKSPACE: &str = ".onionskin/workspace";

/// The reason why records are not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Distrust {
    /// They belong to another user, with this number.
    Owner {
        /// The number of the user.
        user: u32,
    },
    /// Every user may write them.
    Writable,
}

/// Whose records are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those of this user and of root.
    #[default]
    Own,
    /// Those of every user.
    All,
}

impl Trust {
    /// Checks the control directory of a root, if it exists, and the entries in it.
    ///
    /// # Errors
    ///
    /// [`Error::Untrusted`] with the first entry that another user could have written.
    pub(crate) fn records(self, root: &Path) -> Result<(), Error> {
        if self == Self::All {
            return Ok(());
        }
        with_entries(&root.join(CONTROL))
    }

    /// As [`Trust::records`], for an upper directory: the directory itself and the records of its workspace,
    /// too.
    pub(crate) fn upper(self, upper: &Path) -> Result<(), Error> {
        if self == Self::All {
            return Ok(());
        }
        check(upper)?;
        with_entries(&upper.join(CONTROL))?;
        with_entries(&upper.join(WORKSPACE))
    }
}

/// The prefix of the names of staged files. An open removes them and reads none, and they have the owner and the mode of
/// the files that they were to replace.
const STAGED: &str = "file-";

/// Checks a directory and the records in it. What does not exist records nothing, and what cannot be read is
/// reported by the open.
fn with_entries(directory: &Path) -> Result<(), Error> {
    if !check(directory)? {
        return Ok(());
    }
    let Ok(entries) = fs::read_dir(directory) else { return Ok(()) };
    let is_staged = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(STAGED));
    for entry in entries.flatten().filter(|entry| !is_staged(&entry.file_name())) {
        check(&entry.path())?;
    }
    Ok(())
}

/// Checks one entry, which is not followed; returns whether it exists.
fn check(path: &Path) -> Result<bool, Error> {
    match fs::symlink_metadata(path) {
        Ok(found) => match distrust(&found) {
            None => Ok(true),
            Some(why) => Err(Error::Untrusted { path: path.to_owned(), why }),
        },
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(Error::io("look at", path, error)),
    }
}

/// Checks whether an entry belongs to this user. Without modes, the directories of a user are private.
#[must_use]
pub fn is_own(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::uid(metadata) == rustix::process::geteuid().as_raw()
    }
    #[cfg(not(unix))]
    {
        let _there_are_no_owners = metadata;
        true
    }
}

/// Returns the owner of the control directory of a root in words, if it is another user.
pub(crate) fn other_owner(root: &Path) -> Option<String> {
    let found = fs::symlink_metadata(root.join(CONTROL)).ok().filter(|found| !is_own(found))?;
    #[cfg(unix)]
    {
        Some(format!("{CONTROL} belongs to user {}", std::os::unix::fs::MetadataExt::uid(&found)))
    }
    #[cfg(not(unix))]
    {
        let _there_are_no_owners = found;
        None
    }
}

/// Returns a description of the filesystem that a path is on, where it is the reason why a change fails: it is
/// read-only, or another one than that of the root. The system has no other word for them than an input/output error.
pub(crate) fn obstacle(root: &Path, path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use rustix::fs::{Access, access};
        let place = path.ancestors().find(|place| place.symlink_metadata().is_ok())?;
        let directory = if place.is_dir() { place } else { place.parent()? };
        if access(directory, Access::WRITE_OK) == Err(rustix::io::Errno::ROFS) {
            return Some(format!("{} is on a read-only filesystem", directory.display()));
        }
        let own = mounted(root)?;
        let below: Vec<&Path> = directory.ancestors().take_while(|above| *above != root).collect();
        let control = root.join(CONTROL);
        let places = below.into_iter().rev().chain([place, control.as_path()]);
        let other =
            places.filter(|place| place.starts_with(root)).find(|place| mounted(place).is_some_and(|it| it != own))?;
        Some(format!("{} is on another filesystem than {}, or mounted there", other.display(), root.display()))
    }
    #[cfg(not(unix))]
    {
        let _there_are_no_such_calls = (root, path);
        None
    }
}

/// Returns the device of an entry, which is not followed, and its mount, where the system numbers them.
#[cfg(unix)]
fn mounted(path: &Path) -> Option<(u64, Option<u64>)> {
    let device = std::os::unix::fs::MetadataExt::dev(&path.symlink_metadata().ok()?);
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
        let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, StatxFlags::MNT_ID).ok();
        Some((device, found.map(|found| found.stx_mnt_id)))
    }
    #[cfg(not(target_os = "linux"))]
    Some((device, None))
}

/// Returns the first of a directory and those above it in which another user could replace the entries of this user: it
/// belongs to another user, or every user may write in it and its sticky bit is not set.
///
/// # Errors
///
/// The directory does not exist, or cannot be looked at.
pub fn open_to_others(directory: &Path) -> io::Result<Option<PathBuf>> {
    for place in fs::canonicalize(directory)?.ancestors() {
        let found = fs::symlink_metadata(place)?;
        match distrust(&found) {
            Some(Distrust::Writable) if is_sticky(&found) => {}
            Some(_) => return Ok(Some(place.to_owned())),
            None => {}
        }
    }
    Ok(None)
}

#[cfg(unix)]
fn is_sticky(found: &Metadata) -> bool {
    const STICKY: u32 = 0o1000;
    std::os::unix::fs::MetadataExt::mode(found) & STICKY != 0
}

#[cfg(not(unix))]
fn is_sticky(_: &Metadata) -> bool {
    true
}

/// Returns the reason not to trust an entry.
#[cfg(unix)]
fn distrust(found: &Metadata) -> Option<Distrust> {
    use std::os::unix::fs::MetadataExt as _;
    const WRITE_FOR_ALL: u32 = 0o002;
    if !is_own(found) && found.uid() != rustix::process::Uid::ROOT.as_raw() {
        return Some(Distrust::Owner { user: found.uid() });
    }
    // A link has no mode of its own.
    (!found.is_symlink() && found.mode() & WRITE_FOR_ALL != 0).then_some(Distrust::Writable)
}

#[cfg(not(unix))]
fn distrust(_: &Metadata) -> Option<Distrust> {
    None
}

/// Returns an untrusted path as the user named its directory, instead of its place.
pub(crate) fn named(error: Error, place: &Path, name: &Path) -> Error {
    match error {
        Error::Untrusted { path, why } => {
            let path: PathBuf = path.strip_prefix(place).map_or_else(|_| path.clone(), |rest| name.join(rest));
            Error::Untrusted { path, why }
        }
        error => error,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn why(answer: Result<(), Error>) -> Option<(PathBuf, Distrust)> {
        match answer {
            Ok(()) => None,
            Err(Error::Untrusted { path, why }) => Some((path, why)),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn records_that_every_user_may_write_are_not_trusted() {
        let root = tempfile::tempdir().expect("a directory");
        let root = root.path();
        assert_eq!(why(Trust::Own.records(root)), None, "nothing is recorded");
        let place = |name: &str| root.join(name);
        fs::create_dir_all(place(".onionskin/workspace")).expect("a directory");
        for name in [".onionskin/log", ".onionskin/workspace/map"] {
            fs::write(place(name), "x").expect("a file");
        }
        assert_eq!(why(Trust::Own.upper(root)), None);
        for (name, of_root) in
            [(".onionskin", true), (".onionskin/log", true), (".onionskin/workspace/map", false), ("", false)]
        {
            let (path, before) = (place(name), fs::metadata(place(name)).expect("it is there").permissions());
            let path = if name.is_empty() { root.to_owned() } else { path };
            fs::set_permissions(&path, fs::Permissions::from_mode(before.mode() | 0o002)).expect("it is ours");
            let expected = Some((path.clone(), Distrust::Writable));
            assert_eq!(why(Trust::Own.upper(root)), expected, "{name}");
            assert_eq!(why(Trust::Own.records(root)), expected.filter(|_| of_root), "{name}");
            assert_eq!(why(Trust::All.upper(root)), None, "{name}");
            fs::set_permissions(&path, before).expect("it is ours");
        }
    }

    #[test]
    fn a_directory_is_open_to_others_if_one_above_it_is() {
        let top = tempfile::tempdir().expect("a directory");
        let top = top.path().canonicalize().expect("it is there");
        let below = top.join("a/b");
        fs::create_dir_all(&below).expect("a directory");
        assert_eq!(open_to_others(&below).expect("it is there"), None);
        for place in [&below, &top.join("a")] {
            for (mode, is_open) in [(0o777, true), (0o1777, false), (0o770, false)] {
                fs::set_permissions(place, fs::Permissions::from_mode(mode)).expect("it is ours");
                let found = open_to_others(&below).expect("it is there");
                assert_eq!(found, is_open.then(|| place.clone()), "{place:?} {mode:o}");
            }
        }
    }

    #[test]
    fn records_of_another_user_are_not_trusted_and_those_of_root_are() {
        let root = tempfile::tempdir().expect("a directory");
        let root = root.path();
        fs::create_dir(root.join(".onionskin")).expect("a directory");
        let log = root.join(".onionskin/log");
        fs::write(&log, "x").expect("a file");
        // Only root gives files away.
        if std::os::unix::fs::lchown(&log, Some(12345), None).is_err() {
            assert!(std::env::var_os("CI").is_none(), "CI runs this as root");
            eprintln!("LEFT OUT: records of another user: it takes root to try");
            return;
        }
        assert_eq!(why(Trust::Own.records(root)), Some((log.clone(), Distrust::Owner { user: 12345 })));
        std::os::unix::fs::lchown(&log, Some(0), None).expect("it was given away");
        assert_eq!(why(Trust::Own.records(root)), None);
    }
}
