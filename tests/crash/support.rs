//! Support for the suites: the selection of operations, the bounds, and the output of figures.

use onionskin_sim::Bounds;
use onionskin_sim::explore::{Report, Totals};
use onionskin_sim::operations::{self, Operation};

use crate::found::FOUND;

/// Returns the operations that `ONLY` selects, or all, except those that have tests of their own.
pub(crate) fn operations() -> Vec<Operation> {
    let only = std::env::var("ONLY").unwrap_or_default();
    let is_ours = |operation: &Operation| operation.name.contains(&only) && !FOUND.contains(&operation.name);
    operations::all().into_iter().filter(is_ours).collect()
}

/// Returns whether the bounds for continuous integration are lifted.
pub(crate) fn is_full() -> bool {
    std::env::var("ONIONSKIN_CRASH").is_ok_and(|value| value == "full")
}

/// Returns how far the states of a loss of power are enumerated. A bounded run takes a sixteenth of the largest windows
/// that are tried whole, and a quarter of the samples.
pub(crate) fn bounds() -> Bounds {
    let full = Bounds::default();
    if is_full() {
        return full;
    }
    Bounds { exhaustive_ops: 11, exhaustive_subsets: full.exhaustive_subsets / 16, samples: full.samples / 4, ..full }
}

/// Returns a number from the environment.
pub(crate) fn setting(name: &str, otherwise: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return otherwise };
    text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}"))
}

/// The sums over several explorations.
#[derive(Default)]
pub(crate) struct Sum {
    subjects: u64,
    totals: Totals,
    violations: Vec<String>,
}

impl Sum {
    /// Adds a report; with `must_end`, every image must have been recovered.
    pub(crate) fn add(&mut self, report: &Report, must_end: bool) {
        self.subjects += 1;
        self.totals = self.totals.plus(&report.totals());
        for model in &report.models {
            let named = |violation| format!("{} under {:?}: {violation:#?}", report.subject, model.model);
            self.violations.extend(model.violations.iter().map(named));
            if must_end && !model.complete {
                self.violations.push(format!("{} under {:?} has no end", report.subject, model.model));
            }
        }
    }

    /// Prints the sums, and fails with the first violations.
    pub(crate) fn conclude(&self, what: &str) {
        let Totals { points, windows, windows_exhaustive, raw, unique, kills, old, new, violations } = self.totals;
        let share = 100.0 * windows_exhaustive as f64 / windows.max(1) as f64;
        println!(
            "{what}: {} subjects, {points} crash points, {windows} windows ({share:.2} % exhaustive), {raw} raw and \
             {unique} unique images ({old} old, {new} new), {kills} kills, {violations} violations",
            self.subjects
        );
        for violation in self.violations.iter().take(4) {
            println!("{violation}");
        }
        assert!(self.violations.is_empty() && violations == 0, "{what}: {violations} violations");
        assert!(points > 0 && unique > 0, "{what}: nothing was tried");
    }
}
