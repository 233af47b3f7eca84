//! Obstacle sweeps: from some call on, every call of one kind on one path is refused, to this process and to every
//! later one, until somebody takes the obstacle away.
//!
//! A fault passes; an obstacle stays. So besides the promises of a fault these hold:
//!
//! - An open succeeds while the obstacle stands, and other paths can be changed: nobody is locked out.
//! - A reader finds at each path the old or the new entry, or, where a decision is parked, none.
//! - When the obstacle is gone, the next open finds the state that the error named.

mod case;

use onionskin::fs::Cause;
use serde::Serialize;

use crate::explore::{Class, Context, Plan, Subject, crash_images, prepared, record};
use crate::model::{Model, Power};
use crate::simfs::{Call, Obstacle, SimFs, Verb};
use crate::workers;

use case::{Bench, Outcome};

/// Which obstacles are put in the way.
#[derive(Clone, Debug, PartialEq)]
pub struct ObstacleSweep {
    /// The answers of an obstacle.
    pub causes: Vec<Cause>,
    /// From how many crash images recovery meets obstacles.
    pub recoveries: usize,
    /// One case in so many is tried. A number without a common divisor with the number of causes meets all of them.
    pub stride: usize,
    /// Under which power the crash images are made.
    pub power: Power,
    /// The maximum of reported violations.
    pub shown: usize,
    /// How many threads work. No result depends on it.
    pub threads: usize,
}

impl Default for ObstacleSweep {
    fn default() -> Self {
        ObstacleSweep {
            // All that a kernel or wasmtime may answer of a call that is refused. The others are about entries.
            causes: vec![
                Cause::Access,
                Cause::CrossDevice,
                Cause::InsufficientSpace,
                Cause::Quota,
                Cause::Io,
                Cause::NotPermitted,
                Cause::ReadOnly,
                Cause::Busy,
                Cause::Unsupported,
                Cause::Other,
            ],
            recoveries: 16,
            stride: 1,
            power: Power::new(Model::Ordered),
            shown: 8,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The result of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ObstacleReport {
    /// The name of the subject.
    pub subject: String,
    /// How many times the operation met an obstacle.
    pub operations: u64,
    /// How many times a recovery met an obstacle.
    pub recoveries: u64,
    /// How many calls were refused.
    pub refused: u64,
    /// Operations that succeeded all the same.
    pub acknowledged: u64,
    /// Operations that claimed to have changed nothing.
    pub not_committed: u64,
    /// Operations that were decided and could not be completed, or whose outcome was open.
    pub decided: u64,
    /// Cases in which a decision was parked while the obstacle stood.
    pub parked: u64,
    /// Cases in which nothing could be opened, since an entry that every open needs was refused.
    pub needed: u64,
    /// The first violations.
    pub violations: Vec<ObstacleViolation>,
    /// How many violations there are.
    pub violations_total: u64,
}

/// A promise that an obstacle broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObstacleViolation {
    /// The obstacle, and the result of the run that met it.
    pub obstacle: String,
    /// The violation.
    pub text: String,
    /// The state that was found.
    pub detail: String,
}

/// Puts obstacles in the way of a subject and of its recovery.
///
/// # Panics
/// If the subject has more than 32 stages. A panic of the subject is a violation.
#[must_use]
pub fn obstruct(subject: &dyn Subject, sweep: &ObstacleSweep) -> ObstacleReport {
    let (recording, mut stages, failed) = record(subject, None);
    stages.harmed = true;
    let plan = Plan { threads: 1, ..Plan::default() };
    let context = Context { subject, stages: &stages, plan: &plan, power: sweep.power };
    let bench = Bench::new(context, &recording);
    let mut report = ObstacleReport { subject: subject.name(), ..ObstacleReport::default() };
    if let Some(text) = failed {
        report.violations.push(ObstacleViolation { obstacle: String::new(), text, detail: String::new() });
        report.violations_total += 1;
    }
    let obstacles = obstacles(&recording.calls, sweep, 0);
    let operation = |number: usize| bench.operation(prepared(subject), &obstacles[number]);
    report.take_in(sweep, workers::map(obstacles.len(), sweep.threads, operation));
    let images = crash_images(&context, &recording, sweep.recoveries);
    let recoveries = workers::map(images.len(), sweep.threads, |number| {
        let (disk, allowed) = &images[number];
        let mount = || SimFs::mount(disk.clone(), subject.switches());
        let obstacles = self::obstacles(&bench.calls(&mount()), sweep, number);
        obstacles.iter().map(|obstacle| bench.recovery(mount(), obstacle, *allowed)).collect::<Vec<_>>()
    });
    report.take_in(sweep, recoveries.into_iter().flatten().collect());
    report
}

/// Returns the obstacles in the way of calls: for each call one that comes just before it, of each cause and on each
/// of its paths. `from` shifts which of them are tried.
fn obstacles(calls: &[Call], sweep: &ObstacleSweep, from: usize) -> Vec<Obstacle> {
    let mut all = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        // So a host refuses an absolute link.
        let is_answer = |cause: &Cause| call.verb == Verb::ReadLink && *cause == Cause::NotPermitted;
        for place in std::iter::once(&call.place).chain(&call.to) {
            let causes = sweep.causes.iter().filter(|cause| !is_answer(cause));
            all.extend(causes.map(|cause| Obstacle {
                verb: call.verb,
                path: place.to_string(),
                cause: *cause,
                after: number as u32,
            }));
        }
    }
    all.into_iter().skip(from % sweep.stride).step_by(sweep.stride).collect()
}

impl ObstacleReport {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations_total == 0
    }

    fn take_in(&mut self, sweep: &ObstacleSweep, outcomes: Vec<Outcome>) {
        for outcome in outcomes.into_iter().filter(|outcome| outcome.refused > 0) {
            self.refused += u64::from(outcome.refused);
            match outcome.claim {
                None => self.recoveries += 1,
                Some(claim) => {
                    self.operations += 1;
                    *match claim {
                        Ok(()) => &mut self.acknowledged,
                        Err(Class::NotCommitted) => &mut self.not_committed,
                        Err(Class::NeedsRecovery | Class::OutcomeUnknown | Class::Other) => &mut self.decided,
                    } += 1;
                }
            }
            self.parked += u64::from(outcome.parked);
            self.needed += u64::from(outcome.needed);
            self.violations_total += outcome.violations.len() as u64;
            let room = sweep.shown.saturating_sub(self.violations.len());
            self.violations.extend(outcome.violations.into_iter().take(room));
        }
    }
}
