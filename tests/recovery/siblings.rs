//! A directory is old or new as a whole after an interrupted swap, at every crash point.

use onionskin::fs::Fs as _;
use onionskin::journal::{Change, Op};
use onionskin::recover::Verdict::{Parked, Quarantined, RolledBack, RolledForward, Swept};
use onionskin_sim::{Tree, tree};

use crate::support::Scene;
use crate::{Findings, check, check_parked, delete, journal, old, opened, path};

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

/// A swap that was parked replaces no directory in which something changed since, nor a file that took its place.
#[test]
fn a_parked_swap_replaces_nothing_newer() {
    let prepared = with_new(around(), "ws/.onionskin-7.new").file("ws/.onionskin/tx-7/intent", log());
    for (context, is_changed) in [("as it was", false), ("changed", true)] {
        let scene = Scene::new(&with_old(prepared.clone(), "ws/d"));
        let ws = scene.fs.open_dir(&scene.fs.root(), "ws").expect("a directory");
        let write = |directory: &str, name: &str, bytes: &[u8]| {
            let directory = scene.fs.open_dir(&ws, directory).expect("a directory");
            let file = scene.fs.create_file(&directory, name).expect("a new file");
            scene.fs.write(&file, 0, bytes).expect("it is written");
        };
        write(".onionskin", "parked-7", &log());
        if is_changed {
            write("d", "of-others", b"new");
        }
        let found = opened(&scene.fs).expect("an open");
        let is_parked = found.iter().any(|finding| finding.verdict == Parked && finding.detail.contains("d changed"));
        assert_eq!(is_parked, is_changed, "{context}: {found:?}");
        assert_eq!(scene.fs.tree().bytes("ws/d/f"), Some(if is_changed { &b"old"[..] } else { b"new" }), "{context}");
    }
}

/// A decision that was given up is never completed, and its content is kept, however far it was set aside.
#[test]
fn what_was_given_up_is_set_aside_from_any_point() {
    let record = "ws/.onionskin/abandoned-7";
    let whole = with_new(with_old(around(), "ws/d"), "ws/.onionskin-7.new")
        .file("ws/.onionskin/tx-7/intent", log())
        .file(record, log());
    let begun = with_new(with_old(around(), "ws/d"), "ws/.onionskin/quarantine-7/.onionskin-7.new")
        .file("ws/.onionskin/tx-7/intent", log())
        .file(record, log());
    let between = with_new(with_old(around(), "ws/.onionskin-7.old"), "ws/.onionskin-7.new")
        .file("ws/.onionskin/tx-7/intent", log())
        .file(record, log());
    let after = with_new(with_old(around(), "ws/d"), "ws/.onionskin/quarantine-7/.onionskin-7.new")
        .file("ws/.onionskin/quarantine-7/tx-7/intent", log())
        .file("ws/.onionskin/quarantine-7/parked-7", log());
    let expected: Findings<'_> = &[(Quarantined, ".onionskin/abandoned-7")];
    for (context, before) in [("not begun", whole), ("begun", begun), ("between the renames", between)] {
        check(context, &before, &Ok(expected), &after);
    }
}
