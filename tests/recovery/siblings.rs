//! A directory is old or new as a whole after an interrupted swap, at every crash point.

use onionskin::journal::{Change, Op};
use onionskin::recover::Verdict::{RolledBack, RolledForward, Swept};
use onionskin_sim::{Tree, tree};

use crate::{Findings, check, check_parked, delete, journal, old, path};

const FORWARD: Findings<'_> = &[(RolledForward, "d"), (Swept, ".onionskin/tx-7")];

fn around() -> Tree {
    tree! { file "lower/original" = "ground truth"; file "ws/beside" = "kept"; }
}

/// The decided change: a new `d`, from which `gone` was removed.
fn log() -> Vec<u8> {
    journal(vec![Op { path: path("d"), change: Change::Switch }, delete("d/gone", old(1))]).encode()
}

fn decided() -> Tree {
    around().file("ws/.onionskin/tx-7/intent", log()).file("ws/.onionskin/log", log())
}

fn with_old(tree: Tree, at: &str) -> Tree {
    tree.file(format!("{at}/f"), "old").file(format!("{at}/gone"), "g").file(format!("{at}/sub/kept"), "k")
}

fn with_new(tree: Tree, at: &str) -> Tree {
    tree.file(format!("{at}/f"), "new").file(format!("{at}/sub/kept"), "k")
}

/// All combinations of the path and its two siblings, after the commit point.
#[test]
fn every_combination_of_siblings_under_a_decision() {
    let new = || with_new(around(), "ws/d");
    let (sibling_new, sibling_old) = ("ws/.onionskin-7.new", "ws/.onionskin-7.old");
    check("switched and cleaned", &with_new(decided(), "ws/d"), &Ok(FORWARD), &new());
    check("not switched", &with_new(with_old(decided(), "ws/d"), sibling_new), &Ok(FORWARD), &new());
    check("switched", &with_old(with_new(decided(), "ws/d"), sibling_old), &Ok(FORWARD), &new());
    check("half switched", &with_old(with_new(decided(), sibling_new), sibling_old), &Ok(FORWARD), &new());
    check("first creation", &with_new(decided(), sibling_new), &Ok(FORWARD), &new());
    let lost = with_old(decided(), sibling_old);
    let expected: Findings<'_> = &[(RolledBack, "d"), (RolledForward, "d"), (Swept, ".onionskin/tx-7")];
    check("the last copy", &lost, &Ok(expected), &with_old(around(), "ws/d"));
    check_parked("nothing at all", &decided(), "d", "d");
    let all = with_old(with_new(with_old(decided(), "ws/d"), sibling_new), sibling_old);
    check_parked("one too many", &all, "d", "d");
}

/// Entries added to the old directory while the new one was prepared are kept; entries that the transaction removed are
/// not.
#[test]
fn late_entries_are_kept() {
    let switched = with_old(with_new(decided(), "ws/d"), "ws/.onionskin-7.old");
    let late = switched.file("ws/.onionskin-7.old/late", "late").file("ws/.onionskin-7.old/sub/deep/late", "late");
    let late = late.symlink("ws/.onionskin-7.old/sub/link", "kept").other("ws/.onionskin-7.old/pipe");
    let after = with_new(around(), "ws/d").file("ws/d/late", "late").file("ws/d/sub/deep/late", "late");
    check("late", &late, &Ok(FORWARD), &after.symlink("ws/d/sub/link", "kept").other("ws/d/pipe"));
}

/// A link was replaced by a copy of its target: the target stays.
#[test]
fn a_link_that_was_materialized_is_switched_too() {
    let switch = journal(vec![Op { path: path("d"), change: Change::Switch }]).encode();
    let before = around().file("ws/real/f", "new").symlink("ws/d", "real").file("ws/.onionskin/log", &switch);
    let before = before.file("ws/.onionskin/tx-7/intent", &switch).file("ws/.onionskin-7.new/f", "new");
    check("a link", &before, &Ok(FORWARD), &around().file("ws/real/f", "new").file("ws/d/f", "new"));
}

/// The first publish by pointer: the directory is replaced by a link to its first generation.
#[test]
fn a_directory_that_a_pointer_replaces() {
    let pointer = Change::Pointer { directory: 1, generation: 1, oldest: 1 };
    let ops = || vec![Op { path: path("d"), change: Change::Switch }, Op { path: path("d"), change: pointer.clone() }];
    let log = journal(ops()).encode();
    let base = with_new(around(), "ws/.onionskin/directories/1/1");
    let after = base.clone().symlink("ws/d", ".onionskin/directories/1/1");
    let base = base.file("ws/.onionskin/tx-7/intent", &log).file("ws/.onionskin/log", &log);
    let text = ".onionskin/directories/1/1";
    let not_switched = with_new(base.clone(), "ws/d").symlink("ws/.onionskin-7.new", text);
    check("not switched", &not_switched, &Ok(FORWARD), &after);
    let half = with_new(base.clone(), "ws/.onionskin-7.old").symlink("ws/.onionskin-7.new", text);
    check("half switched", &half, &Ok(FORWARD), &after);
    let switched = with_new(base, "ws/.onionskin-7.old").symlink("ws/d", text);
    check("switched", &switched, &Ok(FORWARD), &after);
}
