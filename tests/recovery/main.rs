//! Opening a root completes or undoes interrupted changes, and never guesses.
//!
//! | promise | module |
//! |---|---|
//! | remains of a change that was never decided are removed | [`remains`] |
//! | a decided change is completed, or everything is kept | [`decisions`] |
//! | a damaged log is never applied | [`damage`] |
//! | the work grows with the log, and no faster | [`large`] |
//! | a directory is old or new as a whole after an interrupted swap | [`siblings`] |
//! | a root has one owner at a time, and a takeover takes effect at once | [`locks`] |

use onionskin_tests_core as support;

mod damage;
mod decisions;
mod large;
mod locks;
mod remains;
mod siblings;

use onionskin::error::Error;
use onionskin::fs::Kind;
use onionskin::journal::{self, Change, Journal, Old, OldEntry, Op};
use onionskin::path::RelPath;
use onionskin::recover::{Finding, Verdict};
use onionskin::store::inspect;
use onionskin_sim::{SimFs, Switches, Tree, operations};

use support::{Outcome, Scene, outcome, verdicts};

/// A filesystem without times, so that the recorded state of a path can be written by hand.
const TIMELESS: Switches = Switches { times: false, ..Switches::PLAIN };

type Findings<'a> = &'a [(Verdict, &'a str)];

/// Opens the root and returns its findings.
fn opened(fs: &SimFs) -> Result<Vec<Finding>, Error> {
    operations::open(fs).map(|store| store.recovered())
}

/// Opens the root and asserts the findings and the resulting tree; further that `inspect` changes nothing, that a
/// refusal changes nothing, and that a second open finds nothing.
#[track_caller]
fn check(context: &str, before: &Tree, expected: &Outcome<Findings<'_>>, after: &Tree) {
    let scene = Scene::with(TIMELESS, before);
    let seen = inspect(scene.fs.clone(), &operations::preopens(&scene.fs), "/ws");
    scene.ends_as(&format!("{context}: inspect"), before);
    let found = opened(&scene.fs);
    let words = format!("{context}: inspect: {seen:?}, open: {found:?}");
    match (&found, expected) {
        (Ok(found), Ok(expected)) => assert_eq!(verdicts(found), *expected, "{words}"),
        (found, expected) => {
            let found = outcome(found.clone()).map(|_| ());
            assert_eq!(found, expected.clone().map(|_| ()), "{words}");
            assert!(seen.is_err(), "{words}");
        }
    }
    scene.ends_as(context, after);
    let again = opened(&scene.fs);
    if expected.is_ok() {
        assert_eq!(again, Ok(Vec::new()), "{context}: the second time there is nothing to find");
    } else {
        assert_eq!(again, found, "{context}: the second time it is the same");
    }
    scene.ends_as(&format!("{context}: the second time"), after);
}

/// As [`check`], for a root that must be refused as corrupt without a change.
#[track_caller]
fn check_corrupt(context: &str, before: &Tree, subject: &str) {
    check(context, before, &support::refused("corrupt", subject), before);
}

fn path(text: &str) -> RelPath {
    RelPath::parse_any(text).expect("a good path")
}

fn old(size: u64) -> Old {
    Some(OldEntry { kind: Kind::File, size, modified: None })
}

fn put(at: &str, staged: u32, bytes: &str, old: Old) -> Op {
    let digest = Some(journal::digest(bytes.as_bytes()));
    Op { path: path(at), change: Change::Put { staged, length: bytes.len() as u64, digest, old } }
}

fn delete(at: &str, old: Old) -> Op {
    Op { path: path(at), change: Change::Delete { old } }
}

/// Encodes the decision of transaction 7 in the first epoch.
fn journal(ops: Vec<Op>) -> Journal {
    Journal { unsynced: false, epoch: 0, transaction: 7, ops }
}
