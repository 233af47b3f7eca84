//! Planted bugs, each found, and reported as what it is.

use onionskin_sim::Model;
use onionskin_sim::explore::{Plan, Report, explore};

use crate::replace::{self, Replace};
use crate::two_files::{self, TwoFiles};

/// Asserts that a report contains this text at least once.
#[track_caller]
fn finds(report: &Report, words: &str) {
    let all: Vec<_> = report.violations().collect();
    assert!(all.iter().any(|violation| violation.text.contains(words)), "{all:#?}");
}

fn replace(bug: replace::Bug, model: Model) -> Report {
    explore(&Replace { bug }, &Plan { shown: 100, ..Plan::under(&[model]) })
}

fn two_files(bug: two_files::Bug, model: Model) -> Report {
    explore(&TwoFiles { bug }, &Plan { shown: 100, ..Plan::under(&[model]) })
}

/// Writing in place is caught by a mere kill.
#[test]
fn writing_in_place_is_found() {
    finds(&replace(replace::Bug::InPlace, Model::Process), "neither old nor new");
}

/// Removing the target before the rename is caught by a mere kill.
#[test]
fn removing_first_is_found() {
    finds(&replace(replace::Bug::RemovesFirst, Model::Process), "neither old nor new");
}

/// Two renames without a log are caught by a mere kill.
#[test]
fn missing_log_is_found() {
    finds(&two_files(two_files::Bug::NoLog, Model::Process), "neither old nor new");
}

/// A recovery that removes its log first is right after any single crash: it takes a crash of the
/// recovery itself to see the bug.
#[test]
fn bug_in_a_crashed_recovery_is_found() {
    let report = two_files(two_files::Bug::RemovesLogFirst, Model::Any);
    finds(&report, "neither old nor new");
    for violation in report.violations() {
        let second = violation.path.iter().any(|step| step.contains("recovery"));
        assert!(second, "one crash is enough: {violation:#?}");
    }
}

/// A recovery that reports before its work is durable loses what it reported.
#[test]
fn recovery_without_sync_is_found() {
    assert!(!two_files(two_files::Bug::RecoversWithoutSync, Model::Any).is_clean());
}

/// A state with leftovers that are not allowed is not a stage.
#[test]
fn leftover_is_found() {
    let report = two_files(two_files::Bug::LeavesTemporary, Model::Any);
    assert!(report.violations().any(|violation| violation.after.contains("+ log.t ")), "{:?}", report.totals());
}

/// A recovery that does more each time is not the same twice.
#[test]
fn recovery_that_is_not_idempotent_is_found() {
    assert!(!two_files(two_files::Bug::IsNotIdempotent, Model::Process).is_clean());
}
