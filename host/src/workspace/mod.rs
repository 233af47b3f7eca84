//! An open workspace: the calls of the contract, and the temporary grants that some calls need.

mod builder;

use std::io::Read;
use std::path::{Path, PathBuf};
#[cfg(feature = "async")]
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::ResourceAny;

pub use builder::WorkspaceBuilder;

use crate::Error;
use crate::bindings::types::{Durability, Error as GuestError, ErrorKind, Finding, Receipt};
use crate::bindings::workspace::{
    Change, ChangePage, Entry, GuestWorkspace, Kept, LeftOut, Quota, Reason, Resolution, Select, Stat,
};
use crate::grants::{Access, published};
use crate::instance::Instance;
use crate::lock::RootLock;
use crate::options::CommitOptions;
use crate::state::State;
use builder::granted;

/// The size of the chunks in which large files are read and written, in bytes: large enough to make the cost
/// of calls negligible, small enough to bound memory.
const CHUNK_BYTES: usize = 1 << 20;

/// The number of names or changes that are requested at once.
const PAGE: u32 = 4096;

/// An open workspace: a writable upper directory over lowers that do not change.
///
/// Paths are relative to the root of the merged tree; as a directory, the root itself is `.`. Every change is
/// atomic; [`Workspace::sync`] makes earlier changes durable. The lowers are granted for reading only, except
/// during [`Workspace::commit`].
pub struct Workspace {
    builder: WorkspaceBuilder,
    /// `None` between a call with grants of its own and the next call.
    opened: Option<Opened>,
    recovered: Vec<Finding>,
    /// `None` where it is read beside its owner.
    lock: Option<RootLock>,
}

/// An instance with an open workspace.
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

/// The return type of the bindings.
type Answer<T> = wasmtime::Result<Result<T, GuestError>>;

impl Workspace {
    fn new(builder: WorkspaceBuilder, lock: RootLock, mut opened: Opened) -> Result<Self, Error> {
        let resource = opened.resource;
        let recovered = opened
            .instance
            .infallible(|guest, engine| guest.onionskin_fs_workspace().workspace().call_recovered(engine, resource))?;
        let recovered: Vec<Finding> = recovered
            .into_iter()
            .map(|finding| match opened.instance.grants().shown(&finding.path) {
                Some(path) => Finding { path, ..finding },
                None => finding,
            })
            .collect();
        // After a completed commit the lower is still granted for writing; dropping the instance ends this.
        let opened = if recovered.is_empty() { Some(opened) } else { None };
        Ok(Self { builder, opened, recovered, lock: Some(lock) })
    }

    /// A workspace that is read beside its owner.
    fn beside(builder: WorkspaceBuilder, opened: Opened) -> Self {
        Self { builder, opened: Some(opened), recovered: Vec::new(), lock: None }
    }

    fn call<T: Send>(
        &mut self,
        run: impl FnOnce(&GuestWorkspace<'_>, &mut Store<State>, ResourceAny) -> Answer<T> + Send,
    ) -> Result<T, Error> {
        let opened = match self.opened.take() {
            Some(opened) => opened,
            None if self.lock.is_none() => self.builder.observed()?,
            None => self.builder.opened(Vec::new(), Access::Read, None)?,
        };
        self.opened.insert(opened).call(run).map_err(|error| self.explained(error))
    }

    /// Says of a link that `pointer` publishes how to reach what it leads to.
    fn explained(&self, error: Error) -> Error {
        let Error::Guest { error: GuestError { kind: ErrorKind::SymlinkRefused, ref subject, .. }, .. } = error else {
            return error;
        };
        let links = self.builder.lowers.iter().map(|lower| lower.join(subject));
        match links.into_iter().find(|link| published(link).is_some()) {
            Some(link) => Error::Layout {
                guest: subject.clone(),
                text: format!(
                    "it is published by `pointer`, and here it is a link: a workspace over {} reads and changes what it \
                     shows",
                    link.display()
                ),
            },
            None => error,
        }
    }

    /// Lets the calls of this workspace wait up to this time for the locks of directories that they write.
    #[cfg(feature = "async")]
    pub(crate) fn waiting(mut self, time: Duration) -> Self {
        self.builder.wait = time;
        self
    }

    /// As [`Workspace::call`], in an instance with one more directory for writing, which is locked.
    fn call_with<T: Send>(
        &mut self,
        directory: &Path,
        run: impl FnOnce(&GuestWorkspace<'_>, &mut Store<State>, ResourceAny, &str) -> Answer<T> + Send,
    ) -> Result<T, Error> {
        if self.lock.is_none() {
            return Err(Error::io("write to", directory, std::io::ErrorKind::ReadOnlyFilesystem.into()));
        }
        let target = granted(directory)?;
        let name = target.guest.clone();
        let lock = RootLock::take(directory, &target.host, self.builder.wait)?;
        self.builder.trust.records(directory)?;
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

    /// Returns the findings and actions of the recovery at open, in order. Empty if the workspace was clean.
    #[must_use]
    pub fn recovered(&self) -> &[Finding] {
        &self.recovered
    }

    /// Returns the paths of the lowers, the topmost first.
    #[must_use]
    pub fn lowers(&self) -> &[PathBuf] {
        &self.builder.lowers
    }

    /// Returns the metadata of a path; does not follow a link.
    pub fn stat(&mut self, path: &str) -> Result<Stat, Error> {
        self.call(|workspace, engine, this| workspace.call_stat(engine, this, path))
    }

    /// Reads up to `length` bytes of a file from `offset`; fewer only at its end. Use [`Workspace::chunks`]
    /// to read a whole file in bounded memory.
    pub fn read(&mut self, path: &str, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        self.call(|workspace, engine, this| workspace.call_read(engine, this, path, offset, length))
    }

    /// Iterates over the content of a file in chunks. Ends after the first error.
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

    /// Returns the text of a link.
    pub fn read_link(&mut self, path: &str) -> Result<String, Error> {
        self.call(|workspace, engine, this| workspace.call_read_link(engine, this, path))
    }

    /// Lists all names in a directory, sorted.
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

    /// Lists at most `most` names that come after `after`. An empty page is the end.
    pub fn list_page(&mut self, path: &str, after: Option<&str>, most: u32) -> Result<Vec<Entry>, Error> {
        self.call(|workspace, engine, this| workspace.call_list(engine, this, path, after, most))
    }

    /// Writes at an offset. A missing file is created, and a gap reads as zeros.
    pub fn write(&mut self, path: &str, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_write(engine, this, path, offset, data))
    }

    /// Appends to a file. Returns the offset of the first byte.
    pub fn append(&mut self, path: &str, data: &[u8]) -> Result<u64, Error> {
        self.call(|workspace, engine, this| workspace.call_append(engine, this, path, data))
    }

    /// Replaces the content of a file atomically. Use [`Workspace::put_from`] for content of any size.
    pub fn put(&mut self, path: &str, data: &[u8]) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_put(engine, this, path, data))
    }

    /// As [`Workspace::put`], in bounded memory. Content beyond one chunk is collected in staging, which no
    /// path shows and which a crash discards. Returns the number of bytes.
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
            // The first failure is reported, and the next open removes the rest.
            let _ = self.call(|workspace, engine, this| workspace.call_drop_draft(engine, this, draft));
            return Err(error);
        }
        self.call(|workspace, engine, this| workspace.call_put_draft(engine, this, draft, path))?;
        Ok(bytes)
    }

    /// Sets the length of a file, in bytes. Only the remaining content is copied.
    pub fn set_size(&mut self, path: &str, size: u64) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_set_size(engine, this, path, size))
    }

    /// Creates a directory. In place of a deleted directory it is empty.
    pub fn make_directory(&mut self, path: &str) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_make_directory(engine, this, path))
    }

    /// Creates a symbolic link with a relative text.
    pub fn make_symlink(&mut self, target: &str, path: &str) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_make_symlink(engine, this, target, path))
    }

    /// Removes a file, a link, or an empty directory.
    pub fn remove(&mut self, path: &str) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_remove(engine, this, path))
    }

    /// Removes the entry at a path, with all entries below. Returns the number of removed entries.
    pub fn remove_tree(&mut self, path: &str) -> Result<u64, Error> {
        self.call(|workspace, engine, this| workspace.call_remove_tree(engine, this, path))
    }

    /// Renames an entry, and replaces an existing entry of the new name.
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

    /// Resolves the conflicts of the chosen paths, all of them or none: the present state of the lowers is taken into
    /// the workspace, which alone changes. Returns their paths.
    pub fn refresh(&mut self, paths: &Select, resolution: Resolution) -> Result<Vec<String>, Error> {
        self.call(|workspace, engine, this| workspace.call_refresh(engine, this, paths, resolution))
    }

    /// Returns the quota of the workspace.
    pub fn quota(&mut self) -> Result<Quota, Error> {
        self.call(|workspace, engine, this| workspace.call_quota(engine, this).map(Ok))
    }

    /// Sets the quota of the workspace, and records it for later opens. Existing content stays.
    pub fn set_quota(&mut self, quota: Quota) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_set_quota(engine, this, quota))
    }

    /// Makes all earlier changes durable.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_sync(engine, this))
    }

    /// Saves the current state durably. Returns the number of the checkpoint.
    pub fn checkpoint(&mut self, label: &str) -> Result<u64, Error> {
        self.call(|workspace, engine, this| workspace.call_checkpoint(engine, this, label))
    }

    /// Returns the checkpoints, the oldest first.
    pub fn checkpoints(&mut self) -> Result<Vec<Kept>, Error> {
        self.call(|workspace, engine, this| workspace.call_checkpoints(engine, this))
    }

    /// Restores a checkpoint. The current state is saved before, as a checkpoint whose number is returned.
    pub fn restore(&mut self, checkpoint: u64) -> Result<u64, Error> {
        self.call(|workspace, engine, this| workspace.call_restore(engine, this, checkpoint))
    }

    /// Removes a checkpoint.
    pub fn drop_checkpoint(&mut self, checkpoint: u64) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_drop_checkpoint(engine, this, checkpoint))
    }

    /// Creates a second workspace with the current state, over the same lowers, in another upper directory,
    /// which must exist. File content is not copied where hard links can be made.
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

    /// Returns the entries that an export leaves out, each with the reason: pipes, sockets and devices, and what
    /// must not be read. An absolute link is not among them.
    pub fn left_outs(&mut self) -> Result<Vec<LeftOut>, Error> {
        let mut left_outs = self.call(|workspace, engine, this| workspace.call_left_outs(engine, this))?;
        left_outs.retain(|left| left.reason != Reason::AbsoluteLink);
        Ok(left_outs)
    }

    /// Writes all that the workspace shows to an empty directory, all or nothing, except what
    /// [`Workspace::left_outs`] lists. Absolute links, which the component cannot read, are made once that is
    /// done.
    pub fn export(&mut self, to: impl AsRef<Path>, durability: Durability) -> Result<Receipt, Error> {
        let mut left_outs = self.call(|workspace, engine, this| workspace.call_left_outs(engine, this))?;
        let without: Vec<String> = left_outs.iter().map(|left| left.path.clone()).collect();
        left_outs.retain(|left| left.reason == Reason::AbsoluteLink);
        let to = to.as_ref();
        let receipt = self.call_with(to, |workspace, engine, this, to| {
            workspace.call_export_to(engine, this, to, &without, durability)
        })?;
        for link in left_outs {
            self.copy_link(&link, to)?;
        }
        Ok(receipt)
    }

    /// Makes a link with the text of one of a lower.
    fn copy_link(&self, link: &LeftOut, to: &Path) -> Result<(), Error> {
        let there = self.lowers().iter().map(|lower| lower.join(&link.source)).find(|it| it.is_symlink());
        let Some(source) = there else { return Ok(()) };
        let place = to.join(&link.path);
        let parent = place.parent().unwrap_or(to);
        std::fs::read_link(&source)
            .and_then(|text| std::os::unix::fs::symlink(text, &place))
            .and_then(|()| std::fs::File::open(parent)?.sync_all())
            .map_err(|error| Error::io("copy the link to", &place, error))
    }

    /// Discards all changes, and the workspace itself. Works on a full disk.
    pub fn discard(mut self) -> Result<(), Error> {
        self.call(|workspace, engine, this| workspace.call_discard(engine, this))?;
        drop(self.opened);
        drop(self.lock);
        Ok(())
    }

    /// Closes the workspace, and releases the upper directory. Dropping does the same. Changes that are not
    /// synced can be lost in a power failure.
    pub fn close(mut self) -> Result<(), Error> {
        self.opened.take().map_or(Ok(()), Opened::close)
    }
}
