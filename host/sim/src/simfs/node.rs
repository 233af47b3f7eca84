//! Calls on inodes, wider than the core's door: what `wasi:filesystem` offers a guest.
//!
//! A host over the simulated filesystem resolves a path with [`SimFs::walk`] and then works with
//! one directory and one name, as the system calls with `at` in their name do.

use std::sync::Arc;

use onionskin::fs::{Cause, Kind, Stat};

use super::SimFs;
use super::call::Verb;
use super::handle::{Dir, File};
use super::monitor::Trespass;
use crate::disk::{Body, Ino};
use crate::op::Event;

/// How a name is opened, in the words of WASI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenHow {
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

/// What was found under a name and opened.
#[derive(Clone, Debug)]
pub enum Found {
    /// A directory.
    Dir(Dir),
    /// A regular file.
    File(File),
}

/// What is known of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeStat {
    /// What the core is told, too.
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

impl SimFs {
    /// Opens one name without following a link, creating it if asked to.
    pub fn open_at(&self, at: &Dir, name: &str, how: OpenHow) -> Result<Found, Cause> {
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
                    if (how.write || how.truncate) && state.monitor.is_older(entry.ino) {
                        state.trespass(Trespass::OpenedForWrite, path.to_string());
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

    /// Sets the length of an open file; what is added reads as zeros. Durable after a sync.
    pub fn set_size(&self, file: &File, length: u64) -> Result<(), Cause> {
        self.call(Verb::SetSize, file.here(), None, |state, _| state.set_size(file, length))
    }

    /// Writes at the end of the file; otherwise as [`onionskin::fs::Fs::write`].
    pub fn append(&self, file: &File, bytes: &[u8]) -> Result<usize, Cause> {
        self.call(Verb::Write, file.here(), None, |state, pass| state.write(file, None, bytes, pass))
    }

    /// Sets the time of the last change of a name, without following a link. Times are no part of
    /// what is compared after a crash, so this counts as durable at once.
    pub fn set_times(&self, at: &Dir, name: &str, modified: u64) -> Result<(), Cause> {
        self.call(Verb::SetTimes, at.place(name), None, |state, _| {
            state.check_writable(at)?;
            let ino = state.find(at.ino, name.as_bytes())?.ino;
            state.disk.inode_mut(ino).modified = modified;
            state.trace.events.push(Event::Times(ino, modified));
            Ok(())
        })
    }

    /// What is known of a name, the number of its inode too.
    pub fn stat_at(&self, at: &Dir, name: &str) -> Result<NodeStat, Cause> {
        self.call(Verb::Stat, at.place(name), None, |state, _| {
            let ino = state.find(at.ino, name.as_bytes())?.ino;
            Ok(NodeStat { stat: state.stat(ino), ino, device: state.disk.inode(ino).device })
        })
    }

    /// What is known of an open directory.
    pub fn stat_dir(&self, dir: &Dir) -> Result<NodeStat, Cause> {
        self.call(Verb::StatFile, dir.here(), None, |state, _| {
            let (stat, device) = (state.stat(dir.ino), state.disk.inode(dir.ino).device);
            Ok(NodeStat { stat, ino: dir.ino, device })
        })
    }

    /// What is known of an open file, the number of its inode too.
    pub fn stat_node(&self, file: &File) -> Result<NodeStat, Cause> {
        self.call(Verb::StatFile, file.here(), None, |state, _| {
            let (stat, device) = (state.stat(file.ino), state.disk.inode(file.ino).device);
            Ok(NodeStat { stat, ino: file.ino, device })
        })
    }

    /// The text of a link as it is stored, absolute ones too: what a host knows and a guest does
    /// not.
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
