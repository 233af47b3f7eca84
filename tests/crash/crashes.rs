//! Every public operation is atomic under a crash at any point, and so is its recovery.

use onionskin_sim::explore::{Plan, Totals, explore};
use onionskin_sim::operations;

use crate::support::{Sum, bounds, operations};

/// Explores each operation under every model for which it makes a promise; recoveries are crashed in turn until no new
/// state appears.
#[test]
fn every_operation_survives_every_crash() {
    let mut sum = Sum::default();
    for operation in operations() {
        let report = explore(&operation, &operation.plan(&Plan { shown: 1, bounds: bounds(), ..Plan::default() }));
        println!("{}: {:?}", operation.name, report.totals());
        sum.add(&report, !operation.endless);
    }
    sum.conclude("crashes");
}

/// The same seed gives the same report for any number of threads, also where windows are sampled.
#[test]
fn reports_do_not_depend_on_threads() {
    let all = operations::all();
    let operation = all.iter().find(|operation| operation.name == "probe").expect("there is a probe");
    let report = |threads| explore(operation, &operation.plan(&Plan { threads, ..Plan::default() }));
    let one = report(1);
    let Totals { windows, windows_exhaustive, .. } = one.totals();
    assert!(windows_exhaustive < windows, "nothing was sampled: choose another operation");
    assert_eq!(one, report(3));
}
