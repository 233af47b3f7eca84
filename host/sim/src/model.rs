//! The effects of a crash on unsynced operations.

use serde::Serialize;

/// Which of the pending micro-operations survive a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// All of them: the process was killed and the machine lives.
    Process,
    /// Changes of names as a prefix, changes of content in any subset: near to a journaling
    /// filesystem. A sync of a directory makes every earlier change of names durable.
    Ordered,
    /// Any subset closed under dependencies. A promise must hold here.
    Any,
    /// As `Any`, with a rename between two directories torn in its two halves.
    Split,
    /// As `Any`, and no sync does anything. Nothing can hold here; it shows that tests bite.
    Lying,
}

impl Model {
    /// Every model, the kindest first.
    pub const ALL: [Model; 5] = [Model::Process, Model::Ordered, Model::Any, Model::Split, Model::Lying];

    /// The models under which a promise must hold.
    pub const PROVEN: [Model; 4] = [Model::Process, Model::Ordered, Model::Any, Model::Split];

    /// The name of the model as it is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Model::Process => "process",
            Model::Ordered => "ordered",
            Model::Any => "any",
            Model::Split => "split",
            Model::Lying => "lying",
        }
    }
}

/// How a write reaches the disk in part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tear {
    /// A page of 4096 bytes reaches the disk whole or not at all.
    #[default]
    Pages,
    /// A page is cut off at a multiple of 512 bytes.
    Prefix,
    /// Each 512 bytes of a page reach the disk or not.
    Sectors,
}

/// How far to enumerate at one crash point.
///
/// Every closed subset is tried when there are few pending operations, or when dependencies leave
/// few closed subsets. Else all prefixes, all omissions of up to two operations, all inclusions of
/// up to three, and samples drawn by the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bounds {
    /// Up to this many pending operations every closed subset is tried.
    pub exhaustive_ops: u32,
    /// Up to this many closed subsets all are explored, whatever the number of operations.
    pub exhaustive_subsets: u64,
    /// Beyond this many pending operations inclusions stop at two.
    pub triples_ops: u32,
    /// How many samples are drawn.
    pub samples: u32,
    /// The seed of the samples.
    pub seed: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { exhaustive_ops: 13, exhaustive_subsets: 1 << 16, triples_ops: 48, samples: 2048, seed: 0 }
    }
}

/// Everything that decides which states a loss of power leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Power {
    /// Which micro-operations survive.
    pub model: Model,
    /// How writes are torn.
    pub tear: Tear,
    /// Whether a file whose length reached the disk before its data shows the former content of the disk instead of
    /// zeros.
    pub garbage: bool,
    /// How far to enumerate.
    pub bounds: Bounds,
}

impl Power {
    /// A model with whole pages, zeros and the usual bounds.
    #[must_use]
    pub fn new(model: Model) -> Self {
        Power { model, tear: Tear::Pages, garbage: false, bounds: Bounds::default() }
    }

    /// The content of a length without data.
    pub(crate) fn fill(&self) -> u8 {
        if self.garbage { GARBAGE } else { 0 }
    }
}

/// The byte that stands for the former content of the disk.
pub(crate) const GARBAGE: u8 = 0xDB;
