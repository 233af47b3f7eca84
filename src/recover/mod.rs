//! Recovery: reads the state on disk, and derives the plan that completes or undoes changes.
//!
//! [`survey`] reads; [`plan`](plan::plan) decides, without changing storage. The two are repeated as rounds
//! until the plan is empty. After each round the disk is in a state that a crash could have left, so there is
//! only one kind of recovery, and a crash during recovery is not a special case. A commit is completed by the
//! same rounds, with the scope of its own transaction.

pub mod apply;
pub mod plan;
pub mod survey;
pub mod sweep;

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;
use crate::exec::Executor;
use crate::fs::Fs;
use crate::path::RelPath;

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

/// No state needs more rounds: quarantine or switch, finish, sweep, and one that finds no work left.
const ROUNDS_MAX: usize = 8;

/// Runs rounds until no work is left. Returns the findings.
///
/// # Errors
///
/// `ErrorKind::Corrupt` if the state on disk is contradictory, `ErrorKind::NotCommitted` if the filesystem
/// fails. No data is lost; the next open continues from there.
pub fn settle<F: Fs>(exec: &mut Executor<F>, scope: Scope) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let snapshot = survey::survey(exec, scope)?;
        let round = plan::plan(&snapshot)?;
        if round.plan.is_empty() {
            return Ok(findings);
        }
        let steps = match scope {
            Scope::Transaction { synced: false, .. } => round.plan.without_syncs(),
            Scope::Transaction { synced: true, .. } | Scope::All => round.plan,
        };
        debug_assert_eq!(steps.commit(), None, "recovery decides nothing");
        exec.run(steps)?;
        findings.extend(round.findings);
    }
    Err(Error::corrupt(&crate::control::directory(), "is changed by others meanwhile; stop them and open again"))
}

/// Returns the findings that [`settle`] would report, from the facts of its first round.
///
/// # Errors
///
/// As for [`settle`].
pub fn foresee<F: Fs>(exec: &mut Executor<F>, snapshot: survey::Snapshot) -> Result<Vec<Finding>, Error> {
    let mut findings = plan::plan(&snapshot)?.findings;
    let Some(decision) = &snapshot.decision else { return Ok(findings) };
    let set_aside = findings.iter().any(|finding| finding.verdict == Verdict::Quarantined);
    if let Ok(journal) = &decision.content
        && !set_aside
        && findings.iter().all(|finding| finding.verdict != Verdict::RolledForward)
    {
        apply::note_completed(&mut findings, journal);
    }
    let mut rest = snapshot;
    let moved = rest.decision.take().and_then(|decision| decision.content.ok()).map(|journal| journal.transaction);
    rest.records.log = None;
    if set_aside {
        // The staging is set aside together with its log; for a damaged log, all staging is.
        rest.records.transactions.retain(|number| moved.is_some_and(|moved| moved != *number));
    }
    rest.remains = survey::remains(exec, rest.scope, &rest.records)?;
    findings.extend(plan::plan(&rest)?.findings);
    Ok(findings)
}
