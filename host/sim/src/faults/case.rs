//! One run with faults, and its remains.

use std::sync::Mutex;

use rustc_hash::{FxHashMap, FxHashSet};

use super::FaultViolation;
use crate::explore::{Class, Context, Failure, RunError, guarded};
use crate::scan::{Image, Scan};
use crate::simfs::{Call, Fault, Recording, SimFs};
use crate::tree::Tree;

/// The faults of one run.
pub(super) type Case = Vec<Fault>;

/// The outcome that a run with faults reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    Acknowledged,
    NotCommitted,
    NeedsRecovery,
    OutcomeUnknown,
    Nothing,
    /// It was a recovery, which claims nothing.
    Recovery,
}

/// The result of one case.
#[derive(Debug)]
pub(super) struct CaseResult {
    pub(super) injected: u32,
    pub(super) claim: Claim,
    pub(super) images: u64,
    pub(super) violations: Vec<FaultViolation>,
}

/// The environment of the cases. Each image is recovered once, whichever case it comes from.
pub(super) struct Bench<'c> {
    context: Context<'c>,
    reached: Mutex<FxHashMap<u128, Result<u32, String>>>,
}

impl<'c> Bench<'c> {
    pub(super) fn new(context: Context<'c>) -> Self {
        Bench { context, reached: Mutex::default() }
    }

    /// How many calls a recovery makes without harm.
    pub(super) fn calls(&self, fs: &SimFs) -> u32 {
        // A recovery that fails without harm is the explorer's finding.
        let _ = guarded(|| self.context.subject.recover(fs));
        fs.counts().calls
    }

    /// Harms the operation.
    pub(super) fn operation(&self, fs: SimFs, case: &Case) -> CaseResult {
        let result = self.harm(&fs, case, || self.context.subject.run(&fs));
        let recording = fs.recording();
        let allowed = self.context.stages.claimed(&result, recording.acknowledged.len());
        let claim = match &result {
            Ok(()) => Claim::Acknowledged,
            Err(RunError::Failed(Failure { class, .. })) => match class {
                Class::NotCommitted => Claim::NotCommitted,
                Class::NeedsRecovery => Claim::NeedsRecovery,
                Class::OutcomeUnknown => Claim::OutcomeUnknown,
                Class::Other => Claim::Nothing,
            },
            Err(RunError::Panicked(_)) => Claim::Nothing,
        };
        self.conclude(&fs, case, claim, allowed, &result)
    }

    /// Harms a recovery.
    pub(super) fn recovery(&self, fs: SimFs, case: &Case, allowed: u32) -> CaseResult {
        let result = self.harm(&fs, case, || self.context.subject.recover(&fs));
        self.conclude(&fs, case, Claim::Recovery, allowed, &result)
    }

    fn harm(&self, fs: &SimFs, case: &Case, part: impl FnOnce() -> Result<(), Failure>) -> Result<(), RunError> {
        for fault in case {
            fs.harm(*fault);
        }
        guarded(part)
    }

    fn conclude(
        &self,
        fs: &SimFs,
        case: &Case,
        claim: Claim,
        allowed: u32,
        result: &Result<(), RunError>,
    ) -> CaseResult {
        let recording = fs.recording();
        let mut outcome = CaseResult { injected: fs.harmed(), claim, images: 0, violations: Vec::new() };
        if outcome.injected == 0 {
            return outcome;
        }
        let mut wrong: Vec<(String, String)> = Vec::new();
        if let Err(RunError::Panicked(text)) = result {
            wrong.push((format!("panic: {text}"), String::new()));
        }
        if let Some(intrusion) = recording.intrusions.first() {
            wrong.push((format!("trespassed: {intrusion:?}"), String::new()));
        }
        let left = Tree::of(&recording.visible).to_string();
        let finding =
            self.context.recover_killed(&recording.trace, recording.trace.points() - 1, &FxHashSet::default());
        let stays =
            self.check(&finding.reached, allowed, "a new process", &mut wrong, || format!("{left}{}", finding.after));
        let mut scan = Scan::new(&recording.trace, self.context.power);
        scan.at(recording.trace.points() - 1, &FxHashSet::default());
        for image in &scan.images {
            outcome.images += 1;
            let after = "a loss of power at the end of the harmed run";
            self.check(&self.reached(image), allowed, after, &mut wrong, || print(image));
        }
        for child in &finding.children {
            outcome.images += 1;
            let (allowed, after) = if child.after {
                (stays, "a loss of power after the recovery of the harmed run")
            } else {
                (allowed, "a loss of power in the recovery of the harmed run")
            };
            let reached = self.reached(&child.image);
            self.check(&reached, allowed, after, &mut wrong, || print(&child.image));
        }
        let violation =
            |(text, detail)| FaultViolation { faults: describe_faults(case, &recording, result), text, detail };
        outcome.violations = wrong.into_iter().map(violation).collect();
        outcome
    }

    /// Compares the recovered state with the allowed ones; returns the states that may follow.
    fn check(
        &self,
        reached: &Result<u32, String>,
        allowed: u32,
        after: &str,
        wrong: &mut Vec<(String, String)>,
        detail: impl FnOnce() -> String,
    ) -> u32 {
        let text = match reached {
            Ok(reached) if reached & allowed != 0 => return reached & allowed,
            Ok(0) => format!("neither old nor new after {after}"),
            Ok(reached) => {
                format!("stages {reached:#b} where {allowed:#b} is allowed, after {after}")
            }
            Err(text) => format!("{text}, after {after}"),
        };
        wrong.push((text, detail()));
        allowed
    }

    fn reached(&self, image: &Image) -> Result<u32, String> {
        let known = self.reached.lock().expect("no holder panics").get(&image.hash).cloned();
        known.unwrap_or_else(|| {
            let disk = image.disk.as_ref().expect("nothing was known before");
            let reached = self.context.check_only(disk);
            self.reached.lock().expect("no holder panics").insert(image.hash, reached.clone());
            reached
        })
    }
}

fn print(image: &Image) -> String {
    image.disk.as_ref().map(|disk| Tree::of(disk).to_string()).unwrap_or_default()
}

fn describe_faults(case: &Case, recording: &Recording, result: &Result<(), RunError>) -> Vec<String> {
    let mut lines: Vec<String> = case.iter().map(|fault| format!("{fault:?}")).collect();
    let harmed = recording.calls.iter().enumerate().filter(|(_, call)| call.harmed);
    let line = |(number, call): (usize, &Call)| format!("call {number}: {call}");
    lines.extend(harmed.take(8).map(line));
    lines.push(match result {
        Ok(()) => "result: success".to_owned(),
        Err(error) => format!("result: {error}"),
    });
    lines
}
