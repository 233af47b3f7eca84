//! Questions before a decision: nothing is decided that cannot be completed.
//!
//! Each change of a decision is tried first, by a call that changes nothing of what it is about. Hosts have no
//! words for some causes, so the answer is compared with that of the same call on own entries, in `ask-N/`.
//!
//! | change | question | answer if it can be made |
//! |---|---|---|
//! | a file is replaced or removed | rename an own directory to it | that for an own file |
//! | | link it into `ask-N/` | it is linked: no mount point, and the same subvolume |
//! | a directory is removed | rename an own file to it | that for an own directory |
//! | a directory is switched | rename it to the new tree, which has entries | that for an own directory |
//! | a directory gets new entries | move an own file into it and back | it is moved |
//!
//! The order is that of Linux (`vfs_rename`, `vfs_link`): rights, sticky and immutable entries first, then the
//! kinds, then mount points, then the filesystem itself with its subvolumes and layers.
//!
//! Another program can put an obstacle in the way after the question: then the decision is parked.

use crate::control;
use crate::error::{Error, ErrorKind};
use crate::fs::{Call, Cause, Fs, Kind};
use crate::journal::{Change, Journal, Op};
use crate::path::{RelPath, RootId};
use crate::plan::Plan;
use crate::store::State;

/// Number of names from which on a file is not linked: the filesystem may permit no more.
const LINKS_MANY: u64 = 1000;

/// The own entries of a transaction, and the answers about them.
struct Own {
    directory: RelPath,
    file: RelPath,
    linked: RelPath,
    onto_file: Option<Cause>,
    onto_directory: Option<Cause>,
}

impl<F: Fs> State<F> {
    /// Asks whether the entries that a decision replaces, removes or switches can be.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotCommitted`] with the path and the cause; nothing has changed.
    pub(super) fn ask_entries(&mut self, journal: &Journal) -> Result<(), Error> {
        let own = self.own_entries(journal.transaction)?;
        for op in journal.whole() {
            let answer = match &op.change {
                Change::Put { old: Some(old), .. } | Change::Delete { old: Some(old) }
                    if old.kind != Kind::Directory =>
                {
                    self.ask_file(&own, &op.path, old.kind)
                }
                Change::RemoveDir => self.ask_replace(&op.path, (&own.file, &own.directory), own.onto_directory),
                Change::Switch => self.ask_switch(journal, &own, op),
                Change::Put { .. } | Change::Delete { .. } | Change::MakeDir | Change::Pointer { .. } => Ok(()),
            };
            answer.map_err(|error| error.with_kind(ErrorKind::NotCommitted))?;
        }
        Ok(())
    }

    /// Asks whether an entry can be replaced, before anything is prepared for that.
    ///
    /// # Errors
    ///
    /// As for [`State::ask_entries`].
    pub(crate) fn ask_first(&mut self, number: u64, path: &RelPath) -> Result<(), Error> {
        let Some(kind) = self.exec.kind(path)? else { return Ok(()) };
        self.run(self.control_plan())?;
        let own = self.own_entries(number)?;
        let answer = match kind {
            Kind::Directory => self.ask_replace(path, (&own.file, &own.directory), own.onto_directory),
            Kind::File | Kind::Symlink | Kind::Other => self.ask_file(&own, path, kind),
        };
        self.remove_own(&control::ask(number))?;
        answer.map_err(|error| error.with_kind(ErrorKind::NotCommitted))
    }

    /// Asks whether the directories that a decision fills can be. The draft of the log, which names them, is
    /// durable, so that a file that a crash leaves in one of them is found.
    ///
    /// # Errors
    ///
    /// As for [`State::ask_entries`].
    pub(super) fn ask_directories(&mut self, journal: &Journal) -> Result<(), Error> {
        let place = control::ask(journal.transaction);
        let file = place.child(FILE);
        for directory in journal.filled() {
            let visitor = control::visitor(&directory, journal.transaction);
            let mut plan = Plan::new();
            plan.rename(&file, &visitor, "asks whether the directory can be changed");
            plan.rename(&visitor, &file, "it can; nothing of it stays");
            self.run(plan).map_err(|error| {
                let cause = error.cause().unwrap_or(Cause::Other).of_two_places();
                Error::failed(Call::Fill, &directory, cause).with_kind(ErrorKind::NotCommitted)
            })?;
        }
        self.remove_own(&place)
    }

    /// Removes the own entries of a transaction.
    fn remove_own(&mut self, place: &RelPath) -> Result<(), Error> {
        let mut plan = Plan::new();
        plan.remove_file(&place.child(FILE), "all is asked");
        plan.remove_dir(&place.child(DIRECTORY), "all is asked");
        plan.remove_dir(place, "all is asked");
        self.run(plan)
    }

    /// Makes the own entries of a transaction, and learns the answers about them.
    fn own_entries(&mut self, number: u64) -> Result<Own, Error> {
        let place = control::ask(number);
        let (directory, file) = (place.child(DIRECTORY), place.child(FILE));
        let mut plan = Plan::new();
        plan.make_dir(&place, "own entries, to ask what can be changed");
        plan.make_dir(&directory, "own entries, to ask what can be changed");
        plan.create(&file, "own entries, to ask what can be changed");
        self.run(plan)?;
        self.exec.close(&file);
        let onto_file = self.exec.ask_rename(&directory, &file)?;
        let onto_directory = self.exec.ask_rename(&file, &directory)?;
        Ok(Own { linked: place.child(LINKED), directory, file, onto_file, onto_directory })
    }

    fn ask_file(&mut self, own: &Own, path: &RelPath, kind: Kind) -> Result<(), Error> {
        self.ask_replace(path, (&own.directory, &own.file), own.onto_file)?;
        if kind == Kind::File { self.ask_link(path, &own.linked) } else { Ok(()) }
    }

    /// Asks whether a file is no mount point and on the filesystem of the root, by a second name for it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotCommitted`] with the path and the cause; nothing has changed.
    pub(super) fn ask_link(&mut self, path: &RelPath, second: &RelPath) -> Result<(), Error> {
        let mut plan = Plan::new();
        plan.link(path, second, "asks whether it is on this filesystem");
        plan.remove_file(second, "it is");
        let Err(error) = self.run(plan) else { return Ok(()) };
        let (Some(Call::Link), Some(cause)) = (error.call(), error.cause()) else { return Err(error) };
        // A file of another user may be replaced where it may not be linked.
        let is_private = matches!(cause, Cause::NotPermitted | Cause::Access);
        let is_full = self.exec.stat(path)?.is_none_or(|stat| stat.links >= LINKS_MANY);
        if is_private || is_full || !self.exec.has_links(second)? {
            return Ok(());
        }
        Err(Error::failed(Call::Replace, path, cause.of_two_places()).with_kind(ErrorKind::NotCommitted))
    }

    /// Asks about `path` by a rename, and compares the answer with that of the same rename of own entries.
    fn ask_rename(
        &mut self,
        path: &RelPath,
        (from, to): (&RelPath, &RelPath),
        own: (&RelPath, &RelPath),
        expected: Option<Cause>,
    ) -> Result<(), Error> {
        match self.exec.ask_rename(from, to)? {
            None => Err(Error::conflicts(&[path.shown().into()])),
            // The answer may be a failure of the moment, and so may that about the own entries.
            Some(cause) if Some(cause) == expected || self.exec.ask_rename(own.0, own.1)? == Some(cause) => Ok(()),
            Some(cause) => Err(Error::failed(Call::Replace, path, cause)),
        }
    }

    /// Asks whether an entry can be replaced or removed, by the rename of an own entry of another kind to it.
    fn ask_replace(
        &mut self,
        path: &RelPath,
        (from, like): (&RelPath, &RelPath),
        expected: Option<Cause>,
    ) -> Result<(), Error> {
        if expected.is_none() {
            // This filesystem renames one kind over another: it cannot be asked so.
            return Ok(());
        }
        self.ask_rename(path, (from, path), (from, like), expected)
    }

    /// Asks whether the directory or link at the path of a switch can get another name.
    fn ask_switch(&mut self, journal: &Journal, own: &Own, op: &Op) -> Result<(), Error> {
        let Some(kind) = self.exec.kind(&op.path)? else { return Ok(()) };
        let new =
            journal.generation_of(&op.path).unwrap_or_else(|| control::sibling_new(&op.path, journal.transaction));
        let is_full =
            self.exec.kind(&new)? == Some(Kind::Directory) && !self.exec.list(RootId::STORE, &new)?.is_empty();
        if !is_full {
            return Ok(());
        }
        // The own entry is not renamed into the parent of the path, which may refuse that for all entries. The staging
        // holds an intent, so it is a directory with entries.
        let like = if kind == Kind::Directory { &own.directory } else { &own.file };
        let full = control::transaction(journal.transaction);
        let expected = self.exec.ask_rename(like, &full)?;
        self.ask_rename(&op.path, (&op.path, &new), (like, &full), expected)
    }
}

/// Returns whether a path below the directory of own entries is one of them.
pub(crate) fn is_own(path: &RelPath) -> bool {
    [DIRECTORY, FILE, LINKED].contains(&path.as_str())
}

/// Names in the directory of own entries.
const DIRECTORY: &str = "directory";
const FILE: &str = "file";
const LINKED: &str = "linked";
