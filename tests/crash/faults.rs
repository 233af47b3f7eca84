//! Every call of every operation fails in every way, in its recovery too, and the error tells the
//! truth: nothing is lost, and the next open finds what the error said.

use onionskin_sim::faults::{Sweep, sweep};

use crate::support::{is_full, operations};

/// A bounded run harms recovery from a few of the crash images, a full one from many.
#[test]
fn every_operation_survives_every_fault() {
    let recoveries = if is_full() { 64 } else { 3 };
    let (mut injected, mut images, mut wrong) = (0, 0, 0);
    for operation in operations() {
        let plan = Sweep { shown: 1, recoveries, ..Sweep::default() };
        let report = sweep(&operation, &operation.sweep(&plan));
        println!(
            "{}: {} calls, {} operations and {} recoveries harmed",
            operation.name, report.calls, report.operations, report.recoveries
        );
        for violation in &report.violations {
            println!("{}: {violation:#?}", operation.name);
        }
        injected += report.injected;
        images += report.images;
        wrong += report.violations_total;
    }
    println!("faults: {injected} injected, {images} crash images after them, {wrong} violations");
    assert_eq!(wrong, 0, "an error did not tell the truth");
    assert!(injected > 0, "nothing was tried");
}
