//! Changes of the merged tree: each stages its content, then appends one record.

use alloc::borrow::ToOwned;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::map::{self, Origin, Record, Seen};
use super::view::{Place, check_file};
use super::{Workspace, layout, lower};
use crate::error::{CommitPhase, Error, ErrorKind, Limit};
use crate::fs::{Call, Cause, Fs, Kind, Stat};
use crate::limits::{MAP_BYTES_MAX, MAP_SLACK_BYTES, PATH_BYTES_MAX, RECORD_DEPTH_MAX};
use crate::path::{At, RelPath};
use crate::persist::file::check_chunk;
use crate::plan::Plan;
use crate::store::parse;

/// A change of the content of a file.
pub(super) enum Edit {
    /// Writes these bytes at this offset.
    Write(u64, Vec<u8>),
    /// Sets this length.
    Size(u64),
    /// Replaces the content by these bytes.
    Whole(Vec<u8>),
}

impl Edit {
    /// Returns the length of a file of `size` bytes after the edit.
    fn size(&self, size: u64) -> u64 {
        match self {
            Self::Write(_, bytes) if bytes.is_empty() => size,
            Self::Write(offset, bytes) => size.max(offset.saturating_add(bytes.len() as u64)),
            Self::Size(size) => *size,
            Self::Whole(bytes) => bytes.len() as u64,
        }
    }
}

/// The content from which a change starts.
pub(super) struct Source {
    at: At,
    size: u64,
    modified: Option<u64>,
    /// The number of the file of the upper; `None` for a file in a lower, where other processes may write.
    own: Option<u64>,
    /// Whether the file is shared with no checkpoint and no other workspace, so it may be written in place.
    is_alone: bool,
}

impl<F: Fs> Workspace<F> {
    /// Writes at an offset; creates the file if it does not exist, and fills a gap with zeros.
    ///
    /// A file of the lowers, or of a checkpoint, is copied with the bytes in it; this is atomic under power
    /// loss too. A file that the workspace alone owns is written in place.
    ///
    /// # Errors
    /// As for [`Workspace::stat`]; [`ErrorKind::IsDirectory`], [`ErrorKind::NotAFile`],
    /// [`ErrorKind::SymlinkRefused`] for an entry that is not a file; [`ErrorKind::LimitExceeded`] for the
    /// chunk or the quota; [`ErrorKind::Conflicts`] for an original that changes while it is copied;
    /// [`ErrorKind::OutcomeUnknown`] when bytes were overwritten in part.
    pub fn write(&mut self, path: &str, offset: u64, data: Vec<u8>) -> Result<(), Error> {
        check_chunk(path, data.len())?;
        let path = self.begin(path)?;
        self.edit(&path, Edit::Write(offset, data))
    }

    /// Writes at the end of a file; returns the offset of the first byte.
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

    /// Replaces the whole content of a file, atomically; creates the file if it does not exist.
    ///
    /// # Errors
    /// As for [`Workspace::write`].
    pub fn put(&mut self, path: &str, data: Vec<u8>) -> Result<(), Error> {
        check_chunk(path, data.len())?;
        let path = self.begin(path)?;
        self.edit(&path, Edit::Whole(data))
    }

    /// Sets the length of a file; added bytes read as zeros. Only the bytes that remain are copied.
    ///
    /// # Errors
    /// As for [`Workspace::write`], and [`ErrorKind::NotFound`].
    pub fn set_size(&mut self, path: &str, size: u64) -> Result<(), Error> {
        let path = self.begin(path)?;
        self.existing(&path)?;
        self.edit(&path, Edit::Size(size))
    }

    /// Creates a directory. Over a deleted one it is empty.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`]; as for [`Workspace::stat`].
    pub fn make_directory(&mut self, path: &str) -> Result<(), Error> {
        self.make(path, Origin::Directory)
    }

    /// Creates a symbolic link with a relative text.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`]; [`ErrorKind::InvalidArgument`] for a text that is invalid for a link; as
    /// for [`Workspace::stat`].
    pub fn make_symlink(&mut self, target: &str, path: &str) -> Result<(), Error> {
        if target.is_empty() || target.len() > PATH_BYTES_MAX || target.starts_with('/') || target.contains('\0') {
            return Err(Error::invalid_argument(path, "the text of a link is relative, and not empty"));
        }
        self.make(path, Origin::Link(target.to_owned()))
    }

    /// Removes a file, a link, or an empty directory.
    ///
    /// # Errors
    /// As for [`Workspace::stat`]; [`ErrorKind::NotCommitted`] with [`Cause::NotEmpty`].
    pub fn remove(&mut self, path: &str) -> Result<(), Error> {
        let path = self.begin(path)?;
        self.remove_at(&path)
    }

    pub(super) fn remove_at(&mut self, path: &RelPath) -> Result<(), Error> {
        if self.existing(path)?.kind() == Kind::Directory && !self.is_empty(path)? {
            return Err(not_empty(Call::RemoveDirectory, path));
        }
        self.erase(path)
    }

    /// Removes the entry at a path, and all entries below it. Returns the number of entries removed.
    ///
    /// # Errors
    /// As for [`Workspace::stat`].
    pub fn remove_tree(&mut self, path: &str) -> Result<u64, Error> {
        let path = self.begin(path)?;
        let count = self.count(&path)?;
        self.erase(&path)?;
        Ok(count)
    }

    /// Renames an entry, and replaces the entry that had the new name: a file or link replaces another file
    /// or link, a directory an empty directory. A rename is one record, regardless of how many entries a
    /// directory of the lowers contains.
    ///
    /// # Errors
    /// As for [`Workspace::stat`]; [`ErrorKind::IsDirectory`], [`ErrorKind::NotDirectory`] and
    /// [`Cause::NotEmpty`] when the entry at the new name cannot be replaced; [`ErrorKind::InvalidArgument`]
    /// for a directory that would be moved into itself.
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
        self.touch_all(new, &mut records)?;
        // A directory for what was made in it alone: so are those on the way to that.
        let is_implied = matches!(place, Place::Directory) && self.map.origin(old).is_none();
        let moved = if is_implied { self.map.with_directories(old) } else { self.map.recorded_below(old) };
        records.push(self.erasing(old)?);
        let origin = place.origin();
        // Moved back to its place in the lowers, it needs no record.
        let is_home = matches!((&origin, self.map.inherited(new)), (Origin::Lower(one), Some(other)) if *one == other);
        records.push(Record::Shows(new.clone(), (!is_home).then_some(origin)));
        for (path, origin) in moved {
            let text = [new.as_str(), &path.as_str()[old.as_str().len()..]].concat();
            // Or the map could not be read back.
            let path = RelPath::parse_any(&text).map_err(|rule| Error::invalid_path(&text, rule))?;
            records.push(Record::Shows(path, Some(origin)));
        }
        self.decide(Plan::new(), &records)
    }

    /// Checks that the workspace accepts a change, and parses the path: every change starts here.
    fn begin(&mut self, path: &str) -> Result<RelPath, Error> {
        self.check_usable()?;
        parse(path)
    }

    /// Refuses a change after a failure whose outcome only the next open can determine.
    pub(super) fn check_usable(&mut self) -> Result<(), Error> {
        self.state.check_usable()?;
        self.forget_sources();
        self.listing = None;
        self.reviewed = None;
        Ok(())
    }

    fn make(&mut self, path: &str, origin: Origin) -> Result<(), Error> {
        let path = self.begin(path)?;
        self.make_at(&path, origin)
    }

    /// Makes a path that shows nothing show an entry of the workspace.
    pub(super) fn make_at(&mut self, path: &RelPath, origin: Origin) -> Result<(), Error> {
        if self.find_place(path)?.is_some() {
            return Err(ErrorKind::AlreadyExists.at(path));
        }
        self.check_parent(path)?;
        self.check_entries(path)?;
        let mut records = Vec::new();
        self.touch(path, true, &mut records)?;
        records.push(Record::Shows(path.clone(), Some(origin)));
        self.decide(Plan::new(), &records)
    }

    fn erase(&mut self, path: &RelPath) -> Result<(), Error> {
        let mut records = Vec::new();
        self.touch_all(path, &mut records)?;
        records.push(self.erasing(path)?);
        self.decide(Plan::new(), &records)
    }

    /// Builds the record after which a path shows nothing.
    fn erasing(&mut self, path: &RelPath) -> Result<Record, Error> {
        let hides = match self.map.inherited(path) {
            Some(lower) => self.look_below(&lower)?.is_some(),
            None => false,
        };
        Ok(Record::Shows(path.clone(), hides.then_some(Origin::Nowhere)))
    }

    /// Notes what the lowers have at a path that is changed for the first time; with its content and `all` below
    /// it, where that will be hidden. What is moved is shown as it is, so its content does not count.
    pub(super) fn touch(&mut self, path: &RelPath, all: bool, records: &mut Vec<Record>) -> Result<(), Error> {
        // In a directory of our own nothing of the lowers is touched.
        match self.map.inherited(path) {
            Some(lower) => self.note(lower, all, records),
            None => Ok(()),
        }
    }

    /// As [`Workspace::touch`], for a path whose entry goes with all below it, some of which was moved there.
    fn touch_all(&mut self, path: &RelPath, records: &mut Vec<Record>) -> Result<(), Error> {
        self.touch(path, true, records)?;
        let below = self.map.origins_below(path).map(|(_, origin)| origin);
        let mut sources = Vec::new();
        for origin in self.map.origin(path).into_iter().chain(below) {
            if let Origin::Lower(source) = origin {
                sources.push(source.clone());
            }
        }
        sources.into_iter().try_for_each(|source| self.note(source, true, records))
    }

    /// Notes the state of a path of the lowers. A note of a path that shows itself again is void.
    fn note(&mut self, lower: RelPath, all: bool, records: &mut Vec<Record>) -> Result<(), Error> {
        let found = self.look_below(&lower)?;
        let place = self.find_place(&lower)?;
        // A directory for the changes in it alone: somebody else has put another entry in its place.
        let was_directory = matches!(place, Some(Place::Directory)) && self.map.origin(&lower).is_none();
        let known = self.map.seen(&lower).cloned();
        let shows_itself = match (place, &found) {
            (Some(Place::Lower(shown, _, _)), _) => shown == lower,
            // What was moved from here has its base here.
            (None, None) => {
                known.as_ref().is_none_or(|seen| seen.entry.is_none()) || self.map.showing(&lower).is_empty()
            }
            _ => false,
        };
        let known = known.filter(|_| !shows_itself);
        if known.as_ref().is_some_and(|seen| !all || seen.below != 0) {
            return Ok(());
        }
        let is_noted = known.is_some() || (!shows_itself && self.is_noted_above(&lower));
        if is_noted && self.map.showing(&lower).is_empty() {
            // It has been hidden: what is there now has not been seen.
            return Ok(());
        }
        if known.is_none() && was_directory {
            records.push(Record::Saw(lower, Some(Seen::directory())));
            return Ok(());
        }
        let mut seen = lower::seen_as(&mut self.state.exec, &self.lowers, &lower, found.as_ref(), all)?;
        let is_directory = seen.entry.is_some_and(|entry| entry.kind == Kind::Directory);
        if all && is_directory && self.is_disturbed(&lower)? {
            seen.below = lower::another(seen.below);
        }
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

    /// Checks whether an entry of this kind may take a name; returns whether the name is in use.
    fn check_replaced(&mut self, kind: Kind, new: &RelPath) -> Result<bool, Error> {
        let Some(place) = self.find_place(new)? else {
            self.check_parent(new)?;
            return Ok(false);
        };
        match (kind == Kind::Directory, place.kind() == Kind::Directory) {
            (false, true) => Err(ErrorKind::IsDirectory.at(new)),
            (true, false) => Err(ErrorKind::NotDirectory.at(new)),
            (true, true) if !self.is_empty(new)? => Err(not_empty(Call::Rename, new)),
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

    /// Returns the content of a file that is to be changed; `None` where a file may be created.
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

    /// Checks whether a file belongs to this workspace alone: no checkpoint and no other workspace shares it.
    pub(super) fn is_alone(&self, number: u64, stat: Option<Stat>) -> bool {
        number >= self.files.frozen && stat.is_some_and(|stat| stat.links == 1)
    }

    /// Checks whether a content may have been written since its last sync.
    fn is_dirty(&self, number: u64) -> bool {
        let Self { files, .. } = self;
        files.dirty.binary_search(&number).is_ok() || files.streamed.binary_search(&number).is_ok()
    }

    /// Writes in place into a file of the upper that is not shared.
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
            // Appended bytes are removed again; bytes that were overwritten in part cannot be restored.
            let mut back = Plan::new();
            back.set_size(&file, size, "part of a write that failed");
            let is_back = self.state.run(back).is_ok() && !overwrites;
            let knows = is_back || error.phase() == CommitPhase::Before;
            return Err(if knows { error } else { error.with_kind(ErrorKind::OutcomeUnknown) });
        }
        self.files.bytes = (self.files.bytes + after).saturating_sub(size);
        Ok(())
    }

    /// Creates a new content from another one, and makes the path show it.
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

    /// Makes a path show a new content of `after` bytes, once this plan has written it. A failure removes the
    /// content.
    pub(super) fn show(
        &mut self,
        path: &RelPath,
        number: u64,
        (source, after): (Option<&Source>, u64),
        mut plan: Plan,
    ) -> Result<(), Error> {
        let file = layout::file(number);
        // An empty file needs no sync: one whose name is lost reads as empty, too.
        let masks = source.is_some() && after > 0;
        if masks {
            plan.sync_file(&file, "or a short file could stand over a good one");
            plan.sync_dir(&layout::files(), "or the record could name content that was lost");
        }
        let bytes = self.files.bytes;
        self.files.bytes += after;
        let staged = self.state.run(plan);
        self.state.exec.close(&file);
        let mut records = Vec::new();
        let noted = staged.and_then(|_| self.touch_all(path, &mut records));
        // What was noted is what was copied.
        if let Err(error) = noted.and_then(|()| self.check_unchanged(path, source)) {
            self.remove_file(number);
            self.files.bytes = bytes;
            return Err(error);
        }
        let original = source.as_ref().filter(|source| source.own.is_none());
        let kept = original.and_then(|original| self.keep_original(&original.at, &mut records));
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
            kept.into_iter().for_each(|kept| self.remove_file(kept));
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

    /// Makes a content durable before it replaces another one.
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

    /// Appends records as one frame: the commit point of every change.
    pub(super) fn decide(&mut self, first: Plan, records: &[Record]) -> Result<(), Error> {
        // No record is written that an open would refuse.
        if let Some(path) = records.iter().map(Record::path).find(|path| path.depth() > RECORD_DEPTH_MAX) {
            return Err(Error::limit(path.shown(), Limit::Depth, RECORD_DEPTH_MAX as u64));
        }
        self.state.check_owner()?;
        self.renew()?;
        let mut frame = map::frame(self.end.sum, records);
        if self.end.length + frame.0.len() as u64 > MAP_BYTES_MAX {
            self.compact()?;
            frame = map::frame(self.end.sum, records);
        }
        self.append_frame(first, frame)?;
        for number in self.map.apply(records) {
            self.release(number);
        }
        if self.end.length > 2 * self.end.whole + MAP_SLACK_BYTES {
            // The change is committed, regardless of the outcome of this: the next change reports a failure
            // that matters.
            let _tried_again_by_the_next_change = self.compact();
        }
        Ok(())
    }

    fn append_frame(&mut self, mut plan: Plan, (bytes, sum): (Vec<u8>, u64)) -> Result<(), Error> {
        let length = self.end.length + bytes.len() as u64;
        super::check_map_size(length)?;
        plan.edit(&layout::map(), self.end.length, bytes, "from here on it shows; half a record does not count");
        plan.decides();
        self.state.run(plan).map_err(|error| self.take_back(error))?;
        self.end = map::End { length, sum, ..self.end };
        self.room = self.room.max(length);
        Ok(())
    }

    /// Records that the whole map is durable: an invalid frame before this mark was damaged, not torn.
    pub(super) fn mark_synced(&mut self) -> Result<(), Error> {
        let was = core::mem::replace(&mut self.synced, self.end.length);
        if was == self.synced {
            return Ok(());
        }
        let marked = self.state.check_owner().and_then(|()| self.append_frame(Plan::new(), map::synced(self.end)));
        match marked {
            Ok(()) => self.synced = self.end.length,
            // The append was undone. Without the mark, damage is taken for a torn end; no other guarantee is
            // lost.
            Err(_) if self.state.check_usable().is_ok() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Determines the outcome of an append that failed: all of its bytes may have been written.
    pub(super) fn take_back(&mut self, error: Error) -> Error {
        if error.phase() == CommitPhase::Before {
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

    /// Releases a content that is no longer shown by any path.
    fn release(&mut self, number: u64) {
        forget(&mut self.files.streamed, number);
        if number < self.files.frozen {
            // It belongs to a checkpoint, or is removed with one.
        } else if forget(&mut self.files.fresh, number) {
            // Should the record be lost, the file was never more than empty.
            forget(&mut self.files.dirty, number);
            self.remove_file(number);
        } else {
            forget(&mut self.files.dirty, number);
            self.files.gone.push(number);
        }
    }

    /// Removes a content that the durable map does not name, unless a checkpoint may name it.
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

fn not_empty(call: Call, path: &RelPath) -> Error {
    Error::failed(call, path, Cause::NotEmpty)
}

/// Inserts a number into a sorted list.
pub(super) fn insert(sorted: &mut Vec<u64>, number: u64) {
    if let Err(index) = sorted.binary_search(&number) {
        sorted.insert(index, number);
    }
}

/// Removes a number from a sorted list; returns whether it was there.
pub(super) fn forget(sorted: &mut Vec<u64>, number: u64) -> bool {
    let found = sorted.binary_search(&number);
    if let Ok(index) = found {
        sorted.remove(index);
    }
    found.is_ok()
}
