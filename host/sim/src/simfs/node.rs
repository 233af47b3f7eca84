//! Calls on inodes, beyond the trait of the core: those that `wasi:filesystem` offers a guest.
//!
//! A host over the simulated filesystem resolves a path with [`SimFs::walk`] and then works with
//! one directory and one name, as the system calls with `at` in their name do.

use std::sync::Arc;

use onionskin::fs::{Cause, Kind, Listed, Stat};

use super::SimFs;
use super::call::Verb;
use super::handle::{Dir, File};
use super::monitor::Trespass;
use super::state::State;
use crate::disk::{Body, Ino};
use crate::op::Event;

/// How a name is opened, in the words of WASI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Create the file if there is none.
    pub create: bool,
    /// Fail if the name is taken; with `create` alone.
    pub exclusive: bool,
    /// Fail if it is not a directory.
    pub directory: bool,
    /// Make an existing file empty.
    pub truncate: bool,
    /// Open for reading.
    pub read: bool,
    /// Open for writing.
    pub write: bool,
}

/// The new time of the last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// It stays.
    Keep,
    /// The logical time of the filesystem.
    Now,
    /// This one, in nanoseconds since 1970.
    At(u64),
}

/// The entry that was found under a name and opened.
#[derive(Clone, Debug)]
pub enum Found {
    /// A directory.
    Dir(Dir),
    /// A regular file.
    File(File),
}

/// The metadata of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeStat {
    /// The metadata that the core gets, too.
    pub stat: Stat,
    /// The number of the inode.
    pub ino: Ino,
    /// The filesystem that the inode is on.
    pub device: u16,
}

impl NodeStat {
    /// A number that is the same for two names exactly if they lead to one inode, and that does
    /// not change with the content: as `metadata-hash` is in wasmtime.
    #[must_use]
    pub fn metadata_hash(&self) -> (u64, u64) {
        (u64::from(self.ino.0), u64::from(self.device))
    }
}

impl State {
    pub(crate) fn stamp(&mut self, ino: Ino, modified: Stamp) {
        let modified = match modified {
            Stamp::Keep => return,
            Stamp::Now => {
                self.disk.clock += 1;
                self.disk.clock
            }
            Stamp::At(time) => time,
        };
        self.disk.inode_mut(ino).modified = modified;
        self.trace.events.push(Event::Times(ino, modified));
    }
}

impl SimFs {
    /// Opens one name without following a link, creating it if asked to.
    pub fn open_at(&self, at: &Dir, name: &str, how: OpenOptions) -> Result<Found, Cause> {
        let verb = match (how.create || how.truncate, how.directory) {
            (true, _) => Verb::CreateFile,
            (false, true) => Verb::OpenDir,
            (false, false) => Verb::OpenFile,
        };
        let path: Arc<str> = at.place(name).to_string().into();
        self.call(verb, at.place(name), None, |state, _| {
            let changes = how.create || how.truncate || how.write;
            if changes && !at.writable {
                return Err(Cause::NotPermitted);
            }
            let file = |ino| File { ino, path: path.clone(), reads: how.read, writes: how.write };
            let Some(entry) = state.find_if_any(at.ino, name.as_bytes())? else {
                if !how.create {
                    return Err(Cause::NoEntry);
                }
                return state.make_file(at, name).map(|ino| Found::File(file(ino)));
            };
            if how.create && how.exclusive {
                return Err(Cause::AlreadyExists);
            }
            match state.kind(entry.ino) {
                Kind::Symlink => Err(Cause::Loop),
                Kind::Directory if how.write || how.truncate => Err(Cause::IsDirectory),
                Kind::Directory => {
                    let writable = at.writable;
                    Ok(Found::Dir(Dir { ino: entry.ino, path: path.clone(), writable }))
                }
                Kind::File | Kind::Other if how.directory => Err(Cause::NotDirectory),
                Kind::Other => {
                    state.trespass(Trespass::OpenedPipe, path.to_string());
                    Err(Cause::Other)
                }
                Kind::File => {
                    if changes && state.disk.inode(entry.ino).read_only {
                        return Err(Cause::ReadOnly);
                    }
                    if how.read {
                        state.check_read(entry.ino)?;
                    }
                    if how.write || how.truncate {
                        state.check_write(entry.ino)?;
                    }
                    if (how.write || how.truncate) && state.monitor.is_older(entry.ino) {
                        state.trespass(Trespass::OpenedForWrite, path.to_string());
                    }
                    if (how.write || how.truncate) && state.links(entry.ino) > 1 {
                        state.trespass(Trespass::OpenedShared, path.to_string());
                    }
                    if how.truncate {
                        let whole = File { writes: true, ..file(entry.ino) };
                        state.set_size(&whole, 0)?;
                    }
                    Ok(Found::File(file(entry.ino)))
                }
            }
        })
    }

    /// Sets the length of an open file; an extension reads as zeros. Durable after a sync.
    pub fn set_size(&self, file: &File, length: u64) -> Result<(), Cause> {
        self.call(Verb::SetSize, file.here(), None, |state, _| state.set_size(file, length))
    }

    /// Writes at the end of the file; otherwise as [`onionskin::fs::Fs::write`].
    pub fn append(&self, file: &File, bytes: &[u8]) -> Result<usize, Cause> {
        self.call(Verb::Write, file.here(), None, |state, pass| state.write(file, None, bytes, pass))
    }

    /// Appends to a file and syncs it, atomically: the output of a program is printed or not, and no crash undoes it.
    pub fn append_durably(&self, file: &File, bytes: &[u8]) -> Result<usize, Cause> {
        self.call(Verb::Write, file.here(), None, |state, pass| {
            let taken = state.write(file, None, bytes, pass)?;
            state.trace.events.push(Event::SyncFile(file.ino));
            Ok(taken)
        })
    }

    /// Sets the time of the last change of a name, without following a link. Times are not compared after a crash, so
    /// this counts as durable at once.
    pub fn set_times(&self, at: &Dir, name: &str, modified: Stamp) -> Result<(), Cause> {
        self.call(Verb::SetTimes, at.place(name), None, |state, _| {
            state.check_writable(at)?;
            let ino = state.find(at.ino, name.as_bytes())?.ino;
            state.stamp(ino, modified);
            Ok(())
        })
    }

    /// As [`SimFs::set_times`], for an open file.
    pub fn set_times_file(&self, file: &File, modified: Stamp) -> Result<(), Cause> {
        self.call(Verb::SetTimes, file.here(), None, |state, _| {
            state.stamp(file.ino, modified);
            Ok(())
        })
    }

    /// As [`SimFs::set_times`], for an open directory.
    pub fn set_times_dir(&self, dir: &Dir, modified: Stamp) -> Result<(), Cause> {
        self.call(Verb::SetTimes, dir.here(), None, |state, _| {
            // Also of a directory that was removed: it stays open.
            if !dir.writable {
                return Err(Cause::NotPermitted);
            }
            if state.disk.inode(dir.ino).read_only {
                return Err(Cause::ReadOnly);
            }
            state.stamp(dir.ino, modified);
            Ok(())
        })
    }

    /// Opens a directory again, as its own name `.`.
    pub fn open_again(&self, dir: &Dir) -> Result<Dir, Cause> {
        self.call(Verb::OpenDir, dir.here(), None, |_, _| Ok(dir.clone()))
    }

    /// Returns every entry of a directory, each with its name or the reason why it has none: a host returns the others
    /// in that case.
    pub fn list_each(&self, dir: &Dir) -> Result<Vec<Result<Listed, Cause>>, Cause> {
        self.call(Verb::List, dir.here(), None, |state, _| state.list(dir))
    }

    /// Returns the metadata of a name, including the number of its inode.
    pub fn stat_at(&self, at: &Dir, name: &str) -> Result<NodeStat, Cause> {
        self.call(Verb::Stat, at.place(name), None, |state, _| {
            let ino = state.find(at.ino, name.as_bytes())?.ino;
            Ok(NodeStat { stat: state.stat(ino), ino, device: state.disk.inode(ino).device })
        })
    }

    /// Returns the metadata of an open directory.
    pub fn stat_dir(&self, dir: &Dir) -> Result<NodeStat, Cause> {
        self.call(Verb::StatFile, dir.here(), None, |state, _| {
            let (stat, device) = (state.stat(dir.ino), state.disk.inode(dir.ino).device);
            Ok(NodeStat { stat, ino: dir.ino, device })
        })
    }

    /// Returns the metadata of an open file, including the number of its inode.
    pub fn stat_node(&self, file: &File) -> Result<NodeStat, Cause> {
        self.call(Verb::StatFile, file.here(), None, |state, _| {
            let (stat, device) = (state.stat(file.ino), state.disk.inode(file.ino).device);
            Ok(NodeStat { stat, ino: file.ino, device })
        })
    }

    /// Returns the entry under a name, if there is one. Not a call of its own: a host does this as part of one.
    #[must_use]
    pub fn kind_of(&self, at: &Dir, name: &str) -> Option<Kind> {
        let state = self.state.borrow();
        state.find(at.ino, name.as_bytes()).ok().map(|entry| state.kind(entry.ino))
    }

    /// Returns the stored text of a link, absolute ones too, which a host knows and a guest does not.
    #[must_use]
    pub fn link_text(&self, at: &Dir, name: &str) -> Option<String> {
        let state = self.state.borrow();
        let ino = state.find(at.ino, name.as_bytes()).ok()?.ino;
        match &state.disk.inode(ino).body {
            Body::Symlink(text) => Some(text.to_string()),
            Body::File(_) | Body::Directory(_) | Body::Other => None,
        }
    }
}
