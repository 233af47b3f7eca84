//! The progress of a trial, for display.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use onionskin_sim::Model;
use onionskin_sim::explore::Plan;

/// The progress of the trial of one operation. It may be read from any thread.
#[derive(Debug, Default)]
pub struct Progress {
    states: AtomicU64,
    phases: Mutex<Phases>,
}

/// The parts of a trial: models, and the faults at the end.
#[derive(Debug, Default)]
struct Phases {
    started: Option<Instant>,
    names: Vec<String>,
    /// The estimated share of the work of each part.
    weights: Vec<u32>,
    done: usize,
    done_after: Duration,
}

impl Progress {
    /// The number of recovered states, over all operations.
    #[must_use]
    pub fn states(&self) -> u64 {
        self.states.load(Ordering::Relaxed)
    }

    /// The present part: a model, or `faults`.
    #[must_use]
    pub fn phase(&self) -> String {
        let phases = self.phases();
        phases.names.get(phases.done).cloned().unwrap_or_else(|| "..".to_owned())
    }

    /// Returns the estimated duration of the operation, from that of its first models. `None` before the first is done.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let phases = self.phases();
        let done: u32 = phases.weights[..phases.done].iter().sum();
        if done == 0 {
            return None;
        }
        let all: u32 = phases.weights.iter().sum();
        let expected = phases.done_after * all / done;
        Some(expected.saturating_sub(phases.started?.elapsed()))
    }

    pub(super) fn begin(&self, plans: &[Plan], faults: bool) {
        let mut phases = Phases { started: Some(Instant::now()), ..Phases::default() };
        for (plan, model) in plans.iter().flat_map(|plan| plan.models.iter().map(move |model| (plan, *model))) {
            let torn = if plan.garbage { ", torn" } else { "" };
            phases.names.push(format!("{}{torn}", model.as_str()));
            phases.weights.push(weight(model));
        }
        if faults {
            phases.names.push("faults".to_owned());
            phases.weights.push(FAULTS_WEIGHT);
        }
        *self.phases() = phases;
    }

    pub(super) fn phase_done(&self) {
        let mut phases = self.phases();
        phases.done = (phases.done + 1).min(phases.weights.len());
        phases.done_after = phases.started.map(|start| start.elapsed()).unwrap_or_default();
    }

    pub(super) fn recovered(&self) {
        self.states.fetch_add(1, Ordering::Relaxed);
    }

    fn phases(&self) -> MutexGuard<'_, Phases> {
        // A panic in the display has not damaged the numbers.
        self.phases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The work of the faults, relative to the models.
const FAULTS_WEIGHT: u32 = 40;

/// The work of a model, relative to the others, measured on the existing operations.
fn weight(model: Model) -> u32 {
    match model {
        Model::Process => 1,
        Model::Ordered => 4,
        Model::Any | Model::Split | Model::Lying => 10,
    }
}
