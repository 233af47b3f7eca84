//! The states of the lowers that the workspace has seen, path by path: only these may a commit replace in silence.

use std::collections::BTreeMap;

use crate::model::{Model, Node, is_below};

/// The states on which the differences at a path are based.
#[derive(Clone, Debug, Default)]
struct Based {
    /// Those that the lowers had when a difference began, and that commits brought to light there since.
    states: Vec<Option<Node>>,
    /// Somebody else has made the same change, for now.
    is_equal: bool,
}

/// For each path at which the workspace differs from the lowers: the states on which its differences are based.
#[derive(Clone, Debug, Default)]
pub(super) struct Reference(BTreeMap<String, Based>);

/// The lowers as one tree, and the topmost one.
type Lowers<'a> = (&'a Model, &'a Model);

impl Reference {
    /// Takes what a commit changed, and what lowers below show again, as seen.
    pub(super) fn commit(&mut self, before: Lowers<'_>, now: Lowers<'_>) {
        for (path, based) in &mut self.0 {
            let differs = |one: &Model, other: &Model| one.0.get(path) != other.0.get(path);
            if differs(before.0, now.0) || differs(before.1, now.1) {
                based.states.push(now.0.0.get(path).cloned());
            }
        }
    }

    /// Begins and ends differences, after a step that was not somebody else's or was. `is_own` are the paths at which the
    /// workspace has an entry of its own: such a difference is not over, though the lowers have the same entry for now.
    pub(super) fn step(
        &mut self,
        (before, now): (&Model, &Model),
        shows: &Model,
        is_own: &mut dyn FnMut(&str) -> bool,
        is_outside: bool,
    ) {
        let differs = |path: &String| shows.0.get(path) != now.0.get(path);
        self.0.retain(|path, based| {
            let is_over = !differs(path) && !is_outside && !based.is_equal && !is_own(path);
            based.is_equal |= !differs(path);
            !is_over
        });
        for path in shows.0.keys().chain(now.0.keys()).filter(|path| differs(path)) {
            let based = self.0.entry(path.clone()).or_insert_with(|| Based { is_equal: true, ..Based::default() });
            if std::mem::take(&mut based.is_equal) {
                based.states.push(before.0.get(path).cloned());
            }
        }
    }

    /// Takes what was moved as seen where it is shown now: it can be removed there.
    pub(super) fn see_moved(&mut self, shows: &Model, lowers: &Model) {
        for (path, based) in &mut self.0 {
            let there = lowers.0.get(path).filter(|node| is_elsewhere(shows, path, node));
            if there.is_some_and(|node| !based.states.iter().flatten().any(|state| state == node)) {
                based.states.push(there.cloned());
            }
        }
    }

    /// Takes what the lowers have at the paths of conflicts as seen: a side was chosen.
    pub(super) fn accept(&mut self, named: &[String], lowers: &Model) {
        for (path, based) in &mut self.0 {
            if is_named(named, path) {
                based.states.push(lowers.0.get(path).cloned());
            }
        }
    }

    /// Takes as seen what was seen when a state was kept that is there again.
    pub(super) fn restore(&mut self, kept: Reference) {
        for (path, Based { states, .. }) in kept.0 {
            let fresh = || Based { is_equal: true, ..Based::default() };
            self.0.entry(path).or_insert_with(fresh).states.extend(states);
        }
    }

    /// Checks whether the workspace has seen a state of a path.
    pub(super) fn has_seen(&self, path: &str, state: Option<&Node>) -> bool {
        self.0.get(path).is_some_and(|based| based.states.iter().any(|seen| seen.as_ref() == state))
    }
}

/// Checks whether what is at a path of the lowers is shown at another path.
pub(super) fn is_elsewhere(shows: &Model, path: &str, there: &Node) -> bool {
    shows.0.iter().any(|(other, node)| {
        let is_same_name = other.rsplit('/').next() == path.rsplit('/').next();
        other != path && node == there && (*node != Node::Directory || is_same_name)
    })
}

/// Checks whether a path is one of those named as conflicts, above one of them, or below one.
pub(super) fn is_named(named: &[String], path: &str) -> bool {
    named.iter().any(|named| path == named || is_below(path, named) || is_below(named, path))
}
