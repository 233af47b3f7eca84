//! Works on a SQLite database in place, as any program would.
//!
//!     database FILE add JOURNAL COUNT      one transaction with COUNT rows and a changed sum
//!     database FILE many JOURNAL COUNT     COUNT transactions with one row each, all durable
//!     database FILE check                  checks the database and its sum; prints the number of rows
//!     database FILE vacuum                 rewrites the database
//!
//! JOURNAL is `delete`, `truncate`, `persist` or `memory`. The rows are in the table `entry`, their sum in `total`, so
//! that a partial transaction shows in the sum.

use std::process::ExitCode;

use rusqlite::{Connection, OpenFlags, Result};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        [file, "add", journal, count] => transactions(file, journal, 1, number(count)),
        [file, "many", journal, count] => transactions(file, journal, number(count), 1),
        [file, "check"] => check(file),
        [file, "vacuum"] => open(file).and_then(|database| database.execute_batch("VACUUM")),
        _ => {
            eprintln!("usage: database FILE add|many JOURNAL COUNT | check | vacuum");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(1)
}

/// The lock of this build of SQLite is a directory, which a killed process would leave.
fn open(file: &str) -> Result<Connection> {
    Connection::open_with_flags_and_vfs(file, OpenFlags::SQLITE_OPEN_READ_WRITE, "unix-none")
}

fn transactions(file: &str, journal: &str, transactions: u64, rows: u64) -> Result<()> {
    let mut database = open(file)?;
    let mode: String = database.query_row(&format!("PRAGMA journal_mode = {journal}"), [], |row| row.get(0))?;
    database.pragma_update(None, "synchronous", "full")?;
    for _ in 0..transactions {
        let change = database.transaction()?;
        for _ in 0..rows {
            change.execute("INSERT INTO entry (text, value) VALUES ('a new entry with some text', 3)", [])?;
        }
        change.execute("UPDATE total SET value = value + 3 * ?1", [rows as i64])?;
        change.commit()?;
    }
    println!("{mode}: {} rows", transactions * rows);
    Ok(())
}

fn check(file: &str) -> Result<()> {
    let database = open(file)?;
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    let (count, sum): (i64, i64) =
        database.query_row("SELECT count(*), coalesce(sum(value), 0) FROM entry", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let total: i64 = database.query_row("SELECT value FROM total", [], |row| row.get(0))?;
    println!("{sound}: {count} entries, {}", if sum == total { "sum kept" } else { "SUM LOST" });
    Ok(())
}
