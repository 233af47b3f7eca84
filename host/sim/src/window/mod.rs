//! One crash point in compact form: the durable state, and the changes of each pending operation.
//!
//! A window is the hot part of the enumeration. Including an operation touches a few numbers and
//! one running hash and can be undone, so an image is a hash until it proves to be new.

mod walk;

use std::sync::Arc;

use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_128;

use crate::canon::{Canon, Leaf};
use crate::content::{Contents, content_mark};
use crate::disk::{Body, Disk, Entry, Ino, Name};
use crate::op::{Change, Op};
use crate::replay::Replay;

/// Stands in a slot for a name that leads nowhere.
const NOWHERE: u32 = u32::MAX;
/// Stands for an inode whose content is not in doubt.
const FIRM: u32 = u32::MAX;

/// A name whose meaning is in doubt.
#[derive(Debug)]
struct Slot {
    dir: Ino,
    key: Name,
}

/// The meanings of a name.
#[derive(Debug)]
struct Binding {
    key: Name,
    entry: Entry,
    name: u128,
    mark: u128,
}

/// A name in a directory: in doubt, or firm.
#[derive(Clone, Copy, Debug)]
enum Child {
    Slot(u32),
    /// A binding that is not in doubt.
    Firm(u32),
}

/// One change that an operation makes.
#[derive(Clone, Copy, Debug)]
enum Effect {
    /// A slot comes to mean something, or nothing.
    Bind { slot: u32, binding: u32 },
    /// A slot loses its meaning if it leads to this inode.
    Unbind { slot: u32, ino: Ino },
    /// A file gets an operation more.
    Content { file: u32, op: u32 },
}

/// One pending operation.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) needs: Vec<u32>,
    /// Surely on the disk.
    pub(crate) forced: bool,
    effects: Vec<Effect>,
}

/// The state that an included operation replaced.
#[derive(Clone, Copy, Debug)]
enum Undo {
    Slot { slot: u32, binding: u32 },
    Content { file: u32, content: u32 },
}

/// The hashes of contents that were computed before; the content is kept so that its address
/// stays its own.
#[derive(Debug, Default)]
pub(crate) struct Hashes(FxHashMap<usize, (Arc<Vec<u8>>, u128)>);

impl Hashes {
    fn of(&mut self, bytes: &Arc<Vec<u8>>) -> u128 {
        let address = Arc::as_ptr(bytes) as usize;
        self.0.entry(address).or_insert_with(|| (bytes.clone(), xxh3_128(bytes))).1
    }
}

/// A crash point, and the subset of its pending operations that is included at the moment.
#[derive(Debug)]
pub(crate) struct Window<'r> {
    disk: &'r Disk,
    pub(crate) steps: Vec<Step>,
    slots: Vec<Slot>,
    bindings: Vec<Binding>,
    children: Vec<Vec<Child>>,
    leaves: Vec<Option<Leaf>>,
    /// Which file in doubt an inode is.
    doubts: Vec<u32>,
    contents: Contents,
    bound: Vec<u32>,
    content: Vec<u32>,
    undo: Vec<Undo>,
    /// A hash of every name and every content, with the numbers of inodes in it.
    pub(crate) raw: u128,
    canon: Canon,
    above: Vec<Ino>,
}

impl<'r> Window<'r> {
    pub(crate) fn new(replay: &'r Replay, fill: u8, hashes: &mut Hashes) -> Self {
        let disk = &replay.disk;
        let mut window = Window {
            disk,
            steps: Vec::with_capacity(replay.pending.len()),
            slots: Vec::new(),
            bindings: Vec::new(),
            children: Vec::new(),
            leaves: Vec::new(),
            doubts: vec![FIRM; disk.len()],
            contents: Contents::new(fill),
            bound: Vec::new(),
            content: Vec::new(),
            undo: Vec::new(),
            raw: 0,
            canon: Canon::default(),
            above: Vec::new(),
        };
        for pending in &replay.pending {
            let effects = window.effects(&pending.op);
            let position = |id: &u64| {
                let found = replay.pending.iter().position(|earlier| earlier.id == *id)?;
                u32::try_from(found).ok()
            };
            let needs = pending.needs.iter().filter_map(position).collect();
            window.steps.push(Step { needs, forced: pending.durable, effects });
        }
        window.content = window.contents.start();
        for (number, ino) in window.contents.files().enumerate() {
            window.doubts[ino.0 as usize] = number as u32;
        }
        window.lay_out(hashes);
        window
    }

    fn effects(&mut self, op: &Op) -> Vec<Effect> {
        match op {
            Op::Names(changes) => changes.iter().map(|change| self.effect(change)).collect(),
            Op::Write { ino, .. } | Op::Size { ino, .. } => {
                let (file, op) = self.contents.add(self.disk, *ino, op);
                vec![Effect::Content { file, op }]
            }
        }
    }

    fn effect(&mut self, change: &Change) -> Effect {
        let slot = self.slot(change.dir(), change.key());
        match change {
            Change::Set { name, ino, .. } => {
                let entry = Entry { name: name.clone(), ino: *ino };
                Effect::Bind { slot, binding: self.binding(change.dir(), change.key(), entry) }
            }
            Change::Del { ino, .. } => Effect::Unbind { slot, ino: *ino },
        }
    }

    fn slot(&mut self, dir: Ino, key: &Name) -> u32 {
        let known = self.slots.iter().position(|slot| slot.dir == dir && slot.key == *key);
        if let Some(known) = known {
            return known as u32;
        }
        self.slots.push(Slot { dir, key: key.clone() });
        let base = self.disk.entries(dir).and_then(|entries| entries.get(key)).cloned();
        let binding = base.map_or(NOWHERE, |entry| self.binding(dir, key, entry));
        self.bound.push(binding);
        self.slots.len() as u32 - 1
    }

    fn binding(&mut self, dir: Ino, key: &Name, entry: Entry) -> u32 {
        let (name, mark) = (xxh3_128(&entry.name), binding_mark(dir, key, &entry));
        self.bindings.push(Binding { key: key.clone(), entry, name, mark });
        self.bindings.len() as u32 - 1
    }

    /// Lays out directories and contents for the walk, and computes the first raw hash.
    fn lay_out(&mut self, hashes: &mut Hashes) {
        for number in 0..self.disk.len() {
            let ino = Ino(number as u32);
            let (mut children, mut leaf) = (Vec::new(), None);
            match &self.disk.inode(ino).body {
                Body::Directory(_) => children = self.lay_out_dir(ino),
                Body::File(bytes) => {
                    let seen = hashes.of(bytes);
                    leaf = Some(Leaf::File(seen));
                    if self.doubts[number] == FIRM {
                        self.raw ^= content_mark(ino, seen);
                    }
                }
                Body::Symlink(text) => {
                    let seen = xxh3_128(text.as_bytes());
                    leaf = Some(Leaf::Symlink(seen));
                    self.raw ^= content_mark(ino, !seen);
                }
                Body::Other => {
                    leaf = Some(Leaf::Other);
                    self.raw ^= content_mark(ino, 1);
                }
            }
            self.children.push(children);
            self.leaves.push(leaf);
        }
        for content in &self.content {
            self.raw ^= self.contents.mark(*content);
        }
        for binding in self.bound.iter().filter(|binding| **binding != NOWHERE) {
            self.raw ^= self.bindings[*binding as usize].mark;
        }
    }

    fn lay_out_dir(&mut self, dir: Ino) -> Vec<Child> {
        let slots = self.slots.iter().enumerate();
        let mut named: Vec<(Name, Child)> = slots
            .filter(|(_, slot)| slot.dir == dir)
            .map(|(number, slot)| (slot.key.clone(), Child::Slot(number as u32)))
            .collect();
        for (key, entry) in self.disk.entries(dir).into_iter().flatten() {
            if named.iter().any(|(slot, _)| slot == key) {
                continue;
            }
            let binding = self.binding(dir, key, entry.clone());
            self.raw ^= self.binding_hash(binding);
            named.push((key.clone(), Child::Firm(binding)));
        }
        named.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        named.into_iter().map(|(_, child)| child).collect()
    }

    /// How much can be undone.
    pub(crate) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Includes an operation, later in program order than every one included so far.
    pub(crate) fn include(&mut self, step: usize) {
        for at in 0..self.steps[step].effects.len() {
            match self.steps[step].effects[at] {
                Effect::Bind { slot, binding } => self.bind(slot, binding),
                Effect::Unbind { slot, ino } => {
                    let binding = self.bound[slot as usize];
                    let leads_there = binding != NOWHERE && self.bindings[binding as usize].entry.ino == ino;
                    if leads_there {
                        self.bind(slot, NOWHERE);
                    }
                }
                Effect::Content { file, op } => {
                    let content = self.content[file as usize];
                    let after = self.contents.after(content, op);
                    self.undo.push(Undo::Content { file, content });
                    self.raw ^= self.contents.mark(content) ^ self.contents.mark(after);
                    self.content[file as usize] = after;
                }
            }
        }
    }

    fn bind(&mut self, slot: u32, binding: u32) {
        let before = std::mem::replace(&mut self.bound[slot as usize], binding);
        self.undo.push(Undo::Slot { slot, binding: before });
        self.raw ^= self.binding_hash(before) ^ self.binding_hash(binding);
    }

    fn binding_hash(&self, binding: u32) -> u128 {
        if binding == NOWHERE { 0 } else { self.bindings[binding as usize].mark }
    }

    /// Undoes the inclusions since a mark.
    pub(crate) fn undo(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop().expect("there is more than the mark") {
                Undo::Slot { slot, binding } => {
                    let now = std::mem::replace(&mut self.bound[slot as usize], binding);
                    self.raw ^= self.binding_hash(now) ^ self.binding_hash(binding);
                }
                Undo::Content { file, content } => {
                    let now = std::mem::replace(&mut self.content[file as usize], content);
                    self.raw ^= self.contents.mark(now) ^ self.contents.mark(content);
                }
            }
        }
    }
}

fn binding_mark(dir: Ino, key: &Name, entry: &Entry) -> u128 {
    let mut text = Vec::with_capacity(16 + key.len() + entry.name.len());
    text.extend_from_slice(&dir.0.to_le_bytes());
    text.extend_from_slice(&entry.ino.0.to_le_bytes());
    text.extend_from_slice(&(key.len() as u64).to_le_bytes());
    text.extend_from_slice(key);
    text.extend_from_slice(&entry.name);
    xxh3_128(&text)
}
