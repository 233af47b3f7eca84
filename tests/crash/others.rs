//! A process dies in an operation, somebody changes an entry, and the next process recovers: the work of others is kept,
//! and all else is old or new.

use onionskin_sim::Model;
use onionskin_sim::others::{OthersReport, OthersSweep, meddle};

use crate::support::{is_full, operations, setting};

/// After each kill of each operation, and after some losses of power, in a full run after each of them;
/// `ONIONSKIN_OTHERS=N` tries at most N crashes of an operation.
#[test]
fn recovery_keeps_what_others_changed() {
    let mut sum = OthersReport::default();
    for operation in operations() {
        for (model, crashes) in [(Model::Process, 10_000), (Model::Ordered, if is_full() { 10_000 } else { 30 })] {
            if !operation.models.contains(&model) {
                continue;
            }
            let sweep = OthersSweep {
                model,
                crashes: setting("ONIONSKIN_OTHERS", crashes) as usize,
                shown: setting("ONIONSKIN_SHOWN", 1) as usize,
                ..OthersSweep::default()
            };
            let report = meddle(&operation, &sweep);
            println!(
                "{} under {model:?}: {} changes of others, {} kept in the quarantine, {} parked, {} violations",
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
    }
    println!(
        "others: {} changes, {} kept in the quarantine, {} parked, {} violations",
        sum.changes, sum.kept, sum.parked, sum.violations_total
    );
    assert_eq!(sum.violations_total, 0, "recovery lost the work of others, or mixed old and new");
    assert!(sum.changes > 0 && sum.kept > 0, "nothing was tried");
}
