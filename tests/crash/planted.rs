//! Known bugs are found, and for what they are. A prover that misses one of these proves nothing.

use onionskin_sim::explore::{Plan, explore};
use onionskin_sim::faults::{Sweep, sweep};
use onionskin_sim::planted::{self, Search};

/// The fewest bugs that a trial of the explorer needs.
const PLANTED_MIN: usize = 12;

/// Each bug is found by the search that fits it, and the violation says what its story tells.
#[test]
fn every_planted_bug_is_found() {
    let all = planted::all();
    assert!(all.len() >= PLANTED_MIN, "only {} bugs", all.len());
    let mut missed = Vec::new();
    for bug in &all {
        let told: Vec<String> = match &bug.search {
            Search::Crashes(model) => {
                let report = explore(&*bug.subject, &Plan { shown: 1000, ..Plan::under(&[*model]) });
                report.violations().map(|violation| violation.text.clone()).collect()
            }
            Search::Faults(harms) => {
                let faults = Sweep { harms: harms.clone(), shown: 1000, recoveries: 64, ..Sweep::default() };
                sweep(&*bug.subject, &faults).violations.into_iter().map(|violation| violation.text).collect()
            }
        };
        let fits = told.iter().filter(|text| text.contains(bug.shows)).count();
        println!("{}: {fits} of {} violations say {:?}: {}", bug.name, told.len(), bug.shows, bug.story);
        if fits == 0 {
            missed.push((bug.name, told.into_iter().next()));
        }
    }
    println!("planted: {} bugs, {} missed", all.len(), missed.len());
    assert!(missed.is_empty(), "missed: {missed:#?}");
}
