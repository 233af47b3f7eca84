//! Derives the durable state and the pending operations from the events, under one model.

use std::sync::Arc;

use crate::disk::Disk;
use crate::model::{Model, Power, Tear};
use crate::op::{Change, Event, Op};

/// The unit in which a disk writes.
const SECTOR_BYTES: usize = 512;

/// A micro-operation that may not have reached the disk.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) op: Op,
    pub(crate) id: u64,
    /// The ids of earlier operations without which this one cannot be on the disk.
    pub(crate) needs: Vec<u64>,
    /// Surely on the disk, and listed only because an earlier pending operation on the same name
    /// would otherwise be replayed over it.
    pub(crate) durable: bool,
}

/// The durable state (B) and the pending operations (P) after some events.
#[derive(Debug)]
pub(crate) struct Replay {
    power: Power,
    pub(crate) disk: Disk,
    pub(crate) pending: Vec<Pending>,
    next: u64,
}

impl Replay {
    pub(crate) fn new(base: Disk, power: Power) -> Self {
        Replay { power, disk: base, pending: Vec::new(), next: 0 }
    }

    pub(crate) fn feed(&mut self, event: &Event) {
        let lying = self.power.model == Model::Lying;
        match event {
            Event::Born(inode) => {
                self.disk.push(inode.clone());
            }
            Event::Times(ino, time) => self.disk.inode_mut(*ino).modified = *time,
            Event::Rights(ino, rights) => self.disk.inode_mut(*ino).rights = *rights,
            // The writes of a killed process stay in the page cache, synced or not.
            Event::Op(op) if self.power.model == Model::Process => self.disk.apply(op, 0),
            Event::Op(Op::Names(changes)) => self.names(changes),
            Event::Op(op @ Op::Size { .. }) => {
                self.push(op.clone(), Vec::new());
            }
            Event::Op(op @ Op::Write { .. }) => self.write(op),
            Event::SyncFile(ino) if !lying => self.sync(|op| op.file() == Some(*ino)),
            Event::SyncDir(dir) if !lying => {
                self.sync(|op| op.changes().iter().any(|change| change.dir() == *dir));
            }
            Event::SyncFile(_) | Event::SyncDir(_) => {}
            Event::Lost(ino) => self.pending.retain(|pending| match &pending.op {
                Op::Write { ino: file, .. } => pending.durable || file != ino,
                Op::Names(_) | Op::Size { .. } => true,
            }),
        }
    }

    fn names(&mut self, changes: &[Change]) {
        let across = changes.iter().any(|change| change.dir() != changes[0].dir());
        if across && self.power.model == Model::Split {
            for change in changes {
                self.names_at_once(vec![change.clone()]);
            }
        } else {
            self.names_at_once(changes.to_vec());
        }
    }

    fn names_at_once(&mut self, changes: Vec<Change>) {
        let needs = if self.power.model == Model::Ordered {
            let earlier = self.pending.iter().rev();
            earlier.filter(|pending| pending.op.file().is_none()).map(|p| p.id).take(1).collect()
        } else {
            changes.iter().filter_map(|change| self.set_before(change)).collect()
        };
        self.push(Op::Names(changes), needs);
    }

    /// The pending Set that a Del takes back.
    fn set_before(&self, change: &Change) -> Option<u64> {
        let Change::Del { dir, key, .. } = change else {
            return None;
        };
        let sets = |earlier: &Change| match earlier {
            Change::Set { dir: other, key: name, .. } => other == dir && name == key,
            Change::Del { .. } => false,
        };
        let set = self.pending.iter().rev().find(|pending| pending.op.changes().iter().any(sets));
        set.map(|pending| pending.id)
    }

    fn write(&mut self, op: &Op) {
        let Op::Write { ino, offset, bytes, time } = op else {
            return;
        };
        if self.power.tear == Tear::Pages {
            self.push(op.clone(), Vec::new());
            return;
        }
        let (mut done, mut before) = (0, Vec::new());
        while done < bytes.len() {
            let start = offset + done;
            let sector_end = (start / SECTOR_BYTES + 1) * SECTOR_BYTES;
            let taken = (sector_end - start).min(bytes.len() - done);
            let piece = Arc::from(&bytes[done..done + taken]);
            let op = Op::Write { ino: *ino, offset: start, bytes: piece, time: *time };
            let id = self.push(op, std::mem::take(&mut before));
            if self.power.tear == Tear::Prefix {
                before.push(id);
            }
            done += taken;
        }
    }

    fn push(&mut self, op: Op, needs: Vec<u64>) -> u64 {
        let id = self.next;
        self.next += 1;
        self.pending.push(Pending { op, id, needs, durable: false });
        id
    }

    /// Makes some operations durable, with everything that they need.
    fn sync(&mut self, asked: impl Fn(&Op) -> bool) {
        let mut needed: Vec<u64> = Vec::new();
        // Dependencies are earlier, so one pass from the end sees every dependent before its dependency.
        for pending in self.pending.iter_mut().rev() {
            if pending.durable || asked(&pending.op) || needed.contains(&pending.id) {
                pending.durable = true;
                needed.extend(&pending.needs);
            }
        }
        self.fold();
    }

    /// Moves durable operations to the disk, but for those that an earlier pending one on the
    /// same name or file would be replayed over.
    fn fold(&mut self) {
        let mut kept: Vec<Pending> = Vec::new();
        for pending in self.pending.drain(..) {
            let waits = kept.iter().any(|earlier| overlap(&earlier.op, &pending.op));
            if pending.durable && !waits {
                self.disk.apply(&pending.op, self.power.fill());
            } else {
                kept.push(pending);
            }
        }
        self.pending = kept;
    }
}

fn overlap(a: &Op, b: &Op) -> bool {
    let same_file = a.file().is_some() && a.file() == b.file();
    let same_name = a
        .changes()
        .iter()
        .any(|one| b.changes().iter().any(|other| one.dir() == other.dir() && one.key() == other.key()));
    same_file || same_name
}
