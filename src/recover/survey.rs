//! The facts that recovery decides on. Nothing here changes anything.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::control::{self, Control};
use crate::error::{Error, Limit};
use crate::exec::Exec;
use crate::fs::{Fs, Kind};
use crate::journal::{Change, Damage, Digest, Journal, LINK_LENGTH, OldEntry, Op};
use crate::limits::LOG_BYTES_MAX;
use crate::lock;
use crate::path::RelPath;
use crate::plan::{At, RootId};
use crate::recover::Scope;
use crate::recover::sweep::{self, Remains};
use crate::tree::{self, Tree};

/// All that is known of a root before a round of recovery.
#[derive(Debug)]
pub struct Snapshot {
    /// Whose remains count.
    pub scope: Scope,
    /// What is in the control directory.
    pub control: Control,
    /// The decision that is to be completed.
    pub decision: Option<Decision>,
    /// What transactions without a decision left; read only when there is no decision.
    pub remains: Vec<Remains>,
    /// The scratch of a dead probe.
    pub probe: Option<Tree>,
    /// The directory of generations is there and holds none.
    pub no_generations: bool,
}

/// A log and what became of each of its changes so far.
#[derive(Debug)]
pub struct Decision {
    /// The name of the file.
    pub name: &'static str,
    /// What it says.
    pub content: Result<Journal, Damage>,
    /// It was written by an owner that had already lost the root.
    pub refused: bool,
    /// One for each of its changes, in the same order; empty when the log is not valid.
    pub facts: Vec<Fact>,
    /// Every path it names still is as it was before; asked when only the digest is wrong.
    pub untouched: bool,
}

/// What is known of one change.
#[derive(Debug)]
pub enum Fact {
    /// Of a put.
    Put {
        /// Its staged content.
        staged: Staged,
        /// A second name of the content is left from an attempt that died.
        spare: bool,
        /// What stands at the path.
        target: Target,
    },
    /// Of a deletion: what stands at the path, and whether its directory exists.
    Delete {
        /// What stands there.
        target: Option<Kind>,
        /// Its directory exists.
        parent: bool,
    },
    /// Of a directory: what stands at the path.
    MakeDir(Option<Kind>),
    /// Of a directory that goes away: whether it is there, with nothing in it but what the same
    /// decision removes; and whether its own directory exists.
    RemoveDir {
        /// It can be removed.
        empties: bool,
        /// Its directory exists.
        parent: bool,
    },
    /// Of a switch.
    Switch {
        /// What stands at the path.
        at: Option<Kind>,
        /// The prepared sibling.
        new: Option<Kind>,
        /// The sibling that gave its place.
        old: Option<Kind>,
        /// Entries of the old directory that are neither in the new one nor deleted: they came
        /// while it was being prepared.
        late: Tree,
        /// Directories that the old and the new one have in common: the late entries that a killed
        /// recovery carried into them may not be durable.
        common: Vec<RelPath>,
        /// A second name of a late entry is left from an attempt that died.
        spare: bool,
        /// The directory that late entries go to.
        into: RelPath,
    },
    /// Of a pointer: nothing needs to be known, its link is part of a switch.
    Pointer,
}

/// The state of a staged content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staged {
    /// As it was decided on.
    Good,
    /// A symbolic link, whole as soon as it is there.
    Link,
    /// It is not there.
    Missing,
    /// Its length or digest is another.
    Wrong,
}

/// What stands at the path of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file with the digest of the new content.
    New,
    /// A directory: it cannot be replaced.
    Directory,
    /// Something that a rename replaces, or nothing.
    Replaceable,
}

/// Reads all that the next round needs.
///
/// # Errors
/// `ErrorKind::Corrupt` for what is not ours; the filesystem's failures.
pub fn survey<F: Fs>(exec: &mut Exec<F>, scope: Scope) -> Result<Snapshot, Error> {
    exec.forget();
    let control = Control::read(exec)?;
    let mut snapshot =
        Snapshot { scope, control, decision: None, remains: Vec::new(), probe: None, no_generations: false };
    if let Some(name) = snapshot.control.log {
        snapshot.decision = Some(decision(exec, scope, &snapshot.control, name)?);
        return Ok(snapshot);
    }
    snapshot.remains = remains(exec, scope, &snapshot.control)?;
    if snapshot.control.directories {
        snapshot.no_generations = names(exec, &control::entry(control::DIRECTORIES))?.is_empty();
    }
    if snapshot.control.probe && scope == Scope::All {
        snapshot.probe = Some(tree::read(exec, &At::store(control::entry(control::PROBE)))?);
    }
    Ok(snapshot)
}

/// What transactions without a decision left.
///
/// # Errors
/// As for [`survey`].
pub fn remains<F: Fs>(exec: &mut Exec<F>, scope: Scope, control: &Control) -> Result<Vec<Remains>, Error> {
    let mut remains = Vec::new();
    for &number in &control.transactions {
        if !matches!(scope, Scope::Transaction { number: own, .. } if own != number) {
            remains.push(sweep::read(exec, number)?);
        }
    }
    Ok(remains)
}

fn decision<F: Fs>(exec: &mut Exec<F>, scope: Scope, control: &Control, name: &'static str) -> Result<Decision, Error> {
    let path = control::entry(name);
    let bytes = read_log(exec, &path)?;
    let content = Journal::decode(&bytes);
    let mut decision = Decision { name, content, refused: false, facts: Vec::new(), untouched: false };
    match &decision.content {
        Ok(journal) => {
            decision.refused = !lock::may_decide(exec, control, journal.epoch, &bytes)?;
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
pub(super) fn read_log<F: Fs>(exec: &mut Exec<F>, path: &RelPath) -> Result<Vec<u8>, Error> {
    let bytes = exec.read_whole(path, LOG_BYTES_MAX)?;
    bytes.ok_or_else(|| Error::limit(path.shown(), Limit::LogBytes, LOG_BYTES_MAX))
}

/// The paths that a decision removes, where it removes directories.
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
    exec: &mut Exec<F>,
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

/// Whether a path is below one that is switched whole. Its deletion is told only so that a late
/// entry can be told from a deleted one.
fn is_switched(journal: &Journal, path: &RelPath) -> bool {
    journal.ops.iter().any(|op| matches!(op.change, Change::Switch) && path.is_within(&op.path))
}

fn put<F: Fs>(
    exec: &mut Exec<F>,
    scope: Scope,
    journal: &Journal,
    target: &RelPath,
    (index, length, digest): (u32, u64, Option<Digest>),
) -> Result<Fact, Error> {
    let source = control::staged(journal.transaction, index);
    // A live owner has just written and synced its own staging: only after a crash is it read back.
    let digest_asked = digest.filter(|_| scope == Scope::All);
    let staged = match exec.stat_deep(&source)? {
        None => Staged::Missing,
        Some(stat) if length == LINK_LENGTH && stat.kind == Kind::Symlink => Staged::Link,
        Some(stat) if stat.kind != Kind::File || stat.size != length => Staged::Wrong,
        Some(_) => match digest_asked {
            Some(digest) if file_digest(exec, &source)? != digest => Staged::Wrong,
            Some(_) | None => Staged::Good,
        },
    };
    let spare = scope == Scope::All && exec.kind(&control::applied(journal.transaction, index))?.is_some();
    let target_stat = exec.stat_deep(target)?;
    let state = match target_stat.map(|stat| stat.kind) {
        Some(Kind::Directory) => Target::Directory,
        Some(Kind::File) if target_stat.is_some_and(|stat| stat.size == length) => match digest_asked {
            Some(digest) if file_digest(exec, target)? == digest => Target::New,
            Some(_) | None => Target::Replaceable,
        },
        Some(Kind::File | Kind::Symlink | Kind::Other) | None => Target::Replaceable,
    };
    Ok(Fact::Put { staged, spare, target: state })
}

fn switch<F: Fs>(exec: &mut Exec<F>, journal: &Journal, path: &RelPath) -> Result<Fact, Error> {
    let old_path = control::sibling_old(path, journal.transaction);
    let at = exec.kind(path)?;
    let new = exec.kind(&control::sibling_new(path, journal.transaction))?;
    let old = exec.kind(&old_path)?;
    let generation = journal.ops.iter().find_map(|op| match op.change {
        Change::Pointer { directory, generation } if op.path == *path => {
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

/// Whether every path that a doubtful log names is still as the log says it was before.
fn untouched<F: Fs>(exec: &mut Exec<F>, journal: &Journal) -> Result<bool, Error> {
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

fn is_directory<F: Fs>(exec: &mut Exec<F>, path: &RelPath) -> Result<bool, Error> {
    Ok(exec.kind(path)? == Some(Kind::Directory))
}

/// SHA-256 of a file.
///
/// # Errors
/// The filesystem's failures.
pub fn file_digest<F: Fs>(exec: &mut Exec<F>, path: &RelPath) -> Result<Digest, Error> {
    use sha2::{Digest as _, Sha256};
    let mut hasher = Sha256::new();
    exec.read_pieces(&At::store(path.clone()), &mut |piece| {
        hasher.update(piece);
        true
    })?;
    Ok(hasher.finalize().into())
}

/// The names in a directory of the store, or none when it does not exist.
pub(super) fn names<F: Fs>(exec: &mut Exec<F>, path: &RelPath) -> Result<Vec<(alloc::string::String, Kind)>, Error> {
    if is_directory(exec, path)? { Ok(exec.list(RootId::STORE, path)?) } else { Ok(Vec::new()) }
}
