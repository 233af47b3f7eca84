//! Bugs that the explorer found in the store, each as a test with an account of it. The other suites leave these
//! operations to this module.

use onionskin_sim::explore::{Plan, explore};
use onionskin_sim::faults::{Sweep, sweep};
use onionskin_sim::operations;

use crate::support::{Sum, bounds, is_full};

/// The operations that have a test here.
pub(crate) const FOUND: &[&str] = &["late-swap", "late-pointer", "late-swap-no-links", "swap-new", "swap-nested"];

/// Asserts that no crash and no fault breaks an operation.
fn holds(name: &str) {
    assert!(FOUND.contains(&name), "{name} is missing in the list, so that it is explored twice");
    let all = operations::all();
    let operation = all.iter().find(|operation| operation.name == name).expect("the list names operations");
    let mut sum = Sum::default();
    sum.add(
        &explore(operation, &operation.plan(&Plan { shown: 1, bounds: bounds(), ..Plan::default() })),
        !operation.endless,
    );
    sum.conclude(name);
    let stride = if is_full() { 1 } else { 5 };
    let report = sweep(operation, &operation.sweep(&Sweep { shown: 1, stride, recoveries: 3, ..Sweep::default() }));
    for violation in &report.violations {
        println!("{name}: {violation:#?}");
    }
    assert!(report.is_clean() && report.injected > 0, "{name}: {} violations", report.violations_total);
}

/// Recovery carries an entry that was added while a directory was switched. A recovery was killed after carrying it and
/// before the sync; the next one took the visible entry for durable and removed the log, then the old directory with
/// the only durable copy, and then power was lost. Now every recovery syncs the directories that may contain carried
/// entries.
#[test]
fn the_next_recovery_syncs_what_a_killed_one_carried() {
    holds("late-swap");
    holds("late-pointer");
}

/// Without hard links a late entry is copied. A copy that a kill had cut short was taken for the entry, and the whole
/// one was removed with the old directory. Now a copy gets its name only when it is complete.
#[test]
fn a_late_entry_takes_its_name_when_it_is_whole() {
    holds("late-swap-no-links");
}

/// The second rename of a switch was visible and not durable; the next recovery took it for done and removed the log;
/// power was lost, and the sweep removed the new tree of a decided transaction. Now the directory of every switch is
/// synced before its log is removed.
#[test]
fn a_switch_is_durable_before_its_log_goes() {
    holds("swap-new");
    holds("swap-nested");
}
