//! Workspaces whose calls are futures.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::queue::{Queue, open};
use crate::{
    Change, ChangePage, CommitOptions, Durability, Entry, Error, Finding, Kept, LeftOut, Quota, Receipt, Resolution,
    Select, Stat, Workspace, WorkspaceBuilder,
};

/// A [`Workspace`] whose calls are futures; see [`WorkspaceBuilder::open_async`].
///
/// Its threads, the order of its calls, and the effect of a dropped future are those of an
/// [`AsyncStore`](crate::AsyncStore).
pub struct AsyncWorkspace {
    queue: Queue<Workspace>,
    builder: WorkspaceBuilder,
    recovered: Vec<Finding>,
    lowers: Vec<PathBuf>,
}

impl WorkspaceBuilder {
    /// As [`WorkspaceBuilder::create`], without blocking. A future that is dropped releases the upper directory.
    pub async fn create_async(&self) -> Result<AsyncWorkspace, Error> {
        self.opened_async(Self::create).await
    }

    /// As [`WorkspaceBuilder::open`], without blocking. A future that is dropped releases the upper directory.
    pub async fn open_async(&self) -> Result<AsyncWorkspace, Error> {
        self.opened_async(Self::open).await
    }

    async fn opened_async(
        &self,
        call: impl Fn(&Self) -> Result<Workspace, Error> + Clone + Send + 'static,
    ) -> Result<AsyncWorkspace, Error> {
        let (time, builder) = (self.wait, self.clone().wait(Duration::ZERO));
        // Its calls wait where they are made: each lock that they wait for is held for one call.
        let call = move || call(&builder).map(|workspace| workspace.waiting(time));
        let opened = open(self.onionskin(), self.upper().to_owned(), time, call).await?;
        Ok(AsyncWorkspace::new(self.clone(), opened))
    }
}

impl AsyncWorkspace {
    fn new(builder: WorkspaceBuilder, workspace: Workspace) -> Self {
        let (recovered, lowers) = (workspace.recovered().to_vec(), workspace.lowers().to_vec());
        Self {
            queue: Queue::new(builder.onionskin(), builder.upper().to_owned(), workspace),
            builder,
            recovered,
            lowers,
        }
    }

    /// As [`Workspace::close`]. Dropping closes the workspace in the background, and reports no error.
    pub async fn close(self) -> Result<(), Error> {
        self.queue.take(|workspace| (None, workspace.close())).await
    }

    /// As [`Workspace::discard`].
    pub async fn discard(self) -> Result<(), Error> {
        self.queue.take(|workspace| (None, workspace.discard())).await
    }

    /// As [`Workspace::recovered`].
    #[must_use]
    pub fn recovered(&self) -> &[Finding] {
        &self.recovered
    }

    /// As [`Workspace::lowers`].
    #[must_use]
    pub fn lowers(&self) -> &[PathBuf] {
        &self.lowers
    }

    /// As [`Workspace::fork`].
    pub async fn fork(&self, upper: impl AsRef<Path> + Send) -> Result<Self, Error> {
        let upper = upper.as_ref().to_owned();
        let builder = self.builder.in_upper(&upper);
        let forked = self.queue.call(move |workspace| workspace.fork(upper)).await?;
        Ok(Self::new(builder, forked))
    }

    /// As [`Workspace::commit`].
    pub async fn commit(&self, into: impl AsRef<Path> + Send, options: &CommitOptions) -> Result<Receipt, Error> {
        let (into, options) = (into.as_ref().to_owned(), options.clone());
        self.queue.call(move |workspace| workspace.commit(into, &options)).await
    }

    /// As [`Workspace::export`].
    pub async fn export(&self, to: impl AsRef<Path> + Send, durability: Durability) -> Result<Receipt, Error> {
        let to = to.as_ref().to_owned();
        self.queue.call(move |workspace| workspace.export(to, durability)).await
    }

    /// As [`Workspace::put_from`]. The content is read on the thread of the call.
    pub async fn put_from(&self, path: &str, content: impl Read + Send + 'static) -> Result<u64, Error> {
        let path = path.to_owned();
        self.queue.call(move |workspace| workspace.put_from(&path, content)).await
    }

    /// As [`Workspace::list_page`].
    pub async fn list_page(&self, path: &str, after: Option<&str>, most: u32) -> Result<Vec<Entry>, Error> {
        let (path, after) = (path.to_owned(), after.map(str::to_owned));
        self.queue.call(move |workspace| workspace.list_page(&path, after.as_deref(), most)).await
    }

    /// As [`Workspace::changes_page`].
    pub async fn changes_page(&self, paths: &Select, after: Option<&str>, most: u32) -> Result<ChangePage, Error> {
        let (paths, after) = (paths.clone(), after.map(str::to_owned));
        self.queue.call(move |workspace| workspace.changes_page(&paths, after.as_deref(), most)).await
    }

    /// As [`Workspace::stat`].
    pub async fn stat(&self, path: &str) -> Result<Stat, Error> {
        let path = path.to_owned();
        self.queue.call(move |workspace| workspace.stat(&path)).await
    }

    /// As [`Workspace::read`].
    pub async fn read(&self, path: &str, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        let path = path.to_owned();
        self.queue.call(move |workspace| workspace.read(&path, offset, length)).await
    }

    /// As [`Workspace::read_link`].
    pub async fn read_link(&self, path: &str) -> Result<String, Error> {
        let path = path.to_owned();
        self.queue.call(move |workspace| workspace.read_link(&path)).await
    }

    /// As [`Workspace::list`].
    pub async fn list(&self, path: &str) -> Result<Vec<Entry>, Error> {
        let path = path.to_owned();
        self.queue.call(move |workspace| workspace.list(&path)).await
    }

    /// As [`Workspace::write`].
    pub async fn write(&self, path: &str, offset: u64, data: impl Into<Vec<u8>> + Send) -> Result<(), Error> {
        let (path, data) = (path.to_owned(), data.into());
        self.queue.call(move |workspace| workspace.write(&path, offset, &data)).await
    }

    /// As [`Workspace::append`].
    pub async fn append(&self, path: &str, data: impl Into<Vec<u8>> + Send) -> Result<u64, Error> {
        let (path, data) = (path.to_owned(), data.into());
        self.queue.call(move |workspace| workspace.append(&path, &data)).await
    }

    /// As [`Workspace::put`].
    pub async fn put(&self, path: &str, data: impl Into<Vec<u8>> + Send) -> Result<(), Error> {
        let (path, data) = (path.to_owned(), data.into());
        self.queue.call(move |workspace| workspace.put(&path, &data)).await
    }

    /// As [`Workspace::set_size`].
    pub async fn set_size(&self, path: &str, size: u64) -> Result<(), Error> {
        let path = path.to_owned();
        self.queue.call(move |workspace| workspace.set_size(&path, size)).await
    }

    /// As [`Workspace::make_directory`].
    pub async fn make_directory(&self, path: &str) -> Result<(), Error> {
        let path = path.to_owned();
        self.queue.call(move |workspace| workspace.make_directory(&path)).await
    }

    /// As [`Workspace::make_symlink`].
    pub async fn make_symlink(&self, target: &str, path: &str) -> Result<(), Error> {
        let (target, path) = (target.to_owned(), path.to_owned());
        self.queue.call(move |workspace| workspace.make_symlink(&target, &path)).await
    }

    /// As [`Workspace::remove`].
    pub async fn remove(&self, path: &str) -> Result<(), Error> {
        let path = path.to_owned();
        self.queue.call(move |workspace| workspace.remove(&path)).await
    }

    /// As [`Workspace::remove_tree`].
    pub async fn remove_tree(&self, path: &str) -> Result<u64, Error> {
        let path = path.to_owned();
        self.queue.call(move |workspace| workspace.remove_tree(&path)).await
    }

    /// As [`Workspace::rename`].
    pub async fn rename(&self, old: &str, new: &str) -> Result<(), Error> {
        let (old, new) = (old.to_owned(), new.to_owned());
        self.queue.call(move |workspace| workspace.rename(&old, &new)).await
    }

    /// As [`Workspace::changes`].
    pub async fn changes(&self, paths: &Select) -> Result<Vec<Change>, Error> {
        let paths = paths.clone();
        self.queue.call(move |workspace| workspace.changes(&paths)).await
    }

    /// As [`Workspace::conflicts`].
    pub async fn conflicts(&self, paths: &Select) -> Result<Vec<String>, Error> {
        let paths = paths.clone();
        self.queue.call(move |workspace| workspace.conflicts(&paths)).await
    }

    /// As [`Workspace::refresh`].
    pub async fn refresh(&self, paths: &Select, resolution: Resolution) -> Result<Vec<String>, Error> {
        let paths = paths.clone();
        self.queue.call(move |workspace| workspace.refresh(&paths, resolution)).await
    }

    /// As [`Workspace::quota`].
    pub async fn quota(&self) -> Result<Quota, Error> {
        self.queue.call(Workspace::quota).await
    }

    /// As [`Workspace::set_quota`].
    pub async fn set_quota(&self, quota: Quota) -> Result<(), Error> {
        self.queue.call(move |workspace| workspace.set_quota(quota)).await
    }

    /// As [`Workspace::sync`].
    pub async fn sync(&self) -> Result<(), Error> {
        self.queue.call(Workspace::sync).await
    }

    /// As [`Workspace::checkpoint`].
    pub async fn checkpoint(&self, label: &str) -> Result<u64, Error> {
        let label = label.to_owned();
        self.queue.call(move |workspace| workspace.checkpoint(&label)).await
    }

    /// As [`Workspace::checkpoints`].
    pub async fn checkpoints(&self) -> Result<Vec<Kept>, Error> {
        self.queue.call(Workspace::checkpoints).await
    }

    /// As [`Workspace::restore`].
    pub async fn restore(&self, checkpoint: u64) -> Result<u64, Error> {
        self.queue.call(move |workspace| workspace.restore(checkpoint)).await
    }

    /// As [`Workspace::drop_checkpoint`].
    pub async fn drop_checkpoint(&self, checkpoint: u64) -> Result<(), Error> {
        self.queue.call(move |workspace| workspace.drop_checkpoint(checkpoint)).await
    }

    /// As [`Workspace::left_outs`].
    pub async fn left_outs(&self) -> Result<Vec<LeftOut>, Error> {
        self.queue.call(Workspace::left_outs).await
    }
}
