//! What the explorer found in the store, each as a test with its story. The suites leave these
//! operations to this module.

use onionskin_sim::explore::{Plan, explore};
use onionskin_sim::faults::{Sweep, sweep};
use onionskin_sim::operations;

use crate::support::Sum;

/// The operations that have a test here.
pub(crate) const FOUND: &[&str] = &["late-swap", "late-pointer", "late-swap-no-links", "swap-new", "swap-nested"];

/// No crash and no failing call breaks an operation.
fn holds(name: &str) {
    assert!(FOUND.contains(&name), "{name} is looked at twice: add it to the list");
    let all = operations::all();
    let operation = all.iter().find(|operation| operation.name == name).expect("the list names operations");
    let mut sum = Sum::default();
    sum.add(&explore(operation, &operation.plan(&Plan { shown: 1, ..Plan::default() })), !operation.endless);
    sum.conclude(name);
    let report = sweep(operation, &operation.sweep(&Sweep { shown: 1, recoveries: 3, ..Sweep::default() }));
    for violation in &report.violations {
        println!("{name}: {violation:#?}");
    }
    assert!(report.is_clean() && report.injected > 0, "{name}: {} violations", report.violations_total);
}

/// An entry that comes while a directory is switched is carried by recovery. A recovery was killed
/// between carrying and syncing; the next took what it saw for safe, removed the log, then the old
/// directory with the only durable copy, and the power went. Now every recovery syncs the
/// directories that late entries may have gone to.
#[test]
fn the_next_recovery_syncs_what_a_killed_one_carried() {
    holds("late-swap");
    holds("late-pointer");
}

/// Without hard links a late entry is copied. A copy that was cut short by a kill was taken for
/// the entry, and the whole one was removed with the old directory. Now a copy takes its name only
/// when it is whole.
#[test]
fn a_late_entry_takes_its_name_when_it_is_whole() {
    holds("late-swap-no-links");
}

/// The second rename of a switch was visible and not durable; the next recovery took it for done
/// and removed the log; the power went, and the sweep removed the new tree of a decided
/// transaction. Now the directory of every switch is synced before its log goes.
#[test]
fn a_switch_is_durable_before_its_log_goes() {
    holds("swap-new");
    holds("swap-nested");
}
