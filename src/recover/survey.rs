//! The facts from which recovery plans. No function here changes storage.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use crate::control;
use crate::error::{Error, ErrorKind, Limit};
use crate::exec::Executor;
use crate::fs::{Fs, Kind};
use crate::journal::{ByPath, Change, Damage, Digest, Journal, LINK_LENGTH, OldEntry, Op};
use crate::limits::LOG_BYTES_MAX;
use crate::lock;
use crate::path::{At, RelPath, RootId};
use crate::plan::Plan;
use crate::records::Records;
use crate::recover::Scope;
use crate::recover::overtaken::{self, Overtaken};
use crate::recover::sweep::{self, Remains};
use crate::recover::{abandon, parked};
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
    /// Decisions that were given up, with the plans that set them aside.
    pub abandoned: Vec<(RelPath, Plan)>,
    /// Remains that cannot be read, with the reason.
    pub unreadable: Vec<(RelPath, Error)>,
    /// Files that are of use to a dead owner only.
    pub loose: Vec<RelPath>,
    /// The decisions that were being written and can be read.
    pub drafts: Vec<Draft>,
    /// Own entries by which transactions asked what they may change.
    pub asks: Vec<(RelPath, Tree)>,
    /// Scratch directory of a dead probe.
    pub probe: Option<Tree>,
    /// Whether there is a directory of generations that holds none.
    pub no_generations: bool,
}

/// A decision that was being written.
#[derive(Debug)]
pub struct Draft {
    /// Path of the file.
    pub path: RelPath,
    /// The files that it left in directories, or the failure of looking for them.
    pub visits: Result<Visits, Error>,
}

/// The files by which a transaction asked whether it may fill directories.
#[derive(Debug)]
pub struct Visits {
    /// The existing directories that it would have filled.
    pub directories: Vec<RelPath>,
    /// The own files that were moved into them.
    pub visitors: Vec<RelPath>,
}

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

/// Reads all facts that the next round needs. The records in `passed` are left out: they could not be handled.
///
/// # Errors
///
/// `ErrorKind::Corrupt` for an unknown entry; the failure of reading the control directory or a log.
pub fn survey<F: Fs>(exec: &mut Executor<F>, scope: Scope, passed: &BTreeSet<RelPath>) -> Result<Snapshot, Error> {
    exec.forget();
    let records = Records::read(exec)?;
    let mut snapshot = Snapshot {
        scope,
        records,
        decision: None,
        remains: Vec::new(),
        abandoned: Vec::new(),
        unreadable: Vec::new(),
        loose: Vec::new(),
        drafts: Vec::new(),
        asks: Vec::new(),
        probe: None,
        no_generations: false,
    };
    if let Some(path) = decisions(&snapshot.records, scope).into_iter().find(|path| !passed.contains(path)) {
        snapshot.decision = Some(decision(exec, scope, &snapshot.records, path)?);
        return Ok(snapshot);
    }
    snapshot.read_remains(exec, passed)?;
    Ok(snapshot)
}

/// Returns the paths of the decisions, in the order in which they are completed.
pub(crate) fn decisions(records: &Records, scope: Scope) -> Vec<RelPath> {
    let mut paths: Vec<RelPath> = records.log.iter().map(|name| control::entry(name)).collect();
    if scope == Scope::All {
        paths.extend(records.parked.iter().map(|number| control::parked(*number)));
    }
    paths
}

impl Snapshot {
    /// Returns the remains that cannot be read, with the reason.
    pub(super) fn obstructed(&self) -> impl Iterator<Item = (&RelPath, &Error)> {
        let drafts = self.drafts.iter().filter_map(|draft| Some((&draft.path, draft.visits.as_ref().err()?)));
        self.unreadable.iter().map(|(place, error)| (place, error)).chain(drafts)
    }

    /// Reads the remains that no decision needs.
    ///
    /// # Errors
    ///
    /// As for [`survey`].
    pub(super) fn read_remains<F: Fs>(
        &mut self,
        exec: &mut Executor<F>,
        passed: &BTreeSet<RelPath>,
    ) -> Result<(), Error> {
        let scope = self.scope;
        let is_left = |path: &RelPath| passed.contains(path);
        let is_others = |number: u64| matches!(scope, Scope::Transaction { number: own, .. } if own != number);
        for &number in &self.records.transactions {
            let place = control::transaction(number);
            let is_kept = self.records.parked.contains(&number) || self.records.abandoned.contains(&number);
            if is_others(number) || is_kept || is_left(&place) {
                continue;
            }
            match sweep::read(exec, scope, number) {
                Ok(remains) => self.remains.extend(remains),
                Err(error) if error.kind() == ErrorKind::Corrupt => return Err(error),
                Err(error) => self.unreadable.push((place, error)),
            }
        }
        for name in &self.records.loose {
            let path = control::entry(name);
            if scope == Scope::All && !is_left(&path) {
                self.loose.push(path);
            }
        }
        for &number in self.records.reasons.iter().filter(|_| scope == Scope::All) {
            let path = control::reason(number);
            let is_pending = self.records.parked.contains(&number) || is_left(&control::transaction(number));
            if !is_pending && !is_left(&path) {
                self.loose.push(path);
            }
        }
        for &number in self.records.abandoned.iter().filter(|_| scope == Scope::All) {
            let path = control::abandoned(number);
            if !is_left(&path) {
                match abandoned(exec, &path) {
                    Ok(plan) => self.abandoned.push((path, plan)),
                    Err(error) => self.unreadable.push((path, error)),
                }
            }
        }
        for &number in &self.records.drafts {
            let path = control::draft(number);
            if !is_others(number) && !is_left(&path) {
                match draft(exec, &path, number) {
                    Ok(Some(draft)) => self.drafts.push(draft),
                    Ok(None) => self.loose.push(path),
                    Err(error) => self.unreadable.push((path, error)),
                }
            }
        }
        for &number in &self.records.asks {
            let place = control::ask(number);
            if !is_others(number) && !is_left(&place) {
                match tree::read(exec, &At::store(place.clone())) {
                    Ok(tree) => self.asks.push((place, tree)),
                    Err(error) => self.unreadable.push((place, error)),
                }
            }
        }
        let directories = control::entry(control::DIRECTORIES);
        if self.records.directories && !is_left(&directories) {
            match names(exec, &directories) {
                Ok(names) => self.no_generations = names.is_empty(),
                Err(error) => self.unreadable.push((directories, error)),
            }
        }
        let probe = control::entry(control::PROBE);
        if self.records.probe && scope == Scope::All && !is_left(&probe) {
            match tree::read(exec, &At::store(probe.clone())) {
                Ok(tree) => self.probe = Some(tree),
                Err(error) => self.unreadable.push((probe, error)),
            }
        }
        Ok(())
    }
}

/// Reads a decision that was given up.
fn abandoned<F: Fs>(exec: &mut Executor<F>, path: &RelPath) -> Result<Plan, Error> {
    let journal = Journal::decode(&read_log(exec, path)?);
    let journal = journal.map_err(|_| Error::corrupt(path, "it is damaged; move it and its staging away"))?;
    abandon::set_aside(exec, &journal)
}

/// Reads a decision that was being written. It was durable before a file was moved into a directory, so one that
/// cannot be decoded left none.
fn draft<F: Fs>(exec: &mut Executor<F>, path: &RelPath, number: u64) -> Result<Option<Draft>, Error> {
    let Some(bytes) = exec.read_whole(path, LOG_BYTES_MAX)? else { return Ok(None) };
    let Ok(journal) = Journal::decode(&bytes) else { return Ok(None) };
    if journal.transaction != number {
        return Ok(None);
    }
    let visits = visits(exec, &journal);
    Ok(Some(Draft { path: path.clone(), visits }))
}

fn visits<F: Fs>(exec: &mut Executor<F>, journal: &Journal) -> Result<Visits, Error> {
    let mut directories = Vec::new();
    for directory in journal.filled() {
        if is_directory(exec, &directory)? {
            directories.push(directory);
        }
    }
    Ok(Visits { directories, visitors: visitors(exec, journal)? })
}

/// Returns the files that a decision left in the directories that it fills, when it asked whether it may.
fn visitors<F: Fs>(exec: &mut Executor<F>, journal: &Journal) -> Result<Vec<RelPath>, Error> {
    let mut visitors = Vec::new();
    for directory in journal.filled() {
        let path = control::visitor(&directory, journal.transaction);
        if exec.stat_deep(&path)?.is_some_and(|stat| stat.kind == Kind::File) {
            visitors.push(path);
        }
    }
    Ok(visitors)
}

fn decision<F: Fs>(exec: &mut Executor<F>, scope: Scope, records: &Records, path: RelPath) -> Result<Decision, Error> {
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
    Ok(Fact::Switch { at, new, old, late, common, spare, into })
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
