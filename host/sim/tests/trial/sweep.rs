//! Faults: a correct operation stands all of them, and each way to mistreat one is found.

use onionskin_sim::Harm;
use onionskin_sim::faults::{FaultReport, Sweep, sweep};

use crate::replace::{Bug, Replace};
use crate::two_files::TwoFiles;

fn with(bug: Bug) -> FaultReport {
    sweep(&Replace { bug }, &Sweep { shown: 100, ..Sweep::default() })
}

#[track_caller]
fn finds(report: &FaultReport, words: &str) {
    let found = report.violations.iter().any(|violation| violation.text.contains(words));
    assert!(found, "{:#?}", report.violations);
}

/// Every call fails in every way, and the error is accurate each time.
#[test]
fn correct_protocols_stand_every_fault() {
    let cause = onionskin::fs::Cause::Io;
    let plan = Sweep { pairs: vec![Harm::Fail(cause), Harm::LoseSync], ..Sweep::default() };
    for report in [sweep(&Replace::default(), &plan), sweep(&TwoFiles::default(), &plan)] {
        assert!(report.is_clean(), "{:#?}", report.violations.first());
        assert!(report.not_committed > 0 && report.outcome_unknown > 0);
        assert!(report.recoveries > report.operations && report.images > 0);
    }
}

/// A sync made again after it failed reports success for data that is gone.
#[test]
fn sync_made_again_is_found() {
    finds(&with(Bug::RetriesSync), "loss of power at the end of the harmed run");
}

/// A short write taken for a whole one publishes half a file.
#[test]
fn short_write_taken_for_whole_is_found() {
    finds(&with(Bug::IgnoresShortWrite), "neither old nor new");
}

/// An error that is dropped acknowledges what never happened.
#[test]
fn dropped_error_is_found() {
    finds(&with(Bug::DropsRenameError), "where 0b10 is allowed");
}

/// An error that claims to have changed nothing, and has, is found.
#[test]
fn false_claim_is_found() {
    finds(&with(Bug::ClaimsTooMuch), "where 0b1 is allowed");
}

/// A panic is found, and does not end the sweep.
#[test]
fn panic_is_found() {
    let report = with(Bug::Panics);
    finds(&report, "panic: no space for it");
    assert!(report.not_committed > 0);
}

/// The same sweep gives the same report, for any number of threads.
#[test]
fn reports_do_not_depend_on_threads() {
    let one = sweep(&TwoFiles::default(), &Sweep { threads: 1, ..Sweep::default() });
    let three = sweep(&TwoFiles::default(), &Sweep { threads: 3, ..Sweep::default() });
    assert_eq!(one, three);
}
