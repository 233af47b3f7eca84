//! A refresh: the present state of the lowers is taken into the workspace where both sides have changed, so that a
//! commit finds no conflict there. All else of the lowers shows through anyway.
//!
//! It changes the upper alone, by one new map: all of it happens, or nothing.

use alloc::string::String;
use alloc::vec::Vec;

use super::conflict::{self, Conflict};
use super::difference::Delta;
use super::glob::Select;
use super::map::{Header, Map, Origin, Record};
use super::merge::Merged;
use super::{Workspace, layout, lower};
use crate::error::Error;
use crate::fs::Fs;
use crate::path::RelPath;
use crate::plan::Plan;

/// What becomes of a path that both sides have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// The change of the workspace stays, and a commit replaces what the lowers have.
    Ours,
    /// It shows what the lowers have, and the change of the workspace is given up.
    Theirs,
    /// Text is merged by lines. What overlaps, or is no text, is refused.
    Merge,
    /// As `Merge`; where both sides changed the same lines, both versions stand there, between marks.
    Mark,
}

impl<F: Fs> Workspace<F> {
    /// Resolves the conflicts of the changes that a commit of these paths makes, durably; returns their paths.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Conflicts`] with the paths that cannot be merged, and nothing changed; as for
    /// [`Workspace::sync`].
    pub fn refresh(&mut self, select: &Select, resolution: Resolution) -> Result<Vec<String>, Error> {
        self.sync()?;
        self.check_usable()?;
        let (deltas, _, conflicts) = self.difference_and_conflicts(select)?;
        let paths = conflict::listed(&conflicts);
        if paths.is_empty() {
            return Ok(paths);
        }
        let first = self.files.next;
        let next = match resolution {
            Resolution::Ours => self.with_ours(&deltas, &conflicts),
            Resolution::Theirs => self.with_theirs(&deltas, &conflicts),
            Resolution::Merge => self.with_merged(&deltas, &conflicts, false),
            Resolution::Mark => self.with_merged(&deltas, &conflicts, true),
        };
        let replaced = next.and_then(|next| {
            let header = Header { files: self.files.next, ..self.header.clone() };
            self.replace_map(&next, header).map(|()| next)
        });
        match replaced {
            Ok(next) => {
                self.go_on(next);
                Ok(paths)
            }
            Err(error) => {
                if self.state.check_usable().is_ok() {
                    (first..self.files.next).for_each(|number| self.remove_file(number));
                }
                Err(error)
            }
        }
    }

    /// Replaces the map in memory by one that is durable, and releases the files that it does not name.
    pub(super) fn go_on(&mut self, next: Map) {
        let mut former: Vec<u64> = core::mem::replace(&mut self.map, next).files().collect();
        let mut used: Vec<u64> = self.map.files().collect();
        used.sort_unstable();
        former.sort_unstable();
        former.dedup();
        for number in former.into_iter().filter(|number| used.binary_search(number).is_err()) {
            self.release_now(number);
        }
    }

    /// Notes what the lowers have now: the changes were made with that in sight.
    fn with_ours(&mut self, deltas: &[Delta], conflicts: &[Conflict]) -> Result<Map, Error> {
        let mut gone: Vec<RelPath> = Vec::new();
        let mut records = Vec::new();
        for Conflict { path, by } in conflicts {
            match by {
                // A move whose source is gone: what it shows now is recorded in its place.
                Err(record) => gone.push(record.clone()),
                Ok(index) => {
                    let at = &deltas[*index].path;
                    if matches!(self.map.origin(at), Some(Origin::Lower(source)) if source == path) {
                        gone.push(at.clone());
                    }
                    let seen = lower::seen(&mut self.state.exec, &self.lowers, path, true)?;
                    records.push(Record::Saw(path.clone(), Some(seen)));
                }
            }
        }
        let mut next = self.rebased(deltas, &alloc::vec![false; deltas.len()], &gone)?;
        next.apply(&records);
        Ok(next)
    }

    /// Gives up the changes, with all that needs them.
    fn with_theirs(&mut self, deltas: &[Delta], conflicts: &[Conflict]) -> Result<Map, Error> {
        let (is_withdrawn, dropped) = conflict::withdrawn(deltas, conflicts);
        self.rebased(deltas, &is_withdrawn, &dropped)
    }

    /// Returns the map without some differences, with what checkpoints need.
    fn rebased(&mut self, deltas: &[Delta], is_withdrawn: &[bool], dropped: &[RelPath]) -> Result<Map, Error> {
        let mut next = self.rebase(deltas, is_withdrawn, is_withdrawn, dropped)?;
        next.apply(&self.map.former());
        Ok(next)
    }

    /// Shows merged texts, each as a change of what the lowers have now.
    fn with_merged(&mut self, deltas: &[Delta], conflicts: &[Conflict], marked: bool) -> Result<Map, Error> {
        let mut left = Vec::new();
        let mut next = self.map.clone();
        for Conflict { path, by } in conflicts {
            let merged = match by {
                Ok(index) if deltas[*index].path == *path => self.merged(&deltas[*index], marked)?,
                _ => None,
            };
            let Some(Merged { text, theirs }) = merged else {
                left.push(String::from(path.as_str()));
                continue;
            };
            let mut seen = lower::seen(&mut self.state.exec, &self.lowers, path, true)?;
            if seen.below != super::map::sum(super::map::SEED, &theirs) {
                return Err(Error::conflicts(&[path.as_str().into()]));
            }
            let number = self.new_file(text, true)?;
            if self.quota.bytes.is_none() {
                seen.kept = self.new_file(theirs, false).ok();
            }
            let shows = Record::Shows(path.clone(), Some(Origin::File(number)));
            next.apply(&[shows, Record::Saw(path.clone(), Some(seen))]);
        }
        if !left.is_empty() {
            left.dedup();
            return Err(Error::not_merged(&left));
        }
        let mut plan = Plan::new();
        plan.sync_dir(&layout::files(), "or the map could name content that was lost");
        self.state.run(plan)?;
        Ok(next)
    }
}
