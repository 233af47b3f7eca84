//! One round of recovery, planned from the surveyed facts only.
//!
//! A round is a list of pieces. Each stands for itself: one that cannot be carried out is reported, and hinders
//! no other.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::control;
use crate::error::Error;
use crate::journal::{Damage, Journal};
use crate::path::RelPath;
use crate::persist::ask;
use crate::plan::Plan;
use crate::recover::apply;
use crate::recover::facts::Decision;
use crate::recover::survey::Snapshot;
use crate::recover::{Finding, Scope, Verdict, sweep};
use crate::tree::{self, Tree};

/// A piece of recovery: the steps that handle one record.
#[derive(Debug)]
pub struct Piece {
    /// The path of the record.
    pub place: RelPath,
    /// The steps.
    pub plan: Plan,
    /// The findings that the steps handle.
    pub findings: Vec<Finding>,
    /// The directories whose names the steps change.
    pub(super) touched: BTreeSet<RelPath>,
}

impl Piece {
    /// Creates a piece without steps.
    pub(super) fn new(place: RelPath) -> Self {
        Self { place, plan: Plan::new(), findings: Vec::new(), touched: BTreeSet::new() }
    }
}

/// Plans the next round: one decision, or all other remains; empty if no work is left.
///
/// # Errors
///
/// `ErrorKind::Corrupt` if the facts about a decision contradict each other, and the failure of reading them.
pub fn plan(snapshot: &Snapshot) -> Result<Vec<Piece>, Error> {
    let Some(decision) = &snapshot.decision else {
        return Ok(sweep_all(snapshot));
    };
    let mut round = Piece::new(decision.path.clone());
    if snapshot.scope == Scope::All {
        round.plan.sync_dir(&RelPath::ROOT, "act on durable facts: the control directory itself");
        round.plan.sync_control("act on durable facts: the log must not vanish half-way");
    }
    match &decision.content {
        Ok(journal) if decision.refused => {
            let why = "decided by an owner that had lost the root; none of it was applied";
            set_aside(&mut round, snapshot, decision, Some(journal), why);
        }
        Ok(journal) if journal.unsynced && decision.facts.iter().flatten().any(apply::is_bad_put) => {
            let why = "power was lost before a change with the durability `visible` reached the disk; some of its \
                       paths may hold new content";
            set_aside(&mut round, snapshot, decision, Some(journal), why);
        }
        Ok(journal) => apply::apply(journal, decision, snapshot.scope, &mut round)?,
        Err(damage) => damaged(&mut round, snapshot, decision, damage)?,
    }
    Ok(Vec::from([round]))
}

/// Handles a log that differs from the one written.
fn damaged(round: &mut Piece, snapshot: &Snapshot, decision: &Decision, damage: &Damage) -> Result<(), Error> {
    let reason = match damage {
        Damage::Unreadable(reason) => *reason,
        Damage::Digest(_) => "its digest does not match",
    };
    if decision.path.name() == control::LOG_UNSYNCED {
        let why = "power was lost before a change with the durability `visible` reached the disk";
        set_aside(round, snapshot, decision, None, why);
        return Ok(());
    }
    if decision.untouched {
        set_aside(round, snapshot, decision, None, "it is damaged, and none of it had been applied");
        return Ok(());
    }
    let what = format!(
        "{reason}, and some of what it decided may have been applied; compare its paths with a backup, then move it away"
    );
    Err(Error::corrupt(&decision.path, &what))
}

/// Moves a log and its staging to a directory that is never read.
fn set_aside(round: &mut Piece, snapshot: &Snapshot, decision: &Decision, journal: Option<&Journal>, why: &str) {
    let place = control::quarantine(snapshot.records.next);
    round.plan.make_dir(&place, "a place that recovery does not read");
    for &number in &snapshot.records.transactions {
        // The transaction number in a damaged log cannot be trusted, so all staging is set aside.
        let is_parked = snapshot.records.parked.contains(&number) && decision.path != control::parked(number);
        if !is_parked && journal.is_none_or(|journal| journal.transaction == number) {
            let from = control::transaction(number);
            let to = place.child(from.name());
            round.plan.rename(&from, &to, "the staging stays with its log");
        }
    }
    let from = decision.path.clone();
    let to = place.child(from.name());
    round.plan.rename(&from, &to, "nothing is decided any more");
    round.plan.sync_dir(&place, "or the log could be lost to people");
    round.plan.sync_control("or the log could come back");
    let detail = format!("set aside in {place}: {why}");
    round.findings.push(Finding::new(&from, Verdict::Quarantined, detail));
}

/// Removes the remains of transactions without a decision, of staged files and of probes.
fn sweep_all(snapshot: &Snapshot) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = snapshot.remains.iter().map(|remains| sweep::sweep(remains, snapshot.scope)).collect();
    if snapshot.no_generations && snapshot.remains.is_empty() {
        let mut piece = Piece::new(control::entry(control::DIRECTORIES));
        piece.plan.remove_dir(&piece.place, "it holds no generation");
        pieces.push(piece);
    }
    for (path, plan) in &snapshot.abandoned {
        let mut piece = Piece::new(path.clone());
        piece.plan.append(plan.clone());
        let what = "the content of a decision that was given up is set aside";
        piece.findings.push(Finding::new(path, Verdict::Quarantined, what));
        pieces.push(piece);
    }
    for path in &snapshot.loose {
        let mut piece = Piece::new(path.clone());
        unnamed(&mut piece);
        pieces.push(piece);
    }
    for draft in &snapshot.drafts {
        let Ok(visits) = &draft.visits else { continue };
        let mut piece = Piece::new(draft.path.clone());
        for visitor in &visits.visitors {
            piece.plan.remove_file(visitor, "it was there to ask whether the directory can be changed");
        }
        for directory in &visits.directories {
            piece.plan.sync_dir(directory, "or a file of ours could come back when no record names it");
        }
        unnamed(&mut piece);
        pieces.push(piece);
    }
    for (place, tree) in &snapshot.asks {
        let mut piece = Piece::new(place.clone());
        piece.findings.push(Finding::new(place, Verdict::Swept, "entries by which a change asked what it may do"));
        // Others may have put something there: it stays, and the directory with it.
        let own: Tree = tree.iter().filter(|node| ask::is_own(&node.path)).cloned().collect();
        tree::remove(&mut piece.plan, &own, place);
        pieces.push(piece);
    }
    if let Some(tree) = &snapshot.probe {
        let mut piece = Piece::new(control::entry(control::PROBE));
        piece.findings.push(Finding::new(&piece.place, Verdict::Swept, "the scratch of a probe"));
        tree::remove(&mut piece.plan, tree, &piece.place);
        pieces.push(piece);
    }
    if snapshot.scope == Scope::All && !pieces.is_empty() {
        let mut first = Piece::new(control::directory());
        first.plan.sync_control("act on durable facts: a log that was removed stays removed");
        pieces.insert(0, first);
    }
    pieces
}

/// Appends the removal of a file that was to be renamed.
fn unnamed(piece: &mut Piece) {
    let what = "content that never got its name";
    piece.findings.push(Finding::new(&piece.place, Verdict::Swept, what));
    piece.plan.remove_file(&piece.place, what);
}
