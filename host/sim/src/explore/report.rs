//! The result of an exploration. Nothing in it depends on time or on the number of threads.

use serde::Serialize;

use crate::model::{Model, Tear};

/// The result for one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The name of the subject.
    pub subject: String,
    /// The allowed states in turn, as printed trees.
    pub stages: Vec<String>,
    /// One report for each model.
    pub models: Vec<ModelReport>,
}

impl Report {
    /// Whether nothing was found under any model, and nothing was cut short.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.models.iter().all(|model| model.violations.is_empty() && model.complete)
    }

    /// Every violation under every model.
    pub fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.models.iter().flat_map(|model| &model.violations)
    }

    /// The sums over all models.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.models.iter().fold(Totals::default(), |sum, model| sum.plus(&model.totals))
    }
}

/// The result for one subject under one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelReport {
    /// The model.
    pub model: Model,
    /// How writes were torn.
    pub tear: Tear,
    /// Whether lengths without data showed garbage.
    pub garbage: bool,
    /// Every crash point of the operation, in order.
    pub points: Vec<PointReport>,
    /// The sums.
    pub totals: Totals,
    /// The first violations; `totals.violations` counts all.
    pub violations: Vec<Violation>,
    /// Whether every image was recovered; else a bound on their number was met.
    pub complete: bool,
}

/// One crash point of the operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PointReport {
    /// The call before the point; nothing for the first.
    pub call: Option<String>,
    /// Whether that call is a sync.
    pub sync: bool,
    /// How often the subject had acknowledged.
    pub acknowledged: u32,
    /// How many operations were pending.
    pub pending: u32,
    /// How many subsets of them were tried.
    pub raw: u64,
    /// How many different images these made.
    pub unique: u64,
    /// Whether every closed subset was tried.
    pub exhaustive: bool,
    /// How many images recovered to the state before.
    pub old: u64,
    /// How many images recovered to the state after.
    pub new: u64,
    /// How many images violate the promise.
    pub violations: u64,
    /// The first images of each outcome.
    pub shown: Vec<Shown>,
}

/// The result of the recovery of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The state before the operation.
    Old,
    /// The state after the operation.
    New,
    /// Something that is not allowed.
    Violation,
}

/// An image, printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The result of its recovery.
    pub outcome: Outcome,
    /// The crash state.
    pub tree: String,
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The crashes that lead to it, one on a line.
    pub path: Vec<String>,
    /// The violation.
    pub text: String,
    /// The state after the last crash.
    pub image: String,
    /// The result of the recovery where it is not a stage: the difference to the first stage.
    pub after: String,
}

/// Sums over crash points, images and recoveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Crash points of the operation.
    pub points: u64,
    /// Crash points at which subsets were tried: of the operation, of recoveries, and of
    /// recoveries after a kill.
    pub windows: u64,
    /// Those at which every closed subset was tried.
    pub windows_exhaustive: u64,
    /// Subsets that were tried.
    pub raw: u64,
    /// Different images, each recovered once.
    pub unique: u64,
    /// Recoveries after a kill, from where the power may go again.
    pub kills: u64,
    /// Images that recovered to more than the first stage.
    pub new: u64,
    /// Images that recovered to the first stage alone.
    pub old: u64,
    /// Broken promises.
    pub violations: u64,
}

impl Totals {
    /// The sum of two.
    #[must_use]
    pub fn plus(&self, other: &Totals) -> Totals {
        Totals {
            points: self.points + other.points,
            windows: self.windows + other.windows,
            windows_exhaustive: self.windows_exhaustive + other.windows_exhaustive,
            raw: self.raw + other.raw,
            unique: self.unique + other.unique,
            kills: self.kills + other.kills,
            new: self.new + other.new,
            old: self.old + other.old,
            violations: self.violations + other.violations,
        }
    }
}
