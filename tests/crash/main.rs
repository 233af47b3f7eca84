//! Every public operation is all or nothing under a crash at any moment, and so is its recovery.

use onionskin_sim::explore::{Plan, explore};
use onionskin_sim::faults::{Sweep, sweep};
use onionskin_sim::operations;

#[test]
fn every_operation_survives_every_crash() {
    let only = std::env::var("ONLY").ok();
    let mut bad = 0;
    for operation in operations::all() {
        if only.as_deref().is_some_and(|only| !operation.name.contains(only)) {
            continue;
        }
        let start = std::time::Instant::now();
        let report = explore(&operation, &Plan { shown: 2, stable: operation.stable, ..Plan::default() });
        println!("{} {:?} {:?}", operation.name, start.elapsed(), report.totals());
        for model in &report.models {
            for violation in &model.violations {
                bad += 1;
                println!("{} {:?}: {violation:#?}", operation.name, model.model);
            }
        }
    }
    assert_eq!(bad, 0);
}

#[test]
fn every_operation_survives_every_fault() {
    let only = std::env::var("ONLY").ok();
    let mut bad = 0;
    for operation in operations::all() {
        if only.as_deref().is_some_and(|only| !operation.name.contains(only)) {
            continue;
        }
        let report = sweep(&operation, &Sweep { shown: 4, ..Sweep::default() });
        println!("{} injected {} violations {}", operation.name, report.injected, report.violations_total);
        for violation in &report.violations {
            println!("{}: {violation:#?}", operation.name);
        }
        bad += report.violations_total;
    }
    assert_eq!(bad, 0);
}
