//! Decisions that could not be completed yet.

use alloc::string::String;

use crate::control;
use crate::error::{Error, ErrorKind};
use crate::exec::Executor;
use crate::fs::Fs;
use crate::journal::Journal;
use crate::path::{At, RelPath};
use crate::plan::Plan;
use crate::recover::{Finding, Verdict, apply};

/// Maximum length of a description of an obstacle: two paths and some words.
const REASON_BYTES_MAX: usize = 16 * 1024;

/// A decision that could not be completed yet.
#[derive(Clone, Debug)]
pub(crate) struct Parked {
    /// Path of the record.
    pub(crate) record: RelPath,
    /// The decision.
    pub(crate) journal: Journal,
    /// The obstacle, as a clause.
    pub(crate) reason: String,
}

impl Parked {
    /// Returns the finding of an open.
    pub(super) fn finding(&self) -> Finding {
        let number = self.journal.transaction;
        let paths = apply::paths(&self.journal);
        let detail = format!(
            "transaction {number} was decided and cannot be completed now: {}; it changes {paths}, which take no other \
             change; the next open tries again",
            self.reason
        );
        Finding::new(&apply::common_directory(&self.journal), Verdict::Parked, detail)
    }

    /// Returns whether a change to a path would interfere with the decision: it changes the path, an entry
    /// below it, or a directory above it.
    pub(crate) fn concerns(&self, path: &RelPath) -> bool {
        self.journal.ops.iter().any(|op| op.path.is_within(path) || path.is_within(&op.path))
    }

    /// Returns the error for a decision that is made while the record has the name of the log.
    pub(crate) fn log_error(&self) -> Error {
        let number = self.journal.transaction;
        let why = format!(
            "holds the decision of transaction {number} and cannot be moved away, so no other can be made: {}",
            self.reason
        );
        ErrorKind::Parked.at(&self.record).because(why)
    }

    /// Returns the error for a change to one of the paths.
    pub(crate) fn error(&self, path: &RelPath) -> Error {
        let number = self.journal.transaction;
        let why =
            format!("transaction {number}, which changes it, was decided and cannot be completed: {}", self.reason);
        ErrorKind::Parked.at(path).because(why)
    }
}

/// Returns the description of the obstacle that a decision met at the last open.
///
/// # Errors
///
/// The failure of reading it.
pub(super) fn read_reason<F: Fs>(exec: &mut Executor<F>, number: u64) -> Result<String, Error> {
    let bytes = exec.read_start(&At::store(control::reason(number)), REASON_BYTES_MAX)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the plan that describes the obstacle of a decision. A text that a loss of power cuts is no loss.
pub(super) fn describe(number: u64, reason: &str, is_described: bool) -> Plan {
    let path = control::reason(number);
    let mut plan = Plan::new();
    if is_described {
        plan.remove_file(&path, "it met another obstacle");
    }
    plan.create(&path, "for people who look before the next open");
    plan.write(&path, reason.as_bytes().into(), "for people who look before the next open");
    plan
}

/// Returns whether a directory that was switched half-way has no name.
pub(super) fn is_nameless<F: Fs>(exec: &mut Executor<F>, journal: &Journal) -> bool {
    let is_nameless = |path: &RelPath| matches!(exec.kind(path), Ok(None));
    journal.switched().any(is_nameless)
}

/// Returns the place of the former content of each switched path that has no entry, as the end of a reason.
pub(super) fn nameless<F: Fs>(exec: &mut Executor<F>, journal: &Journal) -> String {
    let mut text = String::new();
    for path in journal.switched() {
        let old = control::sibling_old(path, journal.transaction);
        if matches!(exec.kind(path), Ok(None)) && matches!(exec.kind(&old), Ok(Some(_))) {
            text = format!("; its former content is at {old} until then");
        }
    }
    text
}

/// Returns the plan that gives each directory that was switched half-way its former name back.
///
/// # Errors
///
/// The failure of looking at one.
pub(super) fn restore<F: Fs>(exec: &mut Executor<F>, journal: &Journal) -> Result<Plan, Error> {
    let mut plan = Plan::new();
    for path in journal.switched() {
        let (new, old) =
            (control::sibling_new(path, journal.transaction), control::sibling_old(path, journal.transaction));
        if exec.kind(path)?.is_none() && exec.kind(&new)?.is_some() && exec.kind(&old)?.is_some() {
            plan.rename(&old, path, "the new one cannot take its place now");
            plan.sync_parent(path, "or it could have no name");
        }
    }
    Ok(plan)
}
