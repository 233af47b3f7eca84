//! The part of the executor that runs plans.

use super::{Executor, Open, Result, Trace};
use crate::control;
use crate::error::{CommitPhase, Error};
use crate::fs::{Call, Cause, Fs, Kind};
use crate::limits::{COPY_BYTES, FILES_OPEN_MAX};
use crate::path::{At, RelPath, RootId};
use crate::plan::{Action, Attributes, Plan, Step};

impl<F: Fs> Executor<F> {
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
    fn act(&mut self, act: &mut Action) -> Result<()> {
        match act {
            Action::Write { path, bytes } => return self.append(path, &core::mem::take(bytes)),
            Action::Copy { from, offset, length, to } => return self.copy(from, *offset, *length, to),
            Action::Edit { path, offset, bytes } => return self.edit(path, *offset, bytes),
            Action::SetSize { path, size } => return self.set_size(path, *size),
            Action::SyncFile(path) => return self.sync_file(path),
            Action::SyncDir(path) => return self.sync_dir(path),
            Action::Share { from, to, carry } => return self.share(from, to, *carry),
            Action::SetAttributes { path, as_of } => return self.set_attributes(path, as_of),
            Action::Rename { from, to } => {
                self.close(from);
                // The open file of that name is no longer the file at that name.
                self.close(to);
            }
            Action::Link { from, .. } => self.close(from),
            Action::RemoveFile(path) => self.close(path),
            Action::RemoveDir(path) => self.forget_below(path),
            Action::MakeDir(_) | Action::Create(_) | Action::Symlink { .. } => {}
        }
        let (act, path) = (&*act, act.path());
        let source = match act {
            Action::Rename { from, .. } | Action::Link { from, .. } => Some(self.parent(RootId::STORE, from)?),
            _ => None,
        };
        let (dir, name) = self.parent(RootId::STORE, path)?;
        let done = match (act, &source) {
            (Action::MakeDir(_), _) => self.powers.make_dir(&self.fs, path, (&dir, name)),
            (Action::RemoveDir(_), _) => self.fs.remove_dir(&dir, name),
            (Action::RemoveFile(_), _) => self.fs.remove_file(&dir, name),
            (Action::Symlink { target, .. }, _) => self.fs.symlink(target, &dir, name),
            (Action::Rename { .. }, Some((source, old))) => self.fs.rename((source, old), (&dir, name)),
            (Action::Link { .. }, Some((source, old))) => self.fs.link((source, old), (&dir, name)),
            _ => self.powers.create(&self.fs, (&dir, name)).map(|file| {
                self.open.push(Open { path: path.clone(), file, length: 0, stays: false });
            }),
        };
        done.map_err(|cause| {
            let error = Error::failed(act.call(), path, cause);
            match act {
                Action::Rename { from, .. } => error.because(format!("cannot be replaced by {from}: {cause}")),
                Action::Link { from, .. } => error.because(format!("cannot be a second name of {from}: {cause}")),
                _ => error,
            }
        })?;
        if let Action::Rename { from, to } = act {
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

    /// Copies from an open file, identified by name, to the end of a file that a plan created. A piece of zeros
    /// is not written and becomes a hole, so that a copy takes no more room than its source.
    pub fn copy_open(&mut self, (file, at): (&F::File, &At), offset: u64, length: u64, to: &RelPath) -> Result<()> {
        let (mut copied, mut hole) = (0, false);
        while copied < length {
            let wanted = usize::try_from(length - copied).map_or(COPY_BYTES, |left| left.min(COPY_BYTES));
            let piece =
                self.fs.read(file, offset + copied, wanted).map_err(|cause| Error::failed(Call::Read, at, cause))?;
            if piece.is_empty() {
                break;
            }
            hole = piece.iter().all(|byte| *byte == 0);
            if hole {
                self.skip(to, piece.len() as u64)?;
            } else {
                self.append(to, &piece)?;
            }
            copied += piece.len() as u64;
        }
        if hole { self.end_with_hole(to) } else { Ok(()) }
    }

    /// Leaves a hole at the end of an open file. Its length is not set before the next write, or
    /// [`Executor::end_with_hole`].
    fn skip(&mut self, path: &RelPath, bytes: u64) -> Result<()> {
        let open = self.open.iter_mut().find(|open| open.path == *path);
        open.ok_or_else(|| Error::failed(Call::Write, path, Cause::NoEntry))?.length += bytes;
        self.moved += bytes;
        Ok(())
    }

    fn end_with_hole(&mut self, path: &RelPath) -> Result<()> {
        let open = self.open.iter().find(|open| open.path == *path);
        let open = open.ok_or_else(|| Error::failed(Call::Write, path, Cause::NoEntry))?;
        self.fs.set_size(&open.file, open.length).map_err(|cause| Error::failed(Call::Write, path, cause))
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
            self.act(&mut Action::Link { from: from.path.clone(), to: to.clone() })
        };
        let Err(refused) = linked else { return Ok(()) };
        let is_taken =
            matches!(refused.cause(), Some(Cause::AlreadyExists | Cause::NoEntry | Cause::InsufficientSpace));
        if refused.call() != Some(Call::Link) || is_taken {
            return Err(refused);
        }
        if carry && self.has_links(&control::entry(control::LINKED_AGAIN))? {
            return Err(Error::failed(Call::Carry, from, refused.cause().unwrap_or(Cause::Other)));
        }
        match self.stat_in(from.root, &from.path)?.map(|stat| stat.kind) {
            Some(Kind::File) => {
                self.act(&mut Action::Create(to.clone()))?;
                self.copy(from, 0, u64::MAX, to)?;
                self.set_attributes(to, &Attributes::Of { from: from.clone(), times: true })?;
                self.sync_file(to)
            }
            Some(Kind::Symlink) => {
                let target = self.read_link(from.root, &from.path)?;
                self.act(&mut Action::Symlink { target, path: to.clone() })
            }
            Some(Kind::Directory | Kind::Other) | None => Err(refused),
        }
    }

    /// Returns whether the filesystem gives a file this second name, which is one of ours, by trying with an own file.
    pub fn has_links(&mut self, second: &RelPath) -> Result<bool> {
        if self.lacks_links {
            return Ok(false);
        }
        let own = control::entry(control::LINKED);
        for path in [&own, second] {
            match self.act(&mut Action::RemoveFile(path.clone())) {
                Err(error) if error.cause() != Some(Cause::NoEntry) => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.act(&mut Action::Create(own.clone()))?;
        let linked = self.act(&mut Action::Link { from: own.clone(), to: second.clone() }).is_ok();
        if linked {
            self.act(&mut Action::RemoveFile(second.clone()))?;
        }
        self.act(&mut Action::RemoveFile(own))?;
        self.lacks_links = !linked;
        Ok(linked)
    }
}
