//! The staged content of a transaction.

use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use crate::control;
use crate::error::{Error, ErrorKind, Limit};
use crate::fs::{Call, Fs};
use crate::limits::TRANSACTION_BYTES_MAX;
use crate::path::RelPath;
use crate::persist::file;
use crate::persist::transaction::{Pending, Staged, Transaction};
use crate::plan::Plan;
use crate::store::{State, Symlinks};

/// The last put, whose file is still open for appending.
pub(super) struct Growing {
    pub(super) path: RelPath,
    pub(super) index: u32,
    pub(super) length: u64,
    pub(super) hasher: Option<Sha256>,
    pub(super) database: bool,
}

impl<F: Fs> Transaction<F> {
    pub(super) fn check_bytes(&self, path: &RelPath, more: u64) -> Result<(), Error> {
        if self.bytes.saturating_add(more) <= TRANSACTION_BYTES_MAX {
            return Ok(());
        }
        Err(Error::limit(self.full(path).shown(), Limit::TransactionBytes, TRANSACTION_BYTES_MAX))
    }

    /// Returns the plan that makes the staging directory at the first call.
    fn begin_staging(&self, state: &State<F>) -> Plan {
        if self.begun { Plan::new() } else { state.staging_plan(self.number) }
    }

    fn take_index(&mut self) -> u32 {
        let index = self.next_index;
        self.next_index += 1;
        index
    }

    pub(super) fn create(&mut self, path: &RelPath, hasher: Option<Sha256>, database: bool) -> Result<(), Error> {
        self.settle_growing()?;
        self.check_entries(path)?;
        let index = self.take_index();
        {
            let state = &mut *self.state.borrow_mut();
            state.check_usable()?;
            let mut plan = self.begin_staging(state);
            file::begin(&mut plan, &control::staged(self.number, index));
            // The part of the plan that ran may have made the directory.
            state.run(plan).inspect_err(|error| self.begun |= error.call() == Some(Call::Create))?;
        }
        self.begun = true;
        self.growing = Some(Growing { path: path.clone(), index, length: 0, hasher, database });
        let staged = Staged { index, length: 0, digest: None, database, existing: false };
        self.pending.insert(path.clone(), Pending::Put(staged).into());
        Ok(())
    }

    pub(super) fn growing_path(&self) -> RelPath {
        let index = self.growing.as_ref().map_or(0, |growing| growing.index);
        control::staged(self.number, index)
    }

    pub(super) fn grow(&mut self, data: Vec<u8>) -> Result<(), Error> {
        if data.is_empty() {
            return Ok(());
        }
        let path = self.growing.as_ref().map(|growing| growing.path.clone()).unwrap_or_default();
        self.check_bytes(&path, data.len() as u64)?;
        if let Some(hasher) = self.growing.as_mut().and_then(|growing| growing.hasher.as_mut()) {
            hasher.update(&data);
        }
        let mut plan = Plan::new();
        plan.write(&self.growing_path(), data, "content of the transaction");
        self.extend(plan)
    }

    /// Runs a plan that appends to the growing file.
    pub(super) fn extend(&mut self, plan: Plan) -> Result<(), Error> {
        let state = &mut *self.state.borrow_mut();
        state.check_usable()?;
        let before = state.exec.moved();
        if let Err(stopped) = state.run(plan) {
            // Half a file is of no use: the put is dropped.
            if let Some(growing) = self.growing.take() {
                self.pending.remove(&growing.path);
            }
            return Err(stopped);
        }
        let bytes = state.exec.moved() - before;
        self.bytes += bytes;
        if let Some(growing) = &mut self.growing {
            growing.length += bytes;
        }
        Ok(())
    }

    /// Syncs and closes the file of the last put.
    pub(super) fn settle_growing(&mut self) -> Result<(), Error> {
        let Some(growing) = self.growing.take() else { return Ok(()) };
        let staged = control::staged(self.number, growing.index);
        let answer = {
            let state = &mut *self.state.borrow_mut();
            let mut plan = Plan::new();
            file::end(&mut plan, &staged, self.options.durability);
            let answer = state.run(plan);
            state.exec.close(&staged);
            answer
        };
        if let Err(stopped) = answer {
            self.pending.remove(&growing.path);
            return Err(stopped);
        }
        let digest = growing.hasher.map(|hasher| hasher.finalize().into());
        let Growing { index, length, database, .. } = growing;
        let staged = Staged { index, length, digest, database, existing: false };
        self.pending.insert(growing.path, Pending::Put(staged).into());
        Ok(())
    }

    /// Stages an existing file by a second name.
    pub(super) fn stage_existing(&mut self, path: &RelPath) -> Result<Staged, Error> {
        let index = self.take_index();
        let staged = control::staged(self.number, index);
        let full = self.directory.join(path);
        let length = {
            let state = &mut *self.state.borrow_mut();
            let real = state.real_parent(&full, Symlinks::FollowWithin)?.child(full.name());
            let mut plan = self.begin_staging(state);
            plan.carry(&real, &staged, "content that keeps its inode under a new name");
            if self.options.synced() {
                plan.sync_file(&staged, "whoever wrote it may not have synced it");
            }
            state.run(plan).inspect_err(|error| self.begun |= error.call() != Some(Call::MakeDirectory))?;
            let stat = state.exec.stat(&staged)?;
            stat.ok_or_else(|| ErrorKind::NotFound.at(&staged))?.size
        };
        self.begun = true;
        Ok(Staged { index, length, digest: None, database: false, existing: true })
    }
}
