//! Every known image, the result of its recovery, and the expectation.

use rustc_hash::{FxHashMap, FxHashSet};

use super::job::Finding;
use crate::disk::Disk;
use crate::scan::Image;

/// How an image came about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    /// A loss of power at a point of the operation.
    Point(usize),
    /// A kill at a point of the operation, and a loss of power in the recovery that followed.
    Kill(usize),
    /// A crash in or after the recovery of another image, and which expectation of that is handed on.
    Recovery { image: usize, expectation: usize },
}

/// The expectation of an image, and its origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expectation {
    /// The stages that are allowed.
    pub(crate) allowed: u32,
    pub(crate) origin: Origin,
}

#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) disk: Option<Disk>,
    pub(crate) reached: Option<Result<u32, String>>,
    pub(crate) after: String,
    /// The images that a crash in its recovery leaves, and whether during it or after it.
    children: Vec<(u32, bool, bool)>,
    pub(crate) expectations: Vec<Expectation>,
}

/// An expectation that was not met.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Breach {
    pub(crate) image: usize,
    pub(crate) expectation: Expectation,
}

#[derive(Debug, Default)]
pub(crate) struct Pool {
    pub(crate) images: Vec<Known>,
    numbers: FxHashMap<u128, usize>,
    pub(crate) hashes: FxHashSet<u128>,
    /// Images that were not recovered yet.
    pub(crate) waiting: Vec<usize>,
}

impl Pool {
    pub(crate) fn add(&mut self, image: Image) -> usize {
        if let Some(number) = self.numbers.get(&image.hash) {
            return *number;
        }
        let number = self.images.len();
        self.numbers.insert(image.hash, number);
        self.hashes.insert(image.hash);
        self.images.push(Known {
            disk: image.disk,
            reached: None,
            after: String::new(),
            children: Vec::new(),
            expectations: Vec::new(),
        });
        self.waiting.push(number);
        number
    }

    pub(crate) fn require(&mut self, image: usize, expectation: Expectation) {
        let expectations = &mut self.images[image].expectations;
        if !expectations.iter().any(|known| known.allowed == expectation.allowed) {
            expectations.push(expectation);
        }
    }

    /// Records the result of the recovery of an image. `keep` keeps its disk even without a violation.
    pub(crate) fn settle(&mut self, number: usize, finding: Finding, keep: bool) {
        let mut children = Vec::with_capacity(finding.children.len());
        for child in finding.children {
            let image = u32::try_from(self.add(child.image)).expect("far fewer than 2^32 images");
            children.push((image, child.during, child.after));
        }
        let known = &mut self.images[number];
        let suspect = !matches!(finding.reached, Ok(reached) if reached != 0);
        if !keep && !suspect && finding.after.is_empty() {
            // Most images are never printed; a lost acknowledgement is reported by its path.
            known.disk = None;
        }
        known.children = children;
        known.after = finding.after;
        known.reached = Some(finding.reached);
    }

    /// Propagates expectations along recoveries: a guarantee before a crash in a recovery remains one after it, and a
    /// state that a recovery reported has to stay. Returns the violated ones.
    pub(crate) fn breaches(&mut self) -> Vec<Breach> {
        let mut breaches = Vec::new();
        let all = self.images.iter().enumerate();
        let mut open: Vec<(usize, usize)> =
            all.flat_map(|(number, known)| (0..known.expectations.len()).map(move |d| (number, d))).collect();
        open.reverse();
        while let Some((number, which)) = open.pop() {
            let known = &self.images[number];
            let expectation = known.expectations[which];
            let stays = match &known.reached {
                None => continue,
                Some(Ok(reached)) if reached & expectation.allowed != 0 => reached & expectation.allowed,
                Some(Ok(_) | Err(_)) => {
                    breaches.push(Breach { image: number, expectation });
                    expectation.allowed
                }
            };
            for (child, during, after) in known.children.clone() {
                let origin = Origin::Recovery { image: number, expectation: which };
                for (holds, allowed) in [(during, expectation.allowed), (after, stays)] {
                    let before = self.images[child as usize].expectations.len();
                    if holds {
                        self.require(child as usize, Expectation { allowed, origin });
                    }
                    if self.images[child as usize].expectations.len() > before {
                        open.push((child as usize, before));
                    }
                }
            }
        }
        breaches
    }
}
