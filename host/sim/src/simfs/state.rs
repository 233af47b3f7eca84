//! The state behind the handles: the visible disk, the trace, and the counters of a run.

use std::borrow::Cow;
use std::sync::Arc;

use onionskin::fs::{Cause, Kind, Listed};

use super::call::{Call, Place, Verb};
use super::fault::{Faults, Pass};
use super::handle::Dir;
use super::monitor::{Monitor, Trespass};
use super::obstacle::Obstacles;
use super::switches::Switches;
use crate::disk::{Body, Disk, Entry, Ino, Inode, Name, ROOT, fold_case};
use crate::op::{Change, Event, Op, Point, Trace};

/// The longest name, as on Linux.
pub const NAME_BYTES_MAX: usize = 255;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) switches: Switches,
    /// The visible disk.
    pub(crate) disk: Disk,
    /// How many names lead to each inode of `disk`.
    pub(crate) links: Vec<u32>,
    pub(crate) trace: Trace,
    pub(crate) calls: Vec<Call>,
    pub(crate) faults: Faults,
    pub(crate) monitor: Monitor,
    pub(crate) obstacles: Obstacles,
    /// The crash point at each acknowledgement, and the visible state then.
    pub(crate) acknowledged: Vec<(usize, Disk)>,
}

impl State {
    pub(crate) fn new(visible: Disk, trace: Trace, switches: Switches) -> Self {
        let newborn = u32::try_from(visible.len()).expect("far fewer than 2^32 inodes");
        State {
            switches,
            links: visible.count_links(),
            disk: visible,
            trace,
            calls: Vec::new(),
            faults: Faults::default(),
            monitor: Monitor { newborn, ..Monitor::default() },
            obstacles: Obstacles::default(),
            acknowledged: Vec::new(),
        }
    }

    /// Makes everything visible durable, as after an orderly shutdown, and starts a new trace.
    pub(crate) fn settle(&mut self) {
        self.disk.number_inodes();
        self.trace = Trace::new(self.disk.clone());
        self.acknowledged.clear();
    }

    /// Lets a call through the faults, carries it out, and writes it down.
    pub(crate) fn call<T>(
        &mut self,
        verb: Verb,
        place: Place,
        to: Option<Place>,
        act: impl FnOnce(&mut State, Pass) -> Result<T, Cause>,
    ) -> Result<T, Cause> {
        let pass = self.faults.admit(verb);
        let refused = self.obstacles.refuse(self.calls.len(), verb, &place, to.as_ref());
        let result = match (refused, pass) {
            (Err(cause), _) | (Ok(()), Err(cause)) => Err(cause),
            (Ok(()), Ok(Pass::Late(cause))) => act(self, Pass::Plain).and(Err(cause)),
            (Ok(()), Ok(pass)) => act(self, pass),
        };
        if verb.mutates() {
            self.check_secrets();
        }
        let result = result.map_err(|cause| self.switches.word(cause));
        let recorded = result.as_ref().map(|_| ()).map_err(|cause| *cause);
        let number = u32::try_from(self.calls.len()).expect("far fewer than 2^32 calls");
        self.calls.push(Call { verb, place, to, result: recorded, harmed: pass != Ok(Pass::Plain) });
        if verb.mutates() {
            let events = self.trace.events.len();
            self.trace.points.push(Point { events, call: Some(number) });
        }
        result
    }

    /// The name as it is compared with others.
    pub(crate) fn key<'n>(&self, name: &'n [u8]) -> Cow<'n, [u8]> {
        if self.switches.ignore_case { Cow::Owned(fold_case(name)) } else { Cow::Borrowed(name) }
    }

    pub(crate) fn find(&self, dir: Ino, name: &[u8]) -> Result<&Entry, Cause> {
        check_name(name)?;
        let entries = self.disk.entries(dir).ok_or(Cause::NotDirectory)?;
        self.check_search(dir)?;
        entries.get(self.key(name).as_ref()).ok_or(Cause::NoEntry)
    }

    pub(crate) fn find_if_any(&self, dir: Ino, name: &[u8]) -> Result<Option<Entry>, Cause> {
        match self.find(dir, name) {
            Ok(entry) => Ok(Some(entry.clone())),
            Err(Cause::NoEntry) => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    pub(crate) fn list(&self, dir: &Dir) -> Result<Vec<Result<Listed, Cause>>, Cause> {
        let entries = self.disk.entries(dir.ino).ok_or(Cause::NotDirectory)?;
        self.check_read(dir.ino)?;
        let name = |entry: &Entry| match std::str::from_utf8(&entry.name) {
            Ok(name) => Ok((name.to_owned(), self.kind(entry.ino))),
            Err(_) => Err(Cause::IllegalName),
        };
        let mut listing: Vec<_> = entries.values().map(name).collect();
        if self.switches.listing_reversed {
            listing.reverse();
        }
        Ok(listing)
    }

    pub(crate) fn kind(&self, ino: Ino) -> Kind {
        self.disk.inode(ino).kind()
    }

    pub(crate) fn links(&self, ino: Ino) -> u32 {
        self.links[ino.0 as usize]
    }

    /// Whether names in this directory may be changed at all.
    pub(crate) fn check_writable(&self, dir: &Dir) -> Result<(), Cause> {
        if !dir.writable {
            return Err(Cause::NotPermitted);
        }
        if self.disk.inode(dir.ino).read_only {
            return Err(Cause::ReadOnly);
        }
        if dir.ino != ROOT && self.links(dir.ino) == 0 {
            return Err(Cause::NoEntry);
        }
        Ok(())
    }

    /// A new inode on the filesystem of a directory, without a name.
    pub(crate) fn birth(&mut self, dir: Ino, body: Body) -> Ino {
        self.disk.clock += 1;
        let kind = body.kind();
        let inode = Arc::new(Inode {
            body,
            device: self.disk.inode(dir).device,
            read_only: false,
            lower: false,
            modified: self.disk.clock,
            rights: self.rights_of_new(dir, kind),
            serial: 0,
        });
        self.trace.events.push(Event::Born(inode.clone()));
        self.links.push(0);
        self.disk.push(inode)
    }

    pub(crate) fn set(&self, dir: Ino, name: &[u8], ino: Ino) -> Change {
        let spelled: Name = Arc::from(name);
        let key = if self.switches.ignore_case { Arc::from(self.key(name).as_ref()) } else { spelled.clone() };
        Change::Set { dir, key, name: spelled, ino }
    }

    pub(crate) fn del(&self, dir: Ino, entry: &Entry) -> Change {
        let key =
            if self.switches.ignore_case { Arc::from(self.key(&entry.name).as_ref()) } else { entry.name.clone() };
        Change::Del { dir, key, ino: entry.ino }
    }

    /// Changes names, visibly and as one micro-operation.
    pub(crate) fn change(&mut self, changes: Vec<Change>, path: &Place) {
        for change in &changes {
            if self.disk.inode(change.dir()).lower {
                self.trespass(Trespass::ChangedLower, path.to_string());
            }
            let entries = self.disk.entries(change.dir()).expect("names are in directories");
            if let Some(before) = entries.get(change.key()) {
                self.links[before.ino.0 as usize] -= 1;
            }
            match change {
                Change::Set { ino, .. } => self.links[ino.0 as usize] += 1,
                Change::Del { .. } => {}
            }
            // One at a time: the second of a pair must see the effect of the first.
            self.disk.apply(&Op::Names(vec![change.clone()]), 0);
        }
        self.trace.events.push(Event::Op(Op::Names(changes)));
    }

    pub(crate) fn trespass(&mut self, what: Trespass, path: String) {
        let call = u32::try_from(self.calls.len()).expect("far fewer than 2^32 calls");
        self.monitor.note(what, path, call);
    }
}

/// A name is one component: not empty, no separator, and not a step to here or above.
pub(crate) fn check_name(name: &[u8]) -> Result<(), Cause> {
    if name.len() > NAME_BYTES_MAX {
        return Err(Cause::NameTooLong);
    }
    let bad = name.is_empty() || name == b"." || name == b"..";
    if bad || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
        return Err(Cause::IllegalName);
    }
    Ok(())
}
