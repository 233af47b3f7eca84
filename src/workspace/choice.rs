//! The choice of differences: which are carried out, which come along, and which stay.
//!
//! A difference *needs* another one where a tree could not have the one without the other: an entry needs its
//! directory; the end of a directory needs the end of all that is in it; and the two ends of a move need each
//! other, or content would be doubled or lost. What a chosen difference needs comes along. An excepted path
//! never changes, and neither does a path that needs it.

use alloc::vec::Vec;

use super::difference::{Delta, find};
use super::glob::Select;
use crate::fs::Kind;
use crate::order;

/// The part that a difference has in a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It was not chosen.
    Stays,
    /// It was chosen, and is carried out.
    Chosen,
    /// A chosen one needs it: it is carried out.
    Along,
    /// It was chosen, and needs a path that must not change: it stays.
    Bound,
}

impl Part {
    /// Checks whether the difference is carried out.
    pub(super) const fn is_carried(self) -> bool {
        matches!(self, Self::Chosen | Self::Along)
    }
}

/// Lists, by index, pairs of a difference and another one that it needs.
pub(super) fn needs(deltas: &[Delta]) -> Vec<(usize, usize)> {
    let mut needs = Vec::new();
    for (index, delta) in deltas.iter().enumerate() {
        if let Some(parent) = find(deltas, &delta.path.parent()).filter(|parent| *parent != index) {
            if delta.after.is_some() {
                needs.push((index, parent));
            }
            if deltas[parent].ends_directory() {
                needs.push((parent, index));
            }
        }
        if let Some(source) = delta.source().and_then(|source| find(deltas, source)) {
            // A directory can be made while its former place stays, and not the other way round.
            needs.push((source, index));
            if delta.kind() != Some(Kind::Directory) {
                needs.push((index, source));
            }
        }
    }
    needs
}

/// Marks all that needs a marked difference, directly or not.
pub(super) fn mark_dependents(needs: &[(usize, usize)], marks: &mut [bool]) {
    let mut needed: Vec<(usize, usize)> = needs.iter().map(|(one, other)| (*other, *one)).collect();
    order::sort(&mut needed);
    mark(&needed, marks);
}

/// Follows sorted pairs from marked firsts, and marks the seconds.
fn mark(pairs: &[(usize, usize)], marks: &mut [bool]) {
    let mut waiting: Vec<usize> = (0..marks.len()).filter(|index| marks[*index]).collect();
    while let Some(index) = waiting.pop() {
        let start = pairs.partition_point(|(first, _)| *first < index);
        for (_, next) in pairs[start..].iter().take_while(|(first, _)| *first == index) {
            if !marks[*next] {
                marks[*next] = true;
                waiting.push(*next);
            }
        }
    }
}

/// Determines the part of each difference, for a selection of paths. `withdrawn` ones are not carried out.
pub(super) fn choose(deltas: &[Delta], select: &Select, withdrawn: &[bool]) -> Vec<Part> {
    let mut needs = needs(deltas);
    order::sort(&mut needs);
    let mut is_bound: Vec<bool> =
        deltas.iter().map(|delta| delta.is_unlisted || select.excepts(delta.path.as_str())).collect();
    for (bound, withdrawn) in is_bound.iter_mut().zip(withdrawn) {
        *bound |= *withdrawn;
    }
    mark_dependents(&needs, &mut is_bound);
    let is_wanted: Vec<bool> =
        deltas.iter().map(|delta| !delta.is_scaffold && select.chooses(delta.path.as_str())).collect();
    let mut is_carried: Vec<bool> = is_wanted.iter().zip(&is_bound).map(|(wanted, bound)| *wanted && !bound).collect();
    loop {
        mark(&needs, &mut is_carried);
        // With a directory that was moved, its former place goes, too, once nothing is left there.
        let mut has_more = false;
        for (index, delta) in deltas.iter().enumerate() {
            if is_carried[index]
                && let Some(source) = delta.source().and_then(|source| find(deltas, source))
                && !is_carried[source]
                && !is_bound[source]
            {
                is_carried[source] = true;
                has_more = true;
            }
        }
        if !has_more {
            break;
        }
    }
    let part = |index: usize| match (is_carried[index], is_wanted[index]) {
        (true, true) => Part::Chosen,
        (true, false) => Part::Along,
        (false, true) if withdrawn.get(index) != Some(&true) => Part::Bound,
        (false, _) => Part::Stays,
    };
    (0..deltas.len()).map(part).collect()
}
