//! Entries that others changed after a decision that replaces them.
//!
//! A decision of a dead owner is completed by the next open, and until then others may change its paths. The decision
//! counts, since a part of it may have been applied; their work is kept, in the quarantine. It is recognized by kind,
//! length and time of the content: a change that leaves these as they were, such as that of a mode, is not. A log names
//! all that it replaces; what a switched directory has besides was carried, and is alike on both sides.

use alloc::vec::Vec;

use crate::control;
use crate::error::Error;
use crate::exec::Executor;
use crate::fs::{Fs, Kind};
use crate::journal::{ByPath, Change, Journal, OldEntry, Op};
use crate::path::{At, RelPath, RootId};
use crate::plan::Plan;
use crate::recover::facts::{Fact, Staged, Target};
use crate::recover::plan::Piece;
use crate::recover::{Finding, Verdict};
use crate::tree::{self, Tree};

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
pub(super) fn read<F: Fs>(exec: &mut Executor<F>, journal: &Journal, facts: &[Fact]) -> Result<Overtaken, Error> {
    let mut found = Vec::new();
    let mut named = None;
    for (op, fact) in journal.ops.iter().zip(facts) {
        match (&op.change, fact) {
            // A directory is refused with a reason of its own, and an entry that is gone is nobody's work.
            (Change::Put { old, .. }, Fact::Put { .. }) | (Change::Delete { old }, Fact::Delete { .. }) => {
                let now = exec.stat_deep(&op.path)?.filter(|stat| stat.kind != Kind::Directory);
                if now.is_some_and(|now| !old.is_some_and(|old| is_same(old, now.into())))
                    && !is_applied(exec, journal, op, fact)?
                {
                    found.push((op.path.clone(), op.path.clone()));
                }
            }
            (Change::Switch, Fact::Switch { at: Some(_), new: None, old: Some(_), into, late, .. }) => {
                let old = control::sibling_old(&op.path, journal.transaction);
                let named = named.get_or_insert_with(|| ByPath::of(journal));
                if is_switched_overtaken(exec, (&op.path, &old, into), named, late)? {
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
    /// Returns the findings about the entries that are kept by now.
    pub(super) fn findings<F: Fs>(&self, exec: &mut Executor<F>) -> Vec<Finding> {
        let mut is_kept = |entry: &&Entry| matches!(exec.kind(&entry.to), Ok(Some(_)));
        self.entries
            .iter()
            .filter(|entry| is_kept(entry))
            .map(|Entry { path, to, .. }| self.finding(path, to))
            .collect()
    }

    fn finding(&self, path: &RelPath, to: &RelPath) -> Finding {
        let detail = format!(
            "was changed by others after transaction {} was decided, which replaces it; their state of it is kept in \
             {to}",
            self.number
        );
        Finding::new(path, Verdict::Quarantined, detail)
    }

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
            round.findings.push(self.finding(path, to));
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

/// Returns whether others worked in the directory that a complete switch replaced. Nothing is carried any more, so an
/// entry without a successor counts, also if somebody removed that.
///
/// # Errors
///
/// The failure of looking at an entry.
pub(super) fn is_replaced_overtaken<F: Fs>(
    exec: &mut Executor<F>,
    intent: &Journal,
    path: &RelPath,
) -> Result<bool, Error> {
    let old = control::sibling_old(path, intent.transaction);
    let into = intent.generation_of(path).unwrap_or_else(|| path.clone());
    if exec.kind(&into)? != Some(Kind::Directory) {
        return Ok(true);
    }
    is_switched_overtaken(exec, (path, &old, &into), &ByPath::of(intent), &Tree::new())
}

/// Returns whether what a switch replaced holds work of others that its successor does not have. `late` are the entries
/// that are carried there.
fn is_switched_overtaken<F: Fs>(
    exec: &mut Executor<F>,
    (path, old, into): (&RelPath, &RelPath, &RelPath),
    named: &ByPath<'_>,
    late: &Tree,
) -> Result<bool, Error> {
    // A link that was materialized, or what others put in its place.
    if let Some(stat) = exec.stat(old)?.filter(|stat| stat.kind != Kind::Directory) {
        let recorded = named.replaced(path).unwrap_or_default();
        return Ok(!recorded.is_some_and(|recorded| is_same(recorded, stat.into())));
    }
    let before = tree::read_stats(exec, &At::store(old.clone()))?;
    let now = tree::read_stats(exec, &At::store(into.clone()))?;
    for seen in before.iter().filter(|seen| seen.stat.kind != Kind::Directory) {
        let successor = now.binary_search_by(|other| other.path.cmp(&seen.path)).ok().map(|index| &now[index].stat);
        let is_expected = match (named.replaced(&path.join(&seen.path)), successor) {
            (Some(old), _) => old.is_some_and(|old| is_same(old, seen.stat.into())),
            (None, Some(now)) => now.modified.is_some() && OldEntry::from(*now) == OldEntry::from(seen.stat),
            (None, None) => late.binary_search_by(|node| node.path.cmp(&seen.path)).is_ok(),
        };
        if !is_expected && !is_equal(exec, &old.join(&seen.path), &into.join(&seen.path))? {
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
pub(super) fn is_equal<F: Fs>(exec: &mut Executor<F>, one: &RelPath, other: &RelPath) -> Result<bool, Error> {
    let (Some(first), Some(second)) = (exec.stat_deep(one)?, exec.stat_deep(other)?) else { return Ok(false) };
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
