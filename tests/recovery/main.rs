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

/// As [`check`], for a decision that cannot be completed: it is parked with its staging, the root opens, every path that
/// it does not change can be changed, and giving it up moves all of it to the quarantine.
#[track_caller]
fn check_parked(context: &str, before: &Tree, place: &str, subject: &str) {
    let scene = Scene::with(TIMELESS, before);
    let seen = inspect(scene.fs.clone(), &operations::preopens(&scene.fs), "/ws").expect("an inspection");
    assert_eq!(verdicts(&seen), [(Verdict::Parked, place)], "{context}: inspect");
    scene.ends_as(&format!("{context}: inspect"), before);
    let log = before.bytes("ws/.onionskin/log").expect("a log").to_vec();
    let mut parked = before.clone().remove("ws/.onionskin/log").file("ws/.onionskin/parked-7", log);
    for time in ["first", "second"] {
        let found = opened(&scene.fs).expect("an obstacle locks nobody out");
        assert_eq!(verdicts(&found), [(Verdict::Parked, place)], "{context}: {found:?}");
        assert!(found[0].detail.contains(subject), "{context}: {found:?}");
        let reason = scene.fs.tree().bytes("ws/.onionskin/reason-7").expect("the obstacle is described").to_vec();
        assert!(found[0].detail.contains(&*String::from_utf8_lossy(&reason)), "{context}: {found:?}");
        parked = parked.file("ws/.onionskin/reason-7", reason);
        scene.ends_as(&format!("{context}: the {time} time"), &parked);
    }
    let seen = inspect(scene.fs.clone(), &operations::preopens(&scene.fs), "/ws").expect("an inspection");
    assert_eq!(verdicts(&seen), [(Verdict::Parked, place)], "{context}: inspect, once it is parked");
    let store = scene.open();
    let options = onionskin::store::WriteOptions::default();
    let refused = store.replace(subject, b"x".to_vec(), &options);
    assert_eq!(outcome(refused.map(drop)), support::refused("parked", subject), "{context}");
    store.replace("another", b"x".to_vec(), &options).expect("another path can be changed");
    scene.ends_as(&format!("{context}: another path"), &parked.clone().file("ws/another", "x"));
    assert_eq!(outcome(store.abandon(8).map(drop)), support::refused("not-found", ".onionskin/parked-8"), "{context}");
    let given_up = store.abandon(7).expect("it is given up");
    assert_eq!(given_up.verdict, Verdict::Quarantined, "{context}");
    drop(store);
    assert_eq!(opened(&scene.fs), Ok(Vec::new()), "{context}: nothing is pending any more");
    let kept = |name: &[u8]| {
        let name = String::from_utf8_lossy(name);
        !name.starts_with("ws/.onionskin/") && !name.contains(".onionskin-7")
    };
    let now = scene.fs.tree();
    for (name, node) in before.iter().filter(|(name, _)| kept(name)) {
        assert_eq!(now.get(name), Some(node), "{context}: {}", String::from_utf8_lossy(name));
    }
    let contents = |tree: &Tree| {
        let mut all: Vec<Vec<u8>> = tree.iter().filter_map(|(name, _)| tree.bytes(name).map(<[u8]>::to_vec)).collect();
        all.sort();
        all
    };
    let expected = contents(&before.clone().file("ws/another", "x"));
    assert_eq!(contents(&now), expected, "{context}: no content is lost\n{now}");
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
    Journal { unsynced: false, kept: false, epoch: 0, transaction: 7, ops }
}
