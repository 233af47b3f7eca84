//! Under a host that lends calls beyond `wasi:filesystem`, every entry keeps its mode and owner through every change and
//! every crash, attributes are durable before they are published, and nobody else reads a secret at any moment.

use onionskin_sim::explore::{Plan, explore};
use onionskin_sim::faults::{Sweep, sweep};
use onionskin_sim::operations::lent;

use crate::support::{Sum, bounds, is_full};

/// As for the operations without lent calls; the modes are part of the states, and every call is watched.
#[test]
fn every_entry_keeps_its_mode_through_every_crash() {
    let mut sum = Sum::default();
    for operation in lent::all() {
        let report = explore(&operation, &operation.plan(&Plan { shown: 1, bounds: bounds(), ..Plan::default() }));
        println!("{}: {:?}", operation.name, report.totals());
        sum.add(&report, true);
    }
    sum.conclude("lent");
}

/// A lent call may fail like any other.
#[test]
fn a_lent_call_may_fail_in_every_way() {
    let recoveries = if is_full() { 64 } else { 3 };
    let (mut injected, mut wrong) = (0, 0);
    for operation in lent::all() {
        let plan = Sweep { shown: 1, recoveries, ..Sweep::default() };
        let report = sweep(&operation, &operation.sweep(&plan));
        for violation in &report.violations {
            println!("{}: {violation:#?}", operation.name);
        }
        injected += report.injected;
        wrong += report.violations_total;
    }
    assert_eq!(wrong, 0, "an error was not accurate");
    assert!(injected > 0, "nothing was tried");
}
