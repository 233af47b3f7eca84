//! Entries that others changed after a decision that replaces them.
//!
//! A decision of a dead owner is completed by the next open, and until then others may change its paths. The decision
//! counts, since a part of it may have been applied; their work is kept, in the quarantine. It is recognized by kind,
//! length and time of the content: a change that leaves these as they were, such as that of a mode, is not.

use alloc::vec::Vec;

use crate::control;
use crate::error::Error;
use crate::exec::Executor;
use crate::fs::{Fs, Kind, Stat};
use crate::journal::{ByPath, Change, Journal, OldEntry, Op};
use crate::path::{At, RelPath, RootId};
use crate::plan::Plan;
use crate::recover::plan::Piece;
use crate::recover::survey::{Fact, Staged, Target};
use crate::recover::{Finding, Verdict};
use crate::tree;

/// The entries that others changed after a decision that replaces them.
#[derive(Debug, Default)]
pub struct Overtaken {
    /// Number of the transaction.
    number: u64,
    entries: Vec<Entry>,
    /// Whether the quarantine of the transaction exists.
    has_place: bool,
    /// Whether it holds an entry that an interrupted attempt did not finish.
    has_unfinished: bool,
}

#[derive(Debug)]
struct Entry {
    /// The path that was decided about.
    path: RelPath,
    /// The present place of the entry: the path or, for a directory that was switched, its sibling.
    from: RelPath,
    /// The place in the quarantine.
    to: RelPath,
    /// Whether it is there already: an open that met an obstacle kept it.
    is_kept: bool,
}

/// Reads which entries others changed.
///
/// # Errors
///
/// The failure of looking at one.
pub(super) fn read<F: Fs>(
    exec: &mut Executor<F>,
    record: &RelPath,
    journal: &Journal,
    facts: &[Fact],
) -> Result<Overtaken, Error> {
    let mut found = Vec::new();
    let mut named = None;
    for (op, fact) in journal.ops.iter().zip(facts) {
        match (&op.change, fact) {
            // A directory is refused with a reason of its own, and an entry that is gone is nobody's work.
            (Change::Put { old, .. }, _) | (Change::Delete { old }, Fact::Delete { target: Some(_), .. }) => {
                let now = exec.stat_deep(&op.path)?.filter(|stat| stat.kind != Kind::Directory);
                if now.is_some_and(|now| !old.is_some_and(|old| is_same(old, now.into())))
                    && !is_applied(exec, journal, op, fact)?
                {
                    found.push((op.path.clone(), op.path.clone()));
                }
            }
            (Change::Switch, Fact::Switch { at: Some(_), new: None, old: Some(_), into, .. }) => {
                let old = control::sibling_old(&op.path, journal.transaction);
                let named = named.get_or_insert_with(|| ByPath::of(journal));
                if is_tree_overtaken(exec, record, (&op.path, &old, into), named)? {
                    found.push((op.path.clone(), old));
                }
            }
            _ => {}
        }
    }
    if found.is_empty() {
        return Ok(Overtaken::default());
    }
    let number = journal.transaction;
    let place = control::quarantine(number);
    let mut overtaken = Overtaken {
        number,
        entries: Vec::new(),
        has_place: exec.kind(&place)?.is_some(),
        has_unfinished: exec.kind(&unfinished(number))?.is_some(),
    };
    let mut free = 0;
    for (path, from) in found {
        let mut is_kept = false;
        while !is_kept && exec.kind(&kept(number, free))?.is_some() {
            is_kept = is_equal(exec, &from, &kept(number, free))?;
            free += u32::from(!is_kept);
        }
        overtaken.entries.push(Entry { path, from, to: kept(number, free), is_kept });
        free += 1;
    }
    Ok(overtaken)
}

impl Overtaken {
    /// Appends the steps that keep the entries. Each path that is not a switched directory still has its entry.
    pub(super) fn keep(&self, round: &mut Piece) {
        if self.entries.is_empty() {
            return;
        }
        let place = control::quarantine(self.number);
        let unfinished = unfinished(self.number);
        let plan: &mut Plan = &mut round.plan;
        if !self.has_place {
            plan.make_dir(&place, "a place that recovery does not read");
        }
        if self.has_unfinished {
            plan.remove_file(&unfinished, "left by an attempt that died");
        }
        for Entry { path, from, to, is_kept } in &self.entries {
            if *is_kept {
            } else if from == path {
                plan.share(from, &unfinished, "the work of others is kept");
                plan.rename(&unfinished, to, "the work of others is kept");
            } else {
                plan.rename(from, to, "the work of others is kept");
            }
            let detail = format!(
                "was changed by others after transaction {} was decided, which replaces it; their state of it is kept \
                 in {to}",
                self.number
            );
            round.findings.push(Finding::new(path, Verdict::Quarantined, detail));
        }
        plan.sync_dir(&place, "or the work of others could be lost");
        plan.sync_control("or the work of others could be lost");
    }
}

/// Returns the place of a kept entry, which is one that no other entry has.
fn kept(number: u64, index: u32) -> RelPath {
    control::quarantine(number).child(&format!("kept-{index}"))
}

/// Returns the place of an entry that is being kept: a copy is not complete at once.
fn unfinished(number: u64) -> RelPath {
    control::quarantine(number).child("unfinished")
}

/// Returns whether a directory that was switched holds work of others that its successor does not have: a file that
/// was changed after the decision, or whose name another one took there. A log does not list what a switch replaces,
/// so this is known only where the host knows times.
fn is_tree_overtaken<F: Fs>(
    exec: &mut Executor<F>,
    record: &RelPath,
    (path, old, into): (&RelPath, &RelPath, &RelPath),
    named: &ByPath<'_>,
) -> Result<bool, Error> {
    let Some(decided) = exec.stat(record)?.and_then(|stat| stat.modified) else { return Ok(false) };
    let is_newer = |stat: &Stat| stat.modified.is_some_and(|modified| modified > decided);
    // A link, or what others put in its place.
    if let Some(stat) = exec.stat(old)?.filter(|stat| stat.kind != Kind::Directory) {
        return Ok(is_newer(&stat));
    }
    let before = tree::read_stats(exec, &At::store(old.clone()))?;
    let now = tree::read_stats(exec, &At::store(into.clone()))?;
    for seen in before.iter().filter(|seen| seen.stat.kind != Kind::Directory) {
        let successor = now.binary_search_by(|other| other.path.cmp(&seen.path)).ok().map(|index| &now[index]);
        let is_lost = match successor {
            Some(successor) => {
                (is_newer(&seen.stat) || is_newer(&successor.stat))
                    && !is_equal(exec, &old.join(&seen.path), &into.join(&seen.path))?
            }
            None => is_newer(&seen.stat) && named.deletes(&path.join(&seen.path)),
        };
        if is_lost {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether an entry is the one that was recorded. A host may not know its time.
fn is_same(old: OldEntry, now: OldEntry) -> bool {
    let times = old.modified.zip(now.modified);
    (old.kind, old.size) == (now.kind, now.size) && times.is_none_or(|(old, now)| old == now)
}

/// Returns whether the entry at a path is the one that a decision puts there.
fn is_applied<F: Fs>(exec: &mut Executor<F>, journal: &Journal, op: &Op, fact: &Fact) -> Result<bool, Error> {
    let (Change::Put { staged: index, digest, .. }, Fact::Put { staged, target, .. }) = (&op.change, fact) else {
        return Ok(false);
    };
    match staged {
        _ if *target == Target::New => Ok(true),
        // The log has no digest of content that was carried by a second name.
        Staged::Good if digest.is_some() => Ok(false),
        Staged::Good | Staged::Link => is_equal(exec, &control::staged(journal.transaction, *index), &op.path),
        Staged::Missing | Staged::Wrong => Ok(false),
    }
}

/// Returns whether two entries are alike in kind and content. A pipe or a socket has no content.
fn is_equal<F: Fs>(exec: &mut Executor<F>, one: &RelPath, other: &RelPath) -> Result<bool, Error> {
    let (Some(first), Some(second)) = (exec.stat(one)?, exec.stat(other)?) else { return Ok(false) };
    if (first.kind, first.size) != (second.kind, second.size) {
        return Ok(false);
    }
    Ok(match first.kind {
        Kind::File => exec.digest(one)? == exec.digest(other)?,
        Kind::Symlink => exec.read_link(RootId::STORE, one)? == exec.read_link(RootId::STORE, other)?,
        Kind::Other => true,
        Kind::Directory => false,
    })
}
