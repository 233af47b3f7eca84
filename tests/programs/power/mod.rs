//! SQLite on a layered directory, and the power goes: at each call, into each state that it can leave, of
//! the transfers and of what SQLite rolls back afterwards.
//!
//! The program runs once, as it is, and its calls are recorded. A state that a crash leaves is opened by the
//! core of the workspace, compiled for this machine, and the database in it by SQLite, compiled likewise: of
//! hundred thousands of states only hundreds differ in what a program sees. On one of each of those the
//! program itself is started too; it must say the same, and what it rolls back is recorded and crashed in
//! its turn.
//!
//! A run without settings is bounded for continuous integration: two transfers, fewer samples. With
//! `ONIONSKIN_CRASH=full` there are five, and the bounds of the explorer.

mod books;
#[path = "../../guests/sqlite/src/ledger.rs"]
mod ledger;
mod subject;
mod trial;

use onionskin_host::crash;
use onionskin_host::simulated::Program;
use onionskin_sim::explore::Plan;
use onionskin_sim::{Bounds, Model, Tree};

use crate::ledgers;
use trial::{Outcome, Trial};

/// Whether the bounds for continuous integration are lifted.
fn is_full() -> bool {
    std::env::var("ONIONSKIN_CRASH").is_ok_and(|value| value == "full")
}

/// How far to go.
fn plan() -> Plan {
    let bounds =
        Bounds { exhaustive_ops: 6, exhaustive_subsets: 1 << 6, triples_ops: 0, samples: 32, ..Bounds::default() };
    if is_full() { Plan::default() } else { Plan { bounds, ..Plan::default() } }
}

/// The program, and what it finds; nothing where it cannot be built.
fn scene() -> Option<(Program, Tree)> {
    let program = Program::load(ledgers::program()?, true).expect("a command");
    let before = ledgers::on_small_pages();
    Some((program, crash::files(before.path()).expect("what was just written")))
}

/// Tries transfers under models, says what came of it, and fails where a promise is broken; `forgets` is how
/// many transfers may be undone of which the program had told.
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

/// Nothing is found.
fn holds(journal: &str, synchronous: &str, forgets: usize) -> Option<Vec<Outcome>> {
    let models = if is_full() { &Model::PROVEN[..] } else { &[Model::Process, Model::Ordered] };
    let outcomes = transfers(journal, synchronous, forgets, models)?;
    for outcome in &outcomes {
        assert!(outcome.violations.is_empty(), "{}", outcome.violations.join("\n"));
        assert!(outcome.rolled_back > 0, "no crash left anything to roll back");
    }
    Some(outcomes)
}

/// A transfer is there whole or it is not, and it is there once it was told. It fails where the overlay does
/// nothing when a directory is synced: that is what ends a transaction here.
#[test]
fn with_a_journal_that_is_removed_all_is_kept() {
    holds("delete", "extra", 0);
}

/// The same, and here `full` is as good: what ends a transaction is synced. The calls are those of `extra`. It
/// fails where the overlay leaves out the names when a file is synced: no directory is, after the first time.
#[test]
fn with_a_journal_that_is_cut_off_all_is_kept() {
    holds("truncate", "full", 0);
}

/// As before.
#[test]
fn with_a_journal_that_stays_all_is_kept() {
    holds("persist", "full", 0);
}

/// `full` does not sync the directory when the journal was removed: the last transfer may be undone, one
/// that was told, but no other, and none by halves. It is the same on a plain directory.
#[test]
fn full_may_forget_the_last_transfer() {
    let Some(outcomes) = holds("delete", "full", 1) else { return };
    assert!(outcomes.iter().any(|outcome| outcome.forgotten > 0), "it forgets nothing");
}

/// A journal in memory goes with the process: here a kill is enough, and it shows that what is broken is
/// found.
#[test]
fn a_journal_in_memory_promises_nothing() {
    let Some(outcomes) = transfers("memory", "extra", 0, &[Model::Process]) else { return };
    let violations = &outcomes[0].violations;
    assert!(violations.iter().any(|text| text.contains("money was lost or made")), "{violations:?}");
}

/// It bites: each sync of the layer and of SQLite is left out, one at a time, and all but one are missed. That
/// one makes the name of the first journal durable. Without it the journal is empty after a loss of power, and
/// so it may be, until the copy of the database that is written has its name; the sync of that does both.
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
