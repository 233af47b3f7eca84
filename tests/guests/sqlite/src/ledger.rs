//! What a ledger has to hold. The program has this from its file, and so have the tests, which look at
//! many more files than they can start programs.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Result};

/// What is printed of each transfer.
pub(crate) const DONE: &str = "transferred";
/// What moves at a time.
pub(crate) const MOVED: i64 = 10;
/// What `one` has at the beginning, and what both have together.
const FIRST: i64 = 60;
const SUM: i64 = 100;

pub(crate) fn open(file: &Path, locks: &str) -> Result<Connection> {
    Connection::open_with_flags_and_vfs(file, OpenFlags::SQLITE_OPEN_READ_WRITE, locks)
}

/// How many transfers are done; an error if the database is not sound, or money was lost or made.
pub(crate) fn done(file: &Path, locks: &str) -> Result<i64, String> {
    let (one, two) = accounts(file, locks).map_err(|error| error.to_string())??;
    let done = (FIRST - one) / MOVED;
    if one + two != SUM || one != FIRST - done * MOVED {
        return Err(format!("money was lost or made: {one} and {two}"));
    }
    Ok(done)
}

/// The same; an error, too, if it is not as many as were told of, or one more.
pub(crate) fn check(file: &Path, locks: &str, printed: &str) -> Result<i64, String> {
    let done = done(file, locks)?;
    let told = printed.lines().filter(|line| *line == DONE).count() as i64;
    if done < told || done > told + 1 {
        return Err(format!("transfers told of: {told}, done: {done}"));
    }
    Ok(done)
}

/// What is in the accounts, or what SQLite says of a database that is not sound.
fn accounts(file: &Path, locks: &str) -> Result<Result<(i64, i64), String>> {
    let ledger = open(file, locks)?;
    let sound: String = ledger.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if sound != "ok" {
        return Ok(Err(sound));
    }
    let money = |name: &str| ledger.query_row("SELECT money FROM account WHERE name = ?1", [name], |row| row.get(0));
    Ok(Ok((money("one")?, money("two")?)))
}
