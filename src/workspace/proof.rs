//! The proof of a commit: the record of its decision in the topmost lower.
//!
//! A commit changes two roots, so the map after it is written first, as `next`, with the digest of the log; then the
//! lower decides and completes it; then `next` becomes the map, and the record goes. An open that finds `next` looks for
//! that record in the lower. What the paths of the lower show proves nothing: others may have made the same change, or
//! another one since.

use super::map::Map;
use super::{Workspace, layout};
use crate::control;
use crate::error::{Error, ErrorKind};
use crate::fs::Fs;
use crate::journal::{self, Digest};
use crate::order;
use crate::path::RelPath;
use crate::plan::Plan;
use crate::records::Records;
use crate::recover::facts::read_log;
use crate::recover::survey;
use crate::recover::{Finding, Scope, Verdict};
use crate::store::{Preopens, State, Store};

/// Maximum number of complete decisions whose record stays.
const DONE_MAX: usize = 16;

impl<F: Fs + Clone> Workspace<F> {
    /// Finishes a commit that a crash interrupted: the lower shows whether it was decided. Returns that, and the obstacle
    /// if its map can be neither adopted nor removed now.
    pub(super) fn settle_commit(&mut self, fs: F, preopens: &Preopens<F>) -> Result<(bool, Option<Error>), Error> {
        let bytes = super::read_map(&mut self.state.exec, &layout::next())?;
        let (_, header, _) = Map::decode(&bytes).map_err(|what| super::damaged(&layout::next(), what))?;
        // The open completes a decided commit, or parks it.
        let mut target = Store::open(fs, preopens, &self.places[0], &self.owner, false)?.into_state();
        let place = self.places[0].trim_end_matches('/');
        // Remains in the lower are no matter of the workspace.
        let is_change = |finding: &Finding| {
            !matches!(finding.verdict, Verdict::Clean | Verdict::Swept | Verdict::Left | Verdict::InUse)
        };
        for finding in target.take_findings().into_iter().filter(is_change) {
            self.findings.push(Finding { path: format!("{place}/{}", finding.path), ..finding });
        }
        let record = match &header.proof {
            Some(proof) => target.find_decision(proof)?,
            None => None,
        };
        let is_done = header.proof.is_none() || record.is_some();
        let plan = if is_done {
            adopt()
        } else {
            let mut plan = Plan::new();
            plan.remove_file(&layout::next(), "the commit was never decided");
            plan.sync_dir(&layout::directory(), "or it could be taken for one that was");
            plan
        };
        let ran = self.state.run(plan);
        let mut is_left = || matches!(self.state.exec.kind(&layout::next()), Ok(Some(_)));
        match ran.map_err(|error| error.with_kind(ErrorKind::NeedsRecovery)) {
            Ok(()) => {}
            Err(error) if is_left() => return Ok((is_done, Some(error))),
            Err(error) => return Err(error),
        }
        if let Some(record) = record {
            target.forget_done(&record);
        }
        Ok((is_done, None))
    }
}

impl<F: Fs> State<F> {
    /// Returns the path of the record of a decision, whether it is complete or waits.
    pub(super) fn find_decision(&mut self, proof: &Digest) -> Result<Option<RelPath>, Error> {
        let records = Records::read(&mut self.exec)?;
        let done = records.done.iter().map(|number| control::done(*number));
        for path in survey::decisions(&records, Scope::All).into_iter().chain(done) {
            if journal::digest(&read_log(&mut self.exec, &path)?) == *proof {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Removes the oldest records that workspaces waited for, except for some: a workspace that was deleted after a
    /// crash, or a commit that was parked, leaves one. A workspace that still waits for it counts its commit as not
    /// made, and its changes are equal to those of the lower then.
    pub(super) fn forget_oldest(&mut self) -> Result<(), Error> {
        let mut done = Records::read(&mut self.exec)?.done;
        order::sort_by(&mut done, Ord::cmp);
        let mut plan = Plan::new();
        for number in done.iter().take(done.len().saturating_sub(DONE_MAX)) {
            plan.remove_file(&control::done(*number), "no workspace waits for so long");
        }
        self.run(plan)
    }

    /// Removes the record of a decision that is complete. One that stays, or comes back, is of no use to anybody.
    pub(super) fn forget_done(&mut self, record: &RelPath) {
        if is_done(record) {
            let mut plan = Plan::new();
            plan.remove_file(record, "the workspace has gone on");
            let _of_no_use = self.run(plan);
        }
    }
}

/// Returns whether a record of a decision says that it is complete.
pub(super) fn is_done(record: &RelPath) -> bool {
    record.name().starts_with("done-")
}

/// Builds the plan that makes the waiting map the current one.
pub(super) fn adopt() -> Plan {
    let mut plan = Plan::new();
    let (from, to) = (layout::next(), layout::map());
    plan.rename(&from, &to, "the lower has what this map does not hold any more");
    plan.decides();
    plan.sync_dir(&layout::directory(), "or files could be gone that the former map names");
    plan
}
