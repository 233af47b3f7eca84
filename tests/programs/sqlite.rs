//! SQLite, with a transfer between two accounts. What is found is what its documentation says.

use rusqlite::Connection;
use tempfile::TempDir;

use crate::ledgers::program;
use crate::trial::{Said, crash};

/// A ledger that is at rest.
fn before() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ledger = Connection::open(directory.path().join("ledger.db")).expect("a new database");
    let accounts = "CREATE TABLE account (name TEXT PRIMARY KEY, money INTEGER);
                    INSERT INTO account VALUES ('one', 60), ('two', 40);";
    ledger.execute_batch(accounts).expect("two accounts");
    directory
}

pub(crate) fn transfer(synchronous: &str, locks: &str, more: &[&str]) -> Option<Said> {
    let before = before();
    let directory = before.path().to_str().expect("a plain name");
    let (run, check) = (format!("transfer {synchronous} {locks}"), format!("check {locks}"));
    Some(crash(program()?, &run, &check, &[&["--dir", directory, "--format", "json"], more].concat()))
}

/// `extra` promises all: the directory is synced after the journal is removed, which decides.
#[test]
fn extra_keeps_everything() {
    let Some(said) = transfer("extra", "unix-none", &[]) else { return };
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let told: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    println!("SQLite, extra: {}", told["totals"]);
}

/// `full` leaves that sync out: never is money lost, but a transfer that was told may be undone.
#[test]
fn full_may_forget_the_last_transfer() {
    let Some(said) = transfer("full", "unix-none", &["--model", "ordered"]) else { return };
    let violations = said.violations();
    assert!(!violations.is_empty(), "it forgets nothing");
    for (text, _) in &violations {
        assert!(text.contains("transfers told of: 1, done: 0"), "{text}");
    }
}

/// `off` syncs nothing: the database is damaged.
#[test]
fn off_is_damaged() {
    let Some(said) = transfer("off", "unix-none", &["--model", "ordered"]) else { return };
    let violations = said.violations();
    let is_damage = |(text, _): &(String, String)| text.contains("*** in database main ***");
    assert!(violations.iter().any(is_damage), "{violations:#?}");
}

/// In WASI the default lock is a directory, and nobody removes it for a process that was killed.
#[test]
fn the_default_lock_outlives_its_owner() {
    let Some(said) = transfer("extra", "unix-dotfile", &["--model", "process"]) else { return };
    let violations = said.violations();
    assert!(!violations.is_empty(), "the lock went away");
    for (text, image) in &violations {
        assert!(text.contains("database is locked") && image.contains("files/ledger.db.lock/"), "{text}\n{image}");
    }
}
