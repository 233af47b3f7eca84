//! SQLite on a layered directory with a power loss at each call, into each crash state, of the transfers and of the
//! rollbacks afterwards.
//!
//! The unmodified program runs once, and its calls are recorded. A crash state is opened by the core of the workspace,
//! compiled for this machine, and its database by SQLite, compiled likewise: of hundreds of thousands of states only
//! hundreds differ in the files that a program sees. The program itself is started on one of each of those; it must
//! report the same, and its rollback is recorded and crashed in turn.
//!
//! Without settings a run is bounded for continuous integration: two transfers, fewer samples. With
//! `ONIONSKIN_CRASH=full` there are five transfers, and only the bounds of the explorer apply.

mod oracle;
mod subject;
mod trial;

use onionskin_lab::crash;
use onionskin_lab::simulated::Program;
use onionskin_sim::explore::Plan;
use onionskin_sim::{Bounds, Model, Tree};

use onionskin_tests::{ledger, ledgers};
use trial::{Outcome, Trial};

/// Whether the bounds for continuous integration are lifted.
fn is_full() -> bool {
    std::env::var("ONIONSKIN_CRASH").is_ok_and(|value| value == "full")
}

/// Returns the bounds of the exploration.
fn plan() -> Plan {
    let bounds =
        Bounds { exhaustive_ops: 6, exhaustive_subsets: 1 << 6, triples_ops: 0, samples: 32, ..Bounds::default() };
    if is_full() { Plan::default() } else { Plan { bounds, ..Plan::default() } }
}

/// Returns the program and its initial files, or `None` where it cannot be built.
fn scene() -> Option<(Program, Tree)> {
    let program = Program::load(ledgers::program()?, true).expect("a command");
    let before = ledgers::on_small_pages();
    Some((program, crash::files(before.path()).expect("the files were just written")))
}

/// Explores transfers under the models, prints the outcome, and fails where a promise is broken; `forgets` is the
/// number of acknowledged transfers that may be undone.
fn transfers(journal: &str, synchronous: &str, forgets: usize, models: &[Model]) -> Option<Vec<Outcome>> {
    let (program, files) = scene()?;
    let count = if is_full() { 5 } else { 2 };
    let trial = Trial { program: &program, files: &files, synchronous, journal, count, forgets };
    let each = models.iter().map(|model| {
        let outcome = trial.run(*model, &plan());
        println!("SQLite, layered, {journal}, {synchronous}, {count} transfers, {}: {outcome}", model.as_str());
        outcome
    });
    Some(each.collect())
}

/// Asserts that no violation is found.
fn holds(journal: &str, synchronous: &str, forgets: usize) -> Option<Vec<Outcome>> {
    let models = if is_full() { &Model::PROVEN[..] } else { &[Model::Process, Model::Ordered] };
    let outcomes = transfers(journal, synchronous, forgets, models)?;
    for outcome in &outcomes {
        assert!(outcome.violations.is_empty(), "{}", outcome.violations.join("\n"));
        assert!(outcome.rolled_back > 0, "no crash left a hot journal");
    }
    Some(outcomes)
}

/// A transfer happens as a whole or not at all, and an acknowledged transfer stays. The test fails if the overlay
/// ignores the sync of a directory, which ends a transaction here.
#[test]
fn all_is_kept_with_a_journal_that_is_removed() {
    holds("delete", "extra", 0);
}

/// The same, and here `full` suffices, since the end of a transaction is synced. The calls are those of `extra`. The
/// test fails if the sync of a file in the overlay omits the names: no directory is synced after the first time.
#[test]
fn all_is_kept_with_a_journal_that_is_truncated() {
    holds("truncate", "full", 0);
}

/// As before.
#[test]
fn all_is_kept_with_a_journal_that_stays() {
    holds("persist", "full", 0);
}

/// `full` does not sync the directory after the journal was removed: the last acknowledged transfer may be undone, but
/// no other one, and none in part. A plain directory behaves the same.
#[test]
fn full_may_forget_the_last_transfer() {
    let Some(outcomes) = holds("delete", "full", 1) else { return };
    assert!(outcomes.iter().any(|outcome| outcome.forgotten > 0), "no transfer was undone");
}

/// A journal in memory is lost with the process: a kill is enough here, and the test shows that the damage is found.
#[test]
fn a_journal_in_memory_promises_nothing() {
    let Some(outcomes) = transfers("memory", "extra", 0, &[Model::Process]) else { return };
    let violations = &outcomes[0].violations;
    assert!(violations.iter().any(|text| text.contains("money was lost or made")), "{violations:?}");
}

/// Leaves out each sync of the overlay and of SQLite, one at a time; the oracle detects all of them but one. That one
/// makes the name of the first journal durable. Without it the journal is empty after a power loss, which is harmless
/// until the copy of the database that is written has its name; the sync of that copy does both.
#[test]
fn every_sync_is_missed() {
    let Some((program, files)) = scene() else { return };
    let (journals, count) = if is_full() { (&["delete", "persist"][..], 2) } else { (&["delete"][..], 1) };
    let plan = Plan { models: vec![Model::Ordered], ..plan() };
    for journal in journals {
        let trial = Trial { program: &program, files: &files, synchronous: "extra", journal, count, forgets: 0 };
        let syncs = trial.without_each_sync(&plan);
        for (call, found) in &syncs {
            println!("SQLite, layered, {journal}, without {call}: {}", found.as_deref().unwrap_or("nothing"));
        }
        let not_missed: Vec<&str> =
            syncs.iter().filter(|(_, found)| found.is_none()).map(|(call, _)| call.as_str()).collect();
        assert_eq!(not_missed, ["sync-dir files/upper/.onionskin/workspace/files"]);
        assert!(syncs.len() > 8, "too few syncs: {syncs:?}");
    }
}
