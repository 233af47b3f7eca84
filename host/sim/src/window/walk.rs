//! The included state, as a walk from the root.

use std::sync::Arc;

use super::{Binding, Child, FIRM, NOWHERE, Window};
use crate::canon::{Canon, Leaf};
use crate::disk::{Body, Disk, Entries, Entry, Ino, Inode, ROOT};

impl Window<'_> {
    /// The names in a directory that lead somewhere, in order.
    fn names(&self, dir: Ino) -> impl Iterator<Item = &Binding> {
        let binding = |child: &Child| match *child {
            Child::Firm(binding) => Some(binding),
            Child::Slot(slot) => Some(self.bound[slot as usize]).filter(|bound| *bound != NOWHERE),
        };
        let bindings = self.children[dir.0 as usize].iter().filter_map(binding);
        bindings.map(|binding| &self.bindings[binding as usize])
    }

    /// The hash that distinguishes the image from every other.
    pub(crate) fn canonical(&mut self) -> u128 {
        let mut canon = std::mem::take(&mut self.canon);
        let mut above = std::mem::take(&mut self.above);
        canon.start(self.disk.len());
        self.write_down(ROOT, &mut canon, &mut above);
        let hash = canon.finish();
        (self.canon, self.above) = (canon, above);
        hash
    }

    fn write_down(&self, dir: Ino, canon: &mut Canon, above: &mut Vec<Ino>) {
        above.push(dir);
        for Binding { entry, name, .. } in self.names(dir) {
            let number = entry.ino.0 as usize;
            // A torn rename may leave a directory within itself.
            if above.contains(&entry.ino) || !canon.name(*name, number) {
                continue;
            }
            let (serial, mode) = (self.disk.inode(entry.ino).serial, self.disk.inode(entry.ino).rights.mode);
            match (self.doubts[number], self.leaves[number]) {
                (_, None) => {
                    canon.enter(mode);
                    self.write_down(entry.ino, canon, above);
                    canon.leave();
                }
                (FIRM, Some(leaf)) => canon.leaf(leaf, serial, mode),
                (file, Some(_)) => {
                    let content = self.content[file as usize];
                    canon.leaf(Leaf::File(self.contents.seen(content)), serial, mode);
                }
            }
        }
        above.pop();
    }

    /// The image as a disk at rest: inodes are numbered in the order of the walk, and those without a name are removed.
    pub(crate) fn disk(&self) -> Disk {
        let mut copy = Copy {
            window: self,
            disk: Disk::with_root(self.disk.inode(ROOT).clone_without_names()),
            numbers: vec![None; self.disk.len()],
            above: Vec::new(),
        };
        copy.disk.clock = self.disk.clock;
        copy.numbers[ROOT.0 as usize] = Some(ROOT);
        copy.enter(ROOT, ROOT);
        copy.disk
    }
}

struct Copy<'w> {
    window: &'w Window<'w>,
    disk: Disk,
    numbers: Vec<Option<Ino>>,
    above: Vec<Ino>,
}

impl Copy<'_> {
    fn enter(&mut self, dir: Ino, copy: Ino) {
        self.above.push(dir);
        let window = self.window;
        let mut entries = Entries::new();
        for Binding { key, entry, .. } in window.names(dir) {
            if self.above.contains(&entry.ino) {
                continue;
            }
            let ino = self.inode(entry.ino);
            let name = entry.name.clone();
            entries.insert(key.clone(), Entry { name, ino });
        }
        *self.disk.entries_mut(copy) = entries;
        self.above.pop();
    }

    fn inode(&mut self, ino: Ino) -> Ino {
        let number = ino.0 as usize;
        if let Some(known) = self.numbers[number] {
            return known;
        }
        let before = self.window.disk.shared(ino);
        let (inode, is_dir) = match (self.window.doubts[number], self.window.leaves[number]) {
            (_, None) => (Arc::new(before.clone_without_names()), true),
            (FIRM, Some(_)) => (before.clone(), false),
            (file, Some(_)) => {
                let content = self.window.content[file as usize];
                let (bytes, modified) = self.window.contents.bytes(content);
                let modified = modified.unwrap_or(before.modified);
                self.disk.clock = self.disk.clock.max(modified);
                let body = Body::File(bytes);
                (Arc::new(Inode { body, modified, ..before.clone_without_names() }), false)
            }
        };
        let copy = self.disk.push(inode);
        self.numbers[number] = Some(copy);
        if is_dir {
            self.enter(ino, copy);
        }
        copy
    }
}
