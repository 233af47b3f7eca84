//! A ledger in SQLite: two accounts, and money that moves between them.
//!
//!     ledger transfer SYNCHRONOUS LOCKS [JOURNAL COUNT]
//!                                          ten from one to the other, COUNT times, each in a transaction
//!                                          and told when it is done; once, with the journal that is the
//!                                          default, unless it is said
//!     ledger check LOCKS                   the database is sound, no money is lost, and as many transfers
//!                                          as standard input, which is what was printed, tells are done,
//!                                          or one more; says on standard error how many there are
//!
//! SYNCHRONOUS is that of SQLite, such as `full` or `off`, and JOURNAL its journal mode. LOCKS is the name
//! of its way to lock: `unix-none`, for one process alone, or `unix-dotfile`, the default where there are
//! no locks of the operating system, as in WASI.

mod ledger;

use std::path::Path;
use std::process::ExitCode;

use ledger::{DONE, MOVED, check, open};

/// In the directory that the program is given.
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
