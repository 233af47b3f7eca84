//! The invariants of the ledger, shared by the program and the tests, which check many more files than they could start
//! programs for.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Result};

/// The line that acknowledges a transfer.
pub const DONE: &str = "transferred";
/// The amount of a transfer.
pub const MOVED: i64 = 10;
/// The initial amount of `one`, and the sum of both accounts.
const FIRST: i64 = 60;
const SUM: i64 = 100;

pub fn open(file: &Path, locks: &str) -> Result<Connection> {
    Connection::open_with_flags_and_vfs(file, OpenFlags::SQLITE_OPEN_READ_WRITE, locks)
}

/// Returns the number of completed transfers; an error if the database is damaged, or money was lost or made.
pub fn done(file: &Path, locks: &str) -> Result<i64, String> {
    let (one, two) = accounts(file, locks).map_err(|error| error.to_string())??;
    let done = (FIRST - one) / MOVED;
    if one + two != SUM || one != FIRST - done * MOVED {
        return Err(format!("money was lost or made: {one} and {two}"));
    }
    Ok(done)
}

/// Returns the same; an error, too, unless it is the number of acknowledged transfers, or one more.
pub fn check(file: &Path, locks: &str, printed: &str) -> Result<i64, String> {
    let done = done(file, locks)?;
    let acknowledged = printed.lines().filter(|line| *line == DONE).count() as i64;
    if done < acknowledged || done > acknowledged + 1 {
        return Err(format!("transfers acknowledged: {acknowledged}, done: {done}"));
    }
    Ok(done)
}

/// Returns the amounts of both accounts, or the damage that SQLite reports.
fn accounts(file: &Path, locks: &str) -> Result<Result<(i64, i64), String>> {
    let ledger = open(file, locks)?;
    let sound: String = ledger.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if sound != "ok" {
        return Ok(Err(sound));
    }
    let money = |name: &str| ledger.query_row("SELECT money FROM account WHERE name = ?1", [name], |row| row.get(0));
    Ok(Ok((money("one")?, money("two")?)))
}
