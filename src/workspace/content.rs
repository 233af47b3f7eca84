//! Open contents: the calls that a filesystem which hands out files needs beside those by path. They take
//! parsed paths, and keep directories open from call to call.

use alloc::vec::Vec;

use super::change::{Edit, insert};
use super::map::{Origin, Record};
use super::view::Place;
use super::{Workspace, layout};
use crate::error::{Error, ErrorKind};
use crate::exec::Executor;
use crate::fs::{Fs, Kind, Stat, Times};
use crate::path::{At, RelPath};
use crate::plan::Plan;

impl<F: Fs> Workspace<F> {
    /// Closes the open directories of the lowers, where other processes may move directories.
    pub(crate) fn forget_lowers(&mut self) {
        self.forget_sources();
        self.listing = None;
        self.reviewed = None;
    }

    /// Forgets the cached lookups of the lowers, at the start of a call.
    pub(crate) fn forget_looks(&mut self) {
        self.looked.clear();
    }

    /// Sets how many empty files are kept in reserve from now on: a program that repeatedly creates a file
    /// and syncs it, as databases do with their journals, waits for one sync less.
    pub(crate) const fn keep_spares(&mut self, count: usize) {
        self.files.spares = count;
    }

    /// Returns the executor, for reading from an open file.
    pub(crate) fn exec(&mut self) -> &mut Executor<F> {
        &mut self.state.exec
    }

    /// Creates a directory or a link at a path that shows nothing.
    pub(crate) fn add(&mut self, path: &RelPath, origin: Origin) -> Result<(), Error> {
        self.begin_open()?;
        self.make_at(path, origin)
    }

    /// Removes a file, a link, or an empty directory.
    pub(crate) fn take_away(&mut self, path: &RelPath) -> Result<(), Error> {
        self.begin_open()?;
        self.remove_at(path)
    }

    /// As [`Workspace::rename`].
    pub(crate) fn move_to(&mut self, old: &RelPath, new: &RelPath) -> Result<(), Error> {
        self.begin_open()?;
        self.rename_at(old, new)
    }

    /// Ensures that a path shows a file of the upper that is not shared, and returns its number. A file that
    /// does not exist is created. Without `keep`, a file that had to be copied is empty.
    pub(crate) fn own(&mut self, path: &RelPath, keep: bool) -> Result<u64, Error> {
        self.begin_open()?;
        match self.find_place(path)? {
            Some(Place::File(number)) => {
                let stat = self.state.exec.stat(&layout::file(number))?;
                if self.is_alone(number, stat) {
                    return Ok(number);
                }
            }
            None => {
                if let Some(number) = self.files.spare.pop() {
                    let made = self.make_at(path, Origin::File(number));
                    if made.is_err() && self.state.check_failed().is_ok() {
                        self.files.spare.push(number);
                    }
                    return made.map(|()| number);
                }
            }
            Some(_) => {}
        }
        let edit = if keep { Edit::Write(0, Vec::new()) } else { Edit::Size(0) };
        self.edit(path, edit)?;
        match self.map.origin(path) {
            Some(Origin::File(number)) => Ok(*number),
            _ => Err(ErrorKind::NotAFile.at(path)),
        }
    }

    /// Copies a file of the lowers to a file without a name, open for writing: for a file that was removed
    /// while it was open.
    pub(crate) fn own_unnamed(&mut self, from: &F::File, size: u64) -> Result<F::File, Error> {
        self.begin_open()?;
        let number = self.files.next;
        self.files.next += 1;
        let path = layout::file(number);
        let mut plan = Plan::new();
        plan.create(&path, "no file that exists is written, but one's own");
        self.state.run(plan)?;
        let copied = self.state.exec.copy_open((from, &At::store(path.clone())), 0, size, &path);
        self.state.exec.close(&path);
        let file = copied.and_then(|()| self.state.exec.open_one(&At::store(path), true));
        self.remove_file(number);
        file
    }

    /// Opens a file of the lowers for reading.
    pub(crate) fn open_lower(&mut self, at: &At) -> Result<F::File, Error> {
        self.state.exec.open_one(at, false)
    }

    /// Opens the entry of the topmost lower at a path that shows it, of any kind; returns `None` where a full
    /// lookup is needed to determine the entry.
    pub(crate) fn open_plain(&mut self, path: &RelPath) -> Option<F::File> {
        if self.map.origin(path).is_some() {
            return None;
        }
        let lower = self.map.inherited(path)?;
        let top = self.lowers.first()?;
        let at = At { root: top.root, path: top.path.join(&lower) };
        // The full lookup determines why it cannot be opened.
        self.state.exec.open_one(&at, false).ok()
    }

    /// Opens a file of the upper. A file whose name was lost with the power before it was synced is empty.
    pub(crate) fn open_own(&mut self, number: u64, write: bool) -> Result<F::File, Error> {
        self.state.exec.open_one(&At::store(layout::file(number)), write)
    }

    /// Returns the metadata of a file of the upper, with the number of names that it has in the merged tree.
    pub(crate) fn stat_own(&mut self, number: u64) -> Result<Stat, Error> {
        let links = self.map.names_of(number);
        let empty = Stat { kind: Kind::File, links, size: 0, modified: None, times: Times::default() };
        Ok(self.state.exec.stat(&layout::file(number))?.map_or(empty, |stat| Stat { links, ..stat }))
    }

    /// Counts the names of a file of the upper; `is_named` is whether it is known to have one.
    pub(crate) fn names_of(&self, number: u64, is_named: bool) -> u64 {
        if is_named { self.map.names_of(number) } else { self.map.paths_of(number).len() as u64 }
    }

    /// Checks whether a file of the upper may be written in place.
    pub(crate) fn is_own_alone(&mut self, number: u64) -> Result<bool, Error> {
        let stat = self.state.exec.stat(&layout::file(number))?;
        Ok(self.is_alone(number, stat))
    }

    /// Checks whether a file that was just created is still unshared.
    pub(crate) const fn is_thawed(&self, number: u64) -> bool {
        number >= self.files.frozen
    }

    /// Returns the time of the last change of a name, in the workspace or the lowers: no directory has a
    /// later one.
    pub(crate) fn names_changed(&mut self) -> Result<Option<u64>, Error> {
        Ok(self.state.exec.stat(&layout::map())?.and_then(|stat| stat.modified))
    }

    /// Checks whether an entry of the workspace is below a directory, or was removed there.
    pub(crate) fn is_changed_below(&self, path: &RelPath) -> bool {
        self.map.origins_below(path).next().is_some()
    }

    /// Adds a name to a file of the upper.
    pub(crate) fn link(&mut self, number: u64, new: &RelPath) -> Result<(), Error> {
        self.begin_open()?;
        self.check_entries(new)?;
        let mut records = Vec::new();
        self.touch(new, true, &mut records)?;
        records.push(Record::Shows(new.clone(), Some(Origin::File(number))));
        self.decide(Plan::new(), &records)?;
        self.map.link(number);
        Ok(())
    }

    /// Records that a content is about to be written.
    pub(crate) fn will_write(&mut self, number: u64) {
        insert(&mut self.files.dirty, number);
    }

    /// Records that a content may be written at any time from now on.
    pub(crate) fn will_stream(&mut self, number: u64) {
        insert(&mut self.files.streamed, number);
    }

    /// Makes one open content durable, with the names that lead to it.
    ///
    /// # Errors
    /// As for [`Workspace::sync`].
    pub(crate) fn sync_content(&mut self, number: u64, file: &F::File) -> Result<(), Error> {
        self.begin_open()?;
        let names = self.end.length > self.synced;
        let prepared = self.prepare_sync(names)?;
        let synced = self.state.exec.sync_open(file, &layout::file(number));
        self.make_names_durable(synced, &[number], names, prepared)
    }

    /// Makes all names durable, and the contents that they lead to at least as far as those they replace.
    ///
    /// # Errors
    /// As for [`Workspace::sync`].
    pub(crate) fn sync_names(&mut self) -> Result<(), Error> {
        self.begin_open()?;
        if self.end.length > self.synced { self.make_durable(&[], true) } else { Ok(()) }
    }

    fn begin_open(&mut self) -> Result<(), Error> {
        self.state.check_failed()?;
        self.listing = None;
        self.reviewed = None;
        Ok(())
    }
}
