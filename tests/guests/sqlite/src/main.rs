//! A ledger in SQLite: two accounts, and money that moves between them.
//!
//!     ledger transfer SYNCHRONOUS LOCKS [JOURNAL COUNT]
//!                                          moves ten from one to the other, COUNT times, each in a
//!                                          transaction that is acknowledged; once with the default
//!                                          journal without these arguments
//!     ledger check LOCKS                   checks the database, that no money is lost, and that the
//!                                          acknowledged transfers of standard input, which is the
//!                                          printed text, are done, or one more; prints their number on
//!                                          standard error
//!
//! SYNCHRONOUS is a setting of SQLite, such as `full` or `off`, and JOURNAL its journal mode. LOCKS names its way to
//! lock: `unix-none`, for a single process, or `unix-dotfile`, the default where the operating system has no locks, as
//! in WASI.

mod ledger;

use std::path::Path;
use std::process::ExitCode;

use ledger::{DONE, MOVED, check, open};

/// In the directory that is granted to the program.
const FILE: &str = "ledger.db";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words[..] {
        ["transfer", synchronous, locks] => transfer(synchronous, locks, "delete", 1),
        ["transfer", synchronous, locks, journal, count] => match count.parse() {
            Ok(count) => transfer(synchronous, locks, journal, count),
            Err(error) => Err(format!("{count}: {error}")),
        },
        ["check", locks] => checked(locks),
        _ => Err("usage: ledger transfer SYNCHRONOUS LOCKS [JOURNAL COUNT] | check LOCKS".to_owned()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprint!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn transfer(synchronous: &str, locks: &str, journal: &str, count: u32) -> Result<(), String> {
    let transfers = || {
        let ledger = open(Path::new(FILE), locks)?;
        ledger.pragma_update_and_check(None, "journal_mode", journal, |_| Ok(()))?;
        ledger.pragma_update(None, "synchronous", synchronous)?;
        for _ in 0..count {
            ledger.execute_batch(&format!(
                "BEGIN;
                 UPDATE account SET money = money - {MOVED} WHERE name = 'one';
                 UPDATE account SET money = money + {MOVED} WHERE name = 'two';
                 COMMIT;",
            ))?;
            println!("{DONE}");
        }
        Ok(())
    };
    transfers().map_err(|error: rusqlite::Error| error.to_string())
}

fn checked(locks: &str) -> Result<(), String> {
    let printed = std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string())?;
    let done = check(Path::new(FILE), locks, &printed)?;
    eprint!("done: {done}");
    Ok(())
}
