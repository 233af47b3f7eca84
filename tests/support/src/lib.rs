//! Shared by the suites of the core: a scene, the outcome of a call, and the assertions that hold after every call.
//!
//! What the suites depend on is a dependency of this package; see `onionskin-tests`.

pub mod intercept;

pub use proptest;

use std::fmt::Debug;

use onionskin::error::{Error, ErrorKind};
use onionskin::fs::{Cause, Fs as _};
use onionskin::limits::GENERATIONS_KEPT;
use onionskin::lock::Ownership;
use onionskin::persist::transaction::{DirectoryOptions, Publish};
use onionskin::recover::{Finding, Verdict};
use onionskin::store::{Durability, Precondition, Receipt, Store, Symlinks, WriteOptions};
use onionskin_sim::{Ino, SimFs, Switches, Tree, operations};

/// The header of a database file.
pub const DATABASE: &[u8] = b"SQLite format 3\0 pages of the database";
/// A write-ahead log that is not empty.
pub const WAL: &[u8] = &[0x37, 0x7f, 0x06, 0x82, 1, 2, 3];
/// A rollback journal that is not empty.
pub const JOURNAL: &[u8] = &[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 9];

/// The outcome of a call: its value, or the kind of its error as the contract names it and the path that the error
/// names.
pub type Outcome<T> = Result<T, (&'static str, String)>;

/// A simulated filesystem with a store's root at `ws` and originals below `lower`.
pub struct Scene {
    pub fs: SimFs,
    lower: Tree,
}

impl Scene {
    pub fn new(tree: &Tree) -> Self {
        Self::with(Switches::default(), tree)
    }

    pub fn with(switches: Switches, tree: &Tree) -> Self {
        let fs = SimFs::with_switches(switches);
        let mut tree = tree.clone();
        for needed in ["ws", "lower"] {
            if tree.get(needed).is_none() {
                tree = tree.dir(needed);
            }
        }
        fs.plant(&tree);
        fs.set_lower("lower");
        let lower = tree.below("lower");
        Self { fs, lower }
    }

    /// Opens the root of this scene.
    pub fn open(&self) -> Store<SimFs> {
        operations::open(&self.fs).unwrap_or_else(|error| panic!("the scene must open: {error}\n{}", self.fs.tree()))
    }

    /// Opens the root as the owner with this token.
    pub fn open_locked(&self, token: &str) -> Result<Store<SimFs>, Error> {
        let owner = Ownership::LockFile(token.to_owned());
        Store::open(self.fs.clone(), &operations::preopens(&self.fs), "/ws", &owner, false)
    }

    /// Returns the inode at a path and the time of its last change.
    pub fn inode(&self, path: &str) -> (Ino, Option<u64>) {
        let (dir, name) = self.fs.walk(&self.fs.root(), path, false).expect("the path leads somewhere");
        let found = self.fs.stat_at(&dir, &name).unwrap_or_else(|cause| panic!("{path}: {cause}"));
        (found.ino, found.stat.modified)
    }

    /// Asserts that the disk holds exactly this tree, that the originals are byte-identical, and that the monitor saw
    /// no forbidden write.
    #[track_caller]
    pub fn ends_as(&self, context: &str, after: &Tree) {
        let mut after = after.clone();
        for needed in ["ws", "lower"] {
            if after.get(needed).is_none() {
                after = after.dir(needed);
            }
        }
        let found = self.fs.tree();
        assert!(found == after, "{context}: - is expected, + is found\n{}", after.diff(&found));
        assert_eq!(found.below("lower"), self.lower, "{context}: the originals");
        assert_eq!(self.fs.intrusions(), [], "{context}: the monitor");
    }

    /// As [`Scene::ends_as`], but ignores names that begin with `.onionskin`.
    #[track_caller]
    pub fn shows(&self, context: &str, after: &Tree) {
        let visible = self.fs.tree().without(is_ours);
        assert!(visible == *after, "{context}: - is expected, + is found\n{}", after.diff(&visible));
        assert_eq!(self.fs.intrusions(), [], "{context}: the monitor");
    }
}

/// Whether a path of a tree contains a name that begins with `.onionskin`.
pub fn is_ours(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with(".onionskin"))
}

/// Opens the scene, runs `act`, drops the store, and asserts the outcome and the tree on the disk.
#[track_caller]
pub fn check<T: PartialEq + Debug>(
    context: &str,
    before: &Tree,
    act: impl FnOnce(&Store<SimFs>) -> Result<T, Error>,
    expected: Outcome<T>,
    after: &Tree,
) {
    check_with(Switches::default(), context, before, act, expected, after);
}

/// As [`check`], on a filesystem with these switches.
#[track_caller]
pub fn check_with<T: PartialEq + Debug>(
    switches: Switches,
    context: &str,
    before: &Tree,
    act: impl FnOnce(&Store<SimFs>) -> Result<T, Error>,
    expected: Outcome<T>,
    after: &Tree,
) {
    let scene = Scene::with(switches, before);
    let store = scene.open();
    let answer = act(&store);
    drop(store);
    let words = answer.as_ref().err().map(ToString::to_string);
    assert_eq!(outcome(answer), expected, "{context}: outcome of the call, message: {words:?}");
    scene.ends_as(context, after);
}

/// The expected receipt of the first change of a store.
pub fn receipt(achieved: Durability, applied: u64, bytes: u64) -> Receipt {
    Receipt { transaction: 1, achieved, applied, bytes }
}

/// The expected refusal: the kind as the contract names it, and the path in the error.
pub fn refused<T>(kind: &'static str, subject: &str) -> Outcome<T> {
    Err((kind, subject.to_owned()))
}

pub fn outcome<T>(answer: Result<T, Error>) -> Outcome<T> {
    answer.map_err(|error| (kind(&error), error.subject().to_owned()))
}

/// Returns the cause that the filesystem reported, for the kinds of error that carry one.
pub fn cause(error: &Error) -> Option<Cause> {
    let carries_cause =
        matches!(error.kind(), ErrorKind::NotCommitted | ErrorKind::NeedsRecovery | ErrorKind::OutcomeUnknown);
    error.cause().filter(|_| carries_cause)
}

/// Returns the kind of an error as the contract names it in `types.error-kind`.
pub fn kind(error: &Error) -> &'static str {
    let variant = format!("{:?}", error.kind());
    let is_named = |name: &&str| name.replace('-', "").eq_ignore_ascii_case(&variant);
    error_kinds().find(is_named).unwrap_or_else(|| panic!("the contract has no error-kind {variant}"))
}

/// Iterates over the cases of `types.error-kind` in the contract.
fn error_kinds() -> impl Iterator<Item = &'static str> {
    let contract = include_str!("../../../wit/onionskin.wit");
    let (_, cases) = contract.split_once("enum error-kind {").expect("the contract has this type");
    let (cases, _) = cases.split_once('}').expect("it has an end");
    let cases = cases.lines().map(|line| line.trim().trim_end_matches(','));
    cases.filter(|case| !case.is_empty() && !case.starts_with("//"))
}

/// Returns the verdict and the path of each finding.
pub fn verdicts(findings: &[Finding]) -> Vec<(Verdict, &str)> {
    findings.iter().map(|finding| (finding.verdict, finding.path.as_str())).collect()
}

/// Durable write options with this policy for symbolic links.
pub fn with_links(symlinks: Symlinks) -> WriteOptions {
    WriteOptions { symlinks, ..WriteOptions::default() }
}

/// Durable write options with this precondition.
pub fn on_condition(when: Precondition) -> WriteOptions {
    WriteOptions { when, ..WriteOptions::default() }
}

/// Durable options of a transaction in this publish mode.
pub fn publish(publish: Publish) -> DirectoryOptions {
    DirectoryOptions {
        publish,
        durability: Durability::Full,
        symlinks: Symlinks::Replace,
        keep_generations: GENERATIONS_KEPT,
    }
}

/// All publish modes.
pub const PUBLISH: [Publish; 3] = [Publish::InPlace, Publish::Swap, Publish::Pointer];

/// Renames without regard for locks, as another program would.
pub fn rename_outside(fs: &SimFs, from: &str, to: &str) {
    let (source, old) = fs.walk(&fs.root(), from, false).expect("the old name leads somewhere");
    let (target, new) = fs.walk(&fs.root(), to, false).expect("the new name leads somewhere");
    fs.rename((&source, &old), (&target, &new)).expect("a rename of what is there");
}
