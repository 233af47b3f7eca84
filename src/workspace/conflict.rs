//! Conflicts: differences that would undo what somebody else did to the lowers.
//!
//! A difference is based on the state that its path had when the workspace first touched it. The map notes that
//! state; for paths without a note of their own it follows from a note above: of what was not there all below
//! was not there, a directory that was deleted or replaced has a digest of all below, and where changes were
//! made in a directory, it was one. Content that is moved is shown as it is now, so nothing of it is lost.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::choice::Part;
use super::difference::{Delta, find, sources_of};
use super::glob::Select;
use super::map::{Origin, Seen};
use super::view::Place;
use super::{Workspace, choice, lower};
use crate::error::Error;
use crate::fs::{Fs, Kind};
use crate::order;
use crate::path::RelPath;

/// A conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    /// The path of the lowers that has changed.
    pub(super) path: RelPath,
    /// The index of the difference that is based on its former state, or the path of a record that shows
    /// nothing any more.
    pub(super) by: Result<usize, RelPath>,
}

/// The differences, their parts for a choice of paths, and the conflicts of those that are carried out.
pub(super) type Found = (Vec<Delta>, Vec<Part>, Vec<Conflict>);

/// The paths of the lowers that were compared with their notes, and whether they have changed.
pub(super) type Compared = Vec<(RelPath, bool)>;

impl<F: Fs> Workspace<F> {
    /// Lists the paths of the lowers that have changed since the chosen differences were made.
    ///
    /// # Errors
    /// The filesystem's failures.
    pub fn conflicts(&mut self, select: &Select) -> Result<Vec<String>, Error> {
        let found = self.difference_and_conflicts(select);
        Ok(listed(&self.checked(found)?.2))
    }

    /// Compares the lowers with the merged tree, and finds the conflicts of the differences that are carried out.
    pub(super) fn difference_and_conflicts(&mut self, select: &Select) -> Result<Found, Error> {
        let deltas = self.difference()?;
        let parts = choice::choose(&deltas, select, &[]);
        let conflicts = self.conflicts_of(&deltas, &parts, select)?;
        Ok((deltas, parts, conflicts))
    }

    /// Finds the conflicts of the differences that are carried out.
    fn conflicts_of(&mut self, deltas: &[Delta], parts: &[Part], select: &Select) -> Result<Vec<Conflict>, Error> {
        let mut conflicts = Vec::new();
        let mut compared = Compared::new();
        let moved = sources_of(deltas, &|_| true);
        for (index, delta) in deltas.iter().enumerate() {
            if parts[index].is_carried()
                && !delta.is_scaffold
                && let Some(path) = self.changed_base(delta, &moved, &mut compared)?
            {
                conflicts.push(Conflict { path, by: Ok(index) });
            }
        }
        for (path, source) in self.moves() {
            let delta = find(deltas, &path);
            let is_chosen = match delta {
                Some(index) => parts[index].is_carried(),
                None => select.chooses(path.as_str()) || select.chooses(source.as_str()),
            };
            if is_chosen && lower::stat(&mut self.state.exec, &self.lowers, &source)?.is_none() {
                conflicts.push(Conflict { path: source, by: delta.ok_or(path) });
            }
        }
        order::sort_by(&mut conflicts, |one, other| one.path.cmp(&other.path));
        Ok(conflicts)
    }

    /// Lists the records of moved entries: the path, and its source in the lowers.
    pub(super) fn moves(&self) -> Vec<(RelPath, RelPath)> {
        let mut moves = Vec::new();
        for (path, origin) in self.map.origins_below(&RelPath::ROOT) {
            if let Origin::Lower(source) = origin {
                moves.push((super::map::known(path), source.clone()));
            }
        }
        moves
    }

    /// Returns the path of the lowers that has changed since a difference was made.
    fn changed_base(
        &mut self,
        delta: &Delta,
        moved: &[&RelPath],
        compared: &mut Compared,
    ) -> Result<Option<RelPath>, Error> {
        let changed = if moved.binary_search(&&delta.path).is_ok() {
            // Its content goes along, whatever it is now; an entry of another kind is another entry.
            let noted = self.map.seen(&delta.path).and_then(|seen| seen.entry).map(|entry| entry.kind);
            let is_another = noted.is_some() && noted != delta.old_kind();
            is_another.then(|| delta.path.clone())
        } else {
            self.changed_note(&delta.path, delta.old_kind(), compared)?
        };
        if changed.is_some() {
            return Ok(changed);
        }
        // A copy of what is not there any more.
        let under = self.map.under(&delta.path);
        let is_gone = under != delta.path
            && delta.source().is_none()
            && self.map.seen(&under).is_some_and(|seen| seen.entry.is_some())
            && lower::stat(&mut self.state.exec, &self.lowers, &under)?.is_none();
        Ok(is_gone.then_some(under))
    }

    /// Returns the path of the note that contradicts the present entry of the lowers at a path, of this kind.
    pub(super) fn changed_note(
        &mut self,
        path: &RelPath,
        kind: Option<Kind>,
        compared: &mut Compared,
    ) -> Result<Option<RelPath>, Error> {
        let mut at = path.clone();
        loop {
            if let Some(seen) = self.map.seen(&at).cloned() {
                let was_directory = seen.entry.is_some_and(|entry| entry.kind == Kind::Directory);
                if at != *path && !was_directory {
                    return Ok(kind.is_some().then(|| path.clone()));
                }
                if at == *path || seen.below != 0 {
                    return Ok(self.has_changed(&at, &seen, compared)?.then_some(at));
                }
            }
            if at.is_root() {
                break;
            }
            at = at.parent();
        }
        // Without a note it is a directory that changes were made in, or has come since.
        let has_changed = if self.map.was_directory(path) {
            kind != Some(Kind::Directory)
        } else {
            // What has come into a directory that was moved is shown where that is now, unless changes there hide it.
            kind.is_some() && !self.is_shown(path)?
        };
        Ok(has_changed.then(|| path.clone()))
    }

    /// Checks whether somebody else has changed what the workspace hides below a directory of the lowers, so that a
    /// digest of it would have what nobody has seen.
    pub(super) fn is_disturbed(&mut self, top: &RelPath) -> Result<bool, Error> {
        let mut compared = Compared::new();
        for delta in self.difference_within(top)? {
            if delta.path != *top
                && self.changed_note(&delta.path, delta.old_kind(), &mut compared)?.is_some()
                && !self.is_shown(&delta.path)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Checks whether an entry of the lowers is shown anywhere.
    fn is_shown(&mut self, lower: &RelPath) -> Result<bool, Error> {
        for path in self.map.showing(lower) {
            if matches!(self.find_place(&path)?, Some(Place::Lower(shown, ..)) if shown == *lower) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Checks whether a path of the lowers differs from its note.
    fn has_changed(&mut self, path: &RelPath, seen: &Seen, compared: &mut Compared) -> Result<bool, Error> {
        if let Some((_, has_changed)) = compared.iter().find(|(known, _)| known == path) {
            return Ok(*has_changed);
        }
        let now = lower::seen(&mut self.state.exec, &self.lowers, path, seen.below != 0)?;
        let has_changed = lower::has_changed(seen, &now);
        if seen.below != 0 {
            compared.push((path.clone(), has_changed));
        }
        Ok(has_changed)
    }
}

/// Returns the paths of conflicts, each once.
pub(super) fn listed(conflicts: &[Conflict]) -> Vec<String> {
    let mut paths: Vec<String> = conflicts.iter().map(|conflict| conflict.path.to_string()).collect();
    paths.dedup();
    paths
}

/// Returns the differences that are given up for conflicts, with those that need them, and the records that are.
pub(super) fn withdrawn(deltas: &[Delta], conflicts: &[Conflict]) -> (Vec<bool>, Vec<RelPath>) {
    let mut is_withdrawn = alloc::vec![false; deltas.len()];
    let mut dropped = Vec::new();
    for conflict in conflicts {
        match &conflict.by {
            Ok(index) => is_withdrawn[*index] = true,
            Err(record) => dropped.push(record.clone()),
        }
    }
    choice::mark_dependents(&choice::needs(deltas), &mut is_withdrawn);
    (is_withdrawn, dropped)
}

/// Refuses conflicts.
pub(super) fn refuse(conflicts: &[Conflict]) -> Result<(), Error> {
    if conflicts.is_empty() { Ok(()) } else { Err(Error::conflicts(&listed(conflicts))) }
}
