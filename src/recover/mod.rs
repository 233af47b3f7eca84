//! Recovery: what is on the disk, and the plan that follows from it.
//!
//! [`survey`] reads; [`plan`](plan::plan) decides, without touching anything. A round of the two is
//! repeated until the plan is empty: after each round the disk is in a state that a crash could
//! have left, so there is one kind of recovery, and a crash during it is nothing new. A commit
//! finishes by the same rounds, with the scope of its own transaction.

pub mod apply;
pub mod plan;
pub mod survey;
pub mod sweep;

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;
use crate::exec::Exec;
use crate::fs::Fs;
use crate::path::RelPath;

/// Whose remains are dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All: the owner has just opened the root, and whoever wrote them is dead. Nothing is assumed
    /// to be durable.
    All,
    /// Those of one transaction of a live owner, which has just synced what it decided on.
    Transaction {
        /// Its number.
        number: u64,
        /// Whether it syncs at all.
        synced: bool,
    },
}

/// What recovery made of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do.
    Clean,
    /// Remains were removed.
    Swept,
    /// Undone.
    RolledBack,
    /// Completed.
    RolledForward,
    /// Set aside.
    Quarantined,
    /// Held by another owner.
    InUse,
}

/// One thing that was found, and what was done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The path, relative to the root.
    pub path: String,
    /// What was done.
    pub verdict: Verdict,
    /// The same in words.
    pub detail: String,
}

impl Finding {
    /// Returns the finding at a path.
    pub(crate) fn new(path: &RelPath, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { path: String::from(path.shown()), verdict, detail: detail.into() }
    }
}

/// No state needs more rounds: quarantine or switch, finish, sweep, and one to see that all is done.
const ROUNDS_MAX: usize = 8;

/// Runs rounds until nothing is left to do. Returns what was found.
///
/// # Errors
/// `ErrorKind::Corrupt` when the disk contradicts itself, `ErrorKind::NotCommitted` when the filesystem
/// fails. Everything is kept; the next open goes on from there.
pub fn settle<F: Fs>(exec: &mut Exec<F>, scope: Scope) -> Result<Vec<Finding>, Error> {
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

/// What [`settle`] would find, from the facts of its first round.
///
/// # Errors
/// As for [`settle`].
pub fn foresee<F: Fs>(exec: &mut Exec<F>, snapshot: survey::Snapshot) -> Result<Vec<Finding>, Error> {
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
    rest.control.log = None;
    if set_aside {
        // Its staging is set aside with it; of a damaged log, all staging.
        rest.control.transactions.retain(|number| moved.is_some_and(|moved| moved != *number));
    }
    rest.remains = survey::remains(exec, rest.scope, &rest.control)?;
    findings.extend(plan::plan(&rest)?.findings);
    Ok(findings)
}
