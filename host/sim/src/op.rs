//! The pending writes of a call: micro-operations in the order of their requests.

use std::sync::Arc;

use crate::disk::{Disk, Ino, Inode, Name};
use crate::simfs::Rights;

/// One change of one name. Both act on inodes: the directory is known by its number wherever it
/// has moved to, and a delete names the inode it takes the name from.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Set { dir: Ino, key: Name, name: Name, ino: Ino },
    Del { dir: Ino, key: Name, ino: Ino },
}

impl Change {
    pub(crate) fn dir(&self) -> Ino {
        match self {
            Change::Set { dir, .. } | Change::Del { dir, .. } => *dir,
        }
    }

    pub(crate) fn key(&self) -> &Name {
        match self {
            Change::Set { key, .. } | Change::Del { key, .. } => key,
        }
    }
}

/// One micro-operation: reaches the disk whole or not at all.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// The changes of names that one call made.
    Names(Vec<Change>),
    Write {
        ino: Ino,
        offset: usize,
        bytes: Arc<[u8]>,
        time: u64,
    },
    Size {
        ino: Ino,
        length: usize,
        time: u64,
    },
}

impl Op {
    /// The file whose content this changes.
    pub(crate) fn file(&self) -> Option<Ino> {
        match self {
            Op::Names(_) => None,
            Op::Write { ino, .. } | Op::Size { ino, .. } => Some(*ino),
        }
    }

    pub(crate) fn changes(&self) -> &[Change] {
        match self {
            Op::Names(changes) => changes,
            Op::Write { .. } | Op::Size { .. } => &[],
        }
    }
}

/// The events on the disk, in program order.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// An inode came to be, without a name and without content.
    Born(Arc<Inode>),
    Op(Op),
    SyncFile(Ino),
    SyncDir(Ino),
    /// A sync failed, and the kernel dropped the pending writes of this file.
    Lost(Ino),
    /// A time was set, which counts as durable at once.
    Times(Ino, u64),
    /// Owner and mode were set, which counts as durable at once: that they are synced is checked where it matters.
    Rights(Ino, Rights),
}

/// A moment at which the power can go: after a call that changes something, or before the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    /// How many events had happened.
    pub(crate) events: usize,
    /// The number of the call that led here.
    pub(crate) call: Option<u32>,
}

/// Everything that happened since a disk was last at rest.
#[derive(Clone, Debug)]
pub struct Trace {
    pub(crate) base: Disk,
    pub(crate) events: Vec<Event>,
    pub(crate) points: Vec<Point>,
}

impl Trace {
    pub(crate) fn new(base: Disk) -> Self {
        Trace { base, events: Vec::new(), points: vec![Point { events: 0, call: None }] }
    }

    /// How many moments there are at which the power can go.
    #[must_use]
    pub fn points(&self) -> usize {
        self.points.len()
    }

    /// The visible disk at a crash point, which a killed process leaves behind.
    #[must_use]
    pub fn visible(&self, point: usize) -> Disk {
        let mut disk = self.base.clone();
        for event in &self.events[..self.points[point].events] {
            match event {
                Event::Born(inode) => {
                    disk.push(inode.clone());
                }
                Event::Op(op) => disk.apply(op, 0),
                Event::Times(ino, time) => disk.inode_mut(*ino).modified = *time,
                Event::Rights(ino, rights) => disk.inode_mut(*ino).rights = *rights,
                Event::SyncFile(_) | Event::SyncDir(_) | Event::Lost(_) => {}
            }
        }
        disk
    }

    /// The events on the disk in order, with the crash points between them, one on a line. Queries are not recorded.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut printed = 0;
        for point in &self.points {
            lines.extend(self.events[printed..point.events].iter().map(|event| format!("{event:?}")));
            printed = point.events;
            lines.push("a crash point".to_owned());
        }
        lines
    }

    /// The trace up to a crash point, as the start of another process's trace.
    pub(crate) fn until(&self, point: usize) -> Trace {
        let events = self.points[point].events;
        Trace {
            base: self.base.clone(),
            events: self.events[..events].to_vec(),
            points: vec![Point { events, call: None }],
        }
    }
}
