//! Every public operation is all or nothing under a crash at any moment, and so is its recovery.

use onionskin_sim::explore::{Plan, explore};

use crate::support::{Sum, operations};

/// Under every model an operation promises anything for; crashes follow one another until nothing
/// is new.
#[test]
fn every_operation_survives_every_crash() {
    let mut sum = Sum::default();
    for operation in operations() {
        let report = explore(&operation, &operation.plan(&Plan { shown: 1, ..Plan::default() }));
        println!("{}: {:?}", operation.name, report.totals());
        sum.add(&report, !operation.endless);
    }
    sum.conclude("crashes");
}
