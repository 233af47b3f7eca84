//! A transaction: changes to one directory, staged as they are made and decided together.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Limit};
use crate::fs::{Fs, Kind};
use crate::journal::{Digest, Old};
use crate::limits::ENTRIES_MAX;
use crate::path::{RelPath, RootId};
use crate::persist::companions;
use crate::persist::expect::Conditions;
use crate::persist::file::check_chunk;
use crate::persist::staging::Growing;
use crate::plan::Plan;
use crate::resolve::Missing;
use crate::store::{Durability, Receipt, State, Store, Symlinks, parse};

/// The way in which a transaction becomes visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Publish {
    /// File by file, from an intent log.
    InPlace,
    /// The whole directory at once, by two renames.
    Swap,
    /// The whole directory at once, by one rename of a link.
    Pointer,
}

/// Options of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DirectoryOptions {
    /// The way in which it becomes visible.
    pub publish: Publish,
    /// The required durability.
    pub durability: Durability,
    /// The policy for links.
    pub symlinks: Symlinks,
    /// Number of the newest generations that stay, with [`Publish::Pointer`]; at least 1, the new one.
    pub keep_generations: u32,
}

impl DirectoryOptions {
    /// Returns whether content and log are synced.
    pub(crate) fn synced(self) -> bool {
        self.durability >= Durability::Data
    }
}

/// A pending change of a transaction to one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    /// Replaces the path by a staged content.
    Put(Staged),
    /// Removes the path.
    Delete,
}

/// A change to one path, with the entry that stood there when it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) pending: Pending,
    pub(crate) old: Old,
}

impl From<Pending> for Entry {
    fn from(pending: Pending) -> Self {
        Self { pending, old: None }
    }
}

/// Changes by path.
pub(crate) type Changes = BTreeMap<RelPath, Entry>;

/// A staged content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Staged {
    pub(crate) index: u32,
    pub(crate) length: u64,
    /// Digest, if the bytes passed through this crate.
    pub(crate) digest: Option<Digest>,
    /// Whether the content is a database, which must not be placed beside the journal of another one.
    pub(crate) database: bool,
    /// Whether it is an existing file by a second name, which keeps its attributes.
    pub(crate) existing: bool,
}

/// Pending changes to one directory. Dropping it removes the staged content.
pub struct Transaction<F: Fs> {
    pub(super) state: Rc<RefCell<State<F>>>,
    pub(super) directory: RelPath,
    pub(super) options: DirectoryOptions,
    pub(super) number: u64,
    pub(super) begun: bool,
    pub(super) done: bool,
    pub(super) pending: Changes,
    pub(super) expected: Conditions,
    pub(super) growing: Option<Growing>,
    pub(super) next_index: u32,
    pub(super) bytes: u64,
}

impl<F: Fs> Store<F> {
    /// Begins a transaction on a directory; `.` is the root itself.
    ///
    /// # Errors
    /// See the contract of `store.begin`.
    pub fn begin(&self, directory: &str, options: DirectoryOptions) -> Result<Transaction<F>, Error> {
        let directory = match directory {
            "." if options.publish == Publish::InPlace => RelPath::ROOT,
            "." => return Err(Error::invalid_argument(".", "the root itself can only be changed in place")),
            path => parse(path)?,
        };
        let state = &mut *self.state.borrow_mut();
        state.check_usable()?;
        let number = state.take_number_beside(&directory)?;
        Ok(Transaction {
            state: Rc::clone(&self.state),
            directory,
            options,
            number,
            begun: false,
            done: false,
            pending: Changes::new(),
            expected: Conditions::new(),
            growing: None,
            next_index: 0,
            bytes: 0,
        })
    }
}

impl<F: Fs> Transaction<F> {
    /// Puts a file with this content.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidPath`], [`ErrorKind::LimitExceeded`], [`ErrorKind::NotCommitted`].
    pub fn put(&mut self, path: &str, data: Vec<u8>) -> Result<(), Error> {
        check_chunk(path, data.len())?;
        let path = self.parse(path)?;
        let database = companions::is_database(&data);
        self.create(&path, Some(Sha256::new()), database)?;
        self.grow(data)
    }

    /// Puts a file with the content of the file at a guest path.
    ///
    /// # Errors
    ///
    /// As for [`Transaction::put`], and the errors of the source.
    pub fn put_file(&mut self, path: &str, origin: &str) -> Result<(), Error> {
        let path = self.parse(path)?;
        let (from, size, database) = {
            let state = &mut *self.state.borrow_mut();
            state.check_usable()?;
            let from = state.source_file(origin)?;
            let size = state.exec.stat_in(from.root, &from.path)?.map_or(0, |stat| stat.size);
            let start = state.exec.read_start(&from, companions::DATABASE_MAGIC.len())?;
            (from, size, companions::is_database(&start))
        };
        self.check_bytes(&path, size)?;
        self.create(&path, None, database)?;
        let to = self.growing_path();
        let mut plan = Plan::new();
        plan.copy(&from, 0, u64::MAX, &to, "content of the transaction");
        self.extend(plan)
    }

    /// Appends to the file of the last put.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when another path was put last.
    pub fn append(&mut self, path: &str, data: Vec<u8>) -> Result<(), Error> {
        check_chunk(path, data.len())?;
        let path = self.parse(path)?;
        if self.growing.as_ref().is_none_or(|growing| growing.path != path) {
            let why = "only the file that was put last can be appended to";
            return Err(Error::invalid_argument(self.full(&path).shown(), why));
        }
        self.grow(data)
    }

    /// Removes a file or link.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`], [`ErrorKind::IsDirectory`].
    pub fn remove(&mut self, path: &str) -> Result<(), Error> {
        let path = self.parse(path)?;
        self.settle_growing()?;
        let full = self.full(&path);
        self.state.borrow().check_parked(&full)?;
        let on_disk = self.kind_on_disk(&path)?;
        match (self.pending_at(&path), on_disk) {
            (_, Some(Kind::Directory)) => return Err(ErrorKind::IsDirectory.at(&full)),
            (Some(Pending::Delete), _) | (None, None) => return Err(ErrorKind::NotFound.at(&full)),
            (Some(Pending::Put(_)), None) => {
                self.pending.remove(&path);
            }
            (Some(Pending::Put(_)) | None, Some(Kind::File | Kind::Symlink | Kind::Other)) => {
                self.check_entries(&path)?;
                self.pending.insert(path, Pending::Delete.into());
            }
        }
        Ok(())
    }

    /// Renames a file, replacing a file of the new name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`], [`ErrorKind::IsDirectory`], [`ErrorKind::SymlinkRefused`] for a link.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), Error> {
        let (old, new) = (self.parse(old)?, self.parse(new)?);
        self.settle_growing()?;
        self.check_entries(&new)?;
        let full = self.full(&old);
        self.state.borrow().check_parked(&full)?;
        let on_disk = self.kind_on_disk(&old)?;
        let staged = match (self.pending_at(&old), on_disk) {
            (Some(Pending::Put(staged)), _) => staged.clone(),
            (Some(Pending::Delete), _) | (None, None) => return Err(ErrorKind::NotFound.at(&full)),
            (None, Some(Kind::Directory)) => return Err(ErrorKind::IsDirectory.at(&full)),
            (None, Some(Kind::Symlink)) => return Err(ErrorKind::SymlinkRefused.at(&full)),
            (None, Some(Kind::Other)) => return Err(ErrorKind::NotAFile.at(&full)),
            (None, Some(Kind::File)) if old == new => return Ok(()),
            (None, Some(Kind::File)) => self.stage_existing(&old)?,
        };
        if old != new {
            if on_disk.is_some() {
                self.pending.insert(old, Pending::Delete.into());
            } else {
                self.pending.remove(&old);
            }
            self.pending.insert(new, Pending::Put(staged).into());
        }
        Ok(())
    }

    /// Sets [`DirectoryOptions::keep_generations`].
    pub const fn keep_generations(&mut self, newest: u32) {
        self.options.keep_generations = newest;
    }

    /// Decides and publishes all changes.
    ///
    /// # Errors
    /// See the contract of `transaction.commit`.
    pub fn commit(mut self) -> Result<Receipt, Error> {
        self.settle_growing()?;
        let (pending, expected) = (core::mem::take(&mut self.pending), core::mem::take(&mut self.expected));
        let state = &mut *self.state.borrow_mut();
        state.check_usable()?;
        let expected = state.resolve_expected(&self.directory, expected, self.options.symlinks)?;
        if pending.is_empty() {
            state.check_owner()?;
            return Ok(state.receipt(self.options.durability, 0, 0));
        }
        let applied = pending.len() as u64;
        let resolved = state.resolve_changes(&self.directory, (pending, expected), self.options)?;
        state.keep_attributes(self.number, &resolved, self.options)?;
        match self.options.publish {
            Publish::InPlace => state.commit_in_place(self.number, &resolved, self.options)?,
            Publish::Swap => state.commit_swap(self.number, &resolved, self.options)?,
            Publish::Pointer => state.commit_pointer(self.number, &resolved, self.options)?,
        }
        self.done = true;
        let achieved = if self.options.synced() { Durability::Full } else { Durability::Visible };
        Ok(state.receipt(achieved, applied, self.bytes))
    }

    pub(super) fn parse(&self, path: &str) -> Result<RelPath, Error> {
        let below = parse(path)?;
        parse(self.directory.join(&below).as_str()).map(|_| below)
    }

    fn kind_on_disk(&mut self, path: &RelPath) -> Result<Option<Kind>, Error> {
        let full = self.directory.join(path);
        let policy = self.options.symlinks.for_reading();
        let state = &mut *self.state.borrow_mut();
        state.check_usable()?;
        match state.walk(RootId::STORE, &full.parent(), policy, &mut Missing::Refuse) {
            Ok(parent) => {
                let real = parent.child(full.name());
                match state.exec.stat(&real)?.map(|stat| stat.kind) {
                    Some(Kind::Symlink) if state.pointer_if_readable(&real)?.is_some() => Ok(Some(Kind::Directory)),
                    kind => Ok(kind),
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotDirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn pending_at(&self, path: &RelPath) -> Option<&Pending> {
        self.pending.get(path).map(|entry| &entry.pending)
    }

    /// Refuses a path beyond the maximum number of a transaction.
    pub(super) fn check_entries(&self, path: &RelPath) -> Result<(), Error> {
        if self.pending.len() < ENTRIES_MAX || self.pending.contains_key(path) {
            return Ok(());
        }
        Err(Error::limit(self.full(path).shown(), Limit::Entries, ENTRIES_MAX as u64))
    }

    /// Returns the path from the root for a path below the directory, as named in errors.
    pub(super) fn full(&self, path: &RelPath) -> RelPath {
        self.directory.join(path)
    }
}

impl<F: Fs> Drop for Transaction<F> {
    /// Removes the staged content; if that fails, the next open removes it.
    fn drop(&mut self) {
        if self.begun
            && !self.done
            && let Ok(mut state) = self.state.try_borrow_mut()
            && state.check_usable().is_ok()
        {
            state.abandon(self.number);
        }
    }
}
