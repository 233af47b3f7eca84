//! All that `lstat` shows of an entry, for a comparison of entries that nothing should have changed.

use std::fmt;

use onionskin::fs::Kind;

use super::SimFs;
use super::rights::Rights;
use crate::disk::{Disk, Ino, ROOT};
use crate::tree::Tree;

/// All that `lstat` shows of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lstat {
    /// The kind.
    pub kind: Kind,
    /// Which inode of the scene it is; 0 for one that was made later. It stays through crashes.
    pub serial: u32,
    /// Owner, mode and seal.
    pub rights: Rights,
    /// The number of names; 0 for a directory, of which it says nothing.
    pub links: u32,
    /// The time of the last change of the content.
    pub modified: u64,
}

impl Lstat {
    fn of(disk: &Disk, links: &[u32], ino: Ino) -> Self {
        let inode = disk.inode(ino);
        let kind = inode.kind();
        let links = if kind == Kind::Directory { 0 } else { links[ino.0 as usize] };
        Lstat { kind, serial: inode.serial, rights: inode.rights, links, modified: inode.modified }
    }
}

impl fmt::Display for Lstat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lstat { kind, serial, rights, links, modified } = self;
        let Rights { owner, mode, .. } = rights;
        write!(f, "{kind} of inode {serial}, mode {mode:o}, owner {owner}, {links} names, time {modified}")
    }
}

/// What `lstat` shows of some paths of a disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    entries: Vec<(Vec<u8>, Lstat)>,
}

impl Listing {
    /// Reads the paths of a tree, except those that are left out, from the disk that holds it.
    pub(crate) fn read(disk: &Disk, tree: &Tree, is_left_out: impl Fn(&[u8]) -> bool) -> Self {
        let links = disk.count_links();
        let paths = tree.iter().map(|(path, _)| path).filter(|path| !is_left_out(path));
        let found = paths.filter_map(|path| Some((path.to_vec(), Lstat::of(disk, &links, find(disk, path)?))));
        Listing { entries: found.collect() }
    }

    /// Keeps the entries of some paths.
    pub(crate) fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        self.entries.retain(|(path, _)| keep(path));
    }

    /// Keeps the entries that another listing shows alike.
    pub(crate) fn keep_equal(&mut self, other: &Listing) {
        self.entries.retain(|entry| {
            other.entries.binary_search_by(|one| one.0.cmp(&entry.0)).is_ok_and(|at| other.entries[at].1 == entry.1)
        });
    }

    /// Returns the first entry that a disk shows in another way, in words.
    pub(crate) fn first_difference(&self, disk: &Disk) -> Option<String> {
        let links = disk.count_links();
        self.entries.iter().find_map(|(path, before)| {
            let now = find(disk, path).map(|ino| Lstat::of(disk, &links, ino));
            if now == Some(*before) {
                return None;
            }
            let now = now.map_or_else(|| "gone".to_owned(), |now| now.to_string());
            Some(format!("{} was {before} and is {now}", path.escape_ascii()))
        })
    }
}

/// The inode at a path, without following a link.
fn find(disk: &Disk, path: &[u8]) -> Option<Ino> {
    path.split(|byte| *byte == b'/').try_fold(ROOT, |dir, name| {
        let entries = disk.entries(dir)?;
        let exact = entries.get(name).map(|entry| entry.ino);
        exact.or_else(|| entries.values().find(|entry| *entry.name == *name).map(|entry| entry.ino))
    })
}

impl SimFs {
    /// Returns all that `lstat` shows of a path, or nothing if there is no entry. Not a call of its own.
    #[must_use]
    pub fn lstat(&self, path: &str) -> Option<Lstat> {
        let state = self.state.borrow();
        find(&state.disk, path.as_bytes()).map(|ino| Lstat::of(&state.disk, &state.links, ino))
    }
}

/// Returns the first entry of a disk with another mode or owner than its path had before, or than a new entry has, in
/// words. What took the place of a link is like the original, which is not known here.
pub(crate) fn first_other_mode(before: &Disk, now: &Disk, is_left_out: impl Fn(&[u8]) -> bool) -> Option<String> {
    Tree::of(now).iter().filter(|(path, _)| !is_left_out(path)).find_map(|(path, _)| {
        let look =
            |disk: &Disk, path: &[u8]| find(disk, path).map(|ino| (disk.inode(ino).kind(), disk.inode(ino).rights));
        let (kind, is) = look(now, path)?;
        let mut ends =
            path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end).chain([path.len()]);
        let was_link = |end: usize| look(before, &path[..end]).is_some_and(|(kind, _)| kind == Kind::Symlink);
        if kind == Kind::Symlink || ends.any(was_link) {
            return None;
        }
        let was = match look(before, path) {
            Some((old, rights)) if old == kind => rights,
            Some(_) | None => Rights::new(kind, is.owner),
        };
        let lost = (is.mode, is.owner) != (was.mode, was.owner);
        lost.then(|| format!("{} has mode {:o} in place of {:o}", path.escape_ascii(), is.mode, was.mode))
    })
}
