//! Durability: contents are synced first, then the names that lead to them.

use alloc::vec::Vec;

use super::{Workspace, change, layout};
use crate::error::{Error, ErrorKind};
use crate::fs::Fs;
use crate::limits::{MAP_BYTES_MAX, MAP_ROOM_BYTES, SPARES_MAX};
use crate::plan::Plan;

impl<F: Fs> Workspace<F> {
    /// Makes all changes durable, and frees the space of content that is no longer needed.
    ///
    /// # Errors
    /// [`ErrorKind::OutcomeUnknown`] when a sync fails: it is not repeated, and the workspace accepts no
    /// further changes.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.state.check_usable()?;
        let written = self.files.written();
        self.make_durable(&written, true)?;
        self.remove_left();
        Ok(())
    }

    /// Syncs contents, then the names: a durable name must not lead to less content than the one it replaces.
    pub(super) fn make_durable(&mut self, contents: &[u64], names: bool) -> Result<(), Error> {
        let prepared = self.prepare_sync(names)?;
        let mut plan = Plan::new();
        for number in contents {
            plan.sync_file(&layout::file(*number), "or content that was acknowledged could be lost");
        }
        let synced = self.state.run(plan);
        self.make_names_durable(synced, contents, names, prepared)
    }

    /// Performs the writes that cost less before a sync than after it. Returns the spare files.
    pub(super) fn prepare_sync(&mut self, names: bool) -> Result<Vec<u64>, Error> {
        self.renew()?;
        if names {
            // Files released by an earlier sync: their removal is made durable by this one, which changes
            // names anyway.
            self.remove_left();
            self.make_room()?;
        }
        Ok(if self.files.fresh.is_empty() { Vec::new() } else { self.prepare_spares() })
    }

    /// Makes the names durable, once the sync of the contents has returned `synced`.
    pub(super) fn make_names_durable(
        &mut self,
        synced: Result<(), Error>,
        contents: &[u64],
        names: bool,
        prepared: Vec<u64>,
    ) -> Result<(), Error> {
        let mut plan = Plan::new();
        if !self.files.fresh.is_empty() {
            plan.sync_dir(&layout::files(), "or a record could name content that was lost");
        }
        if names {
            plan.sync_file(&layout::map(), "or changes that were acknowledged could be forgotten");
        }
        let synced = synced.and_then(|()| self.state.run(plan));
        synced.map_err(|error| self.state.fail(error.with_kind(ErrorKind::OutcomeUnknown)))?;
        for number in contents {
            change::forget(&mut self.files.dirty, *number);
        }
        self.files.fresh.clear();
        self.files.spare.extend(prepared);
        if names {
            self.mark_synced()?;
            let gone = core::mem::take(&mut self.files.gone);
            self.files.left.extend(gone);
        }
        Ok(())
    }

    /// Removes contents that are durably no longer named.
    fn remove_left(&mut self) {
        for number in core::mem::take(&mut self.files.left) {
            self.remove_file(number);
        }
    }

    /// Creates some empty files before their directory is synced in any case, so that the next files needed
    /// do not require a sync of the directory. Returns their numbers; none where there is no space for them.
    fn prepare_spares(&mut self) -> Vec<u64> {
        let mut prepared = Vec::new();
        for _ in self.files.spare.len()..self.files.spares {
            let number = self.files.next;
            self.files.next += 1;
            let mut plan = Plan::new();
            plan.create(&layout::file(number), "a content to come");
            let is_made = self.state.run(plan).is_ok();
            self.state.exec.close(&layout::file(number));
            if !is_made {
                break;
            }
            prepared.push(number);
        }
        if !prepared.is_empty() {
            self.files.spares = (self.files.spares * 2).min(SPARES_MAX);
        }
        prepared.reverse();
        prepared
    }

    /// Extends the map file beyond the end of the map, once it is synced repeatedly: a sync of bytes
    /// overwritten in place costs less than one of a file that grows. A failure loses no data.
    fn make_room(&mut self) -> Result<(), Error> {
        let is_first = self.synced == self.end.whole;
        let is_full = self.end.length + MAP_ROOM_BYTES > MAP_BYTES_MAX;
        if is_first || is_full || self.files.spares == 0 || self.room > self.end.length + MAP_ROOM_BYTES / 4 {
            return Ok(());
        }
        let mut plan = Plan::new();
        let zeros = alloc::vec![0; MAP_ROOM_BYTES as usize];
        plan.edit(&layout::map(), self.end.length, zeros, "room for records to come");
        plan.decides();
        match self.state.run(plan) {
            Ok(()) => self.room = self.end.length + MAP_ROOM_BYTES,
            Err(error) => {
                let _no_room = self.take_back(error);
                self.state.check_usable()?;
            }
        }
        Ok(())
    }

    /// Removes a content that is not needed. A failure loses no data: the next open removes it.
    pub(super) fn remove_file(&mut self, number: u64) {
        let file = layout::file(number);
        if self.quota.bytes.is_some()
            && let Ok(Some(stat)) = self.state.exec.stat(&file)
        {
            self.files.bytes = self.files.bytes.saturating_sub(stat.size);
        }
        let mut plan = Plan::new();
        plan.remove_file(&file, "nothing names it any more");
        let _swept_at_the_next_open = self.state.run(plan);
    }
}
