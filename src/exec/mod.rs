//! The executor: the only module that changes storage.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use crate::control;
use crate::error::{CommitPhase, Error, ErrorKind};
use crate::fs::{Call, Cause, Fs, Kind, Stat};
use crate::limits::{COPY_BYTES, DIRECTORIES_OPEN_MAX, FILES_OPEN_MAX};
use crate::path::{At, RelPath, RootId};
use crate::plan::{Act, Plan, Step};

/// Result of a call on the filesystem.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Record of an executed step, for inspection of plans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Verb that names the act.
    pub verb: &'static str,
    /// The act, without the bytes it wrote.
    pub act: Act,
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
/// until [`Exec::forget`], which the owner calls when another process may have moved them.
pub struct Exec<F: Fs> {
    fs: F,
    roots: Vec<Rc<F::Dir>>,
    /// Open directories, oldest first. There are few, because each uses a file descriptor of the host.
    directories: Vec<(RootId, RelPath, Rc<F::Dir>)>,
    open: Vec<Open<F::File>>,
    /// The file last read by [`Exec::read_at`].
    reading: Option<(At, F::File)>,
    trace: Option<Vec<Trace>>,
    directory_sync_missing: bool,
    /// Whether a file can get a second name, once that was tried.
    has_links: Option<bool>,
    moved: u64,
}

impl<F: Fs> Exec<F> {
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
            has_links: None,
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

    // ---- reading

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

    /// Returns the metadata of the entry at a path of the store, or `None` if the name does not exist. A
    /// missing parent is an error.
    pub fn stat(&mut self, path: &RelPath) -> Result<Option<Stat>> {
        self.stat_in(RootId::STORE, path)
    }

    /// Like [`Exec::stat`], below any root.
    pub fn stat_in(&mut self, root: RootId, path: &RelPath) -> Result<Option<Stat>> {
        let Some((parent, name)) = path.split() else {
            return Ok(Some(Stat { kind: Kind::Directory, links: 1, size: 0, modified: None }));
        };
        let dir = self.dir(root, &parent)?;
        match self.fs.stat(&dir, name) {
            Ok(stat) => Ok(Some(stat)),
            Err(Cause::NoEntry) => Ok(None),
            Err(cause) => Err(Error::failed(Call::Stat, (root, path), cause)),
        }
    }

    /// Like [`Exec::stat_in`], but a missing entry is an error.
    pub fn look(&mut self, at: &At) -> Result<Stat> {
        self.stat_in(at.root, &at.path)?.ok_or_else(|| ErrorKind::NotFound.at(at))
    }

    /// Like [`Exec::stat`], but also returns `None` if the parent is missing or not a directory.
    pub fn stat_deep(&mut self, path: &RelPath) -> Result<Option<Stat>> {
        match self.stat(path) {
            Err(error) if matches!(error.cause(), Some(Cause::NoEntry | Cause::NotDirectory | Cause::Loop)) => Ok(None),
            answer => answer,
        }
    }

    /// Returns the kind of the entry at a path of the store, as found by [`Exec::stat_deep`].
    pub fn kind(&mut self, path: &RelPath) -> Result<Option<Kind>> {
        Ok(self.stat_deep(path)?.map(|stat| stat.kind))
    }

    /// Lists the names in a directory, in no particular order.
    pub fn list(&mut self, root: RootId, path: &RelPath) -> Result<Vec<(String, Kind)>> {
        let dir = self.dir(root, path)?;
        self.fs.list(&dir).map_err(|cause| Error::failed(Call::List, (root, path), cause))
    }

    /// Returns the text of a symbolic link.
    pub fn read_link(&mut self, root: RootId, path: &RelPath) -> Result<String> {
        let (dir, name) = self.parent(root, path)?;
        self.fs.read_link(&dir, name).map_err(|cause| Error::failed(Call::ReadLink, (root, path), cause))
    }

    /// Reads a whole file in pieces; `each` returns whether to continue. The caller must have checked that
    /// the entry is a regular file, because a pipe may block.
    pub fn read_pieces(&mut self, at: &At, each: &mut dyn FnMut(&[u8]) -> bool) -> Result<()> {
        let (dir, name) = self.parent(at.root, &at.path)?;
        let file = self.fs.open_file(&dir, name).map_err(|cause| Error::failed(Call::Open, at, cause))?;
        let mut offset = 0;
        loop {
            let piece =
                self.fs.read(&file, offset, COPY_BYTES).map_err(|cause| Error::failed(Call::Read, at, cause))?;
            if piece.is_empty() || !each(&piece) {
                return Ok(());
            }
            offset += piece.len() as u64;
        }
    }

    /// Reads up to `length` bytes from `offset`; returns fewer only at the end of the file.
    ///
    /// The file stays open for the next call, until [`Exec::forget_sources`] or a read from its start.
    pub fn read_at(&mut self, at: &At, mut offset: u64, length: usize) -> Result<Vec<u8>> {
        if offset == 0 || self.reading.as_ref().is_none_or(|(known, _)| known != at) {
            let (dir, name) = self.parent(at.root, &at.path)?;
            let file = self.fs.open_file(&dir, name).map_err(|cause| Error::failed(Call::Open, at, cause))?;
            self.reading = Some((at.clone(), file));
        }
        let mut whole = Vec::new();
        while let Some((_, file)) = &self.reading
            && whole.len() < length
        {
            let wanted = (length - whole.len()).min(COPY_BYTES);
            let piece = self.fs.read(file, offset, wanted).map_err(|cause| Error::failed(Call::Read, at, cause))?;
            if piece.is_empty() {
                break;
            }
            offset += piece.len() as u64;
            // A read usually returns one piece, which need not be copied.
            if whole.is_empty() { whole = piece } else { whole.extend_from_slice(&piece) }
        }
        Ok(whole)
    }

    /// Returns the filesystem, for calls on open files.
    pub const fn fs(&self) -> &F {
        &self.fs
    }

    /// Opens a regular file for a caller that keeps it open. Writing in place is permitted only for files
    /// that the workspace owns.
    pub fn open_one(&mut self, at: &At, write: bool) -> Result<F::File> {
        let (dir, name) = self.parent(at.root, &at.path)?;
        let opened = if write { self.fs.open_to_write(&dir, name) } else { self.fs.open_file(&dir, name) };
        opened.map_err(|cause| Error::failed(Call::Open, at, cause))
    }

    /// Syncs a file that a caller keeps open, named by the path by which it was opened.
    pub fn sync_open(&mut self, file: &F::File, path: &RelPath) -> Result<()> {
        self.fs.sync_file(file).map_err(|cause| Error::failed(Call::SyncFile, path, cause))
    }

    /// Returns a number that identifies a directory uniquely, or `None` if the host has no call for it.
    pub fn identity(&mut self, at: &At) -> Result<Option<u128>> {
        let dir = self.dir(at.root, &at.path)?;
        match self.fs.identity(&dir) {
            Ok(identity) => Ok(Some(identity)),
            Err(Cause::Unsupported) => Ok(None),
            Err(cause) => Err(Error::failed(Call::Identify, at, cause)),
        }
    }

    /// Like [`Exec::identity`], for a file with several names.
    pub fn identity_of(&mut self, at: &At) -> Result<u128> {
        let (dir, name) = self.parent(at.root, &at.path)?;
        self.fs.identity_of(&dir, name).map_err(|cause| Error::failed(Call::Identify, at, cause))
    }

    /// Reads the first bytes of a file, at most `length`.
    pub fn read_start(&mut self, at: &At, length: usize) -> Result<Vec<u8>> {
        let mut start = Vec::new();
        self.read_pieces(at, &mut |piece| {
            let wanted = length - start.len();
            start.extend_from_slice(&piece[..wanted.min(piece.len())]);
            start.len() < length
        })?;
        Ok(start)
    }

    /// Reads a whole file. Returns `None` if it is longer than `maximum` or than the available memory.
    pub fn read_whole(&mut self, path: &RelPath, maximum: u64) -> Result<Option<Vec<u8>>> {
        let size = self.stat(path)?.map_or(0, |stat| stat.size);
        let mut whole = Vec::new();
        let fits = usize::try_from(size).is_ok_and(|size| whole.try_reserve_exact(size).is_ok());
        if size > maximum || !fits {
            return Ok(None);
        }
        let mut grew = false;
        self.read_pieces(&At::store(path.clone()), &mut |piece| {
            // The buffer never grows: memory is reserved once, and a log is never appended to.
            grew = piece.len() > whole.capacity() - whole.len();
            if !grew {
                whole.extend_from_slice(piece);
            }
            !grew
        })?;
        Ok((!grew).then_some(whole))
    }

    /// Checks whether a rename from the directory `from` can reach `to`, that is, whether no mount point lies
    /// between.
    ///
    /// It is called before a decision and renames a name that does not exist, which changes nothing; "no such
    /// entry" is the only positive answer.
    pub fn check_reach(&mut self, from: &RelPath, to: &RelPath, name: &str) -> Result<()> {
        let (source, target) = (self.dir(RootId::STORE, from)?, self.dir(RootId::STORE, to)?);
        match self.fs.rename((&source, name), (&target, name)) {
            Ok(()) => Err(Error::failed(Call::Reach, to, Cause::AlreadyExists)),
            Err(Cause::NoEntry) => Ok(()),
            Err(cause) => Err(Error::failed(Call::Reach, to, cause)),
        }
    }

    fn parent<'a>(&mut self, root: RootId, path: &'a RelPath) -> Result<(Rc<F::Dir>, &'a str)> {
        let (parent, name) = path.split().ok_or_else(|| Error::failed(Call::Open, (root, path), Cause::IsDirectory))?;
        Ok((self.dir(root, &parent)?, name))
    }

    // ---- changing

    /// Runs a plan to its end, or to the first step that fails; [`Error::phase`] returns its position.
    pub fn run(&mut self, plan: Plan) -> Result<()> {
        let mut phase = CommitPhase::Before;
        for step in plan.into_steps() {
            let commits = step.commits;
            if commits {
                phase = CommitPhase::At;
            }
            self.step(step).map_err(|error| error.of_plan(phase))?;
            if commits {
                phase = CommitPhase::After;
            }
        }
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<()> {
        let Step { mut act, why, commits } = step;
        let before = self.moved;
        self.act(&mut act)?;
        let bytes = self.moved - before;
        if let Some(trace) = &mut self.trace {
            trace.push(Trace { verb: act.verb(), act, bytes, why, commits });
        }
        Ok(())
    }

    /// Executes one act. A write gives up its bytes.
    fn act(&mut self, act: &mut Act) -> Result<()> {
        match act {
            Act::Write { path, bytes } => return self.append(path, &core::mem::take(bytes)),
            Act::Copy { from, offset, length, to } => return self.copy(from, *offset, *length, to),
            Act::Edit { path, offset, bytes } => return self.edit(path, *offset, bytes),
            Act::SetSize { path, size } => return self.set_size(path, *size),
            Act::SyncFile(path) => return self.sync_file(path),
            Act::SyncDir(path) => return self.sync_dir(path),
            Act::Share { from, to, carry } => return self.share(from, to, *carry),
            Act::Rename { from, to } => {
                self.close(from);
                // The open file of that name is no longer the file at that name.
                self.close(to);
            }
            Act::Link { from, .. } => self.close(from),
            Act::RemoveFile(path) => self.close(path),
            Act::RemoveDir(path) => self.forget_below(path),
            Act::MakeDir(_) | Act::Create(_) | Act::Symlink { .. } => {}
        }
        let (act, path) = (&*act, act.path());
        let source = match act {
            Act::Rename { from, .. } | Act::Link { from, .. } => Some(self.parent(RootId::STORE, from)?),
            _ => None,
        };
        let (dir, name) = self.parent(RootId::STORE, path)?;
        let done = match (act, &source) {
            (Act::MakeDir(_), _) => self.fs.make_dir(&dir, name),
            (Act::RemoveDir(_), _) => self.fs.remove_dir(&dir, name),
            (Act::RemoveFile(_), _) => self.fs.remove_file(&dir, name),
            (Act::Symlink { target, .. }, _) => self.fs.symlink(target, &dir, name),
            (Act::Rename { .. }, Some((source, old))) => self.fs.rename((source, old), (&dir, name)),
            (Act::Link { .. }, Some((source, old))) => self.fs.link((source, old), (&dir, name)),
            _ => self.fs.create_file(&dir, name).map(|file| {
                self.open.push(Open { path: path.clone(), file, length: 0, stays: false });
            }),
        };
        done.map_err(|cause| Error::failed(act.call(), path, cause))?;
        if let Act::Rename { from, to } = act {
            self.forget_below(from);
            self.forget_below(to);
        }
        Ok(())
    }

    /// Closes a file that a plan created and does not write to any more.
    pub fn close(&mut self, path: &RelPath) {
        self.take_open(path);
    }

    /// Removes a file from the open files; dropping the result closes it.
    fn take_open(&mut self, path: &RelPath) -> Option<Open<F::File>> {
        let index = self.open.iter().position(|open| open.path == *path)?;
        Some(self.open.swap_remove(index))
    }

    fn append(&mut self, path: &RelPath, bytes: &[u8]) -> Result<()> {
        self.write(path, None, bytes)
    }

    /// Writes all bytes to an open file, at its end or at an offset.
    fn write(&mut self, path: &RelPath, at: Option<u64>, bytes: &[u8]) -> Result<()> {
        let open = self
            .open
            .iter_mut()
            .find(|open| open.path == *path)
            .ok_or_else(|| Error::failed(Call::Write, path, Cause::NoEntry))?;
        let mut offset = at.unwrap_or(open.length);
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken =
                self.fs.write(&open.file, offset, rest).map_err(|cause| Error::failed(Call::Write, path, cause))?;
            if taken == 0 || taken > rest.len() {
                return Err(Error::failed(Call::Write, path, Cause::Io));
            }
            offset += taken as u64;
            if offset > open.length {
                open.length = offset;
            }
            rest = &rest[taken..];
        }
        self.moved += bytes.len() as u64;
        Ok(())
    }

    fn edit(&mut self, path: &RelPath, offset: u64, bytes: &[u8]) -> Result<()> {
        self.opened(path)?;
        self.write(path, Some(offset), bytes)
    }

    fn set_size(&mut self, path: &RelPath, size: u64) -> Result<()> {
        let index = self.opened(path)?;
        let open = &mut self.open[index];
        open.length = size;
        self.fs.set_size(&open.file, size).map_err(|cause| Error::failed(Call::Write, path, cause))
    }

    /// Returns the index of an owned file, opened for writing in place. At the limit, the oldest open file is
    /// closed.
    fn opened(&mut self, path: &RelPath) -> Result<usize> {
        if let Some(index) = self.open.iter().position(|open| open.path == *path) {
            return Ok(index);
        }
        let (dir, name) = self.parent(RootId::STORE, path)?;
        let file = self.fs.open_to_write(&dir, name).map_err(|cause| Error::failed(Call::Open, path, cause))?;
        if self.open.len() >= FILES_OPEN_MAX {
            self.open.remove(0);
        }
        self.open.push(Open { path: path.clone(), file, length: 0, stays: true });
        Ok(self.open.len() - 1)
    }

    fn copy(&mut self, from: &At, offset: u64, length: u64, to: &RelPath) -> Result<()> {
        let (dir, name) = self.parent(from.root, &from.path)?;
        let size = self.fs.stat(&dir, name).map_err(|cause| Error::failed(Call::Stat, from, cause))?.size;
        let file = self.fs.open_file(&dir, name).map_err(|cause| Error::failed(Call::Open, from, cause))?;
        // A copy of a source that keeps growing would not end. A source of size 0, like the files in `/proc`,
        // must end by itself.
        let length = if size == 0 { length } else { length.min(size.saturating_sub(offset)) };
        self.copy_open((&file, from), offset, length, to)
    }

    /// Copies from an open file, identified by name, to the end of a file that a plan created.
    pub fn copy_open(&mut self, (file, at): (&F::File, &At), offset: u64, length: u64, to: &RelPath) -> Result<()> {
        let mut copied = 0;
        while copied < length {
            let wanted = usize::try_from(length - copied).map_or(COPY_BYTES, |left| left.min(COPY_BYTES));
            let piece =
                self.fs.read(file, offset + copied, wanted).map_err(|cause| Error::failed(Call::Read, at, cause))?;
            if piece.is_empty() {
                break;
            }
            self.append(to, &piece)?;
            copied += piece.len() as u64;
        }
        Ok(())
    }

    fn sync_file(&mut self, path: &RelPath) -> Result<()> {
        if let Some(open) = self.open.iter().find(|open| open.stays && open.path == *path) {
            return self.fs.sync_data(&open.file).map_err(|cause| Error::failed(Call::SyncFile, path, cause));
        }
        let file = match self.take_open(path) {
            Some(open) => open.file,
            None => {
                let (dir, name) = self.parent(RootId::STORE, path)?;
                self.fs.open_file(&dir, name).map_err(|cause| Error::failed(Call::Open, path, cause))?
            }
        };
        self.fs.sync_file(&file).map_err(|cause| Error::failed(Call::SyncFile, path, cause))
    }

    fn sync_dir(&mut self, path: &RelPath) -> Result<()> {
        let dir = self.dir(RootId::STORE, path)?;
        match self.fs.sync_dir(&dir) {
            // The only answer that means that no sync was attempted; the receipt reports it.
            Err(Cause::Unsupported) => {
                self.directory_sync_missing = true;
                Ok(())
            }
            answer => answer.map_err(|cause| Error::failed(Call::SyncDirectory, path, cause)),
        }
    }

    /// Creates a hard link, or a copy if the link is refused, for whatever cause: hosts have no word for some. A copy
    /// has a mode, an owner and an inode of its own, so an entry that belongs to others is copied only if not even an
    /// own file can be linked.
    fn share(&mut self, from: &At, to: &RelPath, carry: bool) -> Result<()> {
        let linked = if from.root != RootId::STORE {
            let (source, old) = self.parent(from.root, &from.path)?;
            let (target, new) = self.parent(RootId::STORE, to)?;
            self.fs.link((&source, old), (&target, new)).map_err(|cause| Error::failed(Call::Link, to, cause))
        } else {
            self.act(&mut Act::Link { from: from.path.clone(), to: to.clone() })
        };
        let Err(refused) = linked else { return Ok(()) };
        let is_taken =
            matches!(refused.cause(), Some(Cause::AlreadyExists | Cause::NoEntry | Cause::InsufficientSpace));
        if refused.call() != Some(Call::Link) || is_taken {
            return Err(refused);
        }
        if carry && self.has_links()? {
            return Err(Error::failed(Call::Carry, from, refused.cause().unwrap_or(Cause::Other)));
        }
        match self.stat_in(from.root, &from.path)?.map(|stat| stat.kind) {
            Some(Kind::File) => {
                self.act(&mut Act::Create(to.clone()))?;
                self.copy(from, 0, u64::MAX, to)?;
                self.sync_file(to)
            }
            Some(Kind::Symlink) => {
                let target = self.read_link(from.root, &from.path)?;
                self.act(&mut Act::Symlink { target, path: to.clone() })
            }
            Some(Kind::Directory | Kind::Other) | None => Err(refused),
        }
    }

    /// Returns whether the filesystem gives a file a second name, by trying with an own file.
    fn has_links(&mut self) -> Result<bool> {
        if let Some(known) = self.has_links {
            return Ok(known);
        }
        let (first, second) = (control::entry(control::LINKED), control::entry(control::LINKED_AGAIN));
        for path in [&first, &second] {
            match self.act(&mut Act::RemoveFile(path.clone())) {
                Err(error) if error.cause() != Some(Cause::NoEntry) => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.act(&mut Act::Create(first.clone()))?;
        let linked = self.act(&mut Act::Link { from: first.clone(), to: second.clone() }).is_ok();
        if linked {
            self.act(&mut Act::RemoveFile(second))?;
        }
        self.act(&mut Act::RemoveFile(first))?;
        self.has_links = Some(linked);
        Ok(linked)
    }

    /// Closes the directories at and below a path whose name now refers to another entry.
    fn forget_below(&mut self, path: &RelPath) {
        self.directories.retain(|(root, known, _)| *root != RootId::STORE || !known.is_within(path));
    }
}
