//! A hash that distinguishes two disks: of the tree below the root, independent of the numbers of the inodes.

use xxhash_rust::xxh3::xxh3_128;

const NEVER: u32 = u32::MAX;

/// The content under a name, directories excepted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaf {
    /// A file, by the hash of its content.
    File(u128),
    /// A link, by the hash of its text.
    Symlink(u128),
    Other,
}

/// The walk, written down as it goes. The order of names makes it canonical; an inode met again
/// is written as a reference, which is how hard links count.
#[derive(Debug, Default)]
pub(crate) struct Canon {
    out: Vec<u8>,
    met: Vec<u32>,
    count: u32,
}

impl Canon {
    pub(crate) fn start(&mut self, inodes: usize) {
        self.out.clear();
        self.met.clear();
        self.met.resize(inodes, NEVER);
        self.count = 0;
    }

    /// Records a name; returns whether its inode is visited for the first time.
    pub(crate) fn name(&mut self, name: u128, ino: usize) -> bool {
        self.out.extend_from_slice(&name.to_le_bytes());
        let met = self.met[ino];
        if met == NEVER {
            self.met[ino] = self.count;
            self.count += 1;
            return true;
        }
        self.out.push(b'=');
        self.out.extend_from_slice(&met.to_le_bytes());
        false
    }

    /// Records an entry that is no directory, with the number of its inode in the scene: a copy of an entry is not
    /// that entry.
    pub(crate) fn leaf(&mut self, leaf: Leaf, serial: u32, mode: u16) {
        let (tag, hash) = match leaf {
            Leaf::File(hash) => (b'f', hash),
            Leaf::Symlink(hash) => (b'l', hash),
            Leaf::Other => (b'o', 0),
        };
        self.out.push(tag);
        self.out.extend_from_slice(&serial.to_le_bytes());
        self.out.extend_from_slice(&mode.to_le_bytes());
        self.out.extend_from_slice(&hash.to_le_bytes());
    }

    pub(crate) fn enter(&mut self, mode: u16) {
        self.out.push(b'(');
        self.out.extend_from_slice(&mode.to_le_bytes());
    }

    pub(crate) fn leave(&mut self) {
        self.out.push(b')');
    }

    pub(crate) fn finish(&self) -> u128 {
        xxh3_128(&self.out)
    }
}
