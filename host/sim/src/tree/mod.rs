//! The content of a filesystem as a value, for comparisons in tests.

mod build;
mod diff;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use onionskin::fs::Kind;

use crate::disk::{Body, Disk, Entries, Entry, Ino, Inode, Name, ROOT};
use crate::simfs::Rights;

/// The entry at one path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A file. Files with the same `group` are one inode; a file with one name has none.
    File {
        /// The content.
        bytes: Arc<Vec<u8>>,
        /// Which set of hard links this name belongs to, numbered in the order of paths.
        group: Option<u32>,
    },
    /// A directory.
    Directory,
    /// A symbolic link and its text.
    Symlink(Arc<str>),
    /// A pipe, a socket or a device.
    Other,
}

/// Everything a filesystem holds: path by path, with the identity of hard links.
///
/// Paths are bytes, relative to the root, with `/` between components. Numbers of inodes and times are no part of it,
/// so two trees are equal exactly if no program can distinguish them by content.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tree {
    nodes: BTreeMap<Vec<u8>, Node>,
}

impl Tree {
    /// Returns the tree of a disk.
    #[must_use]
    pub fn of(disk: &Disk) -> Self {
        let mut walk = Walk { disk, nodes: BTreeMap::new(), names: BTreeMap::new(), above: vec![] };
        walk.enter(ROOT, &mut Vec::new());
        let mut tree = Tree { nodes: walk.nodes };
        tree.number_groups();
        tree
    }

    /// Returns every path and its entry, in the order of paths.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_slice(), node))
    }

    /// Returns the entry at a path.
    #[must_use]
    pub fn get(&self, path: impl AsRef<[u8]>) -> Option<&Node> {
        self.nodes.get(path.as_ref())
    }

    /// The content of the file at a path, if one is there.
    #[must_use]
    pub fn bytes(&self, path: impl AsRef<[u8]>) -> Option<&[u8]> {
        match self.get(path)? {
            Node::File { bytes, .. } => Some(bytes),
            Node::Directory | Node::Symlink(_) | Node::Other => None,
        }
    }

    /// Whether two paths lead to one file.
    #[must_use]
    pub fn is_same(&self, a: impl AsRef<[u8]>, b: impl AsRef<[u8]>) -> bool {
        let group = |node: Option<&Node>| match node {
            Some(Node::File { group, .. }) => *group,
            Some(Node::Directory | Node::Symlink(_) | Node::Other) | None => None,
        };
        let (a, b) = (a.as_ref(), b.as_ref());
        let one = group(self.get(a));
        (a == b && self.get(a).is_some()) || (one.is_some() && one == group(self.get(b)))
    }

    /// Whether there is nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many paths there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the tree without the paths that `leave_out` names, and without everything below them.
    #[must_use]
    pub fn without(&self, leave_out: impl Fn(&str) -> bool) -> Tree {
        let mut nodes = BTreeMap::new();
        for (path, node) in &self.nodes {
            if !steps(path).any(|step| leave_out(&String::from_utf8_lossy(step))) {
                nodes.insert(path.clone(), node.clone());
            }
        }
        let mut tree = Tree { nodes };
        tree.number_groups();
        tree
    }

    /// Returns the entries that are the same in another tree.
    #[must_use]
    pub fn intersection(&self, other: &Tree) -> Tree {
        let alike = self.nodes.iter().filter(|(path, node)| other.nodes.get(*path) == Some(node));
        Tree { nodes: alike.map(|(path, node)| (path.clone(), node.clone())).collect() }
    }

    /// Returns the content of a directory as a tree of its own.
    #[must_use]
    pub fn below(&self, path: &str) -> Tree {
        let cut = |found: &Vec<u8>| {
            let rest = found.strip_prefix(path.as_bytes())?.strip_prefix(b"/")?;
            Some(rest.to_vec())
        };
        let inside = self.nodes.iter();
        let nodes = inside.filter_map(|(path, node)| Some((cut(path)?, node.clone()))).collect();
        let mut tree = Tree { nodes };
        tree.number_groups();
        tree
    }

    /// A hash of the content: equal trees have equal hashes.
    #[must_use]
    pub fn digest(&self) -> u128 {
        let mut out = Vec::new();
        for (path, node) in &self.nodes {
            out.extend_from_slice(&(path.len() as u64).to_le_bytes());
            out.extend_from_slice(path);
            match node {
                Node::File { bytes, group } => {
                    out.push(1);
                    out.extend_from_slice(&group.map_or(0, |group| group + 1).to_le_bytes());
                    out.extend_from_slice(&xxh3_128(bytes).to_le_bytes());
                }
                Node::Directory => out.push(2),
                Node::Symlink(text) => {
                    out.push(3);
                    out.extend_from_slice(&xxh3_128(text.as_bytes()).to_le_bytes());
                }
                Node::Other => out.push(4),
            }
        }
        xxh3_128(&out)
    }

    /// The tree as a disk at rest.
    #[must_use]
    pub fn to_disk(&self) -> Disk {
        self.to_disk_with(|name| name.clone())
    }

    /// The tree as a disk whose names are compared by a key. Of names with one key the last stays.
    pub(crate) fn to_disk_with(&self, key: impl Fn(&Name) -> Name) -> Disk {
        let mut disk = Disk::new();
        let mut groups: BTreeMap<u32, Ino> = BTreeMap::new();
        let mut dirs: BTreeMap<&[u8], Ino> = BTreeMap::from([(&b""[..], ROOT)]);
        for (path, node) in &self.nodes {
            let (parent, name) = split(path);
            let kind = match node {
                Node::File { .. } => Kind::File,
                Node::Directory => Kind::Directory,
                Node::Symlink(_) => Kind::Symlink,
                Node::Other => Kind::Other,
            };
            let body = match node {
                Node::File { bytes, .. } => Body::File(bytes.clone()),
                Node::Directory => Body::Directory(Entries::new()),
                Node::Symlink(text) => Body::Symlink(text.clone()),
                Node::Other => Body::Other,
            };
            let known = match node {
                Node::File { group: Some(group), .. } => groups.get(group).copied(),
                Node::File { group: None, .. } | Node::Directory | Node::Symlink(_) | Node::Other => None,
            };
            let ino = known.unwrap_or_else(|| {
                let modified = disk.len() as u64;
                let rights = Rights::new(kind, 0);
                let inode = Inode { body, device: 0, read_only: false, lower: false, modified, rights, serial: 0 };
                disk.clock = modified;
                disk.push(Arc::new(inode))
            });
            match node {
                Node::File { group: Some(group), .. } => {
                    groups.insert(*group, ino);
                }
                Node::Directory => {
                    dirs.insert(path, ino);
                }
                Node::File { group: None, .. } | Node::Symlink(_) | Node::Other => {}
            }
            let dir = *dirs.get(parent).expect("a builder adds the directories above a path");
            let name: Name = Arc::from(name);
            disk.entries_mut(dir).insert(key(&name), Entry { name, ino });
        }
        disk
    }

    /// Numbers groups in the order of paths, and takes the number from files with one name.
    fn number_groups(&mut self) {
        let mut sizes: BTreeMap<u32, u32> = BTreeMap::new();
        for node in self.nodes.values() {
            if let Node::File { group: Some(group), .. } = node {
                *sizes.entry(*group).or_default() += 1;
            }
        }
        let mut numbers = BTreeMap::new();
        for node in self.nodes.values_mut() {
            if let Node::File { group, .. } = node {
                *group = group.filter(|group| sizes[group] > 1).map(|group| {
                    let next = u32::try_from(numbers.len()).expect("far fewer than 2^32 files");
                    *numbers.entry(group).or_insert(next)
                });
            }
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("(empty)\n");
        }
        self.iter().try_for_each(|(path, node)| writeln!(f, "{}", diff::line(path, node)))
    }
}

/// A path and all that are above it, shortest first.
fn steps(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    ends.chain([path.len()]).map(|end| &path[..end])
}

/// The directory of a path, and the last component.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

struct Walk<'d> {
    disk: &'d Disk,
    nodes: BTreeMap<Vec<u8>, Node>,
    names: BTreeMap<Ino, u32>,
    /// The directories on the way here; a torn rename may lead back into one of them.
    above: Vec<Ino>,
}

impl Walk<'_> {
    fn enter(&mut self, dir: Ino, path: &mut Vec<u8>) {
        self.above.push(dir);
        let disk = self.disk;
        for entry in disk.entries(dir).into_iter().flat_map(|entries| entries.values()) {
            if self.above.contains(&entry.ino) {
                continue;
            }
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(&entry.name);
            self.add(entry.ino, path);
            path.truncate(length);
        }
        self.above.pop();
    }

    fn add(&mut self, ino: Ino, path: &mut Vec<u8>) {
        let next = u32::try_from(self.names.len()).expect("far fewer than 2^32 files");
        let node = match &self.disk.inode(ino).body {
            Body::File(bytes) => {
                let group = Some(*self.names.entry(ino).or_insert(next));
                Node::File { bytes: bytes.clone(), group }
            }
            Body::Directory(_) => Node::Directory,
            Body::Symlink(text) => Node::Symlink(text.clone()),
            Body::Other => Node::Other,
        };
        let is_dir = node == Node::Directory;
        self.nodes.insert(path.clone(), node);
        if is_dir {
            self.enter(ino, path);
        }
    }
}
