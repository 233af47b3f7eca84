//! The facts from which recovery plans. No function here changes storage.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::control;
use crate::error::{Error, Limit};
use crate::exec::Executor;
use crate::fs::{Fs, Kind};
use crate::journal::{Change, Damage, Digest, Journal, LINK_LENGTH, OldEntry, Op};
use crate::limits::LOG_BYTES_MAX;
use crate::lock;
use crate::path::{At, RelPath, RootId};
use crate::records::Records;
use crate::recover::Scope;
use crate::recover::sweep::{self, Remains};
use crate::tree::{self, Tree};

/// The facts about a root before a round of recovery.
#[derive(Debug)]
pub struct Snapshot {
    /// The remains that are considered.
    pub scope: Scope,
    /// The records of the control directory.
    pub records: Records,
    /// The decision to be completed.
    pub decision: Option<Decision>,
    /// Remains of transactions without a decision; read only if there is no decision.
    pub remains: Vec<Remains>,
    /// Scratch directory of a dead probe.
    pub probe: Option<Tree>,
    /// Whether there is a directory of generations that holds none.
    pub no_generations: bool,
}

/// A log and the progress of each of its changes.
#[derive(Debug)]
pub struct Decision {
    /// Name of the log file.
    pub name: &'static str,
    /// Content of the log.
    pub content: Result<Journal, Damage>,
    /// Whether the log was written by an owner that had already lost the root.
    pub refused: bool,
    /// One fact for each change, in the same order; empty if the log is not valid.
    pub facts: Vec<Fact>,
    /// Whether every path in the log is still in its former state; checked if only the digest is wrong.
    pub untouched: bool,
}

/// The facts about one change.
#[derive(Debug)]
pub enum Fact {
    /// Facts about a put.
    Put {
        /// The staged content.
        staged: Staged,
        /// Whether a second name of the content remains from an interrupted attempt.
        spare: bool,
        /// The entry at the path.
        target: Target,
    },
    /// Facts about a deletion.
    Delete {
        /// The entry at the path.
        target: Option<Kind>,
        /// Whether the parent directory exists.
        parent: bool,
    },
    /// Fact about a directory to be made: the entry at the path.
    MakeDir(Option<Kind>),
    /// Facts about a directory to be removed.
    RemoveDir {
        /// Whether the directory exists and holds only entries that the same decision removes.
        empties: bool,
        /// Whether the parent directory exists.
        parent: bool,
    },
    /// Facts about a switch.
    Switch {
        /// The entry at the path.
        at: Option<Kind>,
        /// The prepared sibling.
        new: Option<Kind>,
        /// The sibling to which the replaced entry was moved.
        old: Option<Kind>,
        /// Entries of the old directory that are neither in the new one nor deleted: they were created while
        /// it was being prepared.
        late: Tree,
        /// Directories that exist in both the old and the new tree: late entries that an interrupted recovery
        /// carried into them may not be durable.
        common: Vec<RelPath>,
        /// Whether a second name of a late entry remains from an interrupted attempt.
        spare: bool,
        /// The directory to which late entries are carried.
        into: RelPath,
    },
    /// A pointer needs no facts: its link is part of a switch.
    Pointer,
}

/// The state of a staged content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staged {
    /// Identical to the content at the decision.
    Good,
    /// A symbolic link, or a pipe or socket, which is complete if it exists.
    Link,
    /// Absent.
    Missing,
    /// The length or the digest differs.
    Wrong,
}

/// The entry at the path of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file with the digest of the new content.
    New,
    /// A directory, which cannot be replaced.
    Directory,
    /// An entry that a rename replaces, or no entry.
    Replaceable,
}

/// Reads all facts that the next round needs.
///
/// # Errors
///
/// `ErrorKind::Corrupt` for an unknown entry; the filesystem's failures.
pub fn survey<F: Fs>(exec: &mut Executor<F>, scope: Scope) -> Result<Snapshot, Error> {
    exec.forget();
    let records = Records::read(exec)?;
    let mut snapshot =
        Snapshot { scope, records, decision: None, remains: Vec::new(), probe: None, no_generations: false };
    if let Some(name) = snapshot.records.log {
        snapshot.decision = Some(decision(exec, scope, &snapshot.records, name)?);
        return Ok(snapshot);
    }
    snapshot.remains = remains(exec, scope, &snapshot.records)?;
    if snapshot.records.directories {
        snapshot.no_generations = names(exec, &control::entry(control::DIRECTORIES))?.is_empty();
    }
    if snapshot.records.probe && scope == Scope::All {
        snapshot.probe = Some(tree::read(exec, &At::store(control::entry(control::PROBE)))?);
    }
    Ok(snapshot)
}

/// Reads the remains of transactions without a decision.
///
/// # Errors
///
/// As for [`survey`].
pub fn remains<F: Fs>(exec: &mut Executor<F>, scope: Scope, records: &Records) -> Result<Vec<Remains>, Error> {
    let mut remains = Vec::new();
    for &number in &records.transactions {
        if !matches!(scope, Scope::Transaction { number: own, .. } if own != number) {
            remains.extend(sweep::read(exec, scope, number)?);
        }
    }
    Ok(remains)
}

fn decision<F: Fs>(
    exec: &mut Executor<F>,
    scope: Scope,
    records: &Records,
    name: &'static str,
) -> Result<Decision, Error> {
    let path = control::entry(name);
    let bytes = read_log(exec, &path)?;
    let content = Journal::decode(&bytes);
    let mut decision = Decision { name, content, refused: false, facts: Vec::new(), untouched: false };
    match &decision.content {
        Ok(journal) => {
            decision.refused = !lock::may_decide(exec, records, journal.epoch, &bytes)?;
            if !decision.refused {
                let removed = removed(journal);
                for op in &journal.ops {
                    decision.facts.push(fact(exec, scope, journal, &removed, op)?);
                }
            }
        }
        Err(Damage::Digest(journal)) => decision.untouched = untouched(exec, journal)?,
        Err(Damage::Unreadable(_)) => {}
    }
    Ok(decision)
}

/// Reads a log or an intent.
pub(super) fn read_log<F: Fs>(exec: &mut Executor<F>, path: &RelPath) -> Result<Vec<u8>, Error> {
    let bytes = exec.read_whole(path, LOG_BYTES_MAX)?;
    bytes.ok_or_else(|| Error::limit(path.shown(), Limit::LogBytes, LOG_BYTES_MAX))
}

/// Returns the paths that a decision removes, if it removes directories.
fn removed(journal: &Journal) -> BTreeSet<RelPath> {
    let mut removed = BTreeSet::new();
    if journal.ops.iter().any(|op| op.change == Change::RemoveDir) {
        for op in &journal.ops {
            if matches!(op.change, Change::Delete { .. } | Change::RemoveDir) {
                removed.insert(op.path.clone());
            }
        }
    }
    removed
}

fn fact<F: Fs>(
    exec: &mut Executor<F>,
    scope: Scope,
    journal: &Journal,
    removed: &BTreeSet<RelPath>,
    op: &Op,
) -> Result<Fact, Error> {
    Ok(match &op.change {
        Change::Put { staged, length, digest, .. } => put(exec, scope, journal, &op.path, (*staged, *length, *digest))?,
        Change::Delete { .. } if is_switched(journal, &op.path) => Fact::Delete { target: None, parent: false },
        Change::Delete { .. } => {
            Fact::Delete { target: exec.kind(&op.path)?, parent: is_directory(exec, &op.path.parent())? }
        }
        Change::MakeDir => {
            let (target, parent) = (exec.kind(&op.path)?, op.path.parent());
            if target.is_none() && !journal.makes(&parent) && !is_directory(exec, &parent)? {
                return Err(Error::corrupt(&op.path, "its directory is gone"));
            }
            Fact::MakeDir(target)
        }
        Change::RemoveDir => {
            let mut empties = is_directory(exec, &op.path)?;
            if empties {
                for (name, _) in exec.list(RootId::STORE, &op.path)? {
                    empties &= removed.contains(&op.path.child(&name));
                }
            }
            Fact::RemoveDir { empties, parent: is_directory(exec, &op.path.parent())? }
        }
        Change::Switch => switch(exec, journal, &op.path)?,
        Change::Pointer { .. } => Fact::Pointer,
    })
}

/// Checks whether a path is below one that is switched as a whole. Its deletion is recorded only to
/// distinguish late entries from deleted ones.
fn is_switched(journal: &Journal, path: &RelPath) -> bool {
    journal.ops.iter().any(|op| matches!(op.change, Change::Switch) && path.is_within(&op.path))
}

fn put<F: Fs>(
    exec: &mut Executor<F>,
    scope: Scope,
    journal: &Journal,
    target: &RelPath,
    (index, length, digest): (u32, u64, Option<Digest>),
) -> Result<Fact, Error> {
    let source = control::staged(journal.transaction, index);
    // A live owner has just written and synced its own staging; the digest is read back only after a crash.
    let digest_asked = digest.filter(|_| scope == Scope::All);
    let staged = match exec.stat_deep(&source)? {
        None => Staged::Missing,
        Some(stat) if length == LINK_LENGTH && matches!(stat.kind, Kind::Symlink | Kind::Other) => Staged::Link,
        Some(stat) if stat.kind != Kind::File || stat.size != length => Staged::Wrong,
        Some(_) => match digest_asked {
            Some(digest) if exec.digest(&source)? != digest => Staged::Wrong,
            Some(_) | None => Staged::Good,
        },
    };
    let spare = scope == Scope::All && exec.kind(&control::applied(journal.transaction, index))?.is_some();
    let target_stat = exec.stat_deep(target)?;
    let state = match target_stat.map(|stat| stat.kind) {
        Some(Kind::Directory) => Target::Directory,
        Some(Kind::File) if target_stat.is_some_and(|stat| stat.size == length) => match digest_asked {
            Some(digest) if exec.digest(target)? == digest => Target::New,
            Some(_) | None => Target::Replaceable,
        },
        Some(Kind::File | Kind::Symlink | Kind::Other) | None => Target::Replaceable,
    };
    Ok(Fact::Put { staged, spare, target: state })
}

fn switch<F: Fs>(exec: &mut Executor<F>, journal: &Journal, path: &RelPath) -> Result<Fact, Error> {
    let old_path = control::sibling_old(path, journal.transaction);
    let at = exec.kind(path)?;
    let new = exec.kind(&control::sibling_new(path, journal.transaction))?;
    let old = exec.kind(&old_path)?;
    let generation = journal.ops.iter().find_map(|op| match op.change {
        Change::Pointer { directory, generation, .. } if op.path == *path => {
            Some(control::generation(directory, generation))
        }
        _ => None,
    });
    let into = generation.unwrap_or_else(|| path.clone());
    let mut late = Tree::new();
    let mut common = Vec::new();
    if new.is_none() && at.is_some() && old == Some(Kind::Directory) {
        let now = tree::read(exec, &At::store(into.clone()))?;
        late = tree::read(exec, &At::store(old_path))?;
        let is_there = |node: &tree::Node| now.binary_search_by(|other| other.path.cmp(&node.path)).is_ok();
        common.extend(
            late.iter().filter(|node| node.kind == Kind::Directory && is_there(node)).map(|node| node.path.clone()),
        );
        late.retain(|node| {
            let known = now.binary_search_by(|other| other.path.cmp(&node.path)).is_ok();
            let full = path.join(&node.path);
            let deleted = journal.ops.iter().any(|op| matches!(op.change, Change::Delete { .. }) && op.path == full);
            !known && !deleted
        });
    }
    let spare = exec.kind(&control::applied(journal.transaction, 0))?.is_some();
    Ok(Fact::Switch { at, new, old, late, common, spare, into })
}

/// Checks whether every path in a doubtful log still has the state that the log records from before the
/// change.
fn untouched<F: Fs>(exec: &mut Executor<F>, journal: &Journal) -> Result<bool, Error> {
    for op in &journal.ops {
        let now = exec.stat_deep(&op.path)?;
        let as_before = match &op.change {
            Change::Put { old, .. } | Change::Delete { old } => now.map(OldEntry::from) == *old,
            Change::MakeDir => now.is_none(),
            Change::RemoveDir => now.is_some_and(|stat| stat.kind == Kind::Directory),
            Change::Switch => {
                exec.kind(&control::sibling_new(&op.path, journal.transaction))?.is_some()
                    && exec.kind(&control::sibling_old(&op.path, journal.transaction))?.is_none()
            }
            Change::Pointer { .. } => true,
        };
        if !as_before {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_directory<F: Fs>(exec: &mut Executor<F>, path: &RelPath) -> Result<bool, Error> {
    Ok(exec.kind(path)? == Some(Kind::Directory))
}

/// Lists the names in a directory of the store; empty if it does not exist.
pub(super) fn names<F: Fs>(
    exec: &mut Executor<F>,
    path: &RelPath,
) -> Result<Vec<(alloc::string::String, Kind)>, Error> {
    if is_directory(exec, path)? { Ok(exec.list(RootId::STORE, path)?) } else { Ok(Vec::new()) }
}
