//! SQLite, unmodified, on a database in the lower directory.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::ground::Ground;
use crate::guests::program;
use crate::trial::Trial as _;

/// Creates a database of some size in the lower directory at the bottom.
fn ground(rows: u32) -> Ground {
    Ground::new(|_, base| {
        let mut database = Connection::open(base.join("book.db")).expect("a new database");
        let tables = "CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT, value INTEGER);
                      CREATE INDEX by_value ON entry (value);
                      CREATE TABLE total (value INTEGER);
                      INSERT INTO total VALUES (0);";
        database.execute_batch(tables).expect("new tables");
        let fill = database.transaction().expect("no other connection is open");
        for row in 0..rows {
            let text = format!("entry {row} with some text so that there are pages enough");
            fill.execute("INSERT INTO entry (text, value) VALUES (?1, ?2)", (text, row % 7)).expect("a row");
        }
        fill.execute("UPDATE total SET value = (SELECT sum(value) FROM entry)", []).expect("a sum");
        fill.commit().expect("no other connection is open");
    })
}

const DATABASE: &str = "/data/book.db";

/// Rows can be added and read, the database stays sound in every journal mode in succession, and the lower directory
/// stays byte-identical.
#[test]
fn every_journal_mode_is_as_on_a_plain_directory() {
    let Some(program) = program("database") else { return };
    let ground = ground(2000);
    for (round, journal) in ["delete", "truncate", "persist", "memory", "delete"].into_iter().enumerate() {
        let said = ground.compare(&program, &[DATABASE, "add", journal, "50"]);
        assert_eq!((said.code, said.out), (Some(0), format!("{journal}: 50 rows\n")), "{}", said.err);
        let said = ground.compare(&program, &[DATABASE, "many", journal, "10"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let rows = 2000 + 60 * (round + 1);
        let said = ground.compare(&program, &[DATABASE, "check"]);
        assert_eq!((said.code, said.out), (Some(0), format!("ok: {rows} entries, sum kept\n")), "{}", said.err);
        ground.assert_lowers_stay();
    }
    assert_eq!(ground.compare(&program, &[DATABASE, "vacuum"]).code, Some(0));
    let said = ground.compare(&program, &[DATABASE, "check"]);
    assert_eq!(said.out, "ok: 2300 entries, sum kept\n", "{}", said.err);
    ground.assert_lowers_stay();
    ground.compare(&program, &["/data/missing.db", "check"]);
}

/// Killed before any call that makes a change, and started again: the transaction happened as a whole or not at all,
/// whatever the layer was doing. Journals in memory are excluded, since they do not promise that.
#[test]
fn killed_at_any_call_a_transaction_is_whole_or_absent() {
    let Some(program) = program("database") else { return };
    let ground = ground(200);
    for journal in ["delete", "truncate", "persist"] {
        let mut is_done = false;
        for call in 1.. {
            forget(&ground.at("upper"));
            let at = call.to_string();
            let killed = ground.layered(&["--crash-at", &at], &program, &[DATABASE, "add", journal, "5"]);
            let said = ground.layered(&[], &program, &[DATABASE, "check"]);
            let told = format!("{journal}, killed at {call}: {} {}{}", killed.err, said.out, said.err);
            let is_there = match said.out.as_str() {
                "ok: 205 entries, sum kept\n" => true,
                "ok: 200 entries, sum kept\n" => false,
                _ => panic!("{told}"),
            };
            assert!(is_there || !is_done, "an acknowledged transaction is gone: {told}");
            is_done = is_there;
            ground.assert_lowers_stay();
            match killed.code {
                Some(70) => {}
                Some(0) => {
                    assert!(is_there && call > 20, "{told}");
                    println!("{journal}: killed at {} calls", call - 1);
                    break;
                }
                _ => panic!("{told}"),
            }
        }
    }
}

fn forget(upper: &Path) {
    if upper.exists() {
        fs::remove_dir_all(upper).expect("it belongs to the test");
    }
}
