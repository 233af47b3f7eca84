//! The content of a disk: inodes, and the names that lead to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use onionskin::fs::Kind;

use crate::op::{Change, Op};
use crate::simfs::Rights;

/// One component of a path, in bytes: not every name is UTF-8.
pub type Name = Arc<[u8]>;

/// The number of an inode. A number is never used twice on one disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub u32);

/// The inode of the root directory.
pub const ROOT: Ino = Ino(0);

/// The names of a directory. The key is the name as it is compared, which on a filesystem that
/// ignores case differs from the name as it is spelled.
pub(crate) type Entries = BTreeMap<Name, Entry>;

/// A name as it is compared where case is ignored.
pub(crate) fn fold_case(name: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(name) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(_) => name.to_ascii_lowercase(),
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Name,
    pub(crate) ino: Ino,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    File(Arc<Vec<u8>>),
    Directory(Entries),
    Symlink(Arc<str>),
    Other,
}

impl Body {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Body::File(_) => Kind::File,
            Body::Directory(_) => Kind::Directory,
            Body::Symlink(_) => Kind::Symlink,
            Body::Other => Kind::Other,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Inode {
    pub(crate) body: Body,
    /// Which filesystem the inode is on; a rename or link never crosses.
    pub(crate) device: u16,
    /// Mounted read-only.
    pub(crate) read_only: bool,
    /// Part of an original that must never change.
    pub(crate) lower: bool,
    /// The logical time of the last change of the content.
    pub(crate) modified: u64,
    /// Owner, mode and seal.
    pub(crate) rights: Rights,
    /// Which inode of the scene this is, through every crash; 0 for one that was made since.
    pub(crate) serial: u32,
}

impl Inode {
    pub(crate) fn kind(&self) -> Kind {
        self.body.kind()
    }

    /// The inode; a directory with nothing in it.
    pub(crate) fn clone_without_names(&self) -> Inode {
        let body = match &self.body {
            Body::Directory(_) => Body::Directory(Entries::new()),
            body @ (Body::File(_) | Body::Symlink(_) | Body::Other) => body.clone(),
        };
        Inode { body, ..*self }
    }
}

/// A whole disk at one moment. Cloning is cheap: content is shared until it changes.
#[derive(Clone, Debug)]
pub struct Disk {
    inodes: Vec<Arc<Inode>>,
    pub(crate) clock: u64,
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk {
    /// An empty disk: a root directory and nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::with_root(Inode {
            body: Body::Directory(Entries::new()),
            device: 0,
            read_only: false,
            lower: false,
            modified: 0,
            rights: Rights::new(Kind::Directory, 0),
            serial: 0,
        })
    }

    pub(crate) fn with_root(root: Inode) -> Self {
        let clock = root.modified;
        Disk { inodes: vec![Arc::new(root)], clock }
    }

    pub(crate) fn len(&self) -> usize {
        self.inodes.len()
    }

    pub(crate) fn inode(&self, ino: Ino) -> &Inode {
        &self.inodes[ino.0 as usize]
    }

    pub(crate) fn shared(&self, ino: Ino) -> &Arc<Inode> {
        &self.inodes[ino.0 as usize]
    }

    pub(crate) fn inode_mut(&mut self, ino: Ino) -> &mut Inode {
        Arc::make_mut(&mut self.inodes[ino.0 as usize])
    }

    /// Gives every inode that is now there a number that stays.
    pub(crate) fn number_inodes(&mut self) {
        for (serial, inode) in (1..).zip(&mut self.inodes) {
            Arc::make_mut(inode).serial = serial;
        }
    }

    /// Returns how many names lead to each inode.
    pub(crate) fn count_links(&self) -> Vec<u32> {
        let mut links = vec![0; self.len()];
        links[ROOT.0 as usize] = 1;
        for inode in &self.inodes {
            if let Body::Directory(entries) = &inode.body {
                for entry in entries.values() {
                    links[entry.ino.0 as usize] += 1;
                }
            }
        }
        links
    }

    /// Adds an inode that no name leads to yet.
    pub(crate) fn push(&mut self, inode: Arc<Inode>) -> Ino {
        let ino = Ino(u32::try_from(self.inodes.len()).expect("far fewer than 2^32 inodes"));
        self.inodes.push(inode);
        ino
    }

    /// The names in a directory, or nothing if it is not one.
    pub(crate) fn entries(&self, ino: Ino) -> Option<&Entries> {
        match &self.inode(ino).body {
            Body::Directory(entries) => Some(entries),
            Body::File(_) | Body::Symlink(_) | Body::Other => None,
        }
    }

    pub(crate) fn entries_mut(&mut self, ino: Ino) -> &mut Entries {
        match &mut self.inode_mut(ino).body {
            Body::Directory(entries) => entries,
            Body::File(_) | Body::Symlink(_) | Body::Other => {
                panic!("only directories hold names")
            }
        }
    }

    pub(crate) fn bytes_mut(&mut self, ino: Ino) -> &mut Vec<u8> {
        match &mut self.inode_mut(ino).body {
            Body::File(bytes) => Arc::make_mut(bytes),
            Body::Directory(_) | Body::Symlink(_) | Body::Other => {
                panic!("only files hold bytes")
            }
        }
    }

    /// Carries out one micro-operation. `fill` is the content of a length without data: zeros, or the former content of
    /// the disk.
    pub(crate) fn apply(&mut self, op: &Op, fill: u8) {
        match op {
            Op::Names(changes) => changes.iter().for_each(|change| self.change(change)),
            Op::Write { ino, offset, bytes, time } => {
                let end = offset + bytes.len();
                let content = self.bytes_mut(*ino);
                if content.len() < end {
                    content.resize(end, fill);
                }
                content[*offset..end].copy_from_slice(bytes);
                self.touch(*ino, *time);
            }
            Op::Size { ino, length, time } => {
                self.bytes_mut(*ino).resize(*length, fill);
                self.touch(*ino, *time);
            }
        }
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Set { dir, key, name, ino } => {
                let entry = Entry { name: name.clone(), ino: *ino };
                self.entries_mut(*dir).insert(key.clone(), entry);
            }
            // A delete acts on the inode it was meant for: another under the same name stays.
            Change::Del { dir, key, ino } => {
                let entries = self.entries_mut(*dir);
                if entries.get(key).is_some_and(|entry| entry.ino == *ino) {
                    entries.remove(key);
                }
            }
        }
    }

    fn touch(&mut self, ino: Ino, time: u64) {
        self.inode_mut(ino).modified = time;
        self.clock = self.clock.max(time);
    }

    /// Whether `inner` is `outer` or lies below it.
    pub(crate) fn contains(&self, outer: Ino, inner: Ino) -> bool {
        let mut pending = vec![outer];
        let mut seen = vec![false; self.len()];
        while let Some(ino) = pending.pop() {
            if ino == inner {
                return true;
            }
            // A torn rename may leave a directory under two names, even within itself.
            if std::mem::replace(&mut seen[ino.0 as usize], true) {
                continue;
            }
            if let Some(entries) = self.entries(ino) {
                pending.extend(entries.values().map(|entry| entry.ino));
            }
        }
        false
    }

    /// Returns the disk in canonical form: inodes without a name are removed, inodes are numbered in the order of a
    /// walk from the root, and a name that leads back up is dropped, as a check of the filesystem would do.
    pub(crate) fn compact(&self) -> Disk {
        let mut renumbered = vec![None; self.len()];
        let mut compact = Disk { inodes: Vec::new(), clock: self.clock };
        let mut above = Vec::new();
        self.copy_into(ROOT, &mut compact, &mut renumbered, &mut above);
        compact
    }

    fn copy_into(&self, ino: Ino, to: &mut Disk, renumbered: &mut [Option<Ino>], above: &mut Vec<Ino>) -> Ino {
        if let Some(known) = renumbered[ino.0 as usize] {
            return known;
        }
        let copy = match self.entries(ino) {
            Some(_) => to.push(Arc::new(self.inode(ino).clone_without_names())),
            None => to.push(self.shared(ino).clone()),
        };
        renumbered[ino.0 as usize] = Some(copy);
        if let Some(entries) = self.entries(ino) {
            above.push(ino);
            let mut copied = Entries::new();
            for (key, entry) in entries {
                if above.contains(&entry.ino) {
                    continue;
                }
                let ino = self.copy_into(entry.ino, to, renumbered, above);
                copied.insert(key.clone(), Entry { name: entry.name.clone(), ino });
            }
            above.pop();
            *to.entries_mut(copy) = copied;
        }
        copy
    }
}
