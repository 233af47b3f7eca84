//! The review of a commit: what becomes of each path of the lowers.
//!
//! It is made from the differences and the choice that the commit carries out, so it lists what will be done,
//! and nothing else is done.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::choice::{self, Part};
use super::difference::{Delta, find};
use super::glob::Select;
use super::view::Place;
use super::{Workspace, layout, lower};
use crate::error::Error;
use crate::fs::{Cause, Fs, Kind, Stat};
use crate::order;
use crate::path::{At, RelPath};

/// The number of bytes of two files that are held in memory to be compared.
const COMPARED_BYTES: usize = 1 << 20;

/// The change of a path, seen from the lowers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is deleted; of a directory, with all below it that is not listed otherwise.
    Deleted,
    /// It is new.
    Added,
    /// Its content has changed.
    Modified,
    /// It is the entry that was at this path; of a directory, with all below it that is not listed otherwise.
    Renamed(String),
    /// Its kind was this one.
    Retyped(Kind),
}

/// The part of a change in a commit of the chosen paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It was chosen.
    Chosen,
    /// It was not chosen, and comes along, since a chosen change cannot be without it.
    Along,
    /// It was chosen, and stays in the workspace, for this reason.
    Stays(Reason),
}

/// The reason for which a chosen change is not carried out, or an entry is not exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It cannot be without a path that is excepted.
    Excepted,
    /// Only a lower below the topmost has the entry.
    BelowTopmost,
    /// It must not be read.
    Unreadable,
    /// It is a pipe, a socket or a device.
    Special,
    /// It is an absolute link, which only the host can read.
    AbsoluteLink,
    /// It holds a name that is not UTF-8.
    IllegalName,
}

impl Reason {
    /// Returns the reason for which an entry cannot be read; `None` for every other failure.
    pub(super) fn of(error: &Error) -> Option<Self> {
        match error.cause() {
            Some(Cause::IllegalName) => Some(Self::IllegalName),
            Some(Cause::Access | Cause::NotPermitted) => Some(Self::Unreadable),
            _ => None,
        }
    }
}

/// The entry that a change replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The kind of the entry.
    pub kind: Kind,
    /// The length in bytes; 0 for an entry that is not a file.
    pub size: u64,
}

/// A changed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The path.
    pub path: String,
    /// Its change.
    pub change: Change,
    /// The present kind; of a deleted path, the former one.
    pub kind: Kind,
    /// The present length in bytes.
    pub size: u64,
    /// The text of a link, where it can be read.
    pub target: Option<String>,
    /// The entry of the lowers at the path, which is removed or written over, unless it was moved.
    pub replaced: Option<Replaced>,
    /// The part of the change in a commit.
    pub role: Role,
}

/// One page of a list of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The changes, deletions first, each group in the order of paths.
    pub changes: Vec<Changed>,
    /// The start of the next page; absent on the last one.
    pub next: Option<String>,
}

impl Changed {
    /// Returns the order of lists: deletions first.
    fn order(&self) -> (bool, &str) {
        (self.change != Change::Deleted, &self.path)
    }
}

impl<F: Fs> Workspace<F> {
    /// Returns the changes that a commit of the chosen paths carries out, with what comes along: deletions
    /// first, at most `most` from the end of the page before. A copy that equals its original is no change.
    ///
    /// # Errors
    /// The filesystem's failures; [`crate::error::ErrorKind::InvalidArgument`] for an `after` that is no `next`.
    pub fn changes(&mut self, select: &Select, after: Option<&str>, most: usize) -> Result<Page, Error> {
        let wrong = || Error::invalid_argument("after", "is not where a page ended");
        let after = match after {
            None => None,
            Some(text) => match text.split_at_checked(1).ok_or_else(wrong)? {
                ("d", path) => Some((false, path)),
                ("c", path) => Some((true, path)),
                _ => return Err(wrong()),
            },
        };
        let known = self.reviewed.take().filter(|(known, _)| after.is_some() && known == select);
        let all = match known {
            Some((_, all)) => all,
            None => {
                let all = self.review(select);
                self.checked(all)?
            }
        };
        let start = after.map_or(0, |after| all.partition_point(|changed| changed.order() <= after));
        let end = start.saturating_add(most).min(all.len());
        let changes = all[start..end].to_vec();
        let last = changes.last().filter(|_| end < all.len());
        let next = match last {
            Some(last) if last.change == Change::Deleted => Some(["d", &last.path].concat()),
            Some(last) => Some(["c", &last.path].concat()),
            // A page of no changes.
            None if end < all.len() => Some("d".to_owned()),
            None => None,
        };
        if next.is_some() {
            self.reviewed = Some((select.clone(), all));
        }
        Ok(Page { changes, next })
    }

    fn review(&mut self, select: &Select) -> Result<Vec<Changed>, Error> {
        let deltas = self.difference()?;
        let parts = choice::choose(&deltas, select, &[]);
        let mut moves: Vec<(&RelPath, usize)> = Vec::new();
        for (index, delta) in deltas.iter().enumerate() {
            if let Some(source) = delta.source().filter(|_| parts[index].is_carried()) {
                moves.push((source, index));
            }
        }
        order::sort(&mut moves);
        let review = Review { deltas: &deltas, parts: &parts, moves: &moves };
        let mut all = Vec::new();
        for index in 0..deltas.len() {
            if let Some(changed) = self.changed(&review, index)? {
                all.push(changed);
            }
        }
        order::sort_by(&mut all, |one, other| one.order().cmp(&other.order()));
        Ok(all)
    }

    /// Returns the line for a difference; nothing where another line says it.
    fn changed(&mut self, review: &Review<'_>, index: usize) -> Result<Option<Changed>, Error> {
        let delta = &review.deltas[index];
        let is_moved = review.moved_to(&delta.path).is_some();
        let before = delta.before.as_ref().filter(|_| !is_moved);
        let parent = find(review.deltas, &delta.path.parent());
        let role = match review.parts[index] {
            Part::Stays => return Ok(None),
            Part::Bound if delta.is_unlisted => Role::Stays(Reason::IllegalName),
            Part::Bound => Role::Stays(Reason::Excepted),
            // What is not moved with its directory is gone with that.
            _ if delta.is_mask() && parent.is_none_or(|it| review.moved_to(&review.deltas[it].path).is_none()) => {
                Role::Stays(Reason::BelowTopmost)
            }
            Part::Along => Role::Along,
            Part::Chosen => Role::Chosen,
        };
        let Some(place) = &delta.after else {
            let Some((_, stat)) = before else { return Ok(None) };
            if parent.is_some_and(|parent| review.covers(parent, index)) {
                return Ok(None);
            }
            let (kind, replaced) = (stat.kind, Some(replaced(stat)));
            let (path, change) = (delta.path.to_string(), Change::Deleted);
            return Ok(Some(Changed { path, change, kind, size: 0, target: None, replaced, role }));
        };
        let from = parent.and_then(|parent| Some(review.moved_from(parent)?.child(delta.path.name())));
        let mut role = role;
        let mut original = before.cloned();
        let change = match delta.source() {
            Some(source) if review.is_move(index, source) => {
                if from.as_ref() == Some(source) {
                    return Ok(None);
                }
                // Both ends are one change: it was chosen if one of them was.
                if find(review.deltas, source).is_some_and(|other| review.parts[other] == Part::Chosen) {
                    role = Role::Chosen;
                }
                Change::Renamed(source.to_string())
            }
            _ => {
                if let Some(from) = from.filter(|_| delta.source().is_none())
                    && review.moved_to(&from).is_none()
                {
                    original = lower::stat(&mut self.state.exec, &self.lowers, &from)?;
                }
                match &original {
                    None => Change::Added,
                    Some((_, stat)) if stat.kind != place.kind() => Change::Retyped(stat.kind),
                    Some((at, stat)) => {
                        let size = self.node(place)?.size;
                        let is_own = !matches!(place, Place::Lower(..));
                        if is_own && self.is_same((place, size), at, stat).unwrap_or(false) {
                            return Ok(None);
                        }
                        Change::Modified
                    }
                }
            }
        };
        let kind = place.kind();
        let size = self.node(place)?.size;
        let target = match place {
            Place::Link(text) => Some(text.clone()),
            // An absolute one cannot be read.
            Place::Lower(_, at, _) if kind == Kind::Symlink => self.state.exec.read_link(at.root, &at.path).ok(),
            _ => None,
        };
        let replaced = original.as_ref().map(|(_, stat)| replaced(stat));
        Ok(Some(Changed { path: delta.path.to_string(), change, kind, size, target, replaced, role }))
    }

    /// Checks whether an entry of the workspace equals an original of its kind.
    pub(super) fn is_same(&mut self, (place, size): (&Place, u64), original: &At, stat: &Stat) -> Result<bool, Error> {
        match place {
            Place::File(number) => {
                let own = At::store(layout::file(*number));
                if size != stat.size {
                    return Ok(false);
                }
                let before = if self.observed.is_some() { self.state.exec.stat(&own.path)? } else { None };
                let mut offset = 0;
                while offset < size {
                    // Read alternately, so that neither is held in memory as a whole.
                    let length = usize::try_from(size - offset).map_or(COMPARED_BYTES, |rest| rest.min(COMPARED_BYTES));
                    let one = self.state.exec.read_at(&own, offset, length)?;
                    if one.is_empty() || one != self.state.exec.read_at(original, offset, length)? {
                        return Ok(false);
                    }
                    offset += one.len() as u64;
                }
                // Its owner may have written it meanwhile.
                Ok(self.observed.is_none() || before == self.state.exec.stat(&own.path)?)
            }
            // A link that cannot be read is absolute, and links of the workspace never are.
            Place::Link(text) => {
                Ok(self.state.exec.read_link(original.root, &original.path).is_ok_and(|there| there == *text))
            }
            Place::Directory | Place::Lower(..) => Ok(true),
        }
    }
}

/// Differences, their parts, and the moves that are carried out: sources and indices, sorted.
struct Review<'a> {
    deltas: &'a [Delta],
    parts: &'a [Part],
    moves: &'a [(&'a RelPath, usize)],
}

impl Review<'_> {
    /// Checks whether an entry is moved as it is.
    fn is_move(&self, index: usize, source: &RelPath) -> bool {
        self.moved_to(source) == Some(index)
    }

    /// Returns the index of the difference that moves the entry of the lowers at a path: a directory, if nothing of it
    /// stays. Where further ones show it, too, they are made anew.
    fn moved_to(&self, path: &RelPath) -> Option<usize> {
        let from = find(self.deltas, path).filter(|from| self.parts[*from].is_carried())?;
        let is_over = self.deltas[from].kind() != Some(Kind::Directory);
        let start = self.moves.partition_point(|(source, _)| *source < path);
        let moves = self.moves[start..].iter().take_while(|(source, _)| *source == path);
        moves.map(|(_, index)| *index).find(|index| is_over || self.deltas[*index].kind() != Some(Kind::Directory))
    }

    /// Returns the source of a directory that is moved.
    fn moved_from(&self, index: usize) -> Option<&RelPath> {
        let delta = &self.deltas[index];
        let is_directory = delta.kind() == Some(Kind::Directory) && self.parts[index].is_carried();
        delta.source().filter(|source| is_directory && self.is_move(index, source))
    }

    /// Returns the index of the entry that has the place of one in a directory that is moved.
    fn successor(&self, index: usize) -> Option<usize> {
        let path = &self.deltas[index].path;
        let parent = find(self.deltas, &path.parent())?;
        self.child_of(self.moved_to(&self.deltas[parent].path)?, path.name())
    }

    fn child_of(&self, index: usize, name: &str) -> Option<usize> {
        let child = find(self.deltas, &self.deltas[index].path.child(name))?;
        (self.deltas[child].after.is_some() && self.parts[child].is_carried()).then_some(child)
    }

    /// Checks whether the line of a directory says that an entry in it is deleted.
    fn covers(&self, parent: usize, index: usize) -> bool {
        let (above, delta) = (&self.deltas[parent], &self.deltas[index]);
        if !above.ends_directory() {
            return false;
        }
        match (self.parts[parent], self.parts[index]) {
            (Part::Bound, Part::Bound) => true,
            (one, other) if one.is_carried() && other.is_carried() => {
                // Its successor in the directory that was moved, or in one that took its place there, has a line.
                let into = self.moved_to(&above.path).or_else(|| self.successor(parent));
                let has_directory = |into: &usize| self.deltas[*into].kind() == Some(Kind::Directory);
                into.filter(has_directory).is_none_or(|into| self.child_of(into, delta.path.name()).is_some())
            }
            _ => false,
        }
    }
}

fn replaced(stat: &Stat) -> Replaced {
    Replaced { kind: stat.kind, size: if stat.kind == Kind::File { stat.size } else { 0 } }
}
