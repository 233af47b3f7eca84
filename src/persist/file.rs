//! One file: staged in the control directory, synced, renamed to its name.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use serde_core::de::IgnoredAny;

use crate::control;
use crate::error::{Error, ErrorKind, Limit, Side};
use crate::fs::{Cause, Fs, Kind};
use crate::limits::{CHUNK_BYTES_MAX, COPY_BYTES};
use crate::path::RelPath;
use crate::persist::companions;
use crate::plan::{At, Plan};
use crate::resolve::{Found, Missing, about_given};
use crate::store::{Durability, Precondition, Receipt, State, Store, WriteOptions, parse};

/// Appends the steps that stage the content of one file.
pub fn stage(plan: &mut Plan, staged: &RelPath, bytes: Vec<u8>, durability: Durability) {
    begin(plan, staged);
    if !bytes.is_empty() {
        plan.write(staged, bytes, "the new content");
    }
    end(plan, staged, durability);
}

/// Appends the step that begins a staged file.
pub fn begin(plan: &mut Plan, staged: &RelPath) {
    plan.create(staged, "new content never goes into a file that exists");
}

/// Appends the step that ends a staged file.
pub fn end(plan: &mut Plan, staged: &RelPath, durability: Durability) {
    if durability >= Durability::Data {
        plan.sync_file(staged, "or the name could come before the content: an empty file");
    }
}

/// The plan that gives staged content its name. With `exclusive` a taken name fails, even one that
/// was taken a moment ago.
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
    /// Gives a file new content, all or nothing.
    ///
    /// # Errors
    /// See the contract of `store.replace`.
    pub fn replace(&self, path: &str, data: Vec<u8>, how: &WriteOptions) -> Result<Receipt, Error> {
        check_chunk(path, data.len())?;
        let path = parse(path)?;
        let state = &mut *self.state.borrow_mut();
        state.check_usable()?;
        state.replace(&path, data, how)
    }

    /// As [`Store::replace`], for text that must be JSON.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidJson`] before anything is touched.
    pub fn replace_json(&self, path: &str, json: &str, how: &WriteOptions) -> Result<Receipt, Error> {
        serde_json::from_str::<IgnoredAny>(json)
            .map_err(|error| ErrorKind::InvalidJson.because(path, &wrong_json(&error)))?;
        self.replace(path, json.as_bytes().to_vec(), how)
    }

    /// Begins content of any size for one file.
    ///
    /// # Errors
    /// As for [`Store::replace`], before anything is staged.
    pub fn writer(&self, path: &str, how: &WriteOptions) -> Result<Writer<F>, Error> {
        let path = parse(path)?;
        let state = &mut *self.state.borrow_mut();
        state.check_usable()?;
        let found = state.resolve(&path, how.symlinks, Missing::Refuse)?;
        let staged = state.begin_file()?;
        Ok(Writer {
            state: Rc::clone(&self.state),
            staged: Some(staged),
            found,
            how: how.clone(),
            bytes: 0,
            broken: false,
        })
    }
}

/// Content for one file, on its way. Dropping it leaves nothing behind.
pub struct Writer<F: Fs> {
    state: Rc<RefCell<State<F>>>,
    staged: Option<RelPath>,
    found: Found,
    how: WriteOptions,
    bytes: u64,
    broken: bool,
}

impl<F: Fs> Writer<F> {
    /// Appends.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`], [`ErrorKind::NotCommitted`]; then the writer can only be dropped.
    pub fn write(&mut self, chunk: Vec<u8>) -> Result<(), Error> {
        check_chunk(self.found.path.as_str(), chunk.len())?;
        let staged = self.staged()?;
        let mut plan = Plan::new();
        if !chunk.is_empty() {
            plan.write(&staged, chunk, "the new content, piece by piece");
        }
        self.grow(plan).map(|_| ())
    }

    /// Appends up to `length` bytes from `offset` of the file at a guest path; returns how many
    /// were there.
    ///
    /// # Errors
    /// As for [`Writer::write`], and what is wrong with the source.
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
        end(&mut plan, &staged, self.how.durability);
        state.run(plan)?;
        let start = state.exec.read_start(&At::store(staged.clone()), companions::DATABASE_MAGIC.len())?;
        companions::refuse_beside(state, &self.found.path, &start)?;
        if self.how.keep_identical && state.is_identical_file(&self.found, &staged)? {
            state.check_precondition(&self.found.path, &self.how.when)?;
            return state.keep(&self.found.path, self.how.durability);
        }
        self.staged = None;
        state.publish(&staged, &self.found.path, &self.how, self.bytes)
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
    /// Removes what was staged; where that fails the next open does.
    fn drop(&mut self) {
        if let Some(staged) = self.staged.take()
            && let Ok(mut state) = self.state.try_borrow_mut()
        {
            state.discard(staged);
        }
    }
}

impl<F: Fs> State<F> {
    pub(crate) fn replace(&mut self, path: &RelPath, data: Vec<u8>, how: &WriteOptions) -> Result<Receipt, Error> {
        let mut found = self.look(path, how.symlinks)?;
        let refused = companions::refuse_beside(self, &found.path, &data)
            .and_then(|()| self.check_precondition(&found.path, &how.when));
        refused.map_err(|error| about_given(error, &found.path, path))?;
        if found.path != *path {
            // Only a write that will not be refused makes links on its way into directories.
            found = self.resolve(path, how.symlinks, Missing::Refuse)?;
        }
        if how.keep_identical && self.is_identical(&found, &data)? {
            return self.keep(&found.path, how.durability);
        }
        let bytes = data.len() as u64;
        let staged = control::file(self.take_number());
        let mut plan = self.control_plan();
        stage(&mut plan, &staged, data, how.durability);
        self.run(plan).inspect_err(|_| self.discard(staged.clone()))?;
        self.publish(&staged, &found.path, how, bytes)
    }

    /// Creates a staged file that stays open for more.
    pub(crate) fn begin_file(&mut self) -> Result<RelPath, Error> {
        let staged = control::file(self.take_number());
        let mut plan = self.control_plan();
        begin(&mut plan, &staged);
        self.run(plan)?;
        Ok(staged)
    }

    /// The file at a guest path, to read from.
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

    /// Gives complete staged content its name.
    pub(crate) fn publish(
        &mut self,
        staged: &RelPath,
        target: &RelPath,
        how: &WriteOptions,
        bytes: u64,
    ) -> Result<Receipt, Error> {
        if let Err(error) = self.check_owner().and_then(|()| self.check_precondition(target, &how.when)) {
            self.discard(staged.clone());
            return Err(error);
        }
        let exclusive = matches!(how.when, Precondition::Absent);
        let mut answer = self.run(publish(staged, target, how.durability, exclusive));
        if exclusive
            && let Err(stopped) = &answer
            && stopped.side() == Side::At
        {
            if stopped.cause() == Some(Cause::AlreadyExists) {
                self.discard(staged.clone());
                return Err(ErrorKind::AlreadyExists.at(target));
            }
            // No hard links here: the check of a moment ago has to do.
            answer = self.run(publish(staged, target, how.durability, false));
        }
        answer.map_err(|stopped| self.judge(staged, stopped))?;
        Ok(self.receipt(how.durability, 1, bytes))
    }

    /// What a publish that stopped has come to.
    fn judge(&mut self, staged: &RelPath, stopped: Error) -> Error {
        match stopped.side() {
            // A rename that failed may have happened all the same: the staged name tells.
            Side::Before | Side::At if matches!(self.exec.stat(staged), Ok(Some(_))) => {
                self.discard(staged.clone());
                stopped
            }
            Side::Before | Side::At | Side::After => self.fail(stopped.with_kind(ErrorKind::OutcomeUnknown)),
        }
    }

    /// Removes a staged file that is not wanted. A failure loses nothing: the next open removes it.
    pub(crate) fn discard(&mut self, staged: RelPath) {
        let mut plan = Plan::new();
        plan.remove_file(&staged, "content that is not wanted");
        let _swept_at_the_next_open = self.exec.run(plan);
    }

    /// Whether a path is an independent file that holds just these bytes.
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
        let digest = crate::recover::survey::file_digest(&mut self.exec, staged)?;
        Ok(digest == crate::recover::survey::file_digest(&mut self.exec, &found.path)?)
    }

    /// Leaves a file alone, but makes it as durable as was asked: others may have written it.
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

/// An independent file of this length could be identical; a link or shared inode is written anew.
fn is_candidate(found: &Found, length: u64) -> bool {
    found.stat.is_some_and(|stat| stat.kind == Kind::File && stat.links == 1 && stat.size == length)
}

/// Refuses a list that is too long to hold.
pub(crate) fn check_chunk(path: &str, length: usize) -> Result<(), Error> {
    if length <= CHUNK_BYTES_MAX {
        return Ok(());
    }
    Err(Error::limit(path, Limit::ChunkBytes, CHUNK_BYTES_MAX as u64))
}

const _: () = assert!(COPY_BYTES <= CHUNK_BYTES_MAX, "a piece of a copy fits into a chunk");

/// Says where a text is not JSON.
fn wrong_json(error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "it ends too early, in" } else { "it is not well-formed in" };
    format!("{what} line {}, column {}", error.line(), error.column())
}
