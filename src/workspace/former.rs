//! What the lowers had before commits, kept for checkpoints: a checkpoint shows the lowers through, so a commit
//! would change what it shows.
//!
//! A commit keeps each entry that it replaces or removes, once there is a checkpoint. A restore records the kept
//! entries wherever the checkpoint showed them, as changes against the lowers as they are now.

use alloc::string::String;
use alloc::vec::Vec;

use super::choice::Part;
use super::difference::{Delta, find, sources_of};
use super::glob::Select;
use super::map::{Map, Origin, Record, Seen, known};
use super::view::Place;
use super::{Workspace, layout, lower};
use crate::error::Error;
use crate::fs::{Fs, Kind, Stat};
use crate::order;
use crate::path::{At, RelPath};
use crate::plan::Plan;

impl<F: Fs> Workspace<F> {
    /// Keeps what a commit will replace or remove; returns the records for the map after it.
    pub(super) fn keep_former(&mut self, deltas: &[Delta], parts: &[Part]) -> Result<Vec<Record>, Error> {
        let mut records = self.map.former();
        if layout::look(&mut self.state.exec)?.checkpoints.is_empty() {
            return Ok(records);
        }
        let commit = self.files.next;
        self.files.next += 1;
        let moved = sources_of(deltas, &|_| true);
        let mut has_files = false;
        for (delta, _) in deltas.iter().zip(parts).filter(|(_, part)| part.is_carried()) {
            let path = &delta.path;
            if delta.is_scaffold || (delta.after.is_none() && self.still_shows(deltas, delta)?) {
                continue;
            }
            let origin = match &delta.before {
                None => Origin::Nowhere,
                Some((_, stat)) if stat.kind == Kind::Directory => Origin::Directory,
                Some((at, stat)) if stat.kind == Kind::Symlink => match self.state.exec.read_link(at.root, &at.path) {
                    Ok(text) => Origin::Link(text),
                    Err(_) => Origin::Lower(path.clone()),
                },
                Some((at, stat)) => match self.keep_file(at, stat, moved.binary_search(&path).is_ok()) {
                    Some(number) => {
                        has_files = true;
                        Origin::File(number)
                    }
                    None => Origin::Lower(path.clone()),
                },
            };
            records.push(Record::Was(path.clone(), commit, origin));
        }
        if has_files {
            let mut plan = Plan::new();
            plan.sync_dir(&layout::files(), "or what a checkpoint shows could be lost");
            self.state.run(plan)?;
        }
        Ok(records)
    }

    /// Checks whether lowers below the topmost show the same after an entry was removed from the topmost.
    fn still_shows(&mut self, deltas: &[Delta], delta: &Delta) -> Result<bool, Error> {
        let mut above = delta.path.parent();
        while let Some(index) = find(deltas, &above) {
            if deltas[index].kind().is_some_and(|kind| kind != Kind::Directory) {
                return Ok(false);
            }
            above = above.parent();
        }
        let below = lower::stat(&mut self.state.exec, &self.lowers[1..], &delta.path)?;
        let is_directory = below.is_some_and(|(_, stat)| stat.kind == Kind::Directory);
        Ok(!delta.is_topmost || (is_directory && delta.old_kind() == Some(Kind::Directory)))
    }

    /// Gives a file of the lowers a number in the upper: a further name, or a copy where the lowers keep the file
    /// under another name, by which others may write it. `None` where that is not possible.
    fn keep_file(&mut self, at: &At, stat: &Stat, is_moved: bool) -> Option<u64> {
        if stat.kind != Kind::File {
            return None;
        }
        let number = self.files.next;
        self.files.next += 1;
        let file = layout::file(number);
        let mut plan = Plan::new();
        if stat.links == 1 && !is_moved {
            plan.share_from(at, &file, "a checkpoint shows it");
        } else {
            plan.create(&file, "a checkpoint shows it");
            plan.copy(at, 0, u64::MAX, &file, "a checkpoint shows it");
        }
        plan.sync_file(&file, "or what a checkpoint shows could be lost");
        let kept = self.state.run(plan);
        self.state.exec.close(&file);
        if kept.is_err() {
            self.remove_file(number);
            return None;
        }
        self.files.bytes += stat.size;
        Some(number)
    }

    /// Returns the map of a checkpoint, as changes against the lowers as they are now. `since` is above every file
    /// that existed when it was made, and so above the number of every earlier commit.
    ///
    /// # Errors
    /// The filesystem's failures, and with [`crate::error::ErrorKind::Conflicts`] the paths that cannot come back.
    pub(super) fn brought_back(&mut self, map: &Map, since: u64) -> Result<Map, Error> {
        let former = self.map.former_since(since);
        let conflicts =
            if former.is_empty() { Vec::new() } else { self.difference_and_conflicts(&Select::default())?.2 };
        // Of what was in conflict there, nothing has been seen.
        let is_disturbed = |path: &RelPath| conflicts.iter().any(|conflict| conflict.path.is_within(path));
        let mut lost: Vec<String> = Vec::new();
        let mut shows = map.recorded_below(&RelPath::ROOT);
        let is_end = |origin: &Origin| matches!(origin, Origin::Nowhere | Origin::File(_) | Origin::Link(_));
        for (lower, origin) in &former {
            for path in map.showing(lower) {
                shows.retain(|(known, _)| *known != path);
                if matches!(origin, Origin::Lower(_)) {
                    lost.push(path.as_str().into());
                }
                // What the workspace had in it made it a directory.
                let is_directory = is_end(origin) && map.has_below(&path);
                if is_directory {
                    let inside = map.with_directories(&path).into_iter();
                    shows.extend(inside.filter(|(path, _)| map.origin(path).is_none()));
                }
                shows.push((path, if is_directory { Origin::Directory } else { origin.clone() }));
            }
        }
        order::sort_by(&mut shows, |(one, _), (other, _)| one.cmp(other));
        // What a later commit found below an entry that is no directory came after the checkpoint.
        // Sorted, as the list is.
        let mut ends: Vec<RelPath> = Vec::new();
        shows.retain(|(path, origin)| {
            let mut above = path.clone();
            while !above.is_root() {
                above = above.parent();
                if ends.binary_search(&above).is_ok() {
                    return false;
                }
            }
            if is_end(origin) {
                ends.push(path.clone());
            }
            true
        });
        for (path, origin) in &shows {
            if let Origin::Lower(source) = origin
                && lower::stat(&mut self.state.exec, &self.lowers, source)?.is_none()
            {
                lost.push(path.as_str().into());
            }
        }
        if !lost.is_empty() {
            lost.dedup();
            return Err(Error::conflicts(&lost));
        }
        let mut records: Vec<Record> =
            shows.into_iter().map(|(path, origin)| Record::Shows(path, Some(origin))).collect();
        for (path, seen) in map.seen_within(&RelPath::ROOT) {
            let path = known(path);
            let is_former = former.iter().any(|(lower, _)| lower.is_within(&path));
            let seen = if is_former && seen.below != 0 && !is_disturbed(&path) {
                lower::seen(&mut self.state.exec, &self.lowers, &path, true)?
            } else {
                seen.clone()
            };
            records.push(Record::Saw(path, Some(seen)));
        }
        for (path, _) in former {
            let now = lower::seen(&mut self.state.exec, &self.lowers, &path, true)?;
            // What is a conflict before the restore stays one.
            let noted = match self.map.seen(&path) {
                Some(noted) if lower::has_changed(noted, &now) => Some(noted.clone()),
                Some(_) if !is_disturbed(&path) => None,
                _ if now.entry.is_some() => Some(Seen::of(None)),
                _ => Some(Seen::directory()),
            };
            let is_itself = matches!(self.find_place(&path)?, Some(Place::Lower(shown, ..)) if shown == path);
            let is_conflict = is_disturbed(&path)
                || (!is_itself && {
                    let kind = now.entry.map(|entry| entry.kind);
                    self.changed_note(&path, kind, &mut Vec::new())?.is_some()
                });
            records.push(Record::Saw(path, Some(noted.filter(|_| is_conflict).unwrap_or(now))));
        }
        records.extend(self.map.former());
        Ok(Map::from_records(&records))
    }
}
