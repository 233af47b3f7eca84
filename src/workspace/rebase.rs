//! The map after a commit: what was not carried out stays, as a difference against the lower as it is then.

use alloc::vec::Vec;

use super::difference::{Delta, find, paths_of, sources_of};
use super::map::{Map, Origin, Record, Seen, known};
use super::{Workspace, conflict, lower};
use crate::error::Error;
use crate::fs::{Fs, Kind};
use crate::order;
use crate::path::RelPath;

/// Checks whether one of some sorted paths is at or below another path.
fn has_within(sorted: &[&RelPath], path: &RelPath) -> bool {
    if sorted.binary_search(&path).is_ok() || (path.is_root() && !sorted.is_empty()) {
        return true;
    }
    let below = [path.as_str(), "/"].concat();
    let start = sorted.partition_point(|other| other.as_str() < &*below);
    sorted.get(start).is_some_and(|other| other.as_str().starts_with(&below))
}

/// Checks whether a path is at or below one of some sorted paths.
fn is_below_one_of(sorted: &[&RelPath], path: &RelPath) -> bool {
    let mut at = path.clone();
    while sorted.binary_search(&&at).is_err() {
        if at.is_root() {
            return false;
        }
        at = at.parent();
    }
    true
}

/// Checks whether a note says what was below its path as well.
fn says_all(seen: &Seen) -> bool {
    seen.below != 0 || seen.entry.is_none_or(|entry| entry.kind != Kind::Directory)
}

impl<F: Fs> Workspace<F> {
    /// Returns the note of a path of the lowers, or of the nearest one above it.
    fn nearest_note(&self, path: &RelPath) -> Option<(RelPath, &Seen)> {
        let mut at = path.clone();
        loop {
            match self.map.seen(&at) {
                Some(seen) => return Some((at, seen)),
                None if at.is_root() => return None,
                None => at = at.parent(),
            }
        }
    }

    /// Checks whether the note of a path above this one says what was here.
    pub(super) fn is_noted_above(&self, path: &RelPath) -> bool {
        self.nearest_note(path).is_some_and(|(at, seen)| at != *path && says_all(seen))
    }

    /// Returns the map after a commit of the settled differences: those that are carried out, and those that are
    /// given up, which are withdrawn. `dropped` are records that show nothing and are given up.
    ///
    /// Records whose paths and sources the commit does not change stay as they are. Of all others the remaining
    /// differences are recorded one by one.
    pub(super) fn rebase(
        &mut self,
        deltas: &[Delta],
        is_settled: &[bool],
        is_withdrawn: &[bool],
        dropped: &[RelPath],
    ) -> Result<Map, Error> {
        let settled = paths_of(deltas, &|index| is_settled[index]);
        let withdrawn = paths_of(deltas, &|index| is_withdrawn[index]);
        // Those that are no directories after the commit hide what is below them.
        let ended = paths_of(deltas, &|index| {
            is_settled[index] && !is_withdrawn[index] && deltas[index].kind() != Some(Kind::Directory)
        });
        let mut shows: Vec<(RelPath, Origin)> = Vec::new();
        let all = self.map.recorded_below(&RelPath::ROOT);
        let mut changed: Vec<RelPath> = dropped.to_vec();
        for (path, origin) in &all {
            let source_changes = match origin {
                Origin::Lower(source) if has_within(&settled, source) || is_below_one_of(&ended, source) => true,
                // It is gone, and another one could come to light there, or it needs a directory that is given up.
                Origin::Lower(source) if is_below_one_of(&settled, source) || is_below_one_of(&withdrawn, path) => {
                    self.find_place(path)?.is_none()
                }
                _ => false,
            };
            if has_within(&settled, path) || source_changes {
                changed.push(path.clone());
            }
        }
        order::sort(&mut changed);
        let changed: Vec<&RelPath> = changed.iter().collect();
        let mut kept: Vec<&RelPath> = Vec::new();
        for (path, origin) in &all {
            let is_needed = match origin {
                _ if is_below_one_of(&kept, path) => true,
                Origin::Directory => true,
                Origin::Lower(source) => source != path,
                // Without a difference the lowers show the same.
                Origin::Nowhere | Origin::File(_) | Origin::Link(_) => find(deltas, path).is_some(),
            };
            if is_needed && !has_within(&changed, path) {
                kept.push(path);
                shows.push((path.clone(), origin.clone()));
            }
        }
        // Of a directory whose record does not stay, each entry is moved by itself.
        let moved = sources_of(deltas, &|index| {
            let delta = &deltas[index];
            !is_settled[index] && (delta.kind() != Some(Kind::Directory) || is_below_one_of(&kept, &delta.path))
        });
        let sources = sources_of(deltas, &|_| true);
        // The note of a settled path, and a digest of which a part is settled, are of a former state.
        let is_over = |path: &RelPath, seen: &Seen| {
            settled.binary_search(&path).is_ok() || (seen.below != 0 && has_within(&settled, path))
        };
        let mut compared = conflict::Compared::new();
        let mut notes: Vec<(RelPath, Seen)> = Vec::new();
        let mut stale: Vec<RelPath> = Vec::new();
        // Those below an entry that the commit removes or replaces.
        let mut is_covered = alloc::vec![false; deltas.len()];
        for (index, delta) in deltas.iter().enumerate() {
            let path = &delta.path;
            // Where the end of a directory is given up, it is there again, with what stays a change in it.
            let above = find(deltas, &path.parent())
                .filter(|above| deltas[*above].kind() != Some(Kind::Directory) && !is_withdrawn[*above]);
            is_covered[index] = above.is_some_and(|above| is_settled[above] || is_covered[above]);
            if is_settled[index] || is_covered[index] || delta.is_scaffold {
                continue;
            }
            // A record above hides it.
            let is_hidden = above.is_some();
            if !is_hidden && !is_below_one_of(&kept, path) {
                let origin = delta.after.as_ref().map_or(Origin::Nowhere, |place| match place.origin() {
                    Origin::Lower(_) if place.kind() == Kind::Directory => Origin::Directory,
                    origin => origin,
                });
                shows.push((path.clone(), origin));
            }
            // What was moved is shown elsewhere as it is.
            if moved.binary_search(&path).is_ok() {
                continue;
            }
            let is_noted = self
                .nearest_note(path)
                .is_some_and(|(at, seen)| !is_over(&at, seen) && (at == *path || says_all(seen)));
            if is_noted {
                continue;
            }
            // What was moved has been shown up to now.
            let was_moved = sources.binary_search(&path).is_ok();
            match self.changed_note(path, delta.old_kind(), &mut compared)?.filter(|_| !was_moved) {
                // It stays a conflict.
                Some(note) if self.map.seen(&note).is_some() => stale.push(note),
                Some(_) => {
                    let was_directory = self.map.was_directory(path);
                    notes.push((path.clone(), if was_directory { Seen::directory() } else { Seen::of(None) }));
                }
                None => {
                    // Content counts, but not of what stays a directory, or was settled in part.
                    let is_directory = delta.old_kind() == Some(Kind::Directory);
                    let all = !is_directory || (delta.ends_directory() && !has_within(&settled, path));
                    // Below a directory that the topmost lower gets, those below it show.
                    let is_new =
                        find(deltas, &path.parent()).is_some_and(|parent| is_settled[parent] && !is_withdrawn[parent]);
                    let lowers = &self.lowers[usize::from(is_new)..];
                    notes.push((path.clone(), lower::seen(&mut self.state.exec, lowers, path, all)?));
                }
            }
        }
        // A record ends those below it, so they come later.
        order::sort_by(&mut shows, |(one, _), (other, _)| one.cmp(other));
        let mut records: Vec<Record> =
            shows.into_iter().map(|(path, origin)| Record::Shows(path, Some(origin))).collect();
        for (path, seen) in self.map.seen_within(&RelPath::ROOT) {
            let path = known(path);
            let is_covered = find(deltas, &path).is_some_and(|index| is_covered[index]);
            if stale.contains(&path) || !(is_covered || is_over(&path, seen)) {
                records.push(Record::Saw(path, Some(seen.clone())));
            }
        }
        records.extend(notes.into_iter().map(|(path, seen)| Record::Saw(path, Some(seen))));
        Ok(Map::from_records(&records))
    }
}
