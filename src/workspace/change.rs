//! Changes of the merged tree: each stages what it needs, then appends one record.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::map::{self, Origin, Record};
use super::view::{Place, check_file};
use super::{Workspace, layout, lower};
use crate::error::{Error, ErrorKind, Limit, Side};
use crate::fs::{Cause, Fs, Kind, Stat};
use crate::limits::{MAP_SLACK_BYTES, PATH_BYTES_MAX};
use crate::path::RelPath;
use crate::persist::file::check_chunk;
use crate::plan::{At, Plan};
use crate::store::parse;

/// What becomes of the content of a file.
pub(super) enum Edit {
    /// These bytes go to this offset.
    Write(u64, Vec<u8>),
    /// It gets this length.
    Size(u64),
    /// It becomes these bytes.
    Whole(Vec<u8>),
}

impl Edit {
    /// The length of a file of `size` bytes afterwards.
    fn size(&self, size: u64) -> u64 {
        match self {
            Self::Write(_, bytes) if bytes.is_empty() => size,
            Self::Write(offset, bytes) => size.max(offset.saturating_add(bytes.len() as u64)),
            Self::Size(size) => *size,
            Self::Whole(bytes) => bytes.len() as u64,
        }
    }
}

/// A content that a change begins with.
pub(super) struct Source {
    at: At,
    size: u64,
    modified: Option<u64>,
    /// The file of our own that it is. Else it is in a lower, where others may write.
    own: Option<u64>,
    /// It is ours alone: it may be written in place.
    is_alone: bool,
}

impl<F: Fs> Workspace<F> {
    /// Writes at an offset; a file that is not there is made, and a gap reads as zeros.
    ///
    /// A file of the lowers, or of a checkpoint, gets a copy of its own with the bytes in it, all or
    /// nothing under power loss too. A file of one's own is written in place.
    ///
    /// # Errors
    /// As for [`Workspace::stat`]; [`ErrorKind::IsDirectory`], [`ErrorKind::NotAFile`],
    /// [`ErrorKind::SymlinkRefused`] for what is no file; [`ErrorKind::LimitExceeded`] for the chunk
    /// or the quota; [`ErrorKind::Conflicts`] for an original that changes while it is copied;
    /// [`ErrorKind::OutcomeUnknown`] when bytes were overwritten in part.
    pub fn write(&mut self, path: &str, offset: u64, data: Vec<u8>) -> Result<(), Error> {
        check_chunk(path, data.len())?;
        let path = self.begin(path)?;
        self.edit(&path, Edit::Write(offset, data))
    }

    /// Writes at the end; returns the offset of the first byte.
    ///
    /// # Errors
    /// As for [`Workspace::write`].
    pub fn append(&mut self, path: &str, data: Vec<u8>) -> Result<u64, Error> {
        check_chunk(path, data.len())?;
        let end = match self.stat(path) {
            Ok(node) => node.size,
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let path = self.begin(path)?;
        self.edit(&path, Edit::Write(end, data))?;
        Ok(end)
    }

    /// Gives a file other content, all of it, all or nothing; one that is not there is made.
    ///
    /// # Errors
    /// As for [`Workspace::write`].
    pub fn put(&mut self, path: &str, data: Vec<u8>) -> Result<(), Error> {
        check_chunk(path, data.len())?;
        let path = self.begin(path)?;
        self.edit(&path, Edit::Whole(data))
    }

    /// Sets the length of a file; what is added reads as zeros. Only what stays is copied.
    ///
    /// # Errors
    /// As for [`Workspace::write`], and [`ErrorKind::NotFound`].
    pub fn set_size(&mut self, path: &str, size: u64) -> Result<(), Error> {
        let path = self.begin(path)?;
        self.existing(&path)?;
        self.edit(&path, Edit::Size(size))
    }

    /// Makes a directory. Over a deleted one it is empty.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`]; as for [`Workspace::stat`].
    pub fn make_directory(&mut self, path: &str) -> Result<(), Error> {
        self.make(path, Origin::Directory)
    }

    /// Makes a symbolic link with a relative text.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`]; [`ErrorKind::InvalidArgument`] for a text that no link can have;
    /// as for [`Workspace::stat`].
    pub fn make_symlink(&mut self, target: &str, path: &str) -> Result<(), Error> {
        if target.is_empty() || target.len() > PATH_BYTES_MAX || target.starts_with('/') || target.contains('\0') {
            return Err(Error::invalid_argument(target, "the text of a link is relative, and not empty"));
        }
        self.make(path, Origin::Link(target.to_owned()))
    }

    /// Removes a file, a link, or a directory that is empty.
    ///
    /// # Errors
    /// As for [`Workspace::stat`]; [`ErrorKind::NotCommitted`] with [`Cause::NotEmpty`].
    pub fn remove(&mut self, path: &str) -> Result<(), Error> {
        let path = self.begin(path)?;
        self.remove_at(&path)
    }

    pub(super) fn remove_at(&mut self, path: &RelPath) -> Result<(), Error> {
        if self.existing(path)?.kind() == Kind::Directory && !self.is_empty(path)? {
            return Err(not_empty("remove directory", path));
        }
        self.erase(path)
    }

    /// Removes whatever is at a path, and all below. Returns how many entries that were.
    ///
    /// # Errors
    /// As for [`Workspace::stat`].
    pub fn remove_tree(&mut self, path: &str) -> Result<u64, Error> {
        let path = self.begin(path)?;
        let count = self.count(&path)?;
        self.erase(&path)?;
        Ok(count)
    }

    /// Gives something another name, and replaces what had it: a file or link another one, a
    /// directory one that is empty. However much is in a directory of the lowers, this is one record.
    ///
    /// # Errors
    /// As for [`Workspace::stat`]; [`ErrorKind::IsDirectory`], [`ErrorKind::NotDirectory`] and
    /// [`Cause::NotEmpty`] when it cannot replace what is there; [`ErrorKind::InvalidArgument`] for a
    /// directory that was to go into itself.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), Error> {
        let old = self.begin(old)?;
        let new = parse(new)?;
        self.rename_at(&old, &new)
    }

    pub(super) fn rename_at(&mut self, old: &RelPath, new: &RelPath) -> Result<(), Error> {
        let place = self.existing(old)?;
        if old == new {
            return Ok(());
        }
        if new.is_within(old) {
            return Err(Error::invalid_argument(new.shown(), "a directory cannot go into itself"));
        }
        let replaced = self.check_replaced(place.kind(), new)?;
        if let (Place::File(number), true) = (&place, replaced) {
            self.settle(*number)?;
        }
        let mut records = Vec::new();
        self.touch(old, false, &mut records)?;
        self.touch(new, true, &mut records)?;
        let moved: Vec<(String, Origin)> =
            self.map.origins_below(old).map(|(path, origin)| (path.to_owned(), origin.clone())).collect();
        records.push(self.erasing(old)?);
        let origin = place.origin();
        // Back where the lowers have it, it needs no record.
        let is_home = matches!((&origin, self.map.inherited(new)), (Origin::Lower(one), Some(other)) if *one == other);
        records.push(Record::Shows(new.clone(), (!is_home).then_some(origin)));
        for (path, origin) in moved {
            let text = [new.as_str(), &path[old.as_str().len()..]].concat();
            // Or the map could not be read back.
            let path = RelPath::parse_any(&text).map_err(|rule| Error::invalid_path(&text, rule))?;
            records.push(Record::Shows(path, Some(origin)));
        }
        self.decide(Plan::new(), &records)
    }

    /// What every change begins with.
    fn begin(&mut self, path: &str) -> Result<RelPath, Error> {
        self.check_usable()?;
        parse(path)
    }

    /// Refuses a change after a failure that only the next open can judge.
    pub(super) fn check_usable(&mut self) -> Result<(), Error> {
        self.state.check_usable()?;
        self.forget_sources();
        self.listing = None;
        Ok(())
    }

    fn make(&mut self, path: &str, origin: Origin) -> Result<(), Error> {
        let path = self.begin(path)?;
        self.make_at(&path, origin)
    }

    /// Shows something of our own where nothing is.
    pub(super) fn make_at(&mut self, path: &RelPath, origin: Origin) -> Result<(), Error> {
        if self.find_place(path)?.is_some() {
            return Err(ErrorKind::AlreadyExists.at(path));
        }
        self.check_parent(path)?;
        self.check_entries(path)?;
        let mut records = Vec::new();
        self.touch(path, origin == Origin::Directory, &mut records)?;
        records.push(Record::Shows(path.clone(), Some(origin)));
        self.decide(Plan::new(), &records)
    }

    fn erase(&mut self, path: &RelPath) -> Result<(), Error> {
        let mut records = Vec::new();
        self.touch(path, true, &mut records)?;
        records.push(self.erasing(path)?);
        self.decide(Plan::new(), &records)
    }

    /// The record after which nothing is at a path.
    fn erasing(&mut self, path: &RelPath) -> Result<Record, Error> {
        let hides = match self.map.inherited(path) {
            Some(lower) => self.look_below(&lower)?.is_some(),
            None => false,
        };
        Ok(Record::Shows(path.clone(), hides.then_some(Origin::Nowhere)))
    }

    /// Notes what the lowers have at a path that is changed for the first time; `all` below it, too,
    /// where that will be hidden.
    pub(super) fn touch(&mut self, path: &RelPath, all: bool, records: &mut Vec<Record>) -> Result<(), Error> {
        // In a directory of our own nothing of the lowers is touched.
        let Some(lower) = self.map.inherited(path) else { return Ok(()) };
        let known = self.map.seen(&lower).cloned();
        if known.as_ref().is_some_and(|seen| !all || seen.below != 0) {
            return Ok(());
        }
        let found = self.look_below(&lower)?.map(|(_, stat)| stat);
        let mut seen = lower::seen_as(&mut self.state.exec, &self.lowers, &lower, found, all)?;
        if let Some(known) = known {
            if seen.below == 0 {
                return Ok(());
            }
            seen.entry = known.entry;
        }
        records.push(Record::Saw(lower, Some(seen)));
        Ok(())
    }

    fn check_parent(&mut self, path: &RelPath) -> Result<(), Error> {
        let parent = path.parent();
        match self.existing(&parent)?.kind() {
            Kind::Directory => Ok(()),
            Kind::Symlink => Err(ErrorKind::SymlinkRefused.at(&parent)),
            Kind::File | Kind::Other => Err(ErrorKind::NotDirectory.at(&parent)),
        }
    }

    /// Whether something of a kind may take a name; says whether something has it.
    fn check_replaced(&mut self, kind: Kind, new: &RelPath) -> Result<bool, Error> {
        let Some(place) = self.find_place(new)? else {
            self.check_parent(new)?;
            return Ok(false);
        };
        match (kind == Kind::Directory, place.kind() == Kind::Directory) {
            (false, true) => Err(ErrorKind::IsDirectory.at(new)),
            (true, false) => Err(ErrorKind::NotDirectory.at(new)),
            (true, true) if !self.is_empty(new)? => Err(not_empty("rename to", new)),
            (true, true) | (false, false) => Ok(true),
        }
    }

    // ---- content

    pub(super) fn edit(&mut self, path: &RelPath, edit: Edit) -> Result<(), Error> {
        let source = self.source(path)?;
        if let Edit::Write(offset, bytes) = &edit
            && offset.checked_add(bytes.len() as u64).is_none()
        {
            return Err(Error::invalid_argument(path.shown(), "a file cannot be so long"));
        }
        match source {
            Some(Source { own: Some(number), size, is_alone: true, .. }) if !matches!(edit, Edit::Whole(_)) => {
                self.edit_in_place(path, number, size, edit)
            }
            source => self.edit_copy(path, source, edit),
        }
    }

    /// The content of a file that is to get another one; nothing where a file may be made.
    pub(super) fn source(&mut self, path: &RelPath) -> Result<Option<Source>, Error> {
        let place = self.find_place(path)?;
        if let Some(place) = &place {
            check_file(path, place.kind())?;
        }
        match place {
            None => {
                self.check_parent(path)?;
                self.check_entries(path)?;
                Ok(None)
            }
            Some(Place::File(number)) => {
                let at = At::store(layout::file(number));
                let stat = self.state.exec.stat(&at.path)?;
                let size = stat.map_or(0, |stat| stat.size);
                let is_alone = self.is_alone(number, stat);
                Ok(Some(Source { at, size, modified: None, own: Some(number), is_alone }))
            }
            Some(Place::Lower(_, at, stat)) => {
                if self.map.origin(path).is_none() {
                    self.check_entries(path)?;
                }
                Ok(Some(Source { at, size: stat.size, modified: stat.modified, own: None, is_alone: false }))
            }
            Some(Place::Directory | Place::Link(_)) => Err(ErrorKind::NotAFile.at(path)),
        }
    }

    /// Whether a file is ours alone: no checkpoint and no other workspace has it.
    pub(super) fn is_alone(&self, number: u64, stat: Option<Stat>) -> bool {
        number >= self.files.frozen && stat.is_some_and(|stat| stat.links == 1)
    }

    /// Whether a content may have been written since it was synced.
    fn is_dirty(&self, number: u64) -> bool {
        let Self { files, .. } = self;
        files.dirty.binary_search(&number).is_ok() || files.streamed.binary_search(&number).is_ok()
    }

    /// Writes into a file of our own that nothing shares.
    fn edit_in_place(&mut self, path: &RelPath, number: u64, size: u64, edit: Edit) -> Result<(), Error> {
        let after = edit.size(size);
        let file = layout::file(number);
        self.check_bytes(path, after.saturating_sub(size))?;
        let mut plan = Plan::new();
        let why = "nobody else has this file";
        let overwrites = match edit {
            Edit::Write(_, bytes) if bytes.is_empty() => return Ok(()),
            Edit::Write(offset, bytes) => {
                plan.edit(&file, offset, bytes, why);
                plan.decides();
                offset < size
            }
            Edit::Size(after) => {
                plan.set_size(&file, after, why);
                plan.decides();
                after < size
            }
            Edit::Whole(_) => unreachable!("whole contents are never written in place"),
        };
        insert(&mut self.files.dirty, number);
        let answer = self.state.check_owner().and_then(|()| self.state.run(plan));
        if let Err(error) = answer {
            // Whatever was added goes again; what was overwritten in part cannot.
            let mut back = Plan::new();
            back.set_size(&file, size, "part of a write that failed");
            let is_back = self.state.run(back).is_ok() && !overwrites;
            let knows = is_back || error.side() == Side::Before;
            return Err(if knows { error } else { error.with_kind(ErrorKind::OutcomeUnknown) });
        }
        self.files.bytes = (self.files.bytes + after).saturating_sub(size);
        Ok(())
    }

    /// Makes a new content from another one, and lets the path show it.
    fn edit_copy(&mut self, path: &RelPath, source: Option<Source>, edit: Edit) -> Result<(), Error> {
        let size = source.as_ref().map_or(0, |source| source.size);
        let after = edit.size(size);
        self.check_bytes(path, after)?;
        let number = self.files.next;
        self.files.next += 1;
        let file = layout::file(number);
        let mut plan = Plan::new();
        plan.create(&file, "no file that exists is written, but one's own");
        let copy = |plan: &mut Plan, offset: u64, length: u64| {
            if let Some(source) = &source
                && length > 0
            {
                let (from, to) = (source.at.clone(), file.clone());
                plan.copy(&from, offset, length, &to, "the content it begins with");
            }
        };
        match edit {
            Edit::Write(offset, bytes) => {
                let end = offset + bytes.len() as u64;
                copy(&mut plan, 0, offset.min(size));
                if !bytes.is_empty() {
                    plan.edit(&file, offset, bytes, "the new bytes");
                }
                copy(&mut plan, end, size.saturating_sub(end));
            }
            Edit::Size(after) => {
                copy(&mut plan, 0, after.min(size));
                if after > size {
                    plan.set_size(&file, after, "the rest reads as zeros");
                }
            }
            Edit::Whole(bytes) if bytes.is_empty() => {}
            Edit::Whole(bytes) => plan.write(&file, bytes, "the new content"),
        }
        self.show(path, number, (source.as_ref(), after), plan)
    }

    /// Lets a path show a new content of `after` bytes, once this plan has written it. Whatever stops
    /// it removes the content.
    pub(super) fn show(
        &mut self,
        path: &RelPath,
        number: u64,
        (source, after): (Option<&Source>, u64),
        mut plan: Plan,
    ) -> Result<(), Error> {
        let file = layout::file(number);
        // An empty file needs nothing: one whose name is lost is empty, too.
        let masks = source.is_some() && after > 0;
        if masks {
            plan.sync_file(&file, "or a short file could stand over a good one");
            plan.sync_dir(&layout::files(), "or the record could name content that was lost");
        }
        let bytes = self.files.bytes;
        self.files.bytes += after;
        let staged = self.state.run(plan).and_then(|_| self.check_unchanged(path, source));
        self.state.exec.close(&file);
        let mut records = Vec::new();
        let ready = staged.and_then(|()| self.touch(path, false, &mut records));
        if let Err(error) = ready {
            self.remove_file(number);
            self.files.bytes = bytes;
            return Err(error);
        }
        let names = match source.as_ref().and_then(|source| source.own) {
            Some(former) if self.map.names_of(former) > 1 => self.map.paths_of(former),
            _ => Vec::from([path.clone()]),
        };
        let more = names.len() - 1;
        records.extend(names.into_iter().map(|name| Record::Shows(name, Some(Origin::File(number)))));
        if !masks {
            insert(&mut self.files.dirty, number);
            insert(&mut self.files.fresh, number);
        }
        let decided = self.decide(Plan::new(), &records);
        for _ in 0..more {
            self.map.link(number);
        }
        if decided.is_err() && self.state.check_usable().is_ok() {
            forget(&mut self.files.dirty, number);
            forget(&mut self.files.fresh, number);
            self.remove_file(number);
            self.files.bytes = bytes;
        }
        decided
    }

    /// Refuses a copy of an original that was written while it was copied.
    fn check_unchanged(&mut self, path: &RelPath, source: Option<&Source>) -> Result<(), Error> {
        let Some(source) = source.filter(|source| source.own.is_none()) else { return Ok(()) };
        match lower::stat(&mut self.state.exec, core::slice::from_ref(&source.at), &RelPath::ROOT)? {
            Some((_, stat)) if (stat.size, stat.modified) == (source.size, source.modified) => Ok(()),
            _ => Err(Error::conflicts(&[path.to_string()])),
        }
    }

    /// Makes a content durable that will stand where another one stood.
    fn settle(&mut self, number: u64) -> Result<(), Error> {
        let is_dirty = self.is_dirty(number);
        let is_fresh = self.files.fresh.binary_search(&number).is_ok();
        let mut plan = Plan::new();
        if is_dirty {
            plan.sync_file(&layout::file(number), "or a short file could stand over a good one");
        }
        if is_fresh {
            plan.sync_dir(&layout::files(), "or the record could name content that was lost");
        }
        let synced = self.state.run(plan);
        synced.map_err(|error| self.state.fail(error.with_kind(ErrorKind::OutcomeUnknown)))?;
        forget(&mut self.files.dirty, number);
        forget(&mut self.files.fresh, number);
        Ok(())
    }

    // ---- the record

    /// Appends records as one: the commit point of every change.
    pub(super) fn decide(&mut self, first: Plan, records: &[Record]) -> Result<(), Error> {
        self.state.check_owner()?;
        self.renew()?;
        self.append_frame(first, map::frame(self.end.sum, records))?;
        for number in self.map.apply(records) {
            self.release(number);
        }
        if self.end.length > 2 * self.end.whole + MAP_SLACK_BYTES {
            // The change is done, whatever becomes of this: a failure that matters is told by the next.
            let _tried_again_by_the_next_change = self.compact();
        }
        Ok(())
    }

    fn append_frame(&mut self, mut plan: Plan, (bytes, sum): (Vec<u8>, u64)) -> Result<(), Error> {
        let length = self.end.length + bytes.len() as u64;
        plan.edit(&layout::map(), self.end.length, bytes, "from here on it shows; half a record does not count");
        plan.decides();
        self.state.run(plan).map_err(|error| self.take_back(error))?;
        self.end = map::End { length, sum, ..self.end };
        self.room = self.room.max(length);
        Ok(())
    }

    /// Notes that all of the map is durable: what is wrong before such a note was damaged, not torn.
    pub(super) fn mark_synced(&mut self) -> Result<(), Error> {
        let was = core::mem::replace(&mut self.synced, self.end.length);
        if was == self.synced {
            return Ok(());
        }
        let marked = self.state.check_owner().and_then(|()| self.append_frame(Plan::new(), map::synced(self.end)));
        match marked {
            Ok(()) => self.synced = self.end.length,
            // It was taken back. Without the note damage passes for a torn end; nothing else is lost.
            Err(_) if self.state.check_usable().is_ok() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What an append that failed has come to: all of it may be there.
    pub(super) fn take_back(&mut self, error: Error) -> Error {
        if error.side() == Side::Before {
            return error;
        }
        let mut plan = Plan::new();
        plan.set_size(&layout::map(), self.end.length, "a record that does not count");
        self.room = self.end.length;
        match self.state.run(plan) {
            Ok(_) => error,
            Err(_) => self.state.fail(error.with_kind(ErrorKind::OutcomeUnknown)),
        }
    }

    /// Deals with a content that no path shows any more.
    fn release(&mut self, number: u64) {
        forget(&mut self.files.streamed, number);
        if number < self.files.frozen {
            // It belongs to a checkpoint, or goes with one.
        } else if forget(&mut self.files.fresh, number) {
            // Should the record be lost, it was never more than an empty file.
            forget(&mut self.files.dirty, number);
            self.remove_file(number);
        } else {
            forget(&mut self.files.dirty, number);
            self.files.gone.push(number);
        }
    }

    /// Removes a content that a map which is durable does not name, unless a checkpoint may.
    pub(super) fn release_now(&mut self, number: u64) {
        forget(&mut self.files.dirty, number);
        forget(&mut self.files.fresh, number);
        if number >= self.files.frozen {
            self.remove_file(number);
        }
    }

    // ---- quotas

    pub(super) fn check_entries(&self, path: &RelPath) -> Result<(), Error> {
        match self.quota.entries {
            Some(maximum) if self.map.own() >= maximum => Err(Error::limit(path.shown(), Limit::QuotaEntries, maximum)),
            _ => Ok(()),
        }
    }

    pub(super) fn check_bytes(&self, path: &RelPath, more: u64) -> Result<(), Error> {
        match self.quota.bytes {
            Some(maximum) if more > 0 && self.files.bytes.saturating_add(more) > maximum => {
                Err(Error::limit(path.shown(), Limit::QuotaBytes, maximum))
            }
            _ => Ok(()),
        }
    }
}

fn not_empty(action: &str, path: &RelPath) -> Error {
    Error::failed(action, path.shown(), Cause::NotEmpty)
}

/// Adds to a sorted list.
pub(super) fn insert(sorted: &mut Vec<u64>, number: u64) {
    if let Err(index) = sorted.binary_search(&number) {
        sorted.insert(index, number);
    }
}

/// Takes out of a sorted list; says whether it was there.
pub(super) fn forget(sorted: &mut Vec<u64>, number: u64) -> bool {
    let found = sorted.binary_search(&number);
    if let Ok(index) = found {
        sorted.remove(index);
    }
    found.is_ok()
}
