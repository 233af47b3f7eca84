//! The real paths of the changes of a transaction, and their commit in place.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::control;
use crate::error::{Error, ErrorKind};
use crate::fs::{Fs, Kind};
use crate::journal::{Change, Op};
use crate::path::{At, RelPath, RootId};
use crate::persist::companions;
use crate::persist::expect::Expected;
use crate::persist::transaction::{Changes, DirectoryOptions, Entry, Pending, Publish};
use crate::resolve::Missing;
use crate::store::State;

/// The changes of a transaction, by real path.
pub(crate) struct Resolved {
    /// The directory, which may not exist yet.
    pub(crate) directory: RelPath,
    /// Path of the link to the directory, if it is published by pointer.
    pub(crate) pointer: Option<RelPath>,
    /// The changes.
    pub(crate) changes: Changes,
    /// The conditions, by real path.
    pub(crate) expected: Expected,
    /// Directories that do not exist yet, including parents.
    pub(crate) made: BTreeSet<RelPath>,
}

impl<F: Fs> State<F> {
    /// Resolves the path of each change, and refuses changes that cannot be made. Links on the way are
    /// handled by the policy.
    pub(crate) fn resolve_changes(
        &mut self,
        directory: &RelPath,
        (pending, expected): (Changes, Expected),
        options: DirectoryOptions,
    ) -> Result<Resolved, Error> {
        let policy = options.symlinks;
        let pointer = self.pointer_of(directory, policy, options.publish == Publish::Pointer)?;
        let mut made = BTreeSet::new();
        let none = BTreeSet::new();
        // The link itself, which may belong to another path, is about to be replaced: it is not handled by the policy.
        let way = match &pointer {
            Some(link) => self.link_target(&At::store(link.clone()))?,
            None => directory.clone(),
        };
        let place = self.walk(RootId::STORE, &way, policy, &mut Missing::Note { made: &mut made, gone: &none })?;
        let mut gone = BTreeSet::new();
        for (path, entry) in &pending {
            if matches!(entry.pending, Pending::Delete) {
                gone.insert(place.join(path));
            }
        }
        let mut changes = Changes::new();
        for (path, entry) in pending {
            let pending = entry.pending;
            let full = place.join(&path);
            let (real, old) = match &pending {
                Pending::Put(_) => {
                    let note = Missing::Note { made: &mut made, gone: &gone };
                    let found = self.resolve(&full, policy, note)?;
                    (found.path, found.stat.map(Into::into))
                }
                Pending::Delete => {
                    self.check_parked(&full)?;
                    let real = self.real_parent(&full, policy)?.child(full.name());
                    let old = self.exec.stat(&real)?.map(Into::into);
                    (real, old)
                }
            };
            if changes.insert(real.clone(), Entry { pending, old }).is_some() {
                return Err(Error::invalid_argument(real.shown(), "two paths of the transaction lead there"));
            }
        }
        let is_put = |path: &&RelPath| changes.get(*path).is_some_and(|entry| matches!(entry.pending, Pending::Put(_)));
        if let Some(file) = made.iter().find(is_put) {
            return Err(ErrorKind::NotDirectory.at(file));
        }
        self.refuse_stale_journals(&changes)?;
        Ok(Resolved { directory: place, pointer, changes, expected, made })
    }

    /// Refuses a database beside a journal that is not part of the same change.
    fn refuse_stale_journals(&mut self, changes: &Changes) -> Result<(), Error> {
        for (path, entry) in changes {
            if !matches!(&entry.pending, Pending::Put(staged) if staged.database) {
                continue;
            }
            for companion in companions::all_beside(path) {
                let here = self.exec.kind(&companion)?;
                if here.is_some() && !changes.contains_key(&companion) {
                    return Err(ErrorKind::HotJournal.at(&companion));
                }
            }
        }
        Ok(())
    }

    /// Commits file by file, from an intent log.
    pub(crate) fn commit_in_place(
        &mut self,
        number: u64,
        resolved: &Resolved,
        options: DirectoryOptions,
    ) -> Result<(), Error> {
        let mut ops = Vec::new();
        for path in resolved.made.iter() {
            ops.push(Op { path: path.clone(), change: Change::MakeDir });
        }
        for (path, entry) in &resolved.changes {
            let old = entry.old;
            let change = match &entry.pending {
                Pending::Put(staged) => {
                    Change::Put { staged: staged.index, length: staged.length, digest: staged.digest, old }
                }
                Pending::Delete => Change::Delete { old },
            };
            ops.push(Op { path: path.clone(), change });
        }
        let journal = self.journal(number, ops, !options.synced());
        self.decide(&journal, &resolved.expected)
    }

    /// Returns the kind of the entry at the directory of a transaction that replaces it as a whole.
    pub(crate) fn whole_directory(&mut self, resolved: &Resolved) -> Result<Option<Kind>, Error> {
        let directory = &resolved.directory;
        if directory.is_root() {
            return Err(Error::invalid_argument(".", "the root itself can only be changed in place"));
        }
        if let Some(path) =
            resolved.changes.keys().find(|path| !path.is_within(directory) || !control::may_change(path))
        {
            return Err(ErrorKind::SymlinkEscapes.at(path));
        }
        self.check_parked(resolved.pointer.as_ref().unwrap_or(directory))?;
        self.exec.kind(directory)
    }
}
