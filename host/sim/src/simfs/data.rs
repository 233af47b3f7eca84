//! Calls on content: read, write, set a length, sync.

use std::sync::Arc;

use onionskin::fs::{Cause, Stat, Times};

use super::fault::Pass;
use super::handle::{Dir, File};
use super::monitor::Trespass;
use super::state::State;
use crate::disk::{Body, Ino};
use crate::op::{Event, Op};

/// The longest file the simulation holds; a longer one finds no space.
pub const FILE_BYTES_MAX: u64 = 256 << 20;

/// Writes longer than this are broken at its multiples, since pages reach the disk one by one.
const PAGE_BYTES: usize = 4096;

impl State {
    pub(crate) fn content(&self, ino: Ino) -> Option<&Arc<Vec<u8>>> {
        match &self.disk.inode(ino).body {
            Body::File(bytes) => Some(bytes),
            Body::Directory(_) | Body::Symlink(_) | Body::Other => None,
        }
    }

    pub(crate) fn stat(&self, ino: Ino) -> Stat {
        let inode = self.disk.inode(ino);
        Stat {
            kind: inode.kind(),
            links: u64::from(self.links(ino)),
            size: match &inode.body {
                Body::File(bytes) => bytes.len() as u64,
                Body::Symlink(text) => text.len() as u64,
                Body::Directory(_) | Body::Other => 0,
            },
            modified: self.switches.times.then_some(inode.modified),
            times: Times::default(),
        }
    }

    pub(crate) fn read(&self, file: &File, offset: u64, length: usize) -> Result<Vec<u8>, Cause> {
        let bytes = self.content(file.ino).filter(|_| file.reads).ok_or(Cause::Other)?;
        let start = usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
        let end = start.saturating_add(length).min(bytes.len());
        Ok(bytes[start..end].to_vec())
    }

    pub(crate) fn write(&mut self, file: &File, offset: Option<u64>, bytes: &[u8], pass: Pass) -> Result<usize, Cause> {
        self.check_changes(file)?;
        let length = self.content(file.ino).ok_or(Cause::Other)?.len();
        let offset = offset.unwrap_or(length as u64);
        let short = pass == Pass::Short || self.switches.short_writes;
        let taken = if short { bytes.len().div_ceil(2) } else { bytes.len() };
        let end = offset.checked_add(taken as u64).filter(|end| *end <= FILE_BYTES_MAX);
        let end = end.ok_or(Cause::InsufficientSpace)? as usize;
        if taken == 0 {
            return Ok(0);
        }
        let offset = offset as usize;
        if end > length {
            self.resize(file.ino, end);
        }
        if offset > length {
            self.put(file.ino, length, &vec![0; offset - length]);
        }
        self.put(file.ino, offset, &bytes[..taken]);
        Ok(taken)
    }

    pub(crate) fn set_size(&mut self, file: &File, length: u64) -> Result<(), Cause> {
        self.check_changes(file)?;
        if length > FILE_BYTES_MAX {
            return Err(Cause::InsufficientSpace);
        }
        let before = self.content(file.ino).ok_or(Cause::Other)?.len();
        let length = length as usize;
        self.resize(file.ino, length);
        if length > before {
            // The hole reads as zeros once the file is synced; until then it may show anything.
            self.put(file.ino, before, &vec![0; length - before]);
        }
        Ok(())
    }

    fn check_changes(&mut self, file: &File) -> Result<(), Cause> {
        if !file.writes {
            return Err(Cause::Other);
        }
        if self.monitor.is_older(file.ino) {
            self.trespass(Trespass::Wrote, file.path.to_string());
        }
        Ok(())
    }

    fn resize(&mut self, ino: Ino, length: usize) {
        self.disk.clock += 1;
        let op = Op::Size { ino, length, time: self.disk.clock };
        self.disk.apply(&op, 0);
        self.trace.events.push(Event::Op(op));
    }

    fn put(&mut self, ino: Ino, offset: usize, bytes: &[u8]) {
        self.disk.clock += 1;
        let mut done = 0;
        while done < bytes.len() {
            let start = offset + done;
            let page_end = (start / PAGE_BYTES + 1) * PAGE_BYTES;
            let taken = (page_end - start).min(bytes.len() - done);
            let piece = Arc::from(&bytes[done..done + taken]);
            let op = Op::Write { ino, offset: start, bytes: piece, time: self.disk.clock };
            self.disk.apply(&op, 0);
            self.trace.events.push(Event::Op(op));
            done += taken;
        }
    }

    pub(crate) fn sync_file(&mut self, file: &File, pass: Pass) -> Result<(), Cause> {
        match pass {
            Pass::Lose => {
                self.trace.events.push(Event::Lost(file.ino));
                return Err(Cause::Io);
            }
            Pass::Skip => return Ok(()),
            Pass::Plain | Pass::Late(_) | Pass::Short => {}
        }
        self.trace.events.push(Event::SyncFile(file.ino));
        self.note_synced(file.ino);
        Ok(())
    }

    pub(crate) fn sync_dir(&mut self, dir: &Dir, pass: Pass) -> Result<(), Cause> {
        if !self.switches.directory_sync {
            return Err(Cause::Unsupported);
        }
        if pass != Pass::Skip {
            self.trace.events.push(Event::SyncDir(dir.ino));
            self.note_synced(dir.ino);
        }
        Ok(())
    }
}
