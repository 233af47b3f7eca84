//! Contents that somebody has open: what a filesystem that hands out files needs beside the calls
//! by path. Everything here goes by parsed paths, and keeps directories open from call to call.

use alloc::vec::Vec;

use super::change::{Edit, insert};
use super::map::{Origin, Record};
use super::view::Place;
use super::{Workspace, layout};
use crate::error::{Error, ErrorKind};
use crate::exec::Exec;
use crate::fs::{Fs, Kind, Stat};
use crate::path::RelPath;
use crate::plan::{At, Plan};

impl<F: Fs> Workspace<F> {
    /// Closes what was kept open of the lowers, where others may move directories.
    pub(crate) fn forget_lowers(&mut self) {
        self.forget_sources();
        self.listing = None;
    }

    /// Asks the lowers anew, at the begin of a call.
    pub(crate) fn forget_looks(&mut self) {
        self.looked.clear();
    }

    /// Keeps so many empty files at hand from now on: whoever makes a file and syncs it, again and again, as
    /// databases do with their journals, waits for one sync less.
    pub(crate) const fn keep_spares(&mut self, count: usize) {
        self.files.spares = count;
    }

    /// The executor, to read what is open.
    pub(crate) fn exec(&mut self) -> &mut Exec<F> {
        &mut self.state.exec
    }

    /// Makes a directory or a link where nothing is.
    pub(crate) fn add(&mut self, path: &RelPath, origin: Origin) -> Result<(), Error> {
        self.begin_open()?;
        self.make_at(path, origin)
    }

    /// Removes a file, a link, or a directory that is empty.
    pub(crate) fn take_away(&mut self, path: &RelPath) -> Result<(), Error> {
        self.begin_open()?;
        self.remove_at(path)
    }

    /// As [`Workspace::rename`].
    pub(crate) fn move_to(&mut self, old: &RelPath, new: &RelPath) -> Result<(), Error> {
        self.begin_open()?;
        self.rename_at(old, new)
    }

    /// Makes sure that a path shows a file of our own that nothing shares, and says its number. One
    /// that is not there is made. Without `keep` nothing of a file that had to be copied is in it.
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

    /// A copy of a file of the lowers under no name at all, open for writing: for what was removed
    /// while it was open.
    pub(crate) fn own_unnamed(&mut self, from: &F::File, size: u64) -> Result<F::File, Error> {
        self.begin_open()?;
        let number = self.files.next;
        self.files.next += 1;
        let path = layout::file(number);
        let mut plan = Plan::new();
        plan.create(&path, "no file that exists is written, but one's own");
        self.state.run(plan)?;
        let copied = self.state.exec.copy_open((from, &path), 0, size, &path);
        self.state.exec.close(&path);
        let file = copied.and_then(|()| self.state.exec.open_one(&At::store(path), true));
        self.remove_file(number);
        file
    }

    /// Opens a file of the lowers to be read.
    pub(crate) fn open_lower(&mut self, at: &At) -> Result<F::File, Error> {
        self.state.exec.open_one(at, false)
    }

    /// Opens what the topmost lower has at a path that shows it, whatever that is; nothing where it takes a
    /// closer look to say what there is.
    pub(crate) fn open_plain(&mut self, path: &RelPath) -> Option<F::File> {
        if self.map.origin(path).is_some() {
            return None;
        }
        let lower = self.map.inherited(path)?;
        let top = self.lowers.first()?;
        let at = At { root: top.root, path: top.path.join(&lower) };
        // Why it cannot be opened is found out by the closer look.
        self.state.exec.open_one(&at, false).ok()
    }

    /// Opens a file of our own. One whose name was lost with the power before it was synced is empty.
    pub(crate) fn open_own(&mut self, number: u64, write: bool) -> Result<F::File, Error> {
        self.state.exec.open_one(&At::store(layout::file(number)), write)
    }

    /// What is known of a file of our own, with the names it has in the merged tree.
    pub(crate) fn stat_own(&mut self, number: u64) -> Result<Stat, Error> {
        let links = self.map.names_of(number);
        let empty = Stat { kind: Kind::File, links, size: 0, modified: None };
        Ok(self.state.exec.stat(&layout::file(number))?.map_or(empty, |stat| Stat { links, ..stat }))
    }

    /// How many names a file of our own has; `is_named` is whether it is known to have one.
    pub(crate) fn names_of(&self, number: u64, is_named: bool) -> u64 {
        if is_named { self.map.names_of(number) } else { self.map.paths_of(number).len() as u64 }
    }

    /// Whether a file of our own may be written in place.
    pub(crate) fn is_own_alone(&mut self, number: u64) -> Result<bool, Error> {
        let stat = self.state.exec.stat(&layout::file(number))?;
        Ok(self.is_alone(number, stat))
    }

    /// Whether a file that was just made belongs to nobody else.
    pub(crate) const fn is_thawed(&self, number: u64) -> bool {
        number >= self.files.frozen
    }

    /// When a name was changed last, here or in the lowers: no directory's time is later.
    pub(crate) fn names_changed(&mut self) -> Result<Option<u64>, Error> {
        Ok(self.state.exec.stat(&layout::map())?.and_then(|stat| stat.modified))
    }

    /// Whether something of our own is below a directory, or was removed there.
    pub(crate) fn is_changed_below(&self, path: &RelPath) -> bool {
        self.map.origins_below(path).next().is_some()
    }

    /// Gives a file of our own one more name.
    pub(crate) fn link(&mut self, number: u64, new: &RelPath) -> Result<(), Error> {
        self.begin_open()?;
        self.check_entries(new)?;
        let mut records = Vec::new();
        self.touch(new, false, &mut records)?;
        records.push(Record::Shows(new.clone(), Some(Origin::File(number))));
        self.decide(Plan::new(), &records)?;
        self.map.link(number);
        Ok(())
    }

    /// Notes that a content is about to be written.
    pub(crate) fn will_write(&mut self, number: u64) {
        insert(&mut self.files.dirty, number);
    }

    /// Notes that a content may be written at any time from now on.
    pub(crate) fn will_stream(&mut self, number: u64) {
        insert(&mut self.files.streamed, number);
    }

    /// Makes one content durable that is open, with the names that lead to it.
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

    /// Makes all names durable, and what they lead to no less than it was.
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
        Ok(())
    }
}
