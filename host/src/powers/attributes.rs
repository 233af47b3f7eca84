//! Attributes of files and directories on Linux: mode, owner, group, access control lists, extended attributes,
//! times.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{
    Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags, fchmod, fchown, fgetxattr, fremovexattr, fsetxattr,
    fstat, futimens, getxattr, listxattr, openat,
};
use rustix::io::Errno;
use rustix::process::getegid;

/// The mode of what no other user may open, as a file and as a directory.
pub(super) const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);
pub(super) const PRIVATE_DIRECTORY: Mode = Mode::RWXU;

const ACCESS_LIST: &CStr = c"system.posix_acl_access";
const DEFAULT_LIST: &CStr = c"system.posix_acl_default";

const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;
const FOR_GROUP: u32 = 0o070;
const FOR_OTHERS: u32 = 0o007;
const PERMISSIONS: u32 = 0o7777;

/// An entry and its name, in an open directory.
pub(super) type Named<'a> = (BorrowedFd<'a>, &'a str);

/// Which of the attributes that others have access by could be given.
#[derive(Clone, Copy)]
struct Given {
    owner: bool,
    group: bool,
    lists: bool,
    others: bool,
}

/// Gives the file or directory `to` the attributes of `from`, and with `times` its times. Returns whether all could
/// be given; where one could not, the mode is narrowed.
pub(super) fn copy(from: Named<'_>, to: Named<'_>, times: bool) -> io::Result<bool> {
    // Without permission to read it: its attributes are known all the same.
    let original = openat(from.0, from.1, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let (target, old) = (open(to)?, fstat(&original)?);
    let mut given = Given { lists: true, others: true, ..give_owner(&target, &old)? };
    give_extended(&original, &target, times, &mut given)?;
    fchmod(&target, Mode::from_raw_mode(narrowed(old.st_mode & PERMISSIONS, given)))?;
    if times {
        let at = |seconds: i64, nanoseconds: u64| Timespec { tv_sec: seconds, tv_nsec: nanoseconds as _ };
        let (last_access, last_modification) =
            (at(old.st_atime as _, old.st_atime_nsec as _), at(old.st_mtime as _, old.st_mtime_nsec as _));
        futimens(&target, &Timestamps { last_access, last_modification })?;
    }
    Ok(given.owner && given.group && given.lists && given.others)
}

/// Gives the file or directory `to` the attributes that a new one in `parent` would have.
pub(super) fn inherit(parent: BorrowedFd<'_>, to: Named<'_>) -> io::Result<bool> {
    let (target, above) = (open(to)?, fstat(parent)?);
    let is_directory = rustix::fs::FileType::from_raw_mode(fstat(&target)?.st_mode).is_dir();
    let hands_down_group = above.st_mode & SET_GID != 0;
    let group = if hands_down_group { above.st_gid } else { getegid().as_raw() };
    let has_group = fstat(&target)?.st_gid == group || is_done(fchown(&target, None, Some(Gid::from_raw(group))))?;
    let group_bit = if hands_down_group && is_directory { SET_GID } else { 0 };
    if let Some(list) = read(|buffer| fgetxattr(parent, DEFAULT_LIST, buffer))? {
        let mut has_lists = is_done(fsetxattr(&target, ACCESS_LIST, &list, XattrFlags::empty()))?;
        if is_directory {
            has_lists &= is_done(fsetxattr(&target, DEFAULT_LIST, &list, XattrFlags::empty()))?;
        }
        if has_lists {
            // The list has set the mode; a file is not executable by it.
            let mode = fstat(&target)?.st_mode & if is_directory { 0o777 } else { 0o666 };
            fchmod(&target, Mode::from_raw_mode(mode | group_bit))?;
        }
        return Ok(has_group && has_lists);
    }
    is_done(fremovexattr(&target, ACCESS_LIST))?;
    let mode = if is_directory { 0o777 } else { 0o666 } & !umask() | group_bit;
    let given = Given { owner: true, group: has_group, lists: true, others: true };
    fchmod(&target, Mode::from_raw_mode(narrowed(mode, given)))?;
    Ok(has_group)
}

/// Sets the permission bits.
pub(super) fn set_mode(to: Named<'_>, mode: u32) -> io::Result<()> {
    Ok(fchmod(open(to)?, Mode::from_raw_mode(mode & PERMISSIONS))?)
}

fn open((directory, name): Named<'_>) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(openat(directory, name, flags, Mode::empty())?)
}

/// Returns whether a call was made; a refusal is not an error, since the attribute is then reported as not given.
fn is_done(answer: Result<(), Errno>) -> io::Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(Errno::NODATA) => Ok(true),
        Err(Errno::PERM | Errno::ACCESS | Errno::NOTSUP | Errno::INVAL | Errno::NOSPC | Errno::TOOBIG) => Ok(false),
        Err(other) => Err(other.into()),
    }
}

/// Gives an owner and a group, or the group alone.
fn give_owner(target: &OwnedFd, old: &Stat) -> io::Result<Given> {
    let now = fstat(target)?;
    let owner = (now.st_uid != old.st_uid).then(|| Uid::from_raw(old.st_uid));
    let group = (now.st_gid != old.st_gid).then(|| Gid::from_raw(old.st_gid));
    let given = |owner, group| Given { owner, group, lists: true, others: true };
    if (owner, group) == (None, None) || is_done(fchown(target, owner, group))? {
        return Ok(given(true, true));
    }
    Ok(given(owner.is_none(), group.is_none() || is_done(fchown(target, None, group))?))
}

/// Gives extended attributes, access control lists among them, and removes those that the original lacks.
fn give_extended(original: &OwnedFd, target: &OwnedFd, times: bool, given: &mut Given) -> io::Result<()> {
    // The path of an open file, since the calls on a descriptor need permission to read it.
    let path = |file: &OwnedFd| format!("/proc/self/fd/{}", file.as_raw_fd());
    let (from, to) = (path(original), path(target));
    let names = |path: &str| read(|buffer| listxattr(path, buffer)).map(|list| list.unwrap_or_default());
    let (wanted, present) = (names(&from)?, names(&to)?);
    for name in split(&wanted).filter(|name| is_kept(name, times)) {
        let Some(value) = read(|buffer| getxattr(&from, name, buffer))? else { continue };
        let is_same = read(|buffer| fgetxattr(target, name, buffer))?.as_ref() == Some(&value);
        if !is_same && !is_done(fsetxattr(target, name, &value, XattrFlags::empty()))? {
            *if is_list(name) { &mut given.lists } else { &mut given.others } = false;
        }
    }
    for name in split(&present).filter(|name| is_list(name) || name.to_bytes().starts_with(b"user.")) {
        if !split(&wanted).any(|wanted| wanted == name) && !is_done(fremovexattr(target, name))? {
            *if is_list(name) { &mut given.lists } else { &mut given.others } = false;
        }
    }
    Ok(())
}

fn is_list(name: &CStr) -> bool {
    name == ACCESS_LIST || name == DEFAULT_LIST
}

/// Returns whether an extended attribute belongs to the file rather than to its content. Capabilities and signatures
/// belong to the content: they are kept with it only, and signatures are the business of the kernel.
fn is_kept(name: &CStr, same_content: bool) -> bool {
    let bytes = name.to_bytes();
    let is_trusted = bytes.starts_with(b"trusted.") && !bytes.starts_with(b"trusted.overlay.");
    let is_content = bytes == b"security.capability";
    is_list(name)
        || bytes.starts_with(b"user.")
        || is_trusted
        || bytes == b"security.selinux"
        || is_content && same_content
}

/// Returns the names in a list that ends each with a zero.
fn split(list: &[u8]) -> impl Iterator<Item = &CStr> {
    list.split_inclusive(|byte| *byte == 0).filter_map(|name| CStr::from_bytes_with_nul(name).ok())
}

/// Reads an attribute or list of any size; `None` if there is none.
fn read(mut call: impl FnMut(&mut [u8]) -> Result<usize, Errno>) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = vec![0; 1 << 10];
    loop {
        match call(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(Some(buffer));
            }
            Err(Errno::RANGE) if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 8, 0),
            Err(Errno::NODATA | Errno::NOTSUP | Errno::NOENT) => return Ok(None),
            Err(other) => return Err(other.into()),
        }
    }
}

/// Returns a mode that gives access to no more users than the same mode gave with the attributes that are not given.
fn narrowed(mode: u32, given: Given) -> u32 {
    let mut mode = mode;
    if !given.owner {
        mode &= !SET_UID;
    }
    if !given.group {
        // Members of the old group are others now, and members of the new one were others.
        let both = (mode & FOR_GROUP) >> 3 & mode & FOR_OTHERS;
        mode = mode & !(SET_GID | FOR_GROUP | FOR_OTHERS) | both << 3 | both;
    }
    if !given.lists {
        mode &= !(FOR_GROUP | FOR_OTHERS);
    }
    mode
}

/// Returns the mask of the process for new files. It is read rather than set and restored, which would change it for
/// other threads. Without `/proc`, new files are private.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    mask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).unwrap_or(0o077)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrowed_mode_never_gives_more() {
        for mode in 0..=PERMISSIONS {
            for bits in 0..8_u32 {
                let given = Given { owner: bits & 1 != 0, group: bits & 2 != 0, lists: bits & 4 != 0, others: true };
                let narrow = narrowed(mode, given);
                assert_eq!(narrow & !mode, 0, "{mode:o} became {narrow:o}");
                if !given.group {
                    // A member of the old group is one of the others now, and the other way round.
                    assert_eq!((narrow & FOR_OTHERS) << 3 & !mode & FOR_GROUP, 0, "{mode:o} became {narrow:o}");
                    assert_eq!((narrow & FOR_GROUP) >> 3 & !mode & FOR_OTHERS, 0, "{mode:o} became {narrow:o}");
                }
            }
        }
        assert_eq!(narrowed(0o6755, Given { owner: true, group: true, lists: true, others: true }), 0o6755);
    }

    #[test]
    fn the_mask_of_the_process_is_read() {
        assert!(umask() <= 0o777);
    }
}
