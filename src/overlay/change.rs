//! Changes: of names, which are records of the workspace, and of contents, in place.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::handle::Content;
use super::walk::without_slash;
use super::{Answer, Code, Handle, Noted, Overlay, check_offset};
use crate::fs::{Cause, Fs, Kind};
use crate::limits::PATH_BYTES_MAX;
use crate::path::RelPath;
use crate::workspace::{Origin, Place};

impl<F: Fs> Overlay<F> {
    // ---- contents

    /// Returns the content behind a handle, open for writing; copies it up if necessary.
    ///
    /// # Errors
    /// [`Code::BadDescriptor`] for a handle that is not open for writing, or is not a file; [`Code::Busy`]
    /// for an original that changes while it is copied; the filesystem's errors.
    pub fn file_to_write(&mut self, handle: &Handle<F>) -> Answer<Rc<F::File>> {
        if !handle.access.write {
            return Err(Code::BadDescriptor);
        }
        self.made_own(handle)
    }

    /// As [`Overlay::file_to_write`], for a stream, whose writes are not announced to the overlay.
    ///
    /// # Errors
    /// As for [`Overlay::file_to_write`].
    pub fn file_to_stream(&mut self, handle: &Handle<F>) -> Answer<Rc<F::File>> {
        let file = self.file_to_write(handle)?;
        if let Content::Own(number) = handle.content.get() {
            self.workspace.will_stream(number);
        }
        Ok(file)
    }

    /// Writes at an offset; returns the number of bytes written.
    ///
    /// # Errors
    /// As for [`Overlay::file_to_write`].
    pub fn write(&mut self, handle: &Handle<F>, offset: u64, bytes: &[u8]) -> Answer<usize> {
        check_offset(offset)?;
        let file = self.file_to_write(handle)?;
        Ok(self.workspace.exec().fs().write(&file, offset, bytes)?)
    }

    /// Sets the length of a file.
    ///
    /// # Errors
    /// As for [`Overlay::file_to_write`].
    pub fn set_size(&mut self, handle: &Handle<F>, size: u64) -> Answer<()> {
        self.kind(handle)?;
        self.file(handle)?;
        if !handle.access.write {
            return Err(Code::Invalid);
        }
        check_offset(size)?;
        let file = self.file_to_write(handle)?;
        Ok(self.workspace.exec().fs().set_size(&file, size)?)
    }

    /// Makes the content behind a handle durable, with the names that lead to it; for a directory, the names.
    ///
    /// # Errors
    /// `io` when a sync fails: it is not repeated, and no further change is accepted.
    pub fn sync(&mut self, handle: &Handle<F>) -> Answer<()> {
        self.kind(handle)?;
        match handle.content.get() {
            Content::None => Ok(self.workspace.sync_names()?),
            Content::Own(number) if self.workspace.names_of(number, handle.path.borrow().is_some()) > 0 => {
                let file = self.file(handle)?;
                Ok(self.workspace.sync_content(number, &file)?)
            }
            Content::Own(_) | Content::Unnamed(_) | Content::Lower => {
                let file = self.file(handle)?;
                Ok(self.workspace.exec().fs().sync_file(&file)?)
            }
        }
    }

    /// Returns the content behind a handle of any kind, copied up if necessary: handles that share the
    /// content follow it.
    pub fn made_own(&mut self, handle: &Handle<F>) -> Answer<Rc<F::File>> {
        let file = self.file(handle)?;
        let content = handle.content.get();
        if let Content::Own(number) = content {
            self.workspace.will_write(number);
        }
        if handle.is_writable.get() {
            return Ok(file);
        }
        self.workspace.forget_looks();
        let path = handle.path.borrow().clone();
        match (content, path) {
            (Content::Own(number), _) if self.workspace.is_own_alone(number)? => {
                let file = Rc::new(self.workspace.open_own(number, true)?);
                *handle.file.borrow_mut() = Some(Rc::clone(&file));
                handle.is_writable.set(true);
                return Ok(file);
            }
            (_, Some(path)) => {
                self.copy_up(&path, true)?;
            }
            (content, None) => {
                let size = self.workspace.exec().fs().stat_open(&file)?.size;
                let copy = Rc::new(self.workspace.own_unnamed(&file, size)?);
                self.unnamed += 1;
                let now = Content::Unnamed(self.unnamed);
                for other in self.open_handles().filter(|other| other.content.get() == content) {
                    other.take(now, Rc::clone(&copy));
                }
            }
        }
        self.file(handle)
    }

    /// Makes a path that shows a file show one of the workspace; without `keep`, an empty one. Returns the
    /// number of the file.
    fn copy_up(&mut self, path: &RelPath, keep: bool) -> Answer<u64> {
        let place = self.workspace.find_place(path)?.ok_or(Cause::NoEntry)?;
        let is_single = !matches!(&place, Place::Lower(_, _, stat) if stat.links > 1);
        let identity = self.identity_of(path, &place)?;
        let before = place.number();
        let number = self.workspace.own(path, keep)?;
        if before == Some(number) {
            return Ok(number);
        }
        if is_single {
            self.identities.insert(number, identity);
        }
        let has_it = |handle: &Rc<Handle<F>>| match handle.content.get() {
            Content::Own(own) => before == Some(own),
            Content::Lower => before.is_none() && handle.is_at(path),
            Content::None | Content::Unnamed(_) => false,
        };
        let others: Vec<_> = self.open_handles().filter(has_it).collect();
        if !others.is_empty() {
            let file = Rc::new(self.workspace.open_own(number, true)?);
            for other in others {
                other.take(Content::Own(number), Rc::clone(&file));
            }
        }
        self.workspace.will_write(number);
        Ok(number)
    }

    /// Truncates a file to length 0. Nothing is copied.
    pub(super) fn empty(&mut self, path: &RelPath, place: &Place) -> Answer<u64> {
        if let Some(number) = place.number()
            && self.workspace.is_own_alone(number)?
        {
            self.workspace.will_write(number);
            let file = self.workspace.open_own(number, true)?;
            self.workspace.exec().fs().set_size(&file, 0)?;
            return Ok(number);
        }
        self.copy_up(path, false)
    }

    /// Creates an empty file at a path that shows nothing.
    pub(super) fn create(&mut self, path: &RelPath) -> Answer<u64> {
        let number = self.workspace.own(path, true)?;
        self.changed(path);
        Ok(number)
    }

    // ---- names

    /// Creates a directory.
    ///
    /// # Errors
    /// Those of wasmtime for the same call on a plain directory; the same applies to all changes of names.
    pub fn make_directory_at(&mut self, from: &Handle<F>, path: &str) -> Answer<()> {
        let from = self.directory(from)?;
        let path = self.find(&from, without_slash(path), false)?.free(Cause::AlreadyExists)?;
        self.workspace.add(&path, Origin::Directory)?;
        self.changed(&path);
        Ok(())
    }

    /// Creates a symbolic link.
    ///
    /// # Errors
    /// As for [`Overlay::make_directory_at`].
    pub fn symlink_at(&mut self, text: &str, from: &Handle<F>, path: &str) -> Answer<()> {
        let from = self.directory(from)?;
        if text.starts_with('/') {
            return Err(Cause::NotPermitted.into());
        }
        let spot = self.find(&from, path, false)?;
        if text.is_empty() {
            return Err(Cause::NoEntry.into());
        }
        let path = spot.free(Cause::AlreadyExists)?;
        if text.contains('\0') {
            return Err(Code::Invalid);
        }
        if text.len() > PATH_BYTES_MAX {
            return Err(Cause::NameTooLong.into());
        }
        self.workspace.add(&path, Origin::Link(text.to_owned()))?;
        self.changed(&path);
        Ok(())
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// As for [`Overlay::make_directory_at`].
    pub fn remove_directory_at(&mut self, from: &Handle<F>, path: &str) -> Answer<()> {
        let from = self.directory(from)?;
        let (path, place) = self.find(&from, path, false)?.named(Code::Invalid)?.existing()?;
        if place.kind() != Kind::Directory {
            return Err(Cause::NotDirectory.into());
        }
        if !self.workspace.is_empty(&path)? {
            return Err(Cause::NotEmpty.into());
        }
        self.take_away(&path)
    }

    /// Removes an entry that is not a directory.
    ///
    /// # Errors
    /// As for [`Overlay::make_directory_at`].
    pub fn unlink_file_at(&mut self, from: &Handle<F>, path: &str) -> Answer<()> {
        let from = self.directory(from)?;
        let (path, place) = self.find(&from, path, false)?.named(Cause::IsDirectory.into())?.existing()?;
        if place.kind() == Kind::Directory {
            return Err(Cause::IsDirectory.into());
        }
        self.take_away(&path)
    }

    fn take_away(&mut self, path: &RelPath) -> Answer<()> {
        self.know(path)?;
        self.workspace.take_away(path)?;
        self.lost(path);
        self.changed(path);
        Ok(())
    }

    /// Renames an entry, and replaces the entry that had the new name.
    ///
    /// # Errors
    /// As for [`Overlay::make_directory_at`].
    pub fn rename_at(&mut self, from: &Handle<F>, old: &str, to: &Handle<F>, new: &str) -> Answer<()> {
        let (from, to) = (self.directory(from)?, self.directory(to)?);
        let must_be_directory = old.ends_with('/') || new.ends_with('/');
        let (old, new) = (self.find(&from, without_slash(old), false)?, self.find(&to, without_slash(new), false)?);
        let (old, new) = (old.named(Code::Busy)?, new.named(Code::Busy)?);
        let (old, place) = old.existing()?;
        if must_be_directory && place.kind() != Kind::Directory {
            return Err(Cause::NotDirectory.into());
        }
        if old == new.path {
            return Ok(());
        }
        if old.is_within(&new.path) {
            return Err(Cause::NotEmpty.into());
        }
        let is_one_file = place.number().is_some() && place.number() == new.place.as_ref().and_then(Place::number);
        if is_one_file {
            return Ok(());
        }
        new.check_name()?;
        self.know(&new.path)?;
        self.workspace.move_to(&old, &new.path)?;
        self.lost(&new.path);
        self.moved(&old, &new.path);
        self.changed(&old);
        self.changed(&new.path);
        Ok(())
    }

    /// Adds a name to a file; for a symbolic link, creates a second one with the same text.
    ///
    /// # Errors
    /// As for [`Overlay::make_directory_at`].
    pub fn link_at(&mut self, from: &Handle<F>, old: &str, to: &Handle<F>, new: &str) -> Answer<()> {
        let (from, to) = (self.directory(from)?, self.directory(to)?);
        let (old, new) = (self.find(&from, old, false)?, self.find(&to, new, false)?);
        let is_here = old.is_here;
        let (old, place) = old.existing()?;
        let new = new.free(Cause::AlreadyExists)?;
        match place.kind() {
            Kind::File if !is_here => {
                let modified = self.stat_of(&old, &place)?.modified;
                let number = self.copy_up(&old, true)?;
                if place.number() != Some(number)
                    && let Some(modified) = modified
                {
                    let file = self.workspace.open_own(number, true)?;
                    self.workspace.exec().fs().set_modified(&file, modified)?;
                }
                self.workspace.link(number, &new)?;
            }
            Kind::Symlink => {
                let text = self.text_of(&place)?;
                self.workspace.add(&new, Origin::Link(text))?;
            }
            Kind::File | Kind::Directory | Kind::Other => return Err(Cause::NotPermitted.into()),
        }
        self.changed(&new);
        Ok(())
    }

    // ---- times

    /// Records times of a directory or link, in memory, for the lifetime of the overlay.
    ///
    /// # Errors
    /// As for [`Overlay::stat_at`].
    pub fn note_times(&mut self, from: &Handle<F>, path: &str, follow: bool, times: Noted) -> Answer<()> {
        self.kind(from)?;
        if from.is_removed_and(path) {
            // No caller can ask for the time of a removed directory.
            return Ok(());
        }
        let from = self.directory(from)?;
        let (path, _) = self.find(&from, path, follow)?.existing()?;
        let noted = self.times.entry(path.as_str().to_owned()).or_default();
        noted.accessed = times.accessed.or(noted.accessed);
        noted.modified = times.modified.or(noted.modified);
        Ok(())
    }

    /// Forgets the recorded time that a new or removed name invalidates: that of the last change of its directory.
    fn changed(&mut self, path: &RelPath) {
        if let Some(noted) = self.times.get_mut(path.parent().as_str()) {
            noted.modified = None;
        }
    }

    // ---- open handles

    /// Determines the kind of every handle that is open at a path, before the entry is removed.
    fn know(&mut self, path: &RelPath) -> Answer<()> {
        let open: Vec<_> = self.open_handles().filter(|handle| handle.is_within(path)).collect();
        open.iter().try_for_each(|handle| self.kind(handle).map(drop))
    }

    /// Marks a path as no longer showing its content: handles that are open there keep the content.
    fn lost(&mut self, path: &RelPath) {
        self.unnamed += 1;
        for handle in self.open_handles().filter(|handle| handle.is_within(path)) {
            *handle.path.borrow_mut() = None;
            if handle.content.get() == Content::Lower {
                handle.content.set(Content::Unnamed(self.unnamed));
            }
        }
        if !self.times.is_empty() {
            self.times.retain(|known, _| !is_within(known, path));
        }
    }

    fn moved(&mut self, old: &RelPath, new: &RelPath) {
        for handle in self.open_handles() {
            let now = handle.path.borrow().as_ref().and_then(|path| Some(new.join(&path.below(old)?)));
            if now.is_some() {
                *handle.path.borrow_mut() = now;
            }
        }
        let times: Vec<(String, Noted)> = self
            .times
            .iter()
            .filter(|(known, _)| is_within(known, old))
            .map(|(known, time)| (known.clone(), *time))
            .collect();
        for (known, time) in times {
            self.times.remove(&known);
            self.times.insert([new.as_str(), &known[old.as_str().len()..]].concat(), time);
        }
    }
}

impl<F: Fs> Handle<F> {
    /// Switches a handle to another content, open for writing.
    fn take(&self, content: Content, file: Rc<F::File>) {
        self.kind.set(Some(Kind::File));
        self.content.set(content);
        *self.file.borrow_mut() = Some(file);
        self.is_writable.set(true);
    }
}

fn is_within(known: &str, path: &RelPath) -> bool {
    known.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
