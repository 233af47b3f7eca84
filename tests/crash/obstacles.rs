//! From some call on, every call of one kind on one path is refused, to every later process too: nobody is locked out,
//! readers find the old or the new, and when the obstacle is gone, the next open finds the state that the error named.

use onionskin_sim::obstacles::{ObstacleReport, ObstacleSweep, obstruct};

use crate::support::{is_full, operations, setting};

/// A bounded run tries one case in many, a full run all of them, and `ONIONSKIN_OBSTACLES=N` one in N.
#[test]
fn every_operation_survives_every_obstacle() {
    let (recoveries, stride) = if is_full() { (80, 1) } else { (3, 7) };
    let plan = ObstacleSweep {
        recoveries,
        stride: setting("ONIONSKIN_OBSTACLES", stride) as usize,
        shown: setting("ONIONSKIN_SHOWN", 1) as usize,
        ..ObstacleSweep::default()
    };
    let mut sum = ObstacleReport::default();
    for operation in operations() {
        let report = obstruct(&operation, &operation.obstacles(&plan));
        println!(
            "{}: obstacles met by {} operations and {} recoveries, {} parked, {} violations",
            operation.name, report.operations, report.recoveries, report.parked, report.violations_total
        );
        for violation in &report.violations {
            println!("{}: {}\n{}\n{}", operation.name, violation.text, violation.obstacle, violation.detail);
        }
        sum.operations += report.operations;
        sum.recoveries += report.recoveries;
        sum.refused += report.refused;
        sum.parked += report.parked;
        sum.needed += report.needed;
        sum.violations_total += report.violations_total;
    }
    println!(
        "obstacles: met by {} operations and {} recoveries, {} calls refused, {} parked, {} without an entry that every \
         open needs, {} violations",
        sum.operations, sum.recoveries, sum.refused, sum.parked, sum.needed, sum.violations_total
    );
    assert_eq!(sum.violations_total, 0, "an obstacle locked somebody out, or lost something");
    assert!(sum.operations > 0 && sum.recoveries > 0, "nothing was tried");
}
