//! Known bugs are found, and reported as what they are. An explorer that misses one of these proves nothing.

use onionskin_sim::explore::{Plan, explore};
use onionskin_sim::faults::{Sweep, sweep};
use onionskin_sim::obstacles::{ObstacleSweep, obstruct};
use onionskin_sim::others::{OthersSweep, meddle};
use onionskin_sim::planted::{self, Search};

/// The minimal number of bugs for a meaningful test of the explorer.
const PLANTED_MIN: usize = 12;

/// Each bug is found by the search that suits it, and the violation agrees with the description of the bug.
#[test]
fn every_planted_bug_is_found() {
    let all = planted::all();
    assert!(all.len() >= PLANTED_MIN, "only {} bugs", all.len());
    let mut missed = Vec::new();
    for bug in &all {
        let violations: Vec<String> = match &bug.search {
            Search::Crashes(model) => {
                let report = explore(&*bug.subject, &Plan { shown: 1000, ..Plan::under(&[*model]) });
                report.violations().map(|violation| violation.text.clone()).collect()
            }
            Search::Faults(harms) => {
                let faults = Sweep { harms: harms.clone(), shown: 1000, recoveries: 64, ..Sweep::default() };
                sweep(&*bug.subject, &faults).violations.into_iter().map(|violation| violation.text).collect()
            }
            Search::Obstacles(causes) => {
                let sweep = ObstacleSweep { causes: causes.clone(), shown: 1000, ..ObstacleSweep::default() };
                obstruct(&*bug.subject, &sweep).violations.into_iter().map(|violation| violation.text).collect()
            }
            Search::Others => {
                let sweep = OthersSweep { crashes: 1000, shown: 1000, ..OthersSweep::default() };
                meddle(&*bug.subject, &sweep).violations.into_iter().map(|violation| violation.text).collect()
            }
        };
        let fits = violations.iter().filter(|text| text.contains(bug.shows)).count();
        println!("{}: {fits} of {} violations say {:?}: {}", bug.name, violations.len(), bug.shows, bug.description);
        if fits == 0 {
            missed.push((bug.name, violations.into_iter().next()));
        }
    }
    println!("planted: {} bugs, {} missed", all.len(), missed.len());
    assert!(missed.is_empty(), "missed: {missed:#?}");
}
