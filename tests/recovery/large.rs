//! The work of a recovery grows with its log, and no faster: a log of many records, from wherever it comes, does not
//! keep its root busy.

use onionskin::journal::{Change, Journal, LINK_LENGTH, Op};
use onionskin::path::RelPath;
use onionskin_sim::{operations, tree};

use crate::support::Scene;

/// Opens a root with a log of this many records, of every kind that needs no content; returns the calls that it takes.
fn calls(records: usize) -> u32 {
    let change = |number: usize| match number % 4 {
        0 => Change::MakeDir,
        1 => Change::Delete { old: None },
        2 => Change::RemoveDir,
        _ => Change::Put { staged: 0, length: LINK_LENGTH, digest: None, old: None },
    };
    let op = |number| Op {
        path: RelPath::parse(&format!("d{}/e{number}", number % 7)).expect("a good path"),
        change: change(number),
    };
    let journal =
        Journal { unsynced: false, kept: false, epoch: 0, transaction: 1, ops: (0..records).map(op).collect() };
    let mut before = tree! { dir "ws/.onionskin/tx-1"; symlink "ws/.onionskin/tx-1/0" = "target"; };
    for number in 0..7 {
        before = before.dir(format!("ws/d{number}"));
    }
    let scene = Scene::new(&before.file("ws/.onionskin/log", journal.encode()));
    let start = scene.fs.counts().calls;
    let opened = operations::open(&scene.fs).map(|store| store.recovered().len());
    println!("{records} records: {} calls, {opened:?} findings", scene.fs.counts().calls - start);
    assert!(opened.is_ok(), "{opened:?}");
    scene.fs.counts().calls - start
}

/// Four times the records take four times the calls at most, and a constant.
#[test]
fn the_calls_of_a_recovery_are_linear_in_its_log() {
    let (few, many) = (calls(10_000), calls(40_000));
    assert!(many <= 4 * few + 1_000, "{few} calls for 10,000 records, {many} for 40,000");
}
