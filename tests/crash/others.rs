//! A process dies in an operation, somebody changes an entry, and the next process recovers: the work of others is kept,
//! and all else is old or new.

use onionskin_sim::others::{OthersReport, OthersSweep, meddle};

use crate::support::{operations, setting};

/// After each kill of each operation; `ONIONSKIN_OTHERS=N` tries at most N of them.
#[test]
fn recovery_keeps_what_others_changed() {
    let sweep = OthersSweep {
        crashes: setting("ONIONSKIN_OTHERS", 10_000) as usize,
        shown: setting("ONIONSKIN_SHOWN", 1) as usize,
        ..OthersSweep::default()
    };
    let mut sum = OthersReport::default();
    for operation in operations() {
        let report = meddle(&operation, &sweep);
        println!(
            "{}: {} changes of others, {} kept in the quarantine, {} parked, {} violations",
            operation.name, report.changes, report.kept, report.parked, report.violations_total
        );
        for violation in &report.violations {
            println!("{}: {}\n{}\n{}", operation.name, violation.text, violation.change, violation.detail);
        }
        sum.changes += report.changes;
        sum.kept += report.kept;
        sum.parked += report.parked;
        sum.violations_total += report.violations_total;
    }
    println!(
        "others: {} changes, {} kept in the quarantine, {} parked, {} violations",
        sum.changes, sum.kept, sum.parked, sum.violations_total
    );
    assert_eq!(sum.violations_total, 0, "recovery lost the work of others, or mixed old and new");
    assert!(sum.changes > 0 && sum.kept > 0, "nothing was tried");
}
