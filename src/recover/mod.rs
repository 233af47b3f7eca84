//! Recovery: reads the state on disk, and derives the plan that completes or undoes changes.
//!
//! [`survey`] reads; [`plan`](plan::plan) decides, without changing storage. The two are repeated as rounds
//! until the plan is empty. After each round the disk is in a state that a crash could have left, so there is
//! only one kind of recovery, and a crash during recovery is not a special case. A commit is completed by the
//! same rounds, with the scope of its own transaction.
//!
//! An obstacle is a finding and not the end: a decision that cannot be completed is *parked*, under the name
//! `parked-N`, and remains that cannot be removed are *left*. Each open tries both again.

pub mod abandon;
pub mod apply;
pub mod facts;
pub mod overtaken;
pub(crate) mod parked;
pub mod plan;
pub mod survey;
pub mod sweep;

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use crate::control;
use crate::error::{Error, ErrorKind};
use crate::exec::Executor;
use crate::fs::Fs;
use crate::journal::Journal;
use crate::path::RelPath;
use crate::plan::Plan;
use parked::Parked;
use survey::Snapshot;

/// The remains that are handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All remains: the owner has just opened the root, and the processes that wrote them are dead. Nothing
    /// is assumed to be durable.
    All,
    /// The remains of one transaction of a live owner, which has just synced its decision.
    Transaction {
        /// Its number.
        number: u64,
        /// Whether the transaction syncs at all.
        synced: bool,
    },
}

/// The outcome of recovery for a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No action was needed.
    Clean,
    /// Remains were removed.
    Swept,
    /// The change was undone.
    RolledBack,
    /// The change was completed.
    RolledForward,
    /// The records were set aside.
    Quarantined,
    /// Another owner holds the root.
    InUse,
    /// The change was decided and cannot be completed now; each open tries again.
    Parked,
    /// Remains could not be removed; each open tries again.
    Left,
}

/// A finding of recovery, with the action taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The path, relative to the root.
    pub path: String,
    /// The action taken.
    pub verdict: Verdict,
    /// Description of the finding.
    pub detail: String,
}

impl Finding {
    /// Creates a finding at a path.
    pub(crate) fn new(path: &RelPath, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { path: String::from(path.shown()), verdict, detail: detail.into() }
    }
}

/// The outcome of recovery.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// The findings.
    pub(crate) findings: Vec<Finding>,
    /// The decisions that could not be completed.
    pub(crate) parked: Vec<Parked>,
    /// The records that could not be handled, which are not tried again.
    passed: BTreeSet<RelPath>,
}

/// No decision needs more rounds: quarantine or switch, finish, sweep, and one that finds no work left.
const ROUNDS_MAX: usize = 8;

/// Runs rounds until no work is left.
///
/// A decision that cannot be completed is parked, and remains that cannot be removed are left: they are
/// findings, and hinder nothing else. Only for the live owner of a transaction is an obstacle to its own
/// decision an error.
///
/// # Errors
///
/// `ErrorKind::Corrupt` if the records are contradictory, `ErrorKind::NotCommitted` if they cannot be read or a
/// decision cannot be parked. No data is lost; the next open continues from there.
pub(crate) fn settle<F: Fs>(exec: &mut Executor<F>, scope: Scope) -> Result<Settled, Error> {
    let mut settled = Settled::default();
    let (mut rounds, mut most) = (0, ROUNDS_MAX);
    while rounds < most {
        let snapshot = survey::survey(exec, scope, &settled.passed)?;
        rounds += 1;
        most = most.max(ROUNDS_MAX * (snapshot.records.parked.len() + 2));
        for (place, error) in snapshot.obstructed() {
            settled.leave(place, error);
        }
        let pieces = match plan::plan(&snapshot) {
            Ok(pieces) if pieces.is_empty() => return Ok(settled),
            Ok(pieces) => pieces,
            Err(error) => {
                settled.park(exec, &snapshot, error)?;
                continue;
            }
        };
        for piece in pieces {
            let steps = match scope {
                Scope::Transaction { synced: false, .. } => piece.plan.without_syncs(),
                Scope::Transaction { synced: true, .. } | Scope::All => piece.plan,
            };
            debug_assert_eq!(steps.commit(), None, "recovery decides nothing");
            match exec.run(steps) {
                Ok(()) => settled.note(piece.findings),
                Err(error) if snapshot.decision.is_some() => settled.park(exec, &snapshot, error)?,
                Err(error) => {
                    settled.leave(&piece.place, &error);
                    if piece.place == control::directory() {
                        // The other pieces rely on it.
                        return Ok(settled);
                    }
                }
            }
        }
    }
    Err(Error::corrupt(&control::directory(), "is changed by others meanwhile; stop them and open again"))
}

impl Settled {
    /// Adds the findings of a piece that was carried out. A round that puts a directory back and the one that completes
    /// its decision find the same.
    fn note(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            if finding.verdict != Verdict::RolledBack || !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
    }

    /// Parks the decision of a round that cannot be completed now. It gets a name of its own, so that other decisions
    /// can be made, and a directory that it switched half-way gets its former name back. A record that cannot be moved
    /// keeps its name.
    fn park<F: Fs>(&mut self, exec: &mut Executor<F>, snapshot: &Snapshot, error: Error) -> Result<(), Error> {
        let Some(decision) = &snapshot.decision else { return Err(error) };
        let Ok(journal) = &decision.content else { return Err(error) };
        if snapshot.scope != Scope::All || decision.refused {
            return Err(error);
        }
        let mut record = control::parked(journal.transaction);
        if decision.path != record {
            let mut plan = Plan::new();
            plan.rename(&decision.path, &record, "it is tried again at each open, and other decisions can be made");
            plan.sync_control("or it could take the place of a later decision");
            if exec.run(plan).is_err() {
                let is_there = matches!(exec.kind(&decision.path), Ok(Some(_)));
                if !is_there || !can_change(exec, snapshot.records.next) {
                    return Err(error.with_kind(ErrorKind::NeedsRecovery));
                }
                record = decision.path.clone();
            }
        }
        if let Ok(plan) = parked::restore(exec, journal) {
            let _tried_again_at_the_next_open = exec.run(plan);
        }
        let number = journal.transaction;
        let reason = error.clause() + &parked::nameless(exec, journal);
        if decision.reason.as_ref() != Some(&reason) {
            let _only_for_people = exec.run(parked::describe(number, &reason, decision.reason.is_some()));
            exec.close(&control::reason(number));
        }
        self.findings.extend(decision.overtaken.findings(exec));
        self.passed.insert(record.clone());
        // The staging is that of a parked decision, whatever the name of the record.
        self.passed.insert(control::transaction(number));
        let parked = Parked { record, journal: journal.clone(), reason };
        self.findings.push(parked.finding());
        self.parked.push(parked);
        Ok(())
    }

    /// Notes remains that cannot be removed now.
    fn leave(&mut self, place: &RelPath, error: &Error) {
        self.findings.push(left(place, error));
        self.passed.insert(place.clone());
    }
}

/// Returns the findings that [`settle`] would report, from the facts of its first rounds, and the numbers of the
/// directories of generations that its decisions need; changes nothing. An
/// obstacle that only a change meets is not foreseen, except for what was parked at an earlier open.
///
/// # Errors
///
/// As for [`settle`].
pub(crate) fn foresee<F: Fs>(exec: &mut Executor<F>) -> Result<(Vec<Finding>, Vec<u64>), Error> {
    let mut findings = Vec::new();
    let mut needed = Vec::new();
    let mut passed = BTreeSet::new();
    loop {
        let snapshot = survey::survey(exec, Scope::All, &passed)?;
        let planned = plan::plan(&snapshot);
        let Some(decision) = snapshot.decision else {
            findings.extend(snapshot.obstructed().map(|(place, error)| left(place, error)));
            needed.extend(snapshot.remains.iter().flat_map(sweep::Remains::directories));
            findings.extend(planned?.into_iter().flat_map(|piece| piece.findings));
            return Ok((findings, needed));
        };
        needed.extend(decision.content.iter().flat_map(Journal::directories));
        let foreseen = match planned {
            Ok(pieces) => Ok(pieces.into_iter().flat_map(|piece| piece.findings).collect::<Vec<_>>()),
            Err(error) => Err(error),
        };
        let has = |findings: &[Finding], verdict| findings.iter().any(|one| one.verdict == verdict);
        let is_quarantined =
            |findings: &[Finding]| has(findings, Verdict::Quarantined) && !has(findings, Verdict::RolledForward);
        match (&decision.content, foreseen) {
            (Err(_), Err(error)) => return Err(error),
            (_, Ok(foreseen)) if is_quarantined(&foreseen) => {
                // The staging is set aside together with its log; for a damaged log, all staging is.
                let own = decision.content.as_ref().ok().map(|journal| journal.transaction);
                let moved = snapshot.records.transactions.iter().filter(|number| own.is_none_or(|own| own == **number));
                passed.extend(moved.map(|number| control::transaction(*number)));
                findings.extend(foreseen);
            }
            (Ok(journal), foreseen)
                if decision.reason.is_some() || decision.path == control::parked(journal.transaction) =>
            {
                let record = decision.path.clone();
                let known = decision.reason.clone().filter(|reason| !reason.is_empty());
                let reason = foreseen.err().map(|error| error.clause()).or(known);
                let reason = reason.unwrap_or_else(|| "an obstacle at an earlier open".into());
                passed.insert(control::transaction(journal.transaction));
                findings.push(Parked { record, journal: journal.clone(), reason }.finding());
            }
            (Ok(journal), Err(error)) => {
                passed.insert(control::transaction(journal.transaction));
                let (record, reason) = (decision.path.clone(), error.clause());
                findings.push(Parked { record, journal: journal.clone(), reason }.finding());
            }
            (Ok(journal), Ok(foreseen)) => {
                let is_undone = has(&foreseen, Verdict::RolledBack);
                let is_ended = is_undone || has(&foreseen, Verdict::RolledForward);
                findings.extend(foreseen);
                if !is_ended {
                    apply::note_completed(&mut findings, journal);
                }
                if parked::is_nameless(exec, journal) {
                    // What looks like a remain gets a name.
                    passed.insert(control::transaction(journal.transaction));
                    findings.push(sweep::swept(journal.transaction));
                }
            }
            (Err(_), Ok(foreseen)) => findings.extend(foreseen),
        }
        passed.insert(decision.path);
    }
}

/// Returns whether the control directory can be changed, by trying.
fn can_change<F: Fs>(exec: &mut Executor<F>, number: u64) -> bool {
    let mut plan = Plan::new();
    plan.make_dir(&control::ask(number), "asks whether entries can be made here");
    plan.remove_dir(&control::ask(number), "they can");
    exec.run(plan).is_ok()
}

fn left(place: &RelPath, error: &Error) -> Finding {
    let detail = format!("remains that cannot be removed now: {}; the next open tries again", error.clause());
    Finding::new(place, Verdict::Left, detail)
}
