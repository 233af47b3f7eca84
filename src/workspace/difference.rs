//! The difference between the lowers as they are now and the merged tree, path by path.
//!
//! It is the one list from which a review, a commit and the map after it are made, so they cannot disagree.

use alloc::string::String;
use alloc::vec::Vec;

use super::view::Place;
use super::{Workspace, lower};
use crate::error::Error;
use crate::fs::{Cause, Fs, Kind, Stat};
use crate::order;
use crate::path::{At, RelPath};

/// The difference at one path.
#[derive(Clone, Debug)]
pub(super) struct Delta {
    /// The path.
    pub(super) path: RelPath,
    /// The entry of the lowers, as one tree.
    pub(super) before: Option<(At, Stat)>,
    /// Whether that is the entry of the topmost lower.
    pub(super) is_topmost: bool,
    /// The entry of the merged tree.
    pub(super) after: Option<Place>,
    /// A directory that both trees have and the topmost lower lacks: a commit below it has to make it.
    pub(super) is_scaffold: bool,
    /// It cannot be known as a whole, since a directory in it holds a name that is not UTF-8: it stays as it is.
    pub(super) is_unlisted: bool,
}

impl Delta {
    /// Returns the kind of the entry of the lowers.
    pub(super) fn old_kind(&self) -> Option<Kind> {
        self.before.as_ref().map(|(_, stat)| stat.kind)
    }

    /// Returns the kind of the entry of the merged tree.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.after.as_ref().map(Place::kind)
    }

    /// Checks whether a directory of the lowers goes, or makes room for another entry.
    pub(super) fn ends_directory(&self) -> bool {
        self.old_kind() == Some(Kind::Directory) && self.kind() != Some(Kind::Directory)
    }

    /// Returns the path of the lowers from which the entry was moved here.
    pub(super) fn source(&self) -> Option<&RelPath> {
        match &self.after {
            Some(Place::Lower(lower, _, _)) if *lower != self.path && !self.is_scaffold => Some(lower),
            _ => None,
        }
    }

    /// Checks whether a deletion changes nothing in the topmost lower: it stays a record of the workspace.
    pub(super) fn is_mask(&self) -> bool {
        self.after.is_none() && !self.is_topmost
    }

    /// Returns the entry of the topmost lower.
    pub(super) fn topmost(&self) -> Option<Stat> {
        self.before.as_ref().filter(|_| self.is_topmost).map(|(_, stat)| *stat)
    }
}

/// Returns the paths of some of these differences, by index.
pub(super) fn paths_of<'d>(deltas: &'d [Delta], some: &dyn Fn(usize) -> bool) -> Vec<&'d RelPath> {
    (0..deltas.len()).filter(|index| some(*index)).map(|index| &deltas[index].path).collect()
}

/// Returns the paths of the lowers from which entries were moved by some of these differences, sorted.
pub(super) fn sources_of<'d>(deltas: &'d [Delta], some: &dyn Fn(usize) -> bool) -> Vec<&'d RelPath> {
    let moved = (0..deltas.len()).filter(|index| some(*index));
    let mut sources: Vec<&RelPath> = moved.filter_map(|index| deltas[index].source()).collect();
    order::sort(&mut sources);
    sources
}

/// Finds the difference at a path in a list that is sorted by path.
pub(super) fn find(deltas: &[Delta], path: &RelPath) -> Option<usize> {
    deltas.binary_search_by(|delta| delta.path.cmp(path)).ok()
}

/// Marks all that hangs together with a directory that cannot be listed: the whole of what was changed around it, and
/// the other ends of moves.
fn mark_unlisted(deltas: &mut [Delta]) {
    let top = |deltas: &[Delta], index: usize| {
        let mut top = index;
        while let Some(above) = find(deltas, &deltas[top].path.parent()).filter(|above| *above != top) {
            top = above;
        }
        deltas[top].path.clone()
    };
    let mut waiting: Vec<usize> = (0..deltas.len()).filter(|index| deltas[*index].is_unlisted).collect();
    let mut tops: Vec<RelPath> = Vec::new();
    while let Some(index) = waiting.pop() {
        let top = top(deltas, index);
        if tops.contains(&top) {
            continue;
        }
        for (other, delta) in deltas.iter().enumerate() {
            let source = delta.source();
            if delta.path.is_within(&top) {
                waiting.extend(source.and_then(|source| find(deltas, source)));
            } else if source.is_some_and(|source| source.is_within(&top)) {
                waiting.push(other);
            }
        }
        tops.push(top);
    }
    for delta in deltas {
        delta.is_unlisted = tops.iter().any(|top| delta.path.is_within(top));
    }
}

impl<F: Fs> Workspace<F> {
    /// Compares the lowers with the merged tree. The list is sorted by path.
    ///
    /// Only paths at which the map has a record, and what is below moved, new, deleted and replaced directories,
    /// are visited. An entry that was moved is a difference at both of its paths. A copy that equals its
    /// original is none.
    ///
    /// # Errors
    /// The filesystem's failures.
    pub(super) fn difference(&mut self) -> Result<Vec<Delta>, Error> {
        let mut deltas = self.difference_within(&RelPath::ROOT)?;
        if self.lowers.len() > 1 {
            let scaffolds = self.scaffolds(&deltas)?;
            deltas.extend(scaffolds);
            order::sort_by(&mut deltas, |one, other| one.path.cmp(&other.path));
        }
        Ok(deltas)
    }

    /// As [`Workspace::difference`], at and below a path, without the directories that a commit has to make.
    pub(super) fn difference_within(&mut self, top: &RelPath) -> Result<Vec<Delta>, Error> {
        self.forget_sources();
        let mut deltas = Vec::new();
        let mut waiting = Vec::from([top.clone()]);
        while let Some(path) = waiting.pop() {
            self.looked.clear();
            let before = self.look_below(&path)?;
            let after = self.find_place(&path)?;
            let (names, is_unlisted) = self.names_to_compare(&path, before.as_ref(), after.as_ref())?;
            waiting.extend(names.iter().map(|name| path.child(name)));
            if self.differs(&path, before.as_ref(), after.as_ref())? {
                let is_topmost = before.as_ref().is_some_and(|(at, _)| self.is_in_topmost(at));
                deltas.push(Delta { path, before, is_topmost, after, is_scaffold: false, is_unlisted });
            }
        }
        order::sort_by(&mut deltas, |one, other| one.path.cmp(&other.path));
        mark_unlisted(&mut deltas);
        Ok(deltas)
    }

    /// Returns the names in a directory of either tree at which the two may differ, and whether there are more, which are
    /// not UTF-8.
    fn names_to_compare(
        &mut self,
        path: &RelPath,
        before: Option<&(At, Stat)>,
        after: Option<&Place>,
    ) -> Result<(Vec<String>, bool), Error> {
        let is_directory = after.is_some_and(|place| place.kind() == Kind::Directory);
        if is_directory && matches!(after, Some(Place::Lower(lower, _, _)) if lower == path) {
            // Without records, the lowers show through.
            return Ok((self.map.names_in(path), false));
        }
        let mut lists = Vec::new();
        if is_directory {
            let entries = self.entries(path, None, usize::MAX);
            lists.push(entries.map(|entries| entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>()));
        }
        if before.is_some_and(|(_, stat)| stat.kind == Kind::Directory) {
            let below = lower::names(&mut self.state.exec, &self.lowers, path);
            lists.push(below.map(|below| below.into_iter().map(|(name, _)| name).collect()));
        }
        let (mut names, mut is_unlisted) = (Vec::new(), false);
        for list in lists {
            match list {
                Ok(list) => names.extend(list),
                Err(error) if error.cause() == Some(Cause::IllegalName) => is_unlisted = true,
                Err(error) => return Err(error),
            }
        }
        order::sort(&mut names);
        names.dedup();
        Ok((names, is_unlisted))
    }

    fn differs(&mut self, path: &RelPath, before: Option<&(At, Stat)>, after: Option<&Place>) -> Result<bool, Error> {
        let (Some((at, stat)), Some(place)) = (before, after) else { return Ok(before.is_some() || after.is_some()) };
        if place.kind() != stat.kind {
            return Ok(true);
        }
        match place {
            _ if stat.kind == Kind::Directory => Ok(false),
            Place::Lower(lower, _, _) => Ok(lower != path),
            Place::File(_) | Place::Link(_) | Place::Directory => {
                let size = self.node(place)?.size;
                // An original that cannot be read counts as different.
                Ok(!self.is_same((place, size), at, stat).unwrap_or(false))
            }
        }
    }

    /// Checks whether a place is in the topmost lower.
    pub(super) fn is_in_topmost(&self, at: &At) -> bool {
        let top = &self.lowers[0];
        at.root == top.root && at.path.is_within(&top.path)
    }

    /// Returns the directories above the entries of the merged tree that only lowers below the topmost have.
    fn scaffolds(&mut self, deltas: &[Delta]) -> Result<Vec<Delta>, Error> {
        let mut scaffolds: Vec<Delta> = Vec::new();
        for delta in deltas.iter().filter(|delta| delta.after.is_some()) {
            let mut path = delta.path.parent();
            while !path.is_root()
                && find(deltas, &path).is_none()
                && !scaffolds.iter().any(|scaffold| scaffold.path == path)
                && lower::stat(&mut self.state.exec, &self.lowers[..1], &path)?.is_none()
            {
                let above = path.parent();
                let (before, after) = (None, Some(Place::Directory));
                scaffolds.push(Delta { path, before, is_topmost: false, after, is_scaffold: true, is_unlisted: false });
                path = above;
            }
        }
        Ok(scaffolds)
    }
}
