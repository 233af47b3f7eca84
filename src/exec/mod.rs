//! The executor: the only module that changes storage. The core also reads storage through it.

mod attributes;
mod read;
mod run;

use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::error::Error;
use crate::fs::{Call, Cause, Fs};
use crate::limits::DIRECTORIES_OPEN_MAX;
use crate::path::{At, RelPath, RootId};
use crate::plan::Action;

/// Result of a call on the filesystem.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Record of an executed step, for inspection of plans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Verb that names the act.
    pub verb: &'static str,
    /// The act, without the bytes it wrote.
    pub act: Action,
    /// Bytes written or copied.
    pub bytes: u64,
    /// Reason for the step.
    pub why: &'static str,
    /// Whether the step was the commit point.
    pub commits: bool,
}

/// An open file: one that this executor created and has not yet synced or renamed, or one written in place.
struct Open<F> {
    path: RelPath,
    file: F,
    length: u64,
    /// The file existed before and is written in place, most likely repeatedly.
    stays: bool,
}

/// Runs plans on a filesystem; the core also reads the filesystem through it.
///
/// Directories are opened one component at a time, without following links. The most recently used stay open
/// until [`Executor::forget`], which the owner calls when another process may have moved them.
pub struct Executor<F: Fs> {
    fs: F,
    roots: Vec<Rc<F::Dir>>,
    /// Open directories, oldest first. There are few, because each uses a file descriptor of the host.
    directories: Vec<(RootId, RelPath, Rc<F::Dir>)>,
    open: Vec<Open<F::File>>,
    /// The file last read by [`Executor::read_at`].
    reading: Option<(At, F::File)>,
    trace: Option<Vec<Trace>>,
    directory_sync_missing: bool,
    powers: attributes::Powers,
    /// Whether a file was found to get no second name. That it does can change: it is tried each time.
    lacks_links: bool,
    moved: u64,
}

impl<F: Fs> Executor<F> {
    /// Creates an executor on an open root, which becomes [`RootId::STORE`].
    pub fn new(fs: F, root: Rc<F::Dir>) -> Self {
        Self {
            fs,
            roots: [root].into(),
            directories: Vec::new(),
            open: Vec::new(),
            reading: None,
            trace: None,
            directory_sync_missing: false,
            powers: attributes::Powers::default(),
            lacks_links: false,
            moved: 0,
        }
    }

    /// Adds a directory from which content may be read.
    pub fn add_root(&mut self, root: Rc<F::Dir>) -> RootId {
        self.roots.push(root);
        RootId(self.roots.len() - 1)
    }

    /// Closes all cached directories.
    pub fn forget(&mut self) {
        self.directories.clear();
    }

    /// Returns the number of bytes written and copied so far.
    pub const fn moved(&self) -> u64 {
        self.moved
    }

    /// Closes the cached directories, except those of the store, which no other process moves.
    pub fn forget_sources(&mut self) {
        self.directories.retain(|(root, _, _)| *root == RootId::STORE);
        self.reading = None;
    }

    /// Returns whether the sync of a directory was skipped because the host has no call for it.
    pub const fn lacks_directory_sync(&self) -> bool {
        self.directory_sync_missing
    }

    /// Starts recording the steps that run.
    pub fn start_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    /// Returns the steps recorded since the last call.
    pub fn take_trace(&mut self) -> Vec<Trace> {
        self.trace.as_mut().map(core::mem::take).unwrap_or_default()
    }

    // ---- directories

    /// Opens a directory, one component at a time.
    pub fn dir(&mut self, root: RootId, path: &RelPath) -> Result<Rc<F::Dir>> {
        let mut dir = Rc::clone(&self.roots[root.0]);
        if path.is_root() {
            return Ok(dir);
        }
        if let Some(known) = self.known(root, path) {
            return Ok(known);
        }
        let mut reached = RelPath::ROOT;
        for name in path.components() {
            reached = reached.child(name);
            dir = match self.known(root, &reached) {
                Some(known) => known,
                None => {
                    let next = Rc::new(
                        self.fs
                            .open_dir(&dir, name)
                            .map_err(|cause| Error::failed(Call::OpenDirectory, (root, &reached), cause))?,
                    );
                    if self.directories.len() == DIRECTORIES_OPEN_MAX {
                        self.directories.remove(0);
                    }
                    self.directories.push((root, reached.clone(), Rc::clone(&next)));
                    next
                }
            };
        }
        Ok(dir)
    }

    fn known(&self, root: RootId, path: &RelPath) -> Option<Rc<F::Dir>> {
        let mut known = self.directories.iter();
        known.find(|(of, at, _)| *of == root && at == path).map(|(_, _, dir)| Rc::clone(dir))
    }

    fn parent<'a>(&mut self, root: RootId, path: &'a RelPath) -> Result<(Rc<F::Dir>, &'a str)> {
        let (parent, name) = path.split().ok_or_else(|| Error::failed(Call::Open, (root, path), Cause::IsDirectory))?;
        Ok((self.dir(root, &parent)?, name))
    }

    /// Closes the directories at and below a path whose name now refers to another entry.
    fn forget_below(&mut self, path: &RelPath) {
        self.directories.retain(|(root, known, _)| *root != RootId::STORE || !known.is_within(path));
    }
}
