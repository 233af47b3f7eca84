//! The facts about a decision: its log, and the progress of each of its changes. No function here changes storage.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use crate::control;
use crate::error::{Error, Limit};
use crate::exec::Executor;
use crate::fs::{Fs, Kind};
use crate::journal::{ByPath, Change, Damage, Digest, Journal, LINK_LENGTH, OldEntry, Op};
use crate::limits::LOG_BYTES_MAX;
use crate::lock;
use crate::path::{At, RelPath, RootId};
use crate::records::Records;
use crate::recover::overtaken::{self, Overtaken};
use crate::recover::survey::{is_directory, visitors};
use crate::recover::{Scope, parked};
use crate::tree::{self, Tree};

/// A log and the progress of each of its changes.
#[derive(Debug)]
pub struct Decision {
    /// Path of the file: the log, or a decision that could not be completed at an earlier open.
    pub path: RelPath,
    /// Content of the log.
    pub content: Result<Journal, Damage>,
    /// Whether the log was written by an owner that had already lost the root.
    pub refused: bool,
    /// One fact for each change, in the same order, or the failure of reading them; empty if the log is not
    /// valid.
    pub facts: Result<Vec<Fact>, Error>,
    /// Files of its own that it left in directories.
    pub visitors: Vec<RelPath>,
    /// The obstacle that it met at the last open, if it was parked.
    pub reason: Option<String>,
    /// The entries that others changed since it was made.
    pub overtaken: Overtaken,
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
        /// Whether others removed what was prepared before it took its place.
        is_undone: bool,
    },
    /// A part of a switch needs no facts of its own.
    Part,
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

/// Reads a decision.
///
/// # Errors
///
/// The failure of reading its log; one of reading the facts is part of the decision.
pub(super) fn decision<F: Fs>(
    exec: &mut Executor<F>,
    scope: Scope,
    records: &Records,
    path: RelPath,
) -> Result<Decision, Error> {
    let bytes = read_log(exec, &path)?;
    let content = Journal::decode(&bytes);
    let mut decision = Decision {
        path,
        content,
        refused: false,
        facts: Ok(Vec::new()),
        visitors: Vec::new(),
        reason: None,
        overtaken: Overtaken::default(),
        untouched: false,
    };
    match &decision.content {
        Ok(journal) => {
            // A parked decision was found to count when it was parked.
            let is_parked = decision.path == control::parked(journal.transaction);
            if scope == Scope::All && records.reasons.contains(&journal.transaction) {
                // It is for people alone: one that cannot be read is as good as none.
                decision.reason = Some(parked::read_reason(exec, journal.transaction).unwrap_or_default());
            }
            decision.refused = !is_parked && !lock::may_decide(exec, records, journal.epoch, &bytes)?;
            if !decision.refused {
                decision.facts = facts(exec, scope, journal);
                // A live owner has taken its own file back, and has just looked at what it replaces.
                if scope == Scope::All
                    && let Ok(facts) = &decision.facts
                {
                    let visitors = visitors(exec, journal);
                    let overtaken = overtaken::read(exec, journal, facts);
                    match visitors.and_then(|visitors| Ok((visitors, overtaken?))) {
                        Ok(found) => (decision.visitors, decision.overtaken) = found,
                        Err(error) => decision.facts = Err(error),
                    }
                }
            }
        }
        Err(Damage::Digest(journal)) => decision.untouched = untouched(exec, journal)?,
        Err(Damage::Unreadable(_)) => {}
    }
    Ok(decision)
}

fn facts<F: Fs>(exec: &mut Executor<F>, scope: Scope, journal: &Journal) -> Result<Vec<Fact>, Error> {
    let named = ByPath::of(journal);
    if scope == Scope::All {
        // Something may have been mounted over a directory since.
        let parents: BTreeSet<RelPath> = journal.whole().map(|op| op.path.parent()).collect();
        for parent in parents.iter().filter(|parent| !parent.is_root()) {
            if !is_directory(exec, parent)? {
                continue;
            }
            let control = control::directory();
            if let Err(error) = exec.check_reach(&control, parent, REACH)
                // Where not even our own names can be changed, this is no sign of a mount.
                && exec.check_reach(&control, &control, REACH).err().and_then(|own| own.cause()) != error.cause()
            {
                return Err(error);
            }
        }
    }
    let mut facts = Vec::with_capacity(journal.ops.len());
    for op in &journal.ops {
        facts.push(fact(exec, scope, journal, &named, op)?);
    }
    Ok(facts)
}

/// Reads a log or an intent.
pub(crate) fn read_log<F: Fs>(exec: &mut Executor<F>, path: &RelPath) -> Result<Vec<u8>, Error> {
    let bytes = exec.read_whole(path, LOG_BYTES_MAX)?;
    bytes.ok_or_else(|| Error::limit(path.shown(), Limit::LogBytes, LOG_BYTES_MAX))
}

fn fact<F: Fs>(
    exec: &mut Executor<F>,
    scope: Scope,
    journal: &Journal,
    named: &ByPath<'_>,
    op: &Op,
) -> Result<Fact, Error> {
    if op.change != Change::Switch && named.switches(&op.path) {
        return Ok(Fact::Part);
    }
    Ok(match &op.change {
        Change::Put { staged, length, digest, .. } => put(exec, scope, journal, &op.path, (*staged, *length, *digest))?,
        Change::Delete { .. } => {
            Fact::Delete { target: exec.kind(&op.path)?, parent: is_directory(exec, &op.path.parent())? }
        }
        Change::MakeDir => {
            let (target, parent) = (exec.kind(&op.path)?, op.path.parent());
            if target.is_none() && !named.makes(&parent) && !is_directory(exec, &parent)? {
                return Err(Error::corrupt(&op.path, "has lost its directory"));
            }
            Fact::MakeDir(target)
        }
        Change::RemoveDir => {
            let mut empties = is_directory(exec, &op.path)?;
            if empties {
                for (name, _) in exec.list(RootId::STORE, &op.path)? {
                    let path = op.path.child(&name);
                    empties &= named.deletes(&path) || named.removes(&path);
                }
            }
            Fact::RemoveDir { empties, parent: is_directory(exec, &op.path.parent())? }
        }
        Change::Switch => switch(exec, journal, named, &op.path)?,
        Change::Pointer { .. } => Fact::Part,
    })
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
    if staged == Staged::Wrong && scope == Scope::All && overtaken::is_equal(exec, &source, target)? {
        // It was applied, as a second name, and others have written into it since: their work stays.
        return Ok(Fact::Put { staged, spare: false, target: Target::New });
    }
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

fn switch<F: Fs>(exec: &mut Executor<F>, journal: &Journal, named: &ByPath<'_>, path: &RelPath) -> Result<Fact, Error> {
    let old_path = control::sibling_old(path, journal.transaction);
    let at = exec.kind(path)?;
    let new = exec.kind(&control::sibling_new(path, journal.transaction))?;
    let old = exec.kind(&old_path)?;
    let generation = journal.generation_of(path);
    if let Some(kind) = new {
        check_new(exec, journal, path, (kind, generation.as_ref()))?;
    }
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
            !known && !named.deletes(&path.join(&node.path))
        });
        // Parents come first. Below what is no directory any more nothing can be carried.
        let mut carried = Tree::new();
        let is_dir = |tree: &Tree, path: &RelPath| {
            let found = tree.binary_search_by(|other| other.path.cmp(path));
            path.is_root() || found.is_ok_and(|index| tree[index].kind == Kind::Directory)
        };
        for node in late {
            if is_dir(&now, &node.path.parent()) || is_dir(&carried, &node.path.parent()) {
                carried.push(node);
            }
        }
        late = carried;
    }
    let spare = exec.kind(&control::applied(journal.transaction, 0))?.is_some();
    let is_undone = match (at, new, old) {
        (Some(kind), None, None) => is_undone(exec, journal, path, kind)?,
        _ => false,
    };
    Ok(Fact::Switch { at, new, old, late, common, spare, into, is_undone })
}

/// Returns whether the entry at a switched path, without siblings, is the one from before. What was replaced keeps the
/// name of a sibling until the log is gone, so this can be asked where nothing was replaced, or others removed a
/// sibling.
fn is_undone<F: Fs>(exec: &mut Executor<F>, journal: &Journal, path: &RelPath, at: Kind) -> Result<bool, Error> {
    let becomes_link = journal.generation_of(path).is_some();
    if becomes_link || at != Kind::Directory {
        return Ok(becomes_link == (at == Kind::Directory));
    }
    for op in &journal.ops {
        let (Change::Put { old, .. } | Change::Delete { old }) = &op.change else { continue };
        let now = exec.stat_deep(&op.path)?.map(OldEntry::from);
        let is_decided = match (now, &op.change) {
            (Some(now), Change::Put { digest: Some(digest), .. }) if now.kind == Kind::File => {
                exec.digest(&op.path)? == *digest
            }
            // Without its time an entry proves nothing.
            (Some(now), Change::Put { .. }) => now.modified.is_none(),
            _ => false,
        };
        if now != *old || is_decided {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A name that never exists.
pub(crate) const REACH: &str = ".onionskin-reach";

/// Checks that the sibling which is to take the place of a path, or the generation that it leads to, is there as it
/// was prepared.
fn check_new<F: Fs>(
    exec: &mut Executor<F>,
    journal: &Journal,
    path: &RelPath,
    (kind, generation): (Kind, Option<&RelPath>),
) -> Result<(), Error> {
    let sibling = control::sibling_new(path, journal.transaction);
    let is_good = match generation {
        None => kind == Kind::Directory,
        Some(generation) => {
            kind == Kind::Symlink
                && exec.kind(generation)? == Some(Kind::Directory)
                && exec.read_link(RootId::STORE, &sibling)? == control::pointer_to(path, generation)
        }
    };
    let what = "was changed by others: it is not what transaction";
    if is_good {
        Ok(())
    } else {
        Err(Error::corrupt(&sibling, &format!("{what} {} prepared; give the transaction up", journal.transaction)))
    }
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
