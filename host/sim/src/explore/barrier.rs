//! The explorer on trial: every sync left out, one at a time, to see that it is missed.

use serde::Serialize;

use super::{Plan, Subject, Violation, explore, guarded, prepared, record};
use crate::model::Power;
use crate::scan::Scan;
use crate::simfs::SimFs;

/// A sync that reports success and does nothing. Numbers count the syncs of one run from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dropped {
    /// A sync of the operation.
    Operation(u32),
    /// A sync of every recovery.
    Recovery(u32),
}

/// The result of leaving a sync out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Barrier {
    /// Which sync.
    pub dropped: Dropped,
    /// The call; of a recovery, in the first image whose recovery makes so many syncs.
    pub call: String,
    /// The first violation that it led to. Nothing: the sync is redundant, or the trial is weak.
    pub caught: Option<Violation>,
}

/// Leaves out each sync of the operation and each of its recovery, and explores.
///
/// The syncs of recovery are those that the images of the operation ask for, under the models of
/// the plan.
#[must_use]
pub fn drop_each_sync(subject: &dyn Subject, plan: &Plan) -> Vec<Barrier> {
    let (recording, _, _) = record(subject, None);
    let syncs = recording.calls.iter().filter(|call| call.verb.syncs());
    let mut barriers: Vec<Barrier> = Vec::new();
    for (number, call) in (0..).zip(syncs) {
        barriers.push(trial(subject, plan, Dropped::Operation(number), call.to_string()));
    }
    for (number, call) in (0..).zip(recovery_syncs(subject, plan)) {
        barriers.push(trial(subject, plan, Dropped::Recovery(number), call));
    }
    barriers
}

fn trial(subject: &dyn Subject, plan: &Plan, dropped: Dropped, call: String) -> Barrier {
    let report = explore(subject, &Plan { dropped: Some(dropped), ..plan.clone() });
    Barrier { dropped, call, caught: report.violations().next().cloned() }
}

/// The syncs of recoveries, by number, as printed in the first image that reaches them.
fn recovery_syncs(subject: &dyn Subject, plan: &Plan) -> Vec<String> {
    let fs = prepared(subject);
    let _ = guarded(|| subject.run(&fs));
    let recording = fs.recording();
    let mut found: Vec<String> = Vec::new();
    for model in &plan.models {
        let power = Power { model: *model, tear: plan.tear, garbage: plan.garbage, bounds: plan.bounds };
        let mut scan = Scan::new(&recording.trace, power);
        for point in 0..recording.trace.points() {
            scan.at(point, &rustc_hash::FxHashSet::default());
        }
        for disk in scan.images.iter().filter_map(|image| image.disk.as_ref()) {
            let fs = SimFs::mount(disk.clone(), subject.switches());
            let _ = guarded(|| subject.recover(&fs));
            let calls = fs.calls();
            let syncs = calls.iter().filter(|call| call.verb.syncs());
            found.extend(syncs.skip(found.len()).map(ToString::to_string).collect::<Vec<_>>());
        }
    }
    found
}
