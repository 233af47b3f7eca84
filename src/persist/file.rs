//! Writes of one file: the content is staged in the control directory, synced, and renamed to its target.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use serde_core::de::IgnoredAny;

use crate::control;
use crate::error::{CommitPhase, Error, ErrorKind, Limit};
use crate::fs::{Cause, Fs, Kind};
use crate::limits::{CHUNK_BYTES_MAX, COPY_BYTES};
use crate::path::{At, RelPath};
use crate::persist::companions;
use crate::plan::{Attributes, Plan};
use crate::resolve::{Found, Missing, about_given};
use crate::store::{Durability, Precondition, Receipt, State, Store, WriteOptions, parse};

/// Appends the steps that stage the content of one file.
pub fn stage(plan: &mut Plan, staged: &RelPath, bytes: Vec<u8>, as_of: Attributes, durability: Durability) {
    begin(plan, staged);
    if !bytes.is_empty() {
        plan.write(staged, bytes, "the new content");
    }
    complete(plan, staged, as_of, durability);
}

/// Appends the step that creates a staged file.
pub fn begin(plan: &mut Plan, staged: &RelPath) {
    plan.create(staged, "new content never goes into a file that exists");
}

/// Appends the steps that complete a staged file whose target is known.
fn complete(plan: &mut Plan, staged: &RelPath, as_of: Attributes, durability: Durability) {
    plan.set_attributes(staged, as_of, "or the replaced file would lose its mode and owner");
    end(plan, staged, durability);
}

/// Appends the step that makes a staged file durable.
pub fn end(plan: &mut Plan, staged: &RelPath, durability: Durability) {
    if durability >= Durability::Data {
        plan.sync_file(staged, "or the name could come before the content: an empty file");
    }
}

/// Returns the plan that renames staged content to its target. With `exclusive` the plan fails if the name
/// exists, even if it was created a moment ago.
pub fn publish(staged: &RelPath, target: &RelPath, durability: Durability, exclusive: bool) -> Plan {
    let mut plan = Plan::new();
    if exclusive {
        plan.link(staged, target, "visible, unless somebody took the name");
        plan.decides();
        plan.remove_file(staged, "it has its name now");
    } else {
        plan.rename(staged, target, "visible: the old content, or this one, never a mixture");
        plan.decides();
    }
    if durability == Durability::Full {
        plan.sync_parent(target, "or the name could lead to the old content after a power loss");
    }
    plan
}

impl<F: Fs> Store<F> {
    /// Replaces the content of a file atomically.
    ///
    /// # Errors
    ///
    /// See the contract of `store.replace`.
    pub fn replace(&self, path: &str, data: Vec<u8>, options: &WriteOptions) -> Result<Receipt, Error> {
        check_chunk(path, data.len())?;
        let path = parse(path)?;
        let state = &mut *self.state.borrow_mut();
        state.check_usable()?;
        state.replace(&path, data, options)
    }

    /// Like [`Store::replace`], for text that must be valid JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidJson`] before any change.
    pub fn replace_json(&self, path: &str, json: &str, options: &WriteOptions) -> Result<Receipt, Error> {
        // A caller that gives more than fits may have cut it.
        check_chunk(path, json.len())?;
        serde_json::from_str::<IgnoredAny>(json).map_err(|error| Error::invalid_json(path, wrong_json(&error)))?;
        self.replace(path, json.as_bytes().to_vec(), options)
    }

    /// Begins a write of any size to one file.
    ///
    /// # Errors
    ///
    /// As for [`Store::replace`], before any content is staged.
    pub fn writer(&self, path: &str, options: &WriteOptions) -> Result<Writer<F>, Error> {
        let path = parse(path)?;
        let state = &mut *self.state.borrow_mut();
        state.check_usable()?;
        let found = state.resolve(&path, options.symlinks, Missing::Refuse)?;
        let staged = state.begin_file()?;
        Ok(Writer {
            state: Rc::clone(&self.state),
            staged: Some(staged),
            found,
            options: options.clone(),
            bytes: 0,
            broken: false,
        })
    }
}

/// A write to one file that is not published yet. Dropping it removes the staged content.
pub struct Writer<F: Fs> {
    state: Rc<RefCell<State<F>>>,
    staged: Option<RelPath>,
    found: Found,
    options: WriteOptions,
    bytes: u64,
    broken: bool,
}

impl<F: Fs> Writer<F> {
    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LimitExceeded`], [`ErrorKind::NotCommitted`]; afterwards the writer can only be dropped.
    pub fn write(&mut self, chunk: Vec<u8>) -> Result<(), Error> {
        check_chunk(self.found.path.as_str(), chunk.len())?;
        let staged = self.staged()?;
        let mut plan = Plan::new();
        if !chunk.is_empty() {
            plan.write(&staged, chunk, "the new content, piece by piece");
        }
        self.grow(plan).map(|_| ())
    }

    /// Appends up to `length` bytes from `offset` of the file at a guest path. Returns the number of bytes
    /// read.
    ///
    /// # Errors
    ///
    /// As for [`Writer::write`], and the errors of the source.
    pub fn write_from(&mut self, origin: &str, offset: u64, length: u64) -> Result<u64, Error> {
        let to = self.staged()?;
        let from = self.state.borrow_mut().source_file(origin)?;
        let mut plan = Plan::new();
        plan.copy(&from, offset, length, &to, "the new content, piece by piece");
        self.grow(plan)
    }

    /// Publishes the content.
    ///
    /// # Errors
    /// As for [`Store::replace`].
    pub fn commit(mut self) -> Result<Receipt, Error> {
        let staged = self.staged()?;
        let state = &mut *self.state.borrow_mut();
        state.check_usable()?;
        let mut plan = Plan::new();
        let as_of = state.attributes_for(&self.found.path, self.found.stat.map(|stat| stat.kind));
        complete(&mut plan, &staged, as_of, self.options.durability);
        state.run(plan)?;
        let start = state.exec.read_start(&At::store(staged.clone()), companions::DATABASE_MAGIC.len())?;
        companions::refuse_beside(state, &self.found.path, &start)?;
        if self.options.keep_identical && state.is_identical_file(&self.found, &staged)? {
            state.check_precondition(&self.found.path, &self.options.when)?;
            return state.keep(&self.found.path, self.options.durability);
        }
        self.staged = None;
        state.publish(&staged, &self.found.path, &self.options, self.bytes)
    }

    fn staged(&self) -> Result<RelPath, Error> {
        match &self.staged {
            Some(staged) if !self.broken => Ok(staged.clone()),
            Some(_) | None => Err(Error::invalid_argument(
                self.found.path.shown(),
                "this writer failed before; drop it and begin again",
            )),
        }
    }

    fn grow(&mut self, plan: Plan) -> Result<u64, Error> {
        let state = &mut *self.state.borrow_mut();
        let before = state.exec.moved();
        state.run(plan).inspect_err(|_| self.broken = true)?;
        let bytes = state.exec.moved() - before;
        self.bytes += bytes;
        Ok(bytes)
    }
}

impl<F: Fs> Drop for Writer<F> {
    /// Removes the staged content; if that fails, the next open removes it.
    fn drop(&mut self) {
        if let Some(staged) = self.staged.take()
            && let Ok(mut state) = self.state.try_borrow_mut()
        {
            state.discard(staged);
        }
    }
}

impl<F: Fs> State<F> {
    pub(crate) fn replace(&mut self, path: &RelPath, data: Vec<u8>, options: &WriteOptions) -> Result<Receipt, Error> {
        let mut found = self.look(path, options.symlinks)?;
        let refused = companions::refuse_beside(self, &found.path, &data)
            .and_then(|()| self.check_precondition(&found.path, &options.when));
        refused.map_err(|error| about_given(error, &found.path, path))?;
        if found.path != *path {
            // Links on the way become directories only for a write that is not refused.
            found = self.resolve(path, options.symlinks, Missing::Refuse)?;
        }
        if options.keep_identical && self.is_identical(&found, &data)? {
            return self.keep(&found.path, options.durability);
        }
        let bytes = data.len() as u64;
        let staged = control::file(self.take_number());
        let as_of = self.attributes_for(&found.path, found.stat.map(|stat| stat.kind));
        let mut plan = self.control_plan();
        stage(&mut plan, &staged, data, as_of, options.durability);
        self.run(plan).inspect_err(|_| self.discard(staged.clone()))?;
        self.publish(&staged, &found.path, options, bytes)
    }

    /// Creates a staged file that stays open for further writes.
    pub(crate) fn begin_file(&mut self) -> Result<RelPath, Error> {
        let staged = control::file(self.take_number());
        let mut plan = self.control_plan();
        begin(&mut plan, &staged);
        self.run(plan)?;
        Ok(staged)
    }

    /// Returns the location of the file at a guest path, for reading.
    pub(crate) fn source_file(&mut self, origin: &str) -> Result<At, Error> {
        let at = self.source(origin)?;
        let found = self.resolve_source(&at).map_err(|error| error.about(origin));
        let (at, stat) = found?;
        match stat.kind {
            Kind::File => Ok(at),
            Kind::Directory => Err(ErrorKind::IsDirectory.of(origin)),
            Kind::Symlink | Kind::Other => Err(ErrorKind::NotAFile.of(origin)),
        }
    }

    /// Renames complete staged content to its target.
    pub(crate) fn publish(
        &mut self,
        staged: &RelPath,
        target: &RelPath,
        options: &WriteOptions,
        bytes: u64,
    ) -> Result<Receipt, Error> {
        if let Err(error) = self.check_owner().and_then(|()| self.check_precondition(target, &options.when)) {
            self.discard(staged.clone());
            return Err(error);
        }
        let exclusive = matches!(options.when, Precondition::Absent);
        let mut answer = self.run(publish(staged, target, options.durability, exclusive));
        if exclusive
            && let Err(stopped) = &answer
            && stopped.phase() == CommitPhase::At
        {
            if stopped.cause() == Some(Cause::AlreadyExists) {
                self.discard(staged.clone());
                return Err(ErrorKind::AlreadyExists.at(target));
            }
            // There are no hard links here: the check just made must suffice.
            answer = self.run(publish(staged, target, options.durability, false));
        }
        answer.map_err(|stopped| self.judge(staged, stopped))?;
        Ok(self.receipt(options.durability, 1, bytes))
    }

    /// Determines the outcome of a publish that stopped with an error.
    fn judge(&mut self, staged: &RelPath, stopped: Error) -> Error {
        match stopped.phase() {
            // A rename that failed may have taken effect; the presence of the staged name proves that it did
            // not.
            CommitPhase::Before | CommitPhase::At if matches!(self.exec.stat(staged), Ok(Some(_))) => {
                self.discard(staged.clone());
                stopped
            }
            CommitPhase::Before | CommitPhase::At | CommitPhase::After => {
                self.fail(stopped.with_kind(ErrorKind::OutcomeUnknown))
            }
        }
    }

    /// Removes a staged file that is not used. A failure loses nothing: the next open removes it.
    pub(crate) fn discard(&mut self, staged: RelPath) {
        let mut plan = Plan::new();
        plan.remove_file(&staged, "content that is not wanted");
        let _swept_at_the_next_open = self.exec.run(plan);
    }

    /// Checks whether a path is an independent file with exactly this content.
    fn is_identical(&mut self, found: &Found, data: &[u8]) -> Result<bool, Error> {
        if !is_candidate(found, data.len() as u64) {
            return Ok(false);
        }
        let mut rest = data;
        let mut same = true;
        self.exec.read_pieces(&At::store(found.path.clone()), &mut |piece| {
            same = rest.get(..piece.len()) == Some(piece);
            rest = rest.get(piece.len()..).unwrap_or_default();
            same
        })?;
        Ok(same && rest.is_empty())
    }

    fn is_identical_file(&mut self, found: &Found, staged: &RelPath) -> Result<bool, Error> {
        let length = self.exec.stat(staged)?.map_or(0, |stat| stat.size);
        if !is_candidate(found, length) {
            return Ok(false);
        }
        let digest = self.exec.digest(staged)?;
        Ok(digest == self.exec.digest(&found.path)?)
    }

    /// Leaves a file unchanged, but gives it the requested durability, because another process may have
    /// written it.
    fn keep(&mut self, path: &RelPath, durability: Durability) -> Result<Receipt, Error> {
        let mut plan = Plan::new();
        if durability >= Durability::Data {
            plan.sync_file(path, "the content is right but may not be durable");
        }
        if durability == Durability::Full {
            plan.sync_parent(path, "nor its name");
        }
        self.run(plan)?;
        Ok(self.receipt(durability, 0, 0))
    }
}

/// Checks whether the entry is an independent file of this length, which may be identical; a link or a shared
/// inode is written anew.
fn is_candidate(found: &Found, length: u64) -> bool {
    found.stat.is_some_and(|stat| stat.kind == Kind::File && stat.links == 1 && stat.size == length)
}

/// Refuses a list that exceeds the limit on memory.
pub(crate) fn check_chunk(path: &str, length: usize) -> Result<(), Error> {
    if length <= CHUNK_BYTES_MAX {
        return Ok(());
    }
    Err(Error::limit(path, Limit::ChunkBytes, CHUNK_BYTES_MAX as u64))
}

const _: () = assert!(COPY_BYTES <= CHUNK_BYTES_MAX, "a piece of a copy fits into a chunk");

/// Describes the position at which a text is not JSON.
fn wrong_json(error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "it ends too early, in" } else { "it is not well-formed in" };
    format!("{what} line {}, column {}", error.line(), error.column())
}
