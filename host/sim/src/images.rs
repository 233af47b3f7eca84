//! The states a loss of power can leave behind, as trees.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use crate::model::Power;
use crate::op::Trace;
use crate::scan::Scan;
use crate::tree::Tree;

/// The crash states of one crash point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// The unique images.
    pub trees: BTreeSet<Tree>,
    /// How many subsets of the pending operations were tried.
    pub raw: u64,
    /// How many operations were pending.
    pub pending: u32,
    /// Whether every closed subset was tried.
    pub exhaustive: bool,
}

impl Images {
    /// The images at one crash point of a trace.
    #[must_use]
    pub fn at(trace: &Trace, point: usize, power: &Power) -> Self {
        let mut scan = Scan::new(trace, *power);
        let at = scan.at(point, &FxHashSet::default());
        let disks = scan.images.iter().filter_map(|image| image.disk.as_ref());
        Images { trees: disks.map(Tree::of).collect(), raw: at.raw, pending: at.pending, exhaustive: at.exhaustive }
    }

    /// Whether a tree is among the images.
    #[must_use]
    pub fn contains(&self, tree: &Tree) -> bool {
        self.trees.contains(tree)
    }

    /// Whether the tree of any image fits.
    pub fn any(&self, fits: impl FnMut(&Tree) -> bool) -> bool {
        self.trees.iter().any(fits)
    }

    /// Whether the tree of every image fits.
    pub fn all(&self, fits: impl FnMut(&Tree) -> bool) -> bool {
        self.trees.iter().all(fits)
    }
}

/// How many states a run can be left in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// How many crash points there are.
    pub points: u64,
    /// At how many of them every closed subset was tried.
    pub exhaustive: u64,
    /// How many subsets were tried.
    pub raw: u64,
    /// How many different images these made.
    pub unique: u64,
}

impl Census {
    /// Counts the images at every crash point of a trace.
    #[must_use]
    pub fn of(trace: &Trace, power: &Power) -> Self {
        let mut scan = Scan::new(trace, *power);
        let mut census = Census::default();
        for point in 0..trace.points() {
            let at = scan.at(point, &FxHashSet::default());
            census.points += 1;
            census.exhaustive += u64::from(at.exhaustive);
            census.raw += at.raw;
        }
        census.unique = scan.images.len() as u64;
        census
    }
}
