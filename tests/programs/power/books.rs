//! What a ledger comes to, by SQLite as it is compiled for this machine. Of many states that a crash
//! leaves few differ in the files of the database, so each of these is opened once.

use std::collections::HashMap;
use std::fs;
use std::sync::{Mutex, PoisonError};

use super::ledger;

/// For one process alone.
pub(super) const LOCKS: &str = "unix-none";

/// The files of a database, as a program sees them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Files {
    pub(super) database: Vec<u8>,
    /// The journal, if there is one.
    pub(super) journal: Option<Vec<u8>>,
    /// What had been printed.
    pub(super) printed: String,
}

type Answer = Result<i64, String>;

/// What is known of files.
#[derive(Default)]
pub(super) struct Books {
    known: Mutex<HashMap<Files, Answer>>,
}

impl Books {
    /// How many transfers are done, or what is wrong.
    pub(super) fn check(&self, files: &Files) -> Answer {
        if let Some(answer) = self.known().get(files) {
            return answer.clone();
        }
        let answer = checked(files);
        self.known().insert(files.clone(), answer.clone());
        answer
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Files, Answer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn checked(files: &Files) -> Answer {
    let place = tempfile::tempdir().expect("a temporary directory");
    let database = place.path().join("ledger.db");
    fs::write(&database, &files.database).expect("a writable directory");
    if let Some(journal) = &files.journal {
        fs::write(place.path().join("ledger.db-journal"), journal).expect("a writable directory");
    }
    ledger::check(&database, LOCKS, &files.printed)
}
