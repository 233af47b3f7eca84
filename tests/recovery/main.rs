//! Opening a root finishes or undoes what a crash left, and never guesses.
//!
//! | promise | module |
//! |---|---|
//! | remains of a change that was never decided go away | [`remains`] |
//! | a decided change is completed, or everything is kept | [`decisions`] |
//! | a log that is not what was written is never applied | [`damage`] |
//! | a directory that was being swapped is whole, old or new | [`siblings`] |
//! | one owner at a time, and a takeover counts | [`locks`] |

#[path = "../support/mod.rs"]
mod support;

mod damage;
mod decisions;
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

use support::{Scene, Told, told, verdicts};

/// A filesystem that tells no times, so that what stood at a path can be written down by hand.
const TIMELESS: Switches = Switches {
    directory_sync: true,
    hard_links: true,
    symlinks: true,
    ignore_case: false,
    short_writes: false,
    listing_reversed: false,
    times: false,
};

type Findings<'a> = &'a [(Verdict, &'a str)];

/// What opening says of a tree.
fn opened(fs: &SimFs) -> Result<Vec<Finding>, Error> {
    operations::open(fs).map(|store| store.recovered())
}

/// Opens what is there, and asserts what was found and what is there then; and that `inspect`
/// changes nothing, that a refusal changes nothing, and that opening twice is opening once.
#[track_caller]
fn check(what: &str, before: &Tree, expected: &Told<Findings<'_>>, after: &Tree) {
    let scene = Scene::with(TIMELESS, before);
    let seen = inspect(scene.fs.clone(), &operations::preopens(&scene.fs), "/ws");
    scene.ends_as(&format!("{what}: inspect"), before);
    let found = opened(&scene.fs);
    let words = format!("{what}: inspect said {seen:?}, opening said {found:?}");
    match (&found, expected) {
        (Ok(found), Ok(expected)) => assert_eq!(verdicts(found), *expected, "{words}"),
        (found, expected) => {
            let found = told(found.clone()).map(|_| ());
            assert_eq!(found, expected.clone().map(|_| ()), "{words}");
            assert!(seen.is_err(), "{words}");
        }
    }
    scene.ends_as(what, after);
    let again = opened(&scene.fs);
    if expected.is_ok() {
        assert_eq!(again, Ok(Vec::new()), "{what}: the second time there is nothing to find");
    } else {
        assert_eq!(again, found, "{what}: the second time it is the same");
    }
    scene.ends_as(&format!("{what}: the second time"), after);
}

/// As [`check`], where nothing may change.
#[track_caller]
fn check_corrupt(what: &str, before: &Tree, subject: &str) {
    check(what, before, &support::refused("corrupt", subject), before);
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

/// The decision of transaction 7 in the first epoch.
fn journal(ops: Vec<Op>) -> Journal {
    Journal { unsynced: false, epoch: 0, transaction: 7, ops }
}
