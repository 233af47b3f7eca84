//! The executor: the only place where storage changes.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind, Side};
use crate::fs::{Cause, Fs, Kind, Stat};
use crate::limits::{COPY_BYTES, DIRECTORIES_OPEN_MAX, FILES_OPEN_MAX};
use crate::path::RelPath;
use crate::plan::{Act, At, Plan, RootId, Step};

/// The answer of a call on the filesystem.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// A step that ran, for those who want to see the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What it did.
    pub verb: &'static str,
    /// The step, without the bytes it wrote.
    pub act: Act,
    /// Bytes written or copied.
    pub bytes: u64,
    /// Why it was there.
    pub why: &'static str,
    /// Whether it decided.
    pub commits: bool,
}

/// A file that this executor created and has not synced or renamed yet, or one that it writes in place.
struct Open<F> {
    path: RelPath,
    file: F,
    length: u64,
    /// It was there before, and is written in place: again and again, most likely.
    stays: bool,
}

/// Runs plans on a filesystem, and is the door through which the core reads it.
///
/// Directories are opened one component at a time, without following links. The last few stay open
/// until [`Exec::forget`]: the owner calls it when others may have moved them.
pub struct Exec<F: Fs> {
    fs: F,
    roots: Vec<Rc<F::Dir>>,
    /// The oldest first; few, because each is a file descriptor of the host.
    directories: Vec<(RootId, RelPath, Rc<F::Dir>)>,
    open: Vec<Open<F::File>>,
    /// The file that was read last by [`Exec::read_at`].
    reading: Option<(At, F::File)>,
    trace: Option<Vec<Trace>>,
    directory_sync_missing: bool,
    moved: u64,
}

impl<F: Fs> Exec<F> {
    /// An executor on an open root, which is [`RootId::STORE`].
    pub fn new(fs: F, root: Rc<F::Dir>) -> Self {
        Self {
            fs,
            roots: [root].into(),
            directories: Vec::new(),
            open: Vec::new(),
            reading: None,
            trace: None,
            directory_sync_missing: false,
            moved: 0,
        }
    }

    /// Adds a directory that content may be read from.
    pub fn add_root(&mut self, root: Rc<F::Dir>) -> RootId {
        self.roots.push(root);
        RootId(self.roots.len() - 1)
    }

    /// Closes the directories that were kept open.
    pub fn forget(&mut self) {
        self.directories.clear();
    }

    /// Bytes that were written and copied until now.
    pub const fn moved(&self) -> u64 {
        self.moved
    }

    /// Closes the directories that were kept open, but those of the store: nobody moves these.
    pub fn forget_sources(&mut self) {
        self.directories.retain(|(root, _, _)| *root == RootId::STORE);
        self.reading = None;
    }

    /// Whether a directory could not be synced because the host has no such call.
    pub const fn lacks_directory_sync(&self) -> bool {
        self.directory_sync_missing
    }

    /// Begins to remember the steps that run.
    pub fn start_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    /// The steps that ran since the last call.
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
                        self.fs.open_dir(&dir, name).map_err(|cause| failed("open directory", &reached, cause))?,
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

    /// What stands at a path of the store; nothing when there is no such name. A missing parent is an
    /// error.
    pub fn stat(&mut self, path: &RelPath) -> Result<Option<Stat>> {
        self.stat_in(RootId::STORE, path)
    }

    /// As [`Exec::stat`], below any root.
    pub fn stat_in(&mut self, root: RootId, path: &RelPath) -> Result<Option<Stat>> {
        let Some((parent, name)) = path.split() else {
            return Ok(Some(Stat { kind: Kind::Directory, links: 1, size: 0, modified: None }));
        };
        let dir = self.dir(root, &parent)?;
        match self.fs.stat(&dir, name) {
            Ok(stat) => Ok(Some(stat)),
            Err(Cause::NoEntry) => Ok(None),
            Err(cause) => Err(failed("stat", path, cause)),
        }
    }

    /// As [`Exec::stat_in`], where something must stand.
    pub fn look(&mut self, at: &At) -> Result<Stat> {
        self.stat_in(at.root, &at.path)?.ok_or_else(|| ErrorKind::NotFound.at(&at.path))
    }

    /// As [`Exec::stat`], and where the parent is no directory nothing stands there either.
    pub fn stat_deep(&mut self, path: &RelPath) -> Result<Option<Stat>> {
        match self.stat(path) {
            Err(error) if matches!(error.cause(), Some(Cause::NoEntry | Cause::NotDirectory | Cause::Loop)) => Ok(None),
            answer => answer,
        }
    }

    /// The kind of what stands at a path of the store, as [`Exec::stat_deep`] finds it.
    pub fn kind(&mut self, path: &RelPath) -> Result<Option<Kind>> {
        Ok(self.stat_deep(path)?.map(|stat| stat.kind))
    }

    /// The names in a directory, in no order.
    pub fn list(&mut self, root: RootId, path: &RelPath) -> Result<Vec<(String, Kind)>> {
        let dir = self.dir(root, path)?;
        self.fs.list(&dir).map_err(|cause| failed("list", path, cause))
    }

    /// The text of a link.
    pub fn read_link(&mut self, root: RootId, path: &RelPath) -> Result<String> {
        let (dir, name) = self.parent(root, path)?;
        self.fs.read_link(&dir, name).map_err(|cause| failed("read link", path, cause))
    }

    /// Reads a whole file in pieces; `each` says whether to go on. A pipe must have been ruled out.
    pub fn read_pieces(&mut self, at: &At, each: &mut dyn FnMut(&[u8]) -> bool) -> Result<()> {
        let (dir, name) = self.parent(at.root, &at.path)?;
        let file = self.fs.open_file(&dir, name).map_err(|cause| failed("open", &at.path, cause))?;
        let mut offset = 0;
        loop {
            let piece = self.fs.read(&file, offset, COPY_BYTES).map_err(|cause| failed("read", &at.path, cause))?;
            if piece.is_empty() || !each(&piece) {
                return Ok(());
            }
            offset += piece.len() as u64;
        }
    }

    /// Reads up to `length` bytes from `offset`; fewer at the end of the file alone. The file stays
    /// open for the next such read, until [`Exec::forget_sources`] or a read from its start.
    pub fn read_at(&mut self, at: &At, mut offset: u64, length: usize) -> Result<Vec<u8>> {
        if offset == 0 || self.reading.as_ref().is_none_or(|(known, _)| known != at) {
            let (dir, name) = self.parent(at.root, &at.path)?;
            let file = self.fs.open_file(&dir, name).map_err(|cause| failed("open", &at.path, cause))?;
            self.reading = Some((at.clone(), file));
        }
        let mut whole = Vec::new();
        while let Some((_, file)) = &self.reading
            && whole.len() < length
        {
            let wanted = (length - whole.len()).min(COPY_BYTES);
            let piece = self.fs.read(file, offset, wanted).map_err(|cause| failed("read", &at.path, cause))?;
            if piece.is_empty() {
                break;
            }
            offset += piece.len() as u64;
            // The usual read is of one piece, which need not be copied.
            if whole.is_empty() { whole = piece } else { whole.extend_from_slice(&piece) }
        }
        Ok(whole)
    }

    /// The filesystem, for what is open.
    pub const fn fs(&self) -> &F {
        &self.fs
    }

    /// Opens a file that was found to be one, for a caller who keeps it; to write in place, one's own
    /// alone.
    pub fn open_one(&mut self, at: &At, write: bool) -> Result<F::File> {
        let (dir, name) = self.parent(at.root, &at.path)?;
        let opened = if write { self.fs.open_to_write(&dir, name) } else { self.fs.open_file(&dir, name) };
        opened.map_err(|cause| failed("open", &at.path, cause))
    }

    /// Syncs a file that a caller keeps open, by the path that it was opened by.
    pub fn sync_open(&mut self, file: &F::File, path: &RelPath) -> Result<()> {
        self.fs.sync_file(file).map_err(|cause| failed("sync file", path, cause))
    }

    /// A number that tells a directory from every other; nothing where the host has no such call.
    pub fn identity(&mut self, at: &At) -> Result<Option<u128>> {
        let dir = self.dir(at.root, &at.path)?;
        match self.fs.identity(&dir) {
            Ok(identity) => Ok(Some(identity)),
            Err(Cause::Unsupported) => Ok(None),
            Err(cause) => Err(Error::failed("identify", at.path.shown(), cause)),
        }
    }

    /// As [`Exec::identity`], of a file with several names.
    pub fn identity_of(&mut self, at: &At) -> Result<u128> {
        let (dir, name) = self.parent(at.root, &at.path)?;
        self.fs.identity_of(&dir, name).map_err(|cause| failed("identify", &at.path, cause))
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

    /// Reads a whole file, or nothing when it is longer than `maximum` or than memory has room for.
    pub fn read_whole(&mut self, path: &RelPath, maximum: u64) -> Result<Option<Vec<u8>>> {
        let size = self.stat(path)?.map_or(0, |stat| stat.size);
        let mut whole = Vec::new();
        let fits = usize::try_from(size).is_ok_and(|size| whole.try_reserve_exact(size).is_ok());
        if size > maximum || !fits {
            return Ok(None);
        }
        let mut grew = false;
        self.read_pieces(&At::store(path.clone()), &mut |piece| {
            // Without growing: memory was asked for once, and a log is never appended to.
            grew = piece.len() > whole.capacity() - whole.len();
            if !grew {
                whole.extend_from_slice(piece);
            }
            !grew
        })?;
        Ok((!grew).then_some(whole))
    }

    /// Whether a rename from the directory `from` can reach `to`, that is, no mount point lies
    /// between. Asked before a decision, by a rename of a name that does not exist: it changes
    /// nothing, and only "no such entry" is a yes.
    pub fn check_reach(&mut self, from: &RelPath, to: &RelPath, name: &str) -> Result<()> {
        let (source, target) = (self.dir(RootId::STORE, from)?, self.dir(RootId::STORE, to)?);
        match self.fs.rename((&source, name), (&target, name)) {
            Ok(()) => Err(failed("move content into", to, Cause::AlreadyExists)),
            Err(Cause::NoEntry) => Ok(()),
            Err(cause) => Err(failed("move content into", to, cause)),
        }
    }

    fn parent<'a>(&mut self, root: RootId, path: &'a RelPath) -> Result<(Rc<F::Dir>, &'a str)> {
        let (parent, name) = path.split().ok_or_else(|| failed("use", path, Cause::IsDirectory))?;
        Ok((self.dir(root, &parent)?, name))
    }

    // ---- changing

    /// Runs a plan to its end, or to the first step that fails: [`Error::side`] tells where that is.
    pub fn run(&mut self, plan: Plan) -> Result<()> {
        let mut side = Side::Before;
        for step in plan.into_steps() {
            let commits = step.commits;
            if commits {
                side = Side::At;
            }
            self.step(step).map_err(|error| error.of_plan(side))?;
            if commits {
                side = Side::After;
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

    /// Carries out one act. A write gives its bytes away.
    fn act(&mut self, act: &mut Act) -> Result<()> {
        match act {
            Act::Write { path, bytes } => return self.append(path, &core::mem::take(bytes)),
            Act::Copy { from, offset, length, to } => return self.copy(from, *offset, *length, to),
            Act::Edit { path, offset, bytes } => return self.edit(path, *offset, bytes),
            Act::SetSize { path, size } => return self.set_size(path, *size),
            Act::SyncFile(path) => return self.sync_file(path),
            Act::SyncDir(path) => return self.sync_dir(path),
            Act::Share { from, to } => return self.share(from, to),
            Act::Rename { from, to } => {
                self.close(from);
                // What was open by that name is another file now.
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
        done.map_err(|cause| failed(act.verb(), path, cause))?;
        if let Act::Rename { from, to } = act {
            self.forget_below(from);
            self.forget_below(to);
        }
        Ok(())
    }

    /// Closes a file that a plan created and will not write to any more.
    pub fn close(&mut self, path: &RelPath) {
        self.take_open(path);
    }

    /// Takes a file out of those that are open; dropping it closes it.
    fn take_open(&mut self, path: &RelPath) -> Option<Open<F::File>> {
        let index = self.open.iter().position(|open| open.path == *path)?;
        Some(self.open.swap_remove(index))
    }

    fn append(&mut self, path: &RelPath, bytes: &[u8]) -> Result<()> {
        self.write(path, None, bytes)
    }

    /// Writes all of the bytes into an open file, at its end or at an offset.
    fn write(&mut self, path: &RelPath, at: Option<u64>, bytes: &[u8]) -> Result<()> {
        let open = self
            .open
            .iter_mut()
            .find(|open| open.path == *path)
            .ok_or_else(|| failed("write", path, Cause::NoEntry))?;
        let mut offset = at.unwrap_or(open.length);
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.fs.write(&open.file, offset, rest).map_err(|cause| failed("write", path, cause))?;
            if taken == 0 || taken > rest.len() {
                return Err(failed("write", path, Cause::Io));
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
        self.fs.set_size(&open.file, size).map_err(|cause| failed("write", path, cause))
    }

    /// A file of one's own, open for writing in place. Of those that stay open the oldest closes.
    fn opened(&mut self, path: &RelPath) -> Result<usize> {
        if let Some(index) = self.open.iter().position(|open| open.path == *path) {
            return Ok(index);
        }
        let (dir, name) = self.parent(RootId::STORE, path)?;
        let file = self.fs.open_to_write(&dir, name).map_err(|cause| failed("open", path, cause))?;
        if self.open.len() >= FILES_OPEN_MAX {
            self.open.remove(0);
        }
        self.open.push(Open { path: path.clone(), file, length: 0, stays: true });
        Ok(self.open.len() - 1)
    }

    fn copy(&mut self, from: &At, offset: u64, length: u64, to: &RelPath) -> Result<()> {
        let (dir, name) = self.parent(from.root, &from.path)?;
        let size = self.fs.stat(&dir, name).map_err(|cause| failed("stat", &from.path, cause))?.size;
        let file = self.fs.open_file(&dir, name).map_err(|cause| failed("open", &from.path, cause))?;
        // A source that grows while it is copied would have no end. One without a size has to end
        // by itself: what `/proc` shows is such a file.
        let length = if size == 0 { length } else { length.min(size.saturating_sub(offset)) };
        self.copy_open((&file, &from.path), offset, length, to)
    }

    /// Copies from what is open, by the name it goes by, to the end of a file that a plan created.
    pub fn copy_open(
        &mut self,
        (file, name): (&F::File, &RelPath),
        offset: u64,
        length: u64,
        to: &RelPath,
    ) -> Result<()> {
        let mut copied = 0;
        while copied < length {
            let wanted = usize::try_from(length - copied).map_or(COPY_BYTES, |left| left.min(COPY_BYTES));
            let piece = self.fs.read(file, offset + copied, wanted).map_err(|cause| failed("read", name, cause))?;
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
            return self.fs.sync_data(&open.file).map_err(|cause| failed("sync file", path, cause));
        }
        let file = match self.take_open(path) {
            Some(open) => open.file,
            None => {
                let (dir, name) = self.parent(RootId::STORE, path)?;
                self.fs.open_file(&dir, name).map_err(|cause| failed("open", path, cause))?
            }
        };
        self.fs.sync_file(&file).map_err(|cause| failed("sync file", path, cause))
    }

    fn sync_dir(&mut self, path: &RelPath) -> Result<()> {
        let dir = self.dir(RootId::STORE, path)?;
        match self.fs.sync_dir(&dir) {
            // The one answer that says nothing was tried: the receipt tells instead.
            Err(Cause::Unsupported) => {
                self.directory_sync_missing = true;
                Ok(())
            }
            answer => answer.map_err(|cause| failed("sync directory", path, cause)),
        }
    }

    /// Links; where the filesystem has no hard links, copies. Both give the name the content, but a
    /// copy has a mode of its own, so any other failure stays one.
    fn share(&mut self, from: &At, to: &RelPath) -> Result<()> {
        let linked = if from.root != RootId::STORE {
            let (source, old) = self.parent(from.root, &from.path)?;
            let (target, new) = self.parent(RootId::STORE, to)?;
            self.fs.link((&source, old), (&target, new)).map_err(|cause| failed("link", to, cause))
        } else {
            self.act(&mut Act::Link { from: from.path.clone(), to: to.clone() })
        };
        let Err(refused) = linked else { return Ok(()) };
        // What filesystems without hard links, or with too many to one file, answer.
        use Cause::{CrossDevice, NotPermitted, Other, Unsupported};
        let may_copy = matches!(refused.cause(), Some(Unsupported | NotPermitted | CrossDevice | Other));
        if refused.action() != "link" || !may_copy {
            return Err(refused);
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

    /// Closes the directories at and below a path whose name now means something else.
    fn forget_below(&mut self, path: &RelPath) {
        self.directories.retain(|(root, known, _)| *root != RootId::STORE || !known.is_within(path));
    }
}

fn failed(action: &str, path: &RelPath, cause: Cause) -> Error {
    Error::failed(action, path.shown(), cause)
}
