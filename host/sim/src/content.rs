//! The contents a file may have after a crash, each computed once.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

use crate::disk::{Body, Disk, Ino};
use crate::op::Op;

/// Stands for a content that was not computed yet.
const UNKNOWN: u32 = u32::MAX;

/// A file whose content is in doubt.
#[derive(Debug)]
struct Doubt {
    ino: Ino,
    base: Arc<Vec<u8>>,
    ops: Vec<Op>,
}

/// One content: another one with one more operation. The bytes are not kept, since there may be
/// thousands of contents, but made again when an image is new.
#[derive(Debug)]
struct Content {
    file: u32,
    /// The content before, and the operation on it; nothing for what is durable.
    from: Option<(u32, u32)>,
    next: Vec<u32>,
    seen: u128,
    mark: u128,
}

/// All contents of one window that were met so far.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    files: Vec<Doubt>,
    known: Vec<Content>,
    by_hash: FxHashMap<(u32, u128), u32>,
    fill: u8,
}

/// A content while it is computed: bytes may have been written beyond the length.
struct Draft {
    bytes: Vec<u8>,
    length: usize,
    modified: Option<u64>,
}

impl Contents {
    pub(crate) fn new(fill: u8) -> Self {
        Contents { fill, ..Contents::default() }
    }

    /// Adds a pending operation on a file; returns the number of the file and of the operation.
    pub(crate) fn add(&mut self, disk: &Disk, ino: Ino, op: &Op) -> (u32, u32) {
        let known = self.files.iter().position(|file| file.ino == ino);
        let file = known.unwrap_or_else(|| {
            let base = match &disk.inode(ino).body {
                Body::File(bytes) => bytes.clone(),
                Body::Directory(_) | Body::Symlink(_) | Body::Other => {
                    panic!("only files have content")
                }
            };
            self.files.push(Doubt { ino, base, ops: Vec::new() });
            self.files.len() - 1
        });
        self.files[file].ops.push(op.clone());
        (file as u32, self.files[file].ops.len() as u32 - 1)
    }

    /// The durable content of every file, once all operations are added.
    pub(crate) fn start(&mut self) -> Vec<u32> {
        (0..self.files.len() as u32).map(|file| self.intern(file, None)).collect()
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = Ino> {
        self.files.iter().map(|file| file.ino)
    }

    /// The content after one more operation.
    pub(crate) fn after(&mut self, content: u32, op: u32) -> u32 {
        let next = self.known[content as usize].next[op as usize];
        if next != UNKNOWN {
            return next;
        }
        let file = self.known[content as usize].file;
        let next = self.intern(file, Some((content, op)));
        self.known[content as usize].next[op as usize] = next;
        next
    }

    /// The hash of the visible content.
    pub(crate) fn seen(&self, content: u32) -> u128 {
        self.known[content as usize].seen
    }

    /// A hash of the visible content of a file and of its inode.
    pub(crate) fn mark(&self, content: u32) -> u128 {
        self.known[content as usize].mark
    }

    /// The visible content, and the time of its last change if an operation made one.
    pub(crate) fn bytes(&self, content: u32) -> (Arc<Vec<u8>>, Option<u64>) {
        if self.known[content as usize].from.is_none() {
            return (self.files[self.known[content as usize].file as usize].base.clone(), None);
        }
        let draft = self.draft(self.known[content as usize].file, Some(content));
        let mut bytes = draft.bytes;
        bytes.truncate(draft.length);
        (Arc::new(bytes), draft.modified)
    }

    fn intern(&mut self, file: u32, from: Option<(u32, u32)>) -> u32 {
        let doubt = &self.files[file as usize];
        let mut draft = self.draft(file, from.map(|(content, _)| content));
        if let Some((_, op)) = from {
            draft.apply(&doubt.ops[op as usize], self.fill);
        }
        let whole = xxh3_128_with_seed(&draft.bytes, draft.length as u64);
        if let Some(known) = self.by_hash.get(&(file, whole)) {
            return *known;
        }
        let seen = xxh3_128(&draft.bytes[..draft.length]);
        let mark = content_mark(doubt.ino, seen);
        let next = vec![UNKNOWN; doubt.ops.len()];
        let number = u32::try_from(self.known.len()).expect("far fewer than 2^32 contents");
        self.known.push(Content { file, from, next, seen, mark });
        self.by_hash.insert((file, whole), number);
        number
    }

    fn draft(&self, file: u32, content: Option<u32>) -> Draft {
        let doubt = &self.files[file as usize];
        let mut ops = Vec::new();
        let mut at = content.and_then(|content| self.known[content as usize].from);
        while let Some((before, op)) = at {
            ops.push(op);
            at = self.known[before as usize].from;
        }
        let bytes = doubt.base.as_ref().clone();
        let mut draft = Draft { length: bytes.len(), bytes, modified: None };
        for op in ops.into_iter().rev() {
            draft.apply(&doubt.ops[op as usize], self.fill);
        }
        draft
    }
}

impl Draft {
    fn apply(&mut self, op: &Op, fill: u8) {
        match op {
            Op::Names(_) => {}
            Op::Write { offset, bytes, time, .. } => {
                let end = offset + bytes.len();
                if self.bytes.len() < end {
                    self.bytes.resize(end, fill);
                }
                self.bytes[*offset..end].copy_from_slice(bytes);
                self.modified = Some(*time);
            }
            Op::Size { length, time, .. } => {
                if *length < self.length {
                    self.bytes.truncate(*length);
                }
                if self.bytes.len() < *length {
                    self.bytes.resize(*length, fill);
                }
                self.length = *length;
                self.modified = Some(*time);
            }
        }
    }
}

/// A hash of a content in a file, to be combined with those of other files.
pub(crate) fn content_mark(ino: Ino, seen: u128) -> u128 {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&ino.0.to_le_bytes());
    key[4..].copy_from_slice(&seen.to_le_bytes());
    xxh3_128(&key)
}
