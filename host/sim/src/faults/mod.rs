//! Fault sweeps: every call of an operation, and of its recovery, fails in every way.
//!
//! After each, a new process recovers without faults, and its state is compared with the claim of the error. Then power
//! is lost, too: at the end of the faulty run, and after the recovery that followed.

mod case;

use onionskin::fs::Cause;
use serde::Serialize;

use crate::explore::{Context, Plan, Subject, crash_images, prepared, record};
use crate::model::{Model, Power};
use crate::simfs::{Fault, Harm, SimFs, When};
use crate::workers;

use case::{Bench, Case, CaseResult};

/// Which faults are injected.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// The faults of every call.
    pub harms: Vec<Harm>,
    /// Whether each fault comes to stay, too.
    pub sticky: bool,
    /// With which harms every pair of calls fails, among as many calls as the operation makes
    /// without harm. The second is counted in the harmed run.
    pub pairs: Vec<Harm>,
    /// One fault in so many is injected. An odd number meets all of the default ones.
    pub stride: usize,
    /// From how many crash images recovery is harmed.
    pub recoveries: usize,
    /// Whether a state that recovery reported must survive the next loss of power.
    pub stable: bool,
    /// Under which power the images of the harmed runs are made.
    pub power: Power,
    /// The maximum of reported violations.
    pub shown: usize,
    /// How many threads work. No result depends on it.
    pub threads: usize,
}

impl Default for Sweep {
    fn default() -> Self {
        let causes =
            [Cause::Io, Cause::InsufficientSpace, Cause::Quota, Cause::Access, Cause::NotPermitted, Cause::Interrupted];
        let mut harms: Vec<Harm> = causes.into_iter().map(Harm::Fail).collect();
        harms.extend([Harm::ShortWrite, Harm::LoseSync]);
        Sweep {
            harms,
            sticky: true,
            pairs: Vec::new(),
            stride: 1,
            recoveries: 32,
            stable: true,
            power: Power::new(Model::Any),
            shown: 8,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The result of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FaultReport {
    /// The name of the subject.
    pub subject: String,
    /// How many calls the operation makes without harm.
    pub calls: u64,
    /// How many times the operation was run with a fault that met a call.
    pub operations: u64,
    /// How many times recovery was run with a fault that met a call.
    pub recoveries: u64,
    /// How many calls failed or were harmed.
    pub injected: u64,
    /// How many crash images of harmed runs were recovered.
    pub images: u64,
    /// Harmed operations that succeeded.
    pub acknowledged: u64,
    /// Harmed operations that claimed to have changed nothing.
    pub not_committed: u64,
    /// Harmed operations that claimed to be finished by recovery.
    pub needs_recovery: u64,
    /// Harmed operations that left the outcome open.
    pub outcome_unknown: u64,
    /// Harmed operations that made no claim.
    pub unclassified: u64,
    /// The first violations.
    pub violations: Vec<FaultViolation>,
    /// How many violations there are.
    pub violations_total: u64,
}

impl FaultReport {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations_total == 0
    }
}

/// A promise that a fault broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultViolation {
    /// The faults, and their results.
    pub faults: Vec<String>,
    /// The violation.
    pub text: String,
    /// The state that the faulty run left, and the difference of the result, if any.
    pub detail: String,
}

/// Injects faults into a subject.
///
/// # Panics
/// If the subject has more than 32 stages. A panic of the subject is a violation.
#[must_use]
pub fn sweep(subject: &dyn Subject, sweep: &Sweep) -> FaultReport {
    let (recording, mut stages, failed) = record(subject, None);
    stages.harmed = true;
    let plan = Plan { threads: 1, stable: sweep.stable, ..Plan::default() };
    let context = Context { subject, stages: &stages, plan: &plan, power: sweep.power };
    let bench = Bench::new(context);
    let calls = recording.calls.len() as u32;
    let mut report = FaultReport { subject: subject.name(), calls: u64::from(calls), ..FaultReport::default() };
    if let Some(text) = failed {
        report.violations.push(FaultViolation { faults: Vec::new(), text, detail: String::new() });
        report.violations_total += 1;
    }
    let cases = singles(calls, sweep, 0);
    take_in(
        &mut report,
        sweep,
        workers::map(cases.len(), sweep.threads, |number| bench.operation(prepared(subject), &cases[number])),
    );
    let pairs = pairs(calls, &sweep.pairs);
    take_in(
        &mut report,
        sweep,
        workers::map(pairs.len(), sweep.threads, |number| bench.operation(prepared(subject), &pairs[number])),
    );
    let images = crash_images(&context, &recording, sweep.recoveries);
    let outcomes = workers::map(images.len(), sweep.threads, |number| {
        let (disk, allowed) = &images[number];
        let mount = || SimFs::mount(disk.clone(), subject.switches());
        let calls = bench.calls(&mount());
        let cases = singles(calls, sweep, number);
        cases.iter().map(|case| bench.recovery(mount(), case, *allowed)).collect::<Vec<_>>()
    });
    take_in(&mut report, sweep, outcomes.into_iter().flatten().collect());
    report
}

/// Returns the cases of one fault. `from` shifts which of them are tried.
fn singles(calls: u32, sweep: &Sweep, from: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for call in 0..calls {
        for harm in &sweep.harms {
            cases.push(vec![Fault::once(When::Call(call), *harm)]);
            if sweep.sticky {
                cases.push(vec![Fault::sticky(When::Call(call), *harm)]);
            }
        }
    }
    cases.into_iter().skip(from % sweep.stride).step_by(sweep.stride).collect()
}

fn pairs(calls: u32, harms: &[Harm]) -> Vec<Case> {
    let mut cases = Vec::new();
    for first in 0..calls {
        for second in first + 1..calls {
            for (one, two) in harms.iter().flat_map(|one| harms.iter().map(move |two| (one, two))) {
                let one = Fault::once(When::Call(first), *one);
                cases.push(vec![one, Fault::once(When::Call(second), *two)]);
            }
        }
    }
    cases
}

fn take_in(report: &mut FaultReport, sweep: &Sweep, outcomes: Vec<CaseResult>) {
    for outcome in outcomes.into_iter().filter(|outcome| outcome.injected > 0) {
        report.injected += u64::from(outcome.injected);
        report.images += outcome.images;
        match outcome.claim {
            case::Claim::Recovery => report.recoveries += 1,
            case::Claim::Acknowledged => report.acknowledged += 1,
            case::Claim::NotCommitted => report.not_committed += 1,
            case::Claim::NeedsRecovery => report.needs_recovery += 1,
            case::Claim::OutcomeUnknown => report.outcome_unknown += 1,
            case::Claim::Nothing => report.unclassified += 1,
        }
        report.operations += u64::from(outcome.claim != case::Claim::Recovery);
        report.violations_total += outcome.violations.len() as u64;
        let room = sweep.shown.saturating_sub(report.violations.len());
        report.violations.extend(outcome.violations.into_iter().take(room));
    }
}
