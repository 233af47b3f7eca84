//! The decision of a transaction: the intent log is renamed to its final name, then the rounds of recovery
//! apply it.

use alloc::vec::Vec;

use crate::control;
use crate::error::{CommitPhase, Error, ErrorKind, Limit};
use crate::fs::Fs;
use crate::journal::{Change, Journal, Op};
use crate::limits::{ENTRIES_MAX, LOG_BYTES_MAX, RECORDS_MAX};
use crate::path::{RelPath, RootId};
use crate::persist::expect::Expected;
use crate::plan::Plan;
use crate::recover::Verdict;
use crate::recover::facts::REACH;
use crate::store::State;

/// Appends the steps that record the intent of a transaction before any entry outside its staging is
/// prepared.
pub fn intend(plan: &mut Plan, intent: &Journal) {
    let staging = control::transaction(intent.transaction);
    let path = staging.child(control::INTENT);
    plan.create(&path, "what is being prepared elsewhere");
    plan.write(&path, intent.encode(), "what is being prepared elsewhere");
    plan.sync_file(&path, "or what is prepared elsewhere could stay");
    plan.sync_dir(&staging, "or what is prepared elsewhere could stay");
    plan.sync_control("or what is prepared elsewhere could stay");
    plan.sync_dir(&RelPath::ROOT, "or what is prepared elsewhere could stay");
}

/// Returns the plan that writes the draft of the log. `bytes` is the encoded journal.
fn draft(journal: &Journal, bytes: Vec<u8>, has_staging: bool, control_durable: bool) -> Plan {
    let draft = control::draft(journal.transaction);
    let mut plan = Plan::new();
    if has_staging {
        let staging = control::transaction(journal.transaction);
        plan.sync_dir(&staging, "or the log could name content that was lost");
    }
    plan.create(&draft, "not yet a decision");
    plan.write(&draft, bytes, "not yet a decision");
    plan.sync_file(&draft, "or the log could get its name before it says anything");
    plan.sync_control("or the log could outlive the staging it names");
    if !control_durable {
        plan.sync_dir(&RelPath::ROOT, "or changes could stay without the log that completes them");
    }
    plan
}

/// Returns the plan that decides: the log gets its final name.
fn decide(journal: &Journal) -> Plan {
    let (draft, log) = (control::draft(journal.transaction), control::entry(log_name(journal)));
    let mut plan = Plan::new();
    plan.rename(&draft, &log, "decided: from here on it is completed, whatever happens");
    plan.decides();
    plan.sync_control("or an acknowledged change could be forgotten");
    plan
}

fn log_name(journal: &Journal) -> &'static str {
    if journal.unsynced { control::LOG_UNSYNCED } else { control::LOG }
}

impl<F: Fs> State<F> {
    /// Creates a journal for a transaction of this store.
    pub(crate) const fn journal(&self, transaction: u64, ops: Vec<Op>, unsynced: bool) -> Journal {
        Journal { unsynced, kept: false, epoch: self.epoch(), transaction, ops }
    }

    /// Decides a transaction whose content is staged, and completes it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotCommitted`] with the staging removed, or an error after which this store refuses
    /// further changes.
    pub(crate) fn decide(&mut self, journal: &Journal, expected: &Expected) -> Result<(), Error> {
        let has_staging = journal.ops.iter().any(|op| matches!(op.change, Change::Put { .. } | Change::Switch));
        let bytes = encode(journal);
        let bytes = bytes.inspect_err(|_| self.abandon(journal.transaction))?;
        if let Some(op) = journal.ops.iter().find(|op| !control::may_change(&op.path)) {
            // Recovery would refuse to read such a log.
            self.abandon(journal.transaction);
            return Err(Error::invalid_argument(op.path.shown(), "is not for a transaction to change"));
        }
        if let Err(error) = self.prepare_decision(journal, expected, (bytes, has_staging)) {
            self.abandon(journal.transaction);
            return Err(error);
        }
        if let Err(stopped) = self.run_synced(decide(journal), !journal.unsynced) {
            return Err(self.undecided(journal, stopped));
        }
        self.control_durable |= !journal.unsynced;
        self.finish(journal.transaction, !journal.unsynced)
    }

    /// Checks that a decision can be completed, and writes the draft of its log.
    fn prepare_decision(
        &mut self,
        journal: &Journal,
        expected: &Expected,
        (bytes, has_staging): (Vec<u8>, bool),
    ) -> Result<(), Error> {
        self.check_log()?;
        journal.ops.iter().try_for_each(|op| self.check_parked(&op.path))?;
        self.run(self.control_plan())?;
        self.check_owner()?;
        self.check_reach(journal)?;
        self.ask_entries(journal)?;
        let plan = draft(journal, bytes, has_staging, self.control_durable);
        self.run_synced(plan, !journal.unsynced)?;
        self.ask_directories(journal)?;
        // The questions took time: this is the last look before the decision.
        self.check_expected(expected)?;
        self.check_owner()
    }

    /// Completes a decided transaction.
    pub(crate) fn finish(&mut self, transaction: u64, synced: bool) -> Result<(), Error> {
        let error = match self.settle(transaction, synced) {
            Ok(findings) => match findings.into_iter().find(|finding| is_not_complete(finding.verdict)) {
                None => return Ok(()),
                // Another process, which is not the owner, removed a prepared entry.
                Some(finding) => Error::conflicts(&[finding.path]),
            },
            Err(error) => error.with_kind(ErrorKind::NeedsRecovery),
        };
        Err(self.fail(error))
    }

    /// Removes the staging of an undecided transaction. A failure loses nothing: the next open removes it.
    pub(crate) fn abandon(&mut self, transaction: u64) {
        // With syncs: the removal of siblings must be durable before the intent that names them is removed.
        let _swept_at_the_next_open = self.settle(transaction, true);
    }

    /// Determines the outcome of a decision that stopped with an error.
    fn undecided(&mut self, journal: &Journal, stopped: Error) -> Error {
        let log = control::entry(log_name(journal));
        let absent = matches!(self.exec.kind(&log), Ok(None));
        match stopped.phase() {
            // A rename that failed may have taken effect; only the absence of the log proves that it did not.
            CommitPhase::Before | CommitPhase::At if absent => {
                self.abandon(journal.transaction);
                stopped
            }
            CommitPhase::Before | CommitPhase::At | CommitPhase::After => {
                self.fail(stopped.with_kind(ErrorKind::OutcomeUnknown))
            }
        }
    }

    /// Checks that a rename from the staging can reach and change every directory that the decision changes.
    /// The check precedes the decision, because afterwards a failure could not be undone.
    fn check_reach(&mut self, journal: &Journal) -> Result<(), Error> {
        let mut asked: Vec<RelPath> = Vec::new();
        // The entries of a directory that is switched were looked at when its successor was prepared.
        for op in journal.whole() {
            let mut parent = op.path.parent();
            // A directory that this decision makes does not exist yet: check the parent in which it is made.
            while self.exec.dir(RootId::STORE, &parent).is_err() && !parent.is_root() {
                parent = parent.parent();
            }
            if parent.is_root() || asked.contains(&parent) {
                continue;
            }
            self.check_reach_between(&control::directory(), &parent)?;
            asked.push(parent);
        }
        Ok(())
    }

    /// Checks that a rename can reach one directory from another, that is, that no mount point lies between.
    pub(crate) fn check_reach_between(&mut self, from: &RelPath, to: &RelPath) -> Result<(), Error> {
        self.exec.check_reach(from, to, REACH).map_err(|error| error.with_kind(ErrorKind::NotCommitted))
    }
}

/// Encodes a decision, and refuses one that could not be read back.
fn encode(journal: &Journal) -> Result<Vec<u8>, Error> {
    let path = control::entry(log_name(journal));
    if journal.ops.len() > RECORDS_MAX {
        return Err(Error::limit(path.shown(), Limit::Entries, ENTRIES_MAX as u64));
    }
    let bytes = journal.encode();
    if bytes.len() as u64 > LOG_BYTES_MAX {
        return Err(Error::limit(path.shown(), Limit::LogBytes, LOG_BYTES_MAX));
    }
    if Journal::decode(&bytes).as_ref() != Ok(journal) {
        return Err(Error::invalid_argument(path.shown(), "cannot hold one of the names that would change"));
    }
    Ok(bytes)
}

const fn is_not_complete(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::RolledBack | Verdict::Quarantined)
}
