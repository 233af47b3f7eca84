//! What the suites share: a scene, what a call said, and what holds after every call.

#![allow(dead_code, reason = "each suite uses its part")]

pub(crate) mod meddler;

use std::fmt::Debug;

use onionskin::error::{Error, ErrorKind};
use onionskin::fs::{Cause, Fs as _};
use onionskin::lock::Ownership;
use onionskin::persist::transaction::{DirectoryOptions, Publish};
use onionskin::recover::{Finding, Verdict};
use onionskin::store::{Durability, Precondition, Receipt, Store, Symlinks, WriteOptions};
use onionskin_sim::{Ino, SimFs, Switches, Tree, operations};

/// How a database begins.
pub(crate) const DATABASE: &[u8] = b"SQLite format 3\0 pages of the database";
/// A write-ahead log with something in it.
pub(crate) const WAL: &[u8] = &[0x37, 0x7f, 0x06, 0x82, 1, 2, 3];
/// A rollback journal with something in it.
pub(crate) const JOURNAL: &[u8] = &[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 9];

/// What a call said: its answer, or the kind of its error in the words of the contract and the
/// path that the error names.
pub(crate) type Told<T> = Result<T, (&'static str, String)>;

/// A filesystem whose root of the store is `ws`, and whose originals are below `lower`.
pub(crate) struct Scene {
    pub(crate) fs: SimFs,
    lower: Tree,
}

impl Scene {
    pub(crate) fn new(tree: &Tree) -> Self {
        Self::with(Switches::default(), tree)
    }

    pub(crate) fn with(switches: Switches, tree: &Tree) -> Self {
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

    /// The root of this scene, open.
    pub(crate) fn open(&self) -> Store<SimFs> {
        operations::open(&self.fs).unwrap_or_else(|error| panic!("the scene must open: {error}\n{}", self.fs.tree()))
    }

    /// The root, opened by the owner with this token.
    pub(crate) fn open_locked(&self, token: &str) -> Result<Store<SimFs>, Error> {
        let owner = Ownership::LockFile(token.to_owned());
        Store::open(self.fs.clone(), &operations::preopens(&self.fs), "/ws", &owner, false)
    }

    /// The inode at a path and the time of its last change.
    pub(crate) fn inode(&self, path: &str) -> (Ino, Option<u64>) {
        let (dir, name) = self.fs.walk(&self.fs.root(), path, false).expect("the path leads somewhere");
        let found = self.fs.stat_at(&dir, &name).unwrap_or_else(|cause| panic!("{path}: {cause}"));
        (found.ino, found.stat.modified)
    }

    /// Asserts that just this is on the disk, that the originals are byte-identical, and that
    /// nothing was done that must never be done.
    #[track_caller]
    pub(crate) fn ends_as(&self, what: &str, after: &Tree) {
        let mut after = after.clone();
        for needed in ["ws", "lower"] {
            if after.get(needed).is_none() {
                after = after.dir(needed);
            }
        }
        let found = self.fs.tree();
        assert!(found == after, "{what}: - is expected, + is found\n{}", after.diff(&found));
        assert_eq!(found.below("lower"), self.lower, "{what}: the originals");
        assert_eq!(self.fs.intrusions(), [], "{what}: the monitor");
    }

    /// As [`Scene::ends_as`], but leaves the names of ours out of the comparison.
    #[track_caller]
    pub(crate) fn shows(&self, what: &str, after: &Tree) {
        let visible = self.fs.tree().without(is_ours);
        assert!(visible == *after, "{what}: - is expected, + is found\n{}", after.diff(&visible));
        assert_eq!(self.fs.intrusions(), [], "{what}: the monitor");
    }
}

/// Whether a path of a tree names something of ours.
pub(crate) fn is_ours(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with(".onionskin"))
}

/// Opens the scene, runs `act`, drops the store, and asserts what was said and what is on the disk.
#[track_caller]
pub(crate) fn check<T: PartialEq + Debug>(
    what: &str,
    before: &Tree,
    act: impl FnOnce(&Store<SimFs>) -> Result<T, Error>,
    expected: Told<T>,
    after: &Tree,
) {
    check_with(Switches::default(), what, before, act, expected, after);
}

/// As [`check`], on a filesystem that behaves as the switches say.
#[track_caller]
pub(crate) fn check_with<T: PartialEq + Debug>(
    switches: Switches,
    what: &str,
    before: &Tree,
    act: impl FnOnce(&Store<SimFs>) -> Result<T, Error>,
    expected: Told<T>,
    after: &Tree,
) {
    let scene = Scene::with(switches, before);
    let store = scene.open();
    let answer = act(&store);
    drop(store);
    let words = answer.as_ref().err().map(ToString::to_string);
    assert_eq!(told(answer), expected, "{what}: what the call said, in words: {words:?}");
    scene.ends_as(what, after);
}

/// A receipt for the first change of a store.
pub(crate) fn receipt(achieved: Durability, applied: u64, bytes: u64) -> Receipt {
    Receipt { transaction: 1, achieved, applied, bytes }
}

/// The expected refusal, in the words of the contract.
pub(crate) fn refused<T>(kind: &'static str, subject: &str) -> Told<T> {
    Err((kind, subject.to_owned()))
}

pub(crate) fn told<T>(answer: Result<T, Error>) -> Told<T> {
    answer.map_err(|error| (kind(&error), error.subject().to_owned()))
}

/// What the filesystem had said, of the errors that tell.
pub(crate) fn cause(error: &Error) -> Option<Cause> {
    let tells = matches!(error.kind(), ErrorKind::NotCommitted | ErrorKind::NeedsRecovery | ErrorKind::OutcomeUnknown);
    error.cause().filter(|_| tells)
}

/// The kind of an error, as `types.error-kind` calls it.
pub(crate) fn kind(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidPath => "invalid-path",
        ErrorKind::NoPreopen => "no-preopen",
        ErrorKind::NotFound => "not-found",
        ErrorKind::AlreadyExists => "already-exists",
        ErrorKind::NotDirectory => "not-directory",
        ErrorKind::IsDirectory => "is-directory",
        ErrorKind::NotAFile => "not-a-file",
        ErrorKind::SymlinkRefused => "symlink-refused",
        ErrorKind::SymlinkEscapes => "symlink-escapes",
        ErrorKind::LinkUnreadable => "link-unreadable",
        ErrorKind::SymlinkLoop => "symlink-loop",
        ErrorKind::HardLinked => "hard-linked",
        ErrorKind::IllegalName => "illegal-name",
        ErrorKind::InvalidJson => "invalid-json",
        ErrorKind::ReadOnly => "read-only",
        ErrorKind::PreconditionFailed => "precondition-failed",
        ErrorKind::Conflicts => "conflicts",
        ErrorKind::Locked => "locked",
        ErrorKind::HotJournal => "hot-journal",
        ErrorKind::LimitExceeded => "limit-exceeded",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::InvalidArgument => "invalid-argument",
        ErrorKind::NotCommitted => "not-committed",
        ErrorKind::NeedsRecovery => "needs-recovery",
        ErrorKind::OutcomeUnknown => "outcome-unknown",
        ErrorKind::Corrupt => "corrupt",
    }
}

/// The verdicts of findings and the paths they are about.
pub(crate) fn verdicts(findings: &[Finding]) -> Vec<(Verdict, &str)> {
    findings.iter().map(|finding| (finding.verdict, finding.path.as_str())).collect()
}

/// Durable, with this policy for links.
pub(crate) fn with_links(symlinks: Symlinks) -> WriteOptions {
    WriteOptions { symlinks, ..WriteOptions::default() }
}

/// Durable, under this condition.
pub(crate) fn on_condition(when: Precondition) -> WriteOptions {
    WriteOptions { when, ..WriteOptions::default() }
}

/// A durable transaction.
pub(crate) fn publish(publish: Publish) -> DirectoryOptions {
    DirectoryOptions { publish, durability: Durability::Full, symlinks: Symlinks::Replace }
}

/// All publish modes.
pub(crate) const PUBLISH: [Publish; 3] = [Publish::InPlace, Publish::Swap, Publish::Pointer];

/// Renames, as a program does that knows nothing of locks.
pub(crate) fn meddle(fs: &SimFs, from: &str, to: &str) {
    let (source, old) = fs.walk(&fs.root(), from, false).expect("the old name leads somewhere");
    let (target, new) = fs.walk(&fs.root(), to, false).expect("the new name leads somewhere");
    fs.rename((&source, &old), (&target, &new)).expect("a rename of what is there");
}
