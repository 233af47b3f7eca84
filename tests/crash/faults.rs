//! Every call of every operation, and of its recovery, fails in every way, and the error is accurate: nothing is lost,
//! and the next open finds the state that the error names.

use onionskin_sim::faults::{Sweep, sweep};

use crate::support::{is_full, operations, setting};

/// A bounded run injects one fault in many, and into the recovery of a few crash states; a full run all of them, and into
/// that of many. `ONIONSKIN_FAULTS=N` injects one in N.
#[test]
fn every_operation_survives_every_fault() {
    let (recoveries, stride) = if is_full() { (64, 1) } else { (3, 5) };
    let stride = setting("ONIONSKIN_FAULTS", stride) as usize;
    let (mut injected, mut images, mut wrong) = (0, 0, 0);
    for operation in operations() {
        let plan = Sweep { shown: 1, recoveries, stride, ..Sweep::default() };
        let report = sweep(&operation, &operation.sweep(&plan));
        println!(
            "{}: {} calls, faults in {} operations and {} recoveries",
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
    assert_eq!(wrong, 0, "an error was not accurate");
    assert!(injected > 0, "nothing was tried");
}
