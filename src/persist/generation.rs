//! Replacement of a whole directory: a complete new tree is prepared, then takes the place of the old one.
//!
//! `swap` prepares it as a sibling, and two renames switch. `pointer` prepares it as a generation in
//! the control directory, and one rename of a link switches; the first time, a real directory makes
//! room for the link as with `swap`.

use alloc::string::String;
use alloc::vec::Vec;

use crate::control;
use crate::error::{CommitPhase, Error, ErrorKind, Limit};
use crate::fs::{Fs, Kind};
use crate::generations::{self, Generations};
use crate::journal::{Change, Journal, Op};
use crate::limits::ENTRIES_MAX;
use crate::path::{At, RelPath, RootId};
use crate::persist::decide;
use crate::persist::directory::Resolved;
use crate::persist::expect::Expected;
use crate::persist::transaction::{DirectoryOptions, Pending};
use crate::plan::{Attributes, Plan};
use crate::recover::{Finding, Verdict};
use crate::resolve::Missing;
use crate::store::{State, Store, Symlinks};
use crate::tree::{self, Node, Seen, Tree};

impl<F: Fs> Store<F> {
    /// Removes the directories of generations to which no link below the root leads, and returns them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotCommitted`] if the filesystem fails; some may be removed then. Nothing else changes.
    pub fn free_generations(&self) -> Result<Vec<Finding>, Error> {
        let state = &mut *self.state.borrow_mut();
        state.check_usable()?;
        let mut findings = Vec::new();
        let newest = generations::directories(&mut state.exec)?.last().copied();
        // The tree may be large: this is not part of a change, and nothing waits for it.
        for unused in generations::unused(&mut state.exec, usize::MAX)?.unwrap_or_default() {
            if state.is_parked_directory(unused.directory) {
                continue;
            }
            let plan = generations::free(&mut state.exec, &unused, newest == Some(unused.directory))?;
            state.check_owner()?;
            state.run(plan)?;
            let place = control::generations(unused.directory);
            findings.push(Finding::new(&place, Verdict::Swept, generations::described(&unused)));
        }
        Ok(findings)
    }
}

impl<F: Fs> State<F> {
    /// Commits by two renames of directories.
    pub(crate) fn commit_swap(
        &mut self,
        number: u64,
        resolved: &Resolved,
        options: DirectoryOptions,
    ) -> Result<(), Error> {
        let path = resolved.directory.clone();
        let exists = self.whole_directory(resolved)?.is_some();
        if path.components().any(crate::path::is_reserved) {
            let why = "is published by pointer and cannot be swapped; publish it by pointer or in place";
            let link = resolved.pointer.as_ref().unwrap_or(&path);
            return Err(Error::invalid_argument(link.shown(), why));
        }
        self.make_parents(number, resolved, options)?;
        let asked = self.ask_first(number, &path);
        self.or_abandon(number, asked)?;
        let journal = self.journal(number, switch_ops(&path, resolved, None), !options.synced());
        let base = control::sibling_new(&path, number);
        let prepared = self.prepare(&journal, resolved, (exists.then_some(&path), &base));
        self.or_abandon(number, prepared)?;
        self.decide(&journal, &resolved.expected)
    }

    /// Commits by one rename of a link.
    pub(crate) fn commit_pointer(
        &mut self,
        number: u64,
        resolved: &Resolved,
        options: DirectoryOptions,
    ) -> Result<(), Error> {
        let (path, current) = self.pointer_place(resolved)?;
        if resolved.pointer.is_none() {
            self.make_parents(number, resolved, options)?;
        }
        let (directory, generation, oldest) = self.next_generation(&path, current, options.keep_generations)?;
        let pointer = Change::Pointer { directory, generation, oldest };
        let base = control::generation(directory, generation);
        let text = control::pointer_text(&path, directory, generation);
        match current {
            Current::Directory => {
                let asked = self.ask_first(number, &path);
                self.or_abandon(number, asked)?;
                let journal = self.journal(number, switch_ops(&path, resolved, Some(pointer)), !options.synced());
                let prepared = self.prepare(&journal, resolved, (Some(&path), &base));
                self.or_abandon(number, prepared)?;
                let link = control::sibling_new(&path, number);
                let mut plan = Plan::new();
                plan.symlink(&text, &link, "the link that will take the directory's place");
                plan.sync_parent(&path, "or the log could name a link that was lost");
                let ran = self.run_synced(plan, options.synced());
                self.or_abandon(number, ran)?;
                self.decide(&journal, &resolved.expected)
            }
            Current::Generation(..) | Current::Nothing => {
                let ops = Vec::from([Op { path: path.clone(), change: pointer }]);
                let shows = self.exec.kind(&resolved.directory)? == Some(Kind::Directory);
                let from = (shows && matches!(current, Current::Generation(..))).then_some(&resolved.directory);
                let intent = self.journal(number, ops, !options.synced());
                let prepared = self.prepare(&intent, resolved, (from, &base));
                self.or_abandon(number, prepared)?;
                self.switch_link((number, &resolved.expected), &path, text, options)
            }
        }
    }

    /// The switch itself when a link, or nothing, makes room for a link.
    fn switch_link(
        &mut self,
        (number, expected): (u64, &Expected),
        path: &RelPath,
        text: String,
        options: DirectoryOptions,
    ) -> Result<(), Error> {
        let asked = self.check_expected(expected).and_then(|()| self.check_owner());
        self.or_abandon(number, asked)?;
        let link = control::transaction(number).child(control::LINK);
        let mut plan = Plan::new();
        plan.symlink(&text, &link, "the link, not yet in its place");
        plan.rename(&link, path, "visible: all of the old, or all of the new");
        plan.decides();
        plan.sync_parent(path, "or the link could lead to the old generation again");
        if let Err(stopped) = self.run_synced(plan, options.synced()) {
            let switched = self.exec.read_link(RootId::STORE, path);
            return Err(match (stopped.phase(), switched) {
                // A rename that failed may have happened all the same: the link tells.
                (CommitPhase::Before | CommitPhase::At, Ok(now)) if now != text => {
                    self.abandon(number);
                    stopped
                }
                (CommitPhase::Before, _) => {
                    self.abandon(number);
                    stopped
                }
                (CommitPhase::At | CommitPhase::After, _) => self.fail(stopped.with_kind(ErrorKind::OutcomeUnknown)),
            });
        }
        self.finish(number, options.synced())
    }

    /// Makes the parents of a directory that does not exist yet. They are not part of the decision: a crash
    /// can leave additional empty directories.
    fn make_parents(&mut self, number: u64, resolved: &Resolved, options: DirectoryOptions) -> Result<(), Error> {
        let mut plan = Plan::new();
        for path in resolved.made.iter().filter(|path| !path.is_within(&resolved.directory)) {
            plan.make_dir(path, "a parent of the directory");
            plan.sync_parent(path, "or the directory could be lost with its parent");
        }
        let ran = self.run_synced(plan, options.synced());
        self.or_abandon(number, ran)
    }

    /// Prepares a complete tree at `base`: the unchanged entries of `from` and the new contents. No entry is
    /// visible under its final name.
    fn prepare(
        &mut self,
        intent: &Journal,
        resolved: &Resolved,
        (from, base): (Option<&RelPath>, &RelPath),
    ) -> Result<(), Error> {
        let number = intent.transaction;
        let seen = match from {
            Some(from) => tree::read_stats(&mut self.exec, &At::store(from.clone()))?,
            None => Vec::new(),
        };
        if let Some(from) = from {
            self.check_movable(from, &seen)?;
            if base.is_within(&control::directory()) {
                self.check_links_stay(from, &seen, resolved)?;
            }
        }
        let mut plan = if self.has_staging(number)? { Plan::new() } else { self.staging_plan(number) };
        decide::intend(&mut plan, intent);
        let inside = control::generations(0).parent();
        let mut above = Vec::new();
        if base.is_within(&inside) {
            if self.exec.kind(&inside)?.is_none() {
                plan.make_dir(&inside, "where generations are");
            }
            if self.exec.kind(&base.parent())?.is_none() {
                for op in &intent.ops {
                    if let Change::Pointer { directory, .. } = op.change {
                        generations::make(&mut plan, &op.path, directory);
                    }
                }
            }
            above.extend([inside.clone(), base.parent()]);
            // Readers come through the link, and see in the control directory only the names that they know.
            for place in [&control::directory(), &inside, &base.parent()] {
                plan.set_attributes(place, Attributes::Mode(PASSABLE), "readers pass it");
            }
        } else {
            above.push(base.parent());
        }
        build(&mut plan, number, resolved, &seen, from, base)?;
        for place in above.iter().rev() {
            plan.sync_dir(place, "or what was prepared could be lost with its name");
        }
        if base.is_within(&inside) {
            plan.sync_control("or what was prepared could be lost with its name");
            plan.sync_dir(&RelPath::ROOT, "or what was prepared could be lost with its name");
        }
        self.run_synced(plan, !intent.unsynced)?;
        self.control_durable |= !intent.unsynced;
        if let Some(from) = from {
            // A mount point over a file that is carried is met by the carrying.
            let is_replaced = |entry: &&Seen| {
                entry.stat.kind == Kind::File && resolved.changes.contains_key(&resolved.directory.join(&entry.path))
            };
            for entry in seen.iter().filter(is_replaced) {
                self.ask_link(&from.join(&entry.path), &control::applied(number, 0))?;
            }
            let now = tree::read_stats(&mut self.exec, &At::store(from.clone()))?;
            let changed = tree::changes(&seen, &now);
            if !changed.is_empty() {
                return Err(Error::conflicts(&changed));
            }
        }
        Ok(())
    }

    /// Checks that no mount point is at a directory or below it: its entries could be copied, but not removed
    /// together with the directory.
    fn check_movable(&mut self, from: &RelPath, seen: &[Seen]) -> Result<(), Error> {
        let parent = from.parent();
        self.check_reach_between(&parent, from)?;
        for entry in seen.iter().filter(|entry| entry.stat.kind == Kind::Directory) {
            self.check_reach_between(&parent, &from.join(&entry.path))?;
        }
        Ok(())
    }

    /// Refuses relative links that lead out of a directory: in a generation, which is at another place, they
    /// would have another target.
    fn check_links_stay(&mut self, from: &RelPath, seen: &[Seen], resolved: &Resolved) -> Result<(), Error> {
        for entry in seen.iter().filter(|entry| entry.stat.kind == Kind::Symlink) {
            let at = At::store(from.join(&entry.path));
            if resolved.changes.contains_key(&resolved.directory.join(&entry.path)) {
                continue;
            }
            match self.link_target(&at) {
                Ok(target) if target.is_within(from) => {}
                // The target of an absolute link does not depend on its place.
                Err(error) if error.kind() == ErrorKind::LinkUnreadable => {}
                Ok(_) => return Err(ErrorKind::SymlinkEscapes.at(&at)),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn has_staging(&mut self, number: u64) -> Result<bool, Error> {
        Ok(self.exec.kind(&control::transaction(number))?.is_some())
    }

    pub(super) fn run_synced(&mut self, plan: Plan, synced: bool) -> Result<(), Error> {
        let plan = if synced { plan } else { plan.without_syncs() };
        self.run(plan)
    }

    /// Returns the result unchanged, and removes the staging if it is an error.
    fn or_abandon<T>(&mut self, number: u64, answer: Result<T, Error>) -> Result<T, Error> {
        answer.inspect_err(|_| self.abandon(number))
    }

    /// Returns the path of the link to the generations, existing or future, and its current entry. The
    /// changes were resolved through the link, so this maps them back to the place of the link.
    fn pointer_place(&mut self, resolved: &Resolved) -> Result<(RelPath, Current), Error> {
        let kind = self.whole_directory(resolved)?;
        let Some(path) = resolved.pointer.clone() else {
            return Ok((
                resolved.directory.clone(),
                if kind.is_some() { Current::Directory } else { Current::Nothing },
            ));
        };
        let (directory, generation) = self.pointer(&path)?.ok_or_else(|| ErrorKind::Conflicts.at(&path))?;
        Ok((path, Current::Generation(directory, generation)))
    }

    /// Returns the number of the directory of the next generation, that of the generation itself, and that of
    /// the oldest one that stays. No number is used twice: through a link that belongs to another path the
    /// generation is the first of a new directory.
    fn next_generation(&mut self, path: &RelPath, current: Current, keep: u32) -> Result<(u64, u64, u64), Error> {
        let mut last = generations::directories(&mut self.exec)?.last().copied().unwrap_or_default();
        if let Current::Generation(directory, shown) = current {
            let found = Generations::read(&mut self.exec, directory)?;
            if found.owner.as_ref() == Some(path) {
                let new = found.next(shown);
                return Ok((directory, new, found.oldest_kept(new, Some(shown), keep.into())));
            }
            last = last.max(directory);
        }
        Ok((last + 1, 1, 1))
    }

    /// Returns the path of the link of a directory published by pointer, if `directory` names one: one that the
    /// generations belong to or, if `foreign`, any.
    pub(crate) fn pointer_of(
        &mut self,
        directory: &RelPath,
        policy: Symlinks,
        foreign: bool,
    ) -> Result<Option<RelPath>, Error> {
        if directory.is_root() {
            return Ok(None);
        }
        let parent = match self.walk(RootId::STORE, &directory.parent(), policy, &mut Missing::Refuse) {
            Ok(parent) => parent,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let path = parent.child(directory.name());
        let is_link = self.exec.stat(&path)?.is_some_and(|stat| stat.kind == Kind::Symlink);
        if !is_link {
            return Ok(None);
        }
        let pointer = if foreign { self.pointer(&path)? } else { self.own_pointer(&path)? };
        Ok(pointer.map(|_| path))
    }
}

/// The entry at the path of a directory that is to be published by pointer.
#[derive(Clone, Copy)]
enum Current {
    /// No entry.
    Nothing,
    /// A real directory, at the first publish.
    Directory,
    /// A link to this generation of this directory.
    Generation(u64, u64),
}

/// Returns the changes for the log of a switch: the switch itself, and what it replaces and deletes, by which recovery
/// distinguishes that from entries that others changed or added.
fn switch_ops(switched: &RelPath, resolved: &Resolved, pointer: Option<Change>) -> Vec<Op> {
    let mut ops = Vec::from([Op { path: switched.clone(), change: Change::Switch }]);
    ops.extend(pointer.map(|change| Op { path: switched.clone(), change }));
    for (path, change) in &resolved.changes {
        let old = change.old;
        let change = match &change.pending {
            Pending::Put(staged) => {
                Change::Put { staged: staged.index, length: staged.length, digest: staged.digest, old }
            }
            Pending::Delete => Change::Delete { old },
        };
        ops.push(Op { path: path.clone(), change });
    }
    ops
}

/// The mode of the directories above a generation: others can pass them, and not list them.
const PASSABLE: u32 = 0o711;

/// Appends the steps that build the new tree at `base`.
fn build(
    plan: &mut Plan,
    number: u64,
    resolved: &Resolved,
    old: &[Seen],
    from: Option<&RelPath>,
    base: &RelPath,
) -> Result<(), Error> {
    let place = &resolved.directory;
    let below = |path: &RelPath| path.below(place).unwrap_or_default();
    let mut kept = Tree::new();
    for entry in old.iter().filter(|entry| !resolved.changes.contains_key(&place.join(&entry.path))) {
        kept.push(Node { path: entry.path.clone(), kind: entry.stat.kind });
    }
    if kept.len() + resolved.changes.len() > ENTRIES_MAX {
        return Err(Error::limit(place.shown(), Limit::Entries, ENTRIES_MAX as u64));
    }
    let new_above = |path: &RelPath| {
        let mut above = path.parent();
        while resolved.made.contains(&above) {
            above = above.parent();
        }
        Attributes::NewIn(above)
    };
    let of_old = |path: &RelPath| match from {
        Some(from) => Attributes::Of { from: At::store(from.join(path)), times: false },
        None => new_above(place),
    };
    // Parents before children.
    let mut directories = Vec::from([(base.clone(), of_old(&RelPath::ROOT))]);
    plan.make_dir(base, "the new tree grows where nobody looks");
    if let Some(from) = from {
        tree::carry(plan, &kept, from, base);
    }
    for node in kept.iter().filter(|node| node.kind == Kind::Directory) {
        directories.push((base.join(&node.path), of_old(&node.path)));
    }
    for path in resolved.made.iter().filter(|path| path.is_within(place) && *path != place) {
        let target = base.join(&below(path));
        plan.make_dir(&target, "a new directory");
        directories.push((target, new_above(path)));
    }
    for (path, change) in &resolved.changes {
        if let Pending::Put(staged) = &change.pending {
            let to = base.join(&below(path));
            let from = control::staged(number, staged.index);
            plan.rename(&from, &to, "new content takes its place in the new tree");
        }
    }
    // Children first: a directory may forbid to add entries, and the top opens the tree to others.
    directories.reverse();
    for (path, as_of) in &directories {
        plan.set_attributes(path, as_of.clone(), "or the directory would lose its mode and owner");
    }
    for (path, _) in &directories {
        plan.sync_dir(path, "or the new tree could lose entries");
    }
    Ok(())
}
