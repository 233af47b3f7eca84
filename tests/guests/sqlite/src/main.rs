//! A ledger in SQLite: two accounts, and money that moves between them.
//!
//!     ledger transfer SYNCHRONOUS LOCKS    ten from one to the other, in a transaction
//!     ledger check LOCKS                   the database is sound, no money is lost, and a transfer of
//!                                          which standard input, which is what was printed, says that
//!                                          it is done, is done
//!
//! SYNCHRONOUS is that of SQLite, such as `full` or `off`. LOCKS is the name of its way to lock:
//! `unix-none`, for one process alone, or `unix-dotfile`, the default where there are no locks of the
//! operating system, as in WASI.

use std::process::ExitCode;

use rusqlite::{Connection, OpenFlags, Result};

const FILE: &str = "ledger.db";
const DONE: &str = "transferred";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let wrong = match words[..] {
        ["transfer", synchronous, locks] => transfer(synchronous, locks).err().map(|error| error.to_string()),
        ["check", locks] => check(locks).unwrap_or_else(|error| Some(error.to_string())),
        _ => Some("usage: ledger transfer SYNCHRONOUS LOCKS | check LOCKS".to_owned()),
    };
    match wrong {
        None => ExitCode::SUCCESS,
        Some(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn open(locks: &str) -> Result<Connection> {
    Connection::open_with_flags_and_vfs(FILE, OpenFlags::SQLITE_OPEN_READ_WRITE, locks)
}

fn transfer(synchronous: &str, locks: &str) -> Result<()> {
    let ledger = open(locks)?;
    ledger.pragma_update(None, "synchronous", synchronous)?;
    ledger.execute_batch(
        "BEGIN;
         UPDATE account SET money = money - 10 WHERE name = 'one';
         UPDATE account SET money = money + 10 WHERE name = 'two';
         COMMIT;",
    )?;
    println!("{DONE}");
    Ok(())
}

/// What is wrong, if anything is.
fn check(locks: &str) -> Result<Option<String>> {
    let ledger = open(locks)?;
    let sound: String = ledger.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if sound != "ok" {
        return Ok(Some(sound));
    }
    let money = |name: &str| ledger.query_row("SELECT money FROM account WHERE name = ?1", [name], |row| row.get(0));
    let found: (i64, i64) = (money("one")?, money("two")?);
    let printed = std::io::read_to_string(std::io::stdin()).unwrap_or_default();
    Ok(match (found, printed.contains(DONE)) {
        ((50, 50), _) | ((60, 40), false) => None,
        (found, true) => Some(format!("the transfer was done, and there is {found:?}")),
        (found, false) => Some(format!("money was lost or made: {found:?}")),
    })
}
