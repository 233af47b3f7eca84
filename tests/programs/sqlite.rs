//! SQLite, with a transfer between two accounts. The violations are those that its documentation names.

use rusqlite::Connection;
use tempfile::TempDir;

use crate::ledgers::program;
use crate::trial::{Output, crash};

/// Creates a ledger at rest.
fn before() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ledger = Connection::open(directory.path().join("ledger.db")).expect("a new database");
    let accounts = "CREATE TABLE account (name TEXT PRIMARY KEY, money INTEGER);
                    INSERT INTO account VALUES ('one', 60), ('two', 40);";
    ledger.execute_batch(accounts).expect("two accounts");
    directory
}

pub(crate) fn transfer(synchronous: &str, locks: &str, more: &[&str]) -> Option<Output> {
    let before = before();
    let directory = before.path().to_str().expect("a plain name");
    let (run, check) = (format!("transfer {synchronous} {locks}"), format!("check {locks}"));
    Some(crash(program()?, &run, &check, &[&["--dir", directory, "--format", "json"], more].concat()))
}

/// `extra` keeps every promise: the directory is synced after the journal is removed, which is the commit point.
#[test]
fn extra_keeps_everything() {
    let Some(output) = transfer("extra", "unix-none", &[]) else { return };
    assert_eq!(output.code, Some(0), "{}{}", output.out, output.err);
    let report: serde_json::Value = serde_json::from_str(&output.out).expect("JSON");
    println!("SQLite, extra: {}", report["totals"]);
}

/// `full` omits that sync: money is never lost, but an acknowledged transfer may be undone.
#[test]
fn full_may_forget_the_last_transfer() {
    let Some(output) = transfer("full", "unix-none", &["--model", "ordered"]) else { return };
    let violations = output.violations();
    assert!(!violations.is_empty(), "no transfer was undone");
    for (text, _) in &violations {
        assert!(text.contains("transfers acknowledged: 1, done: 0"), "{text}");
    }
}

/// `off` syncs nothing: the database is damaged.
#[test]
fn off_is_damaged() {
    let Some(output) = transfer("off", "unix-none", &["--model", "ordered"]) else { return };
    let violations = output.violations();
    let is_damage = |(text, _): &(String, String)| text.contains("*** in database main ***");
    assert!(violations.iter().any(is_damage), "{violations:#?}");
}

/// In WASI the default lock is a directory, which no process removes after its owner was killed.
#[test]
fn the_default_lock_outlives_its_owner() {
    let Some(output) = transfer("extra", "unix-dotfile", &["--model", "process"]) else { return };
    let violations = output.violations();
    assert!(!violations.is_empty(), "the lock was removed");
    for (text, image) in &violations {
        assert!(text.contains("database is locked") && image.contains("files/ledger.db.lock/"), "{text}\n{image}");
    }
}
