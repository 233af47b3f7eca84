//! An open workspace: the calls of the contract, and the grants that some of them need for a moment.

mod builder;

use std::io::Read;
use std::path::{Path, PathBuf};

use wasmtime::Store;
use wasmtime::component::ResourceAny;

pub use builder::WorkspaceBuilder;

use crate::Error;
use crate::bindings::types::{Durability, Error as GuestError, Finding, Receipt};
use crate::bindings::workspace::{Change, ChangePage, Entry, GuestWorkspace, Kept, Quota, Select, Stat};
use crate::grants::Access;
use crate::instance::Instance;
use crate::lock::RootLock;
use crate::options::CommitOptions;
use crate::state::State;
use builder::granted;

/// Bytes that large files are read and written in: enough that calls cost nothing, little enough
/// that memory stays small.
const CHUNK_BYTES: usize = 1 << 20;

/// Names and changes that are asked for at once.
const PAGE: u32 = 4096;

/// An open workspace: a writable upper directory over lowers that do not change.
///
/// Paths are relative to the root of the merged tree, which is `.` where a directory is asked for.
/// Every change is atomic; [`Workspace::sync`] makes durable what was done. The lowers are granted
/// for reading alone, but while [`Workspace::commit`] runs.
pub struct Workspace {
    builder: WorkspaceBuilder,
    /// Absent between a call with grants of its own and the next one.
    opened: Option<Opened>,
    recovered: Vec<Finding>,
    lock: RootLock,
}

/// An instance with an open workspace in it.
pub(crate) struct Opened {
    pub(crate) instance: Instance,
    pub(crate) resource: ResourceAny,
}

impl Opened {
    fn call<T: Send>(
        &mut self,
        run: impl FnOnce(&GuestWorkspace<'_>, &mut Store<State>, ResourceAny) -> Answer<T> + Send,
    ) -> Result<T, Error> {
        let resource = self.resource;
        self.instance.call(|guest, engine| run(&guest.onionskin_fs_workspace().workspace(), engine, resource))
    }

    fn close(mut self) -> Result<(), Error> {
        self.instance.drop_resource(self.resource)
    }
}

/// What the bindings answer with.
type Answer<T> = wasmtime::Result<Result<T, GuestError>>;

impl Workspace {
    fn new(builder: WorkspaceBuilder, lock: RootLock, mut opened: Opened) -> Result<Self, Error> {
        let resource = opened.resource;
        let recovered = opened
            .instance
            .infallible(|guest, engine| guest.onionskin_fs_workspace().workspace().call_recovered(engine, resource))?;
        // Where a commit was finished the lower is granted for writing, which ends here.
        let opened = if recovered.is_empty() { Some(opened) } else { None };
        Ok(Self { builder, opened, recovered, lock })
    }

    fn call<T: Send>(
        &mut self,
        run: impl FnOnce(&GuestWorkspace<'_>, &mut Store<State>, ResourceAny) -> Answer<T> + Send,
    ) -> Result<T, Error> {
        let opened = match self.opened.take() {
            Some(opened) => opened,
            None => self.builder.opened(Vec::new(), Access::Read, None)?,
        };
        self.opened.insert(opened).call(run)
    }

    /// As [`Workspace::call`], in an instance that has one more directory for writing, and its lock.
    fn call_with<T: Send>(
        &mut self,
        directory: &Path,
        run: impl FnOnce(&GuestWorkspace<'_>, &mut Store<State>, ResourceAny, &str) -> Answer<T> + Send,
    ) -> Result<T, Error> {
        let target = granted(directory)?;
        let name = target.guest.clone();
        let lock = RootLock::take(directory, &target.host)?;
        let is_topmost = match self.builder.lowers.first() {
            Some(lower) => granted(lower)?.host == target.host,
            None => false,
        };
        if let Some(opened) = self.opened.take() {
            opened.close()?;
        }
        let mut opened = if is_topmost {
            self.builder.calling_topmost(directory).opened(Vec::new(), Access::Write, Some(lock))?
        } else {
            self.builder.opened(vec![target], Access::Read, Some(lock))?
        };
        let answer = opened.call(|workspace, engine, resource| run(workspace, engine, resource, &name))?;
        opened.close()?;
        Ok(answer)
    }

    /// What opening found and did, in order. Empty when all was clean.
    #[must_use]
    pub fn recovered(&self) -> &[Finding] {
        &self.recovered
    }

    /// The places of the lowers, the topmost first.
    #[must_use]
    pub fn lowers(&self) -> &[PathBuf] {
        &self.builder.lowers
    }

    /// What a path is; of a link, the link itself.
    pub fn stat(&mut self, path: &str) -> Result<Stat, Error> {
        self.call(|workspace, engine, this| workspace.call_stat(engine, this, path))
    }

    /// Up to `length` bytes of a file from `offset`; fewer at its end alone. A whole file, in bounded
    /// memory, is read with [`Workspace::chunks`].
    pub fn read(&mut self, path: &str, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        self.call(|workspace, engine, this| workspace.call_read(engine, this, path, offset, length))
    }

    /// The content of a file, a chunk at a time. It ends after the first failure.
    pub fn chunks(&mut self, path: &str) -> impl Iterator<Item = Result<Vec<u8>, Error>> {
        let mut offset = Some(0);
        std::iter::from_fn(move || {
            let at = offset.take()?;
            match self.read(path, at, CHUNK_BYTES as u32) {
                Ok(chunk) if chunk.is_empty() => None,
                Ok(chunk) => {
                    offset = Some(at + chunk.len() as u64);
                    Some(Ok(chunk))
                }
                Err(error) => Some(Err(error)),
            }
        })
    }

    /// The text of a link.
    pub fn read_link(&mut self, path: &str) -> Result<String, Error> {
        self.call(|workspace, engine, this| workspace.call_read_link(engine, this, path))
    }

    /// All names in a directory, sorted.
    pub fn list(&mut self, path: &str) -> Result<Vec<Entry>, Error> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let after = entries.last().map(|entry| entry.name.clone());
            let page = self.list_page(path, after.as_deref(), PAGE)?;
            if page.is_empty() {
                return Ok(entries);
            }
            entries.extend(page);
        }
    }

    /// The names that come after `after`, at most `most` of them. An empty page is the end.
    pub fn list_page(&mut self, path: &str, after: Option<&str>, most: u32) -> Result<Vec<Entry>, Error> {
        self.call(|workspace, engine, this| workspace.call_list(engine, this, path, after, most))
    }

    /// Writes at an offset; a file that is not there is made, and a gap reads as zeros.
    pub fn write(&mut self, path: &str, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_write(engine, this, path, offset, data))
    }

    /// Writes at the end; returns the offset of the first byte.
    pub fn append(&mut self, path: &str, data: &[u8]) -> Result<u64, Error> {
        self.call(|workspace, engine, this| workspace.call_append(engine, this, path, data))
    }

    /// Gives a file other content, all or nothing. Content of any size goes through
    /// [`Workspace::put_from`].
    pub fn put(&mut self, path: &str, data: &[u8]) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_put(engine, this, path, data))
    }

    /// As [`Workspace::put`], in bounded memory. What is more than a chunk is collected where no path
    /// shows it, and a crash leaves none of it. Returns how many bytes there were.
    pub fn put_from(&mut self, path: &str, mut content: impl Read) -> Result<u64, Error> {
        let mut next = || {
            let mut chunk = Vec::new();
            let read = content.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk);
            read.map(|_| chunk).map_err(|error| Error::io("read the new content", path, error))
        };
        let mut chunk = next()?;
        if chunk.len() < CHUNK_BYTES {
            self.put(path, &chunk)?;
            return Ok(chunk.len() as u64);
        }
        let (mut draft, mut bytes) = (None, 0);
        let mut fill = || {
            while !chunk.is_empty() {
                let number = self.call(|workspace, engine, this| workspace.call_draft(engine, this, draft, &chunk))?;
                draft = Some(number);
                bytes += chunk.len() as u64;
                chunk = next()?;
            }
            Ok(())
        };
        let filled = fill();
        let Some(draft) = draft else { return filled.map(|()| bytes) };
        if let Err(error) = filled {
            // The failure that came first counts, and the next open removes what is left.
            let _ = self.call(|workspace, engine, this| workspace.call_drop_draft(engine, this, draft));
            return Err(error);
        }
        self.call(|workspace, engine, this| workspace.call_put_draft(engine, this, draft, path))?;
        Ok(bytes)
    }

    /// Sets the length of a file. Only what stays is copied.
    pub fn set_size(&mut self, path: &str, size: u64) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_set_size(engine, this, path, size))
    }

    /// Makes a directory. Over a deleted one it is empty.
    pub fn make_directory(&mut self, path: &str) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_make_directory(engine, this, path))
    }

    /// Makes a symbolic link with a relative text.
    pub fn make_symlink(&mut self, target: &str, path: &str) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_make_symlink(engine, this, target, path))
    }

    /// Removes a file, a link, or an empty directory.
    pub fn remove(&mut self, path: &str) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_remove(engine, this, path))
    }

    /// Removes what is at a path, and all below. Returns how many entries that were.
    pub fn remove_tree(&mut self, path: &str) -> Result<u64, Error> {
        self.call(|workspace, engine, this| workspace.call_remove_tree(engine, this, path))
    }

    /// Gives something another name, and replaces what had it.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_rename(engine, this, old, new))
    }

    /// All that was changed of the chosen paths: deletions first.
    pub fn changes(&mut self, paths: &Select) -> Result<Vec<Change>, Error> {
        let (mut changes, mut after) = (Vec::new(), None);
        loop {
            let page = self.changes_page(paths, after.as_deref(), PAGE)?;
            changes.extend(page.changes);
            after = page.next;
            if after.is_none() {
                return Ok(changes);
            }
        }
    }

    /// What was changed, from where a page ended, at most `most` at once.
    pub fn changes_page(&mut self, paths: &Select, after: Option<&str>, most: u32) -> Result<ChangePage, Error> {
        self.call(|workspace, engine, this| workspace.call_changes(engine, this, paths, after, most))
    }

    /// The chosen paths of the lowers that are not as they were when they were first touched.
    pub fn conflicts(&mut self, paths: &Select) -> Result<Vec<String>, Error> {
        self.call(|workspace, engine, this| workspace.call_conflicts(engine, this, paths))
    }

    /// How much the workspace may hold.
    pub fn quota(&mut self) -> Result<Quota, Error> {
        self.call(|workspace, engine, this| workspace.call_quota(engine, this).map(Ok))
    }

    /// Limits how much the workspace may hold, now and whenever it is opened. What it holds already
    /// stays.
    pub fn set_quota(&mut self, quota: Quota) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_set_quota(engine, this, quota))
    }

    /// Makes all that was done durable.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_sync(engine, this))
    }

    /// Keeps the present state, durably, under the number that is returned.
    pub fn checkpoint(&mut self, label: &str) -> Result<u64, Error> {
        self.call(|workspace, engine, this| workspace.call_checkpoint(engine, this, label))
    }

    /// The states that are kept, the oldest first.
    pub fn checkpoints(&mut self) -> Result<Vec<Kept>, Error> {
        self.call(|workspace, engine, this| workspace.call_checkpoints(engine, this))
    }

    /// Comes back to a state. The present one is kept before, under the number that is returned.
    pub fn restore(&mut self, checkpoint: u64) -> Result<u64, Error> {
        self.call(|workspace, engine, this| workspace.call_restore(engine, this, checkpoint))
    }

    /// Keeps a state no longer.
    pub fn drop_checkpoint(&mut self, checkpoint: u64) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_drop_checkpoint(engine, this, checkpoint))
    }

    /// Makes a second workspace from the present state, over the same lowers, in another upper
    /// directory, which must exist. Nothing of size is copied where hard links can be made.
    pub fn fork(&mut self, upper: impl AsRef<Path>) -> Result<Self, Error> {
        let upper = upper.as_ref();
        let options = self.builder.options(upper)?;
        self.call_with(upper, |workspace, engine, this, _| {
            let forked = workspace.call_fork(&mut *engine, this, &options)?;
            forked
                .map(|forked| forked.resource_drop(engine))
                .map_or_else(|error| Ok(Err(error)), |dropped| dropped.map(Ok))
        })?;
        self.builder.in_upper(upper).open()
    }

    /// Writes changes to the topmost lower, all or nothing. It must be named, is granted for writing
    /// for the time of this call alone, and is locked meanwhile. The workspace goes on from there.
    pub fn commit(&mut self, into: impl AsRef<Path>, options: &CommitOptions) -> Result<Receipt, Error> {
        self.call_with(into.as_ref(), |workspace, engine, this, into| {
            let receipt = workspace.call_commit(&mut *engine, this, &options.wire(into))?;
            if receipt.is_ok() {
                // Content that is not needed any more goes now; where that fails, with the next open.
                let _ = workspace.call_sync(engine, this)?;
            }
            Ok(receipt)
        })
    }

    /// Writes all that the workspace shows to an empty directory, all or nothing.
    pub fn export(&mut self, to: impl AsRef<Path>, durability: Durability) -> Result<Receipt, Error> {
        self.call_with(to.as_ref(), |workspace, engine, this, to| {
            workspace.call_export_to(engine, this, to, durability)
        })
    }

    /// Gives up all that was written, and the workspace with it. Possible on a full disk.
    pub fn discard(mut self) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_discard(engine, this))?;
        drop(self.opened);
        drop(self.lock);
        Ok(())
    }

    /// Closes the workspace, which gives the upper directory back. Dropping does the same. What was
    /// not synced may be lost with the power.
    pub fn close(mut self) -> Result<(), Error> {
        self.opened.take().map_or(Ok(()), Opened::close)
    }
}
