//! The subject of an exploration.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::disk::Disk;
use crate::simfs::{Listing, Obstacle, SimFs, Switches, first_other_mode};
use crate::tree::{Node, Tree};

/// The claim of an error about the state that it left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nothing changed: recovery finds the state before the operation.
    NotCommitted,
    /// Decided but not finished: recovery completes it.
    NeedsRecovery,
    /// Either of the two, and only recovery decides.
    OutcomeUnknown,
    /// The error makes no claim. Old and new are both allowed.
    Other,
}

/// Why an operation or a recovery failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The claim of the error.
    pub class: Class,
    /// The error, for people.
    pub text: String,
}

impl Failure {
    /// A failure of a class, described by a displayable value.
    pub fn new(class: Class, text: impl fmt::Display) -> Self {
        Failure { class, text: text.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class {
            Class::Other => f.write_str(&self.text),
            claimed => write!(f, "{claimed:?}: {}", self.text),
        }
    }
}

/// An operation whose promise is tested: after a crash at any moment, recovery finds the state
/// before it or the state after it, and the latter once it was acknowledged.
///
/// Every method gets all it needs from the filesystem and from `self`, which does not change: a
/// subject is run many times, by several threads, and must do the same each time.
pub trait Subject: Sync {
    /// Returns the name of the subject in reports.
    fn name(&self) -> String;

    /// How the filesystem behaves.
    fn switches(&self) -> Switches {
        Switches::default()
    }

    /// Sets the scene, which is durable before [`Subject::run`] begins.
    fn setup(&self, fs: &SimFs);

    /// Performs the operation. Success acknowledges it.
    ///
    /// An operation of several parts may call [`SimFs::acknowledge`] after each, when the visible state must survive;
    /// then success adds nothing.
    fn run(&self, fs: &SimFs) -> Result<(), Failure>;

    /// Recovers as a new process does first. It must succeed in every crash state.
    fn recover(&self, fs: &SimFs) -> Result<(), Failure>;

    /// Whether a path may be left behind after recovery; it is ignored, with what is below it.
    fn is_leftover(&self, path: &str) -> bool {
        let _ = path;
        false
    }

    /// Whether an entry may be made anew with the same content, and so lose what else it had.
    fn renews(&self, path: &str) -> bool {
        let _ = path;
        true
    }

    /// The states that are allowed in turn: before the operation, and after each acknowledgement. `seen` is the visible
    /// state then, without leftovers.
    fn stages(&self, seen: Vec<Tree>) -> Vec<Tree> {
        seen
    }

    /// Whether the state after the recovery matches a stage.
    fn matches(&self, found: &Tree, stage: &Tree) -> bool {
        found == stage
    }

    /// Changes, in a process of its own, something that is no part of the operation, and makes it as it was.
    fn use_beside(&self, fs: &SimFs) -> Result<(), Failure> {
        self.recover(fs)
    }

    /// Whether nothing can be opened where such calls are refused, given the tree.
    fn opens_by(&self, obstacle: &Obstacle, tree: &Tree) -> bool {
        let _ = (obstacle, tree);
        false
    }

    /// Whether other things cannot be changed where such calls are refused, given the tree.
    fn changes_by(&self, obstacle: &Obstacle, tree: &Tree) -> bool {
        self.opens_by(obstacle, tree)
    }

    /// States, besides the stages, that programs that open nothing may see.
    fn passes(&self) -> Vec<Tree> {
        Vec::new()
    }

    /// Whether programs that open nothing read the entry at a path.
    fn is_read(&self, path: &str) -> bool {
        let _ = path;
        true
    }

    /// As [`Subject::matches`], after a run in which calls failed: some of what is not needed may be left.
    fn matches_harmed(&self, found: &Tree, stage: &Tree) -> bool {
        self.matches(found, stage)
    }
}

/// Why a part of a subject came to no good end.
#[derive(Clone, Debug)]
pub(crate) enum RunError {
    Failed(Failure),
    Panicked(String),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Failed(failure) => failure.fmt(f),
            RunError::Panicked(text) => write!(f, "panic: {text}"),
        }
    }
}

/// Runs a part of a subject; a panic is a finding, not the end.
pub(crate) fn guarded(part: impl FnOnce() -> Result<(), Failure>) -> Result<(), RunError> {
    match catch_unwind(AssertUnwindSafe(part)) {
        Ok(result) => result.map_err(RunError::Failed),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(RunError::Panicked(text.unwrap_or("without a text").to_owned()))
        }
    }
}

/// The states that are allowed, as sets of bits: bit `n` stands for the `n`th stage.
#[derive(Debug)]
pub(crate) struct Stages {
    pub(crate) trees: Vec<Tree>,
    /// The entries that a run without harm leaves alone: no crash may change what they show.
    pub(crate) kept: Listing,
    /// Whether calls fail in the runs that are judged.
    pub(crate) harmed: bool,
    /// The disk before the operation, where the host lends the calls that keep modes and owners.
    modes: Option<Disk>,
}

/// Whether two entries have the same content, whatever other names they have.
fn alike(one: Option<&Node>, other: Option<&Node>) -> bool {
    match (one, other) {
        (Some(Node::File { bytes: one, .. }), Some(Node::File { bytes: other, .. })) => one == other,
        (one, other) => one.is_some() && one == other,
    }
}

/// The most stages a subject may have.
pub(crate) const STAGES_MAX: usize = 32;

impl Stages {
    /// Makes the stages of the disks that were seen, the first of them before the operation.
    pub(crate) fn new(subject: &dyn Subject, disks: &[Disk]) -> Self {
        let seen: Vec<Tree> = disks.iter().map(Tree::of).collect();
        let is_left_out = |path: &[u8]| {
            let names = path.split(|byte| *byte == b'/');
            let above = std::str::from_utf8(path).unwrap_or_default();
            names.into_iter().any(|name| name.starts_with(b".onionskin")) || subject.is_leftover(above)
        };
        let mut kept = Listing::default();
        for (number, (disk, tree)) in disks.iter().zip(&seen).enumerate() {
            let listing = Listing::read(disk, tree, is_left_out);
            if number == 0 { kept = listing } else { kept.keep_equal(&listing) }
        }
        let before = seen[0].clone();
        let bare = seen.iter().map(|tree| tree.without(|path| subject.is_leftover(path)));
        let trees = subject.stages(bare.collect());
        assert!(trees.len() <= STAGES_MAX, "a subject has at most {STAGES_MAX} stages");
        // A subject may allow other states than those that were seen.
        kept.retain(|path| trees.iter().all(|tree| alike(tree.get(path), before.get(path))));
        let modes = subject.switches().lends.then(|| disks[0].clone());
        Stages { trees, kept, harmed: false, modes }
    }

    /// Returns the first entry of a disk that lost its mode or owner, where they are to be kept.
    pub(crate) fn first_other_mode(&self, subject: &dyn Subject, now: &Disk) -> Option<String> {
        let is_left_out = |path: &[u8]| {
            let text = String::from_utf8_lossy(path);
            text.split('/').any(|name| name.starts_with(".onionskin")) || subject.is_leftover(&text)
        };
        self.modes.as_ref().and_then(|before| first_other_mode(before, now, is_left_out))
    }

    /// Returns the first entry with the same content in every disk that was seen, and all the same another one.
    pub(crate) fn first_renewed(&self, subject: &dyn Subject, disks: &[Disk]) -> Option<String> {
        let before = disks.first()?;
        let mut whole = Tree::of(before);
        for disk in &disks[1..] {
            let now = Tree::of(disk);
            whole = whole.intersection(&now);
        }
        let is_free = |path: &[u8]| {
            let text = String::from_utf8_lossy(path);
            matches!(whole.get(path), Some(Node::Directory) | None)
                || text.split('/').any(|name| name.starts_with(".onionskin"))
                || subject.is_leftover(&text)
                || subject.renews(&text)
        };
        let same = Listing::read(before, &whole, is_free);
        disks[1..].iter().find_map(|disk| same.first_difference(disk))
    }

    /// The stages that a tree counts as.
    pub(crate) fn of(&self, subject: &dyn Subject, tree: &Tree) -> u32 {
        let matches = |stage: &Tree| {
            if self.harmed { subject.matches_harmed(tree, stage) } else { subject.matches(tree, stage) }
        };
        let matching = self.trees.iter().enumerate().filter(|(_, stage)| matches(stage));
        matching.fold(0, |set, (number, _)| set | 1 << number)
    }

    /// The stages allowed after a run that ended like this and was acknowledged so many times.
    pub(crate) fn claimed(&self, result: &Result<(), RunError>, acknowledged: usize) -> u32 {
        let last = self.trees.len() - 1;
        let done = acknowledged.min(last);
        let next = (done + 1).min(last);
        match result {
            Ok(()) => 1 << last,
            Err(RunError::Failed(Failure { class: Class::NotCommitted, .. })) => 1 << done,
            Err(RunError::Failed(Failure { class: Class::NeedsRecovery, .. })) => 1 << next,
            Err(RunError::Failed(_) | RunError::Panicked(_)) => self.after(acknowledged),
        }
    }

    /// The stages allowed after so many acknowledgements: the one reached, and the next.
    pub(crate) fn after(&self, acknowledged: usize) -> u32 {
        let reached = acknowledged.min(self.trees.len() - 1);
        let next = (reached + 1).min(self.trees.len() - 1);
        1 << reached | 1 << next
    }
}
