//! One round of recovery, planned from the surveyed facts only.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::control;
use crate::error::Error;
use crate::journal::{Damage, Journal};
use crate::path::RelPath;
use crate::plan::Plan;
use crate::recover::apply;
use crate::recover::survey::{Decision, Snapshot};
use crate::recover::{Finding, Scope, Verdict, sweep};
use crate::tree;

/// A round of recovery.
#[derive(Debug, Default)]
pub struct Round {
    /// The steps; empty if no work is left.
    pub plan: Plan,
    /// The findings that the steps handle.
    pub findings: Vec<Finding>,
    /// The directories whose names the steps change.
    pub(super) touched: BTreeSet<RelPath>,
}

/// Plans the next round.
///
/// # Errors
///
/// `ErrorKind::Corrupt` if the facts contradict each other: nothing is removed.
pub fn plan(snapshot: &Snapshot) -> Result<Round, Error> {
    let Some(decision) = &snapshot.decision else {
        return Ok(sweep_all(snapshot));
    };
    let mut round = Round::default();
    if snapshot.scope == Scope::All {
        round.plan.sync_dir(&RelPath::ROOT, "act on durable facts: the control directory itself");
        round.plan.sync_control("act on durable facts: the log must not vanish half-way");
    }
    match &decision.content {
        Ok(journal) if decision.refused => {
            let why = "decided by an owner that had lost the root; none of it was applied";
            set_aside(&mut round, snapshot, decision, Some(journal), why);
        }
        Ok(journal) if journal.unsynced && decision.facts.iter().any(apply::is_bad_put) => {
            let why = "power was lost before a change with the durability `visible` reached the disk; some of its \
                       paths may hold new content";
            set_aside(&mut round, snapshot, decision, Some(journal), why);
        }
        Ok(journal) => apply::apply(journal, decision, snapshot.scope, &mut round)?,
        Err(damage) => damaged(&mut round, snapshot, decision, damage)?,
    }
    Ok(round)
}

/// Handles a log that differs from the one written.
fn damaged(round: &mut Round, snapshot: &Snapshot, decision: &Decision, damage: &Damage) -> Result<(), Error> {
    let reason = match damage {
        Damage::Unreadable(reason) => *reason,
        Damage::Digest(_) => "its digest does not match",
    };
    if decision.name == control::LOG_UNSYNCED {
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
    Err(Error::corrupt(&control::entry(decision.name), &what))
}

/// Moves a log and its staging to a directory that is never read.
fn set_aside(round: &mut Round, snapshot: &Snapshot, decision: &Decision, journal: Option<&Journal>, why: &str) {
    let place = control::quarantine(snapshot.records.next);
    round.plan.make_dir(&place, "a place that recovery does not read");
    for &number in &snapshot.records.transactions {
        // The transaction number in a damaged log cannot be trusted, so all staging is set aside.
        if journal.is_none_or(|journal| journal.transaction == number) {
            let from = control::transaction(number);
            let to = place.child(from.name());
            round.plan.rename(&from, &to, "the staging stays with its log");
        }
    }
    let from = control::entry(decision.name);
    let to = place.child(decision.name);
    round.plan.rename(&from, &to, "nothing is decided any more");
    round.plan.sync_dir(&place, "or the log could be lost to people");
    round.plan.sync_control("or the log could come back");
    let detail = format!("set aside in {place}: {why}");
    round.findings.push(Finding::new(&from, Verdict::Quarantined, detail));
}

/// Removes the remains of transactions without a decision, of staged files and of probes.
fn sweep_all(snapshot: &Snapshot) -> Round {
    let mut round = Round::default();
    for remains in &snapshot.remains {
        sweep::sweep(remains, snapshot.scope, &mut round);
    }
    if snapshot.no_generations && snapshot.remains.is_empty() {
        round.plan.remove_dir(&control::entry(control::DIRECTORIES), "it holds no generation");
    }
    for name in &snapshot.records.loose {
        // Only one commit runs at a time, so a live owner's `log.tmp` is that of the commit that failed.
        if snapshot.scope == Scope::All || name == control::LOG_TEMPORARY {
            let path = control::entry(name);
            let what = "content that never got its name";
            round.findings.push(Finding::new(&path, Verdict::Swept, what));
            round.plan.remove_file(&path, what);
        }
    }
    if snapshot.scope == Scope::All {
        if let Some(tree) = &snapshot.probe {
            let path = control::entry(control::PROBE);
            round.findings.push(Finding::new(&path, Verdict::Swept, "the scratch of a probe"));
            tree::remove(&mut round.plan, tree, &path);
        }
        if !round.plan.is_empty() {
            let mut first = Plan::new();
            first.sync_control("act on durable facts: a log that was removed stays removed");
            first.append(core::mem::take(&mut round.plan));
            round.plan = first;
        }
    }
    round
}
