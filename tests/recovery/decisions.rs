//! A decided change is completed, however far it was applied; where that could lose data everything is kept and the
//! error names the path.

use onionskin::journal::{Change, LINK_LENGTH, Op};
use onionskin::recover::Verdict::{Quarantined, RolledForward, Swept};
use onionskin_sim::{Tree, tree};

use crate::support::Scene;
use crate::{Findings, TIMELESS, check, check_parked, delete, journal, old, opened, path, put};

const FORWARD: Findings<'_> = &[(RolledForward, "."), (Swept, ".onionskin/tx-7")];

/// `a` is put, `b` is deleted, and `new/c` is put into a new directory.
fn ops() -> Vec<Op> {
    vec![
        Op { path: path("new"), change: Change::MakeDir },
        put("a", 0, "A new", old(5)),
        delete("b", old(5)),
        put("new/c", 1, "C new", None),
    ]
}

fn old_tree() -> Tree {
    tree! { file "lower/original" = "ground truth"; file "ws/a" = "A old"; file "ws/b" = "B old"; file "ws/kept" = "kept"; }
}

fn new_tree() -> Tree {
    old_tree().file("ws/a", "A new").remove("ws/b").file("ws/new/c", "C new")
}

fn decided(tree: Tree) -> Tree {
    staged(tree).file("ws/.onionskin/log", journal(ops()).encode())
}

fn staged(tree: Tree) -> Tree {
    tree.file("ws/.onionskin/tx-7/0", "A new").file("ws/.onionskin/tx-7/1", "C new")
}

/// A log is completed from any point that an earlier attempt reached.
#[test]
fn a_decision_is_completed_from_any_point() {
    let applied = new_tree().same("ws/.onionskin/tx-7/0", "ws/a").same("ws/.onionskin/tx-7/1", "ws/new/c");
    let cases = [
        ("not begun", decided(old_tree())),
        ("directory made", decided(old_tree().dir("ws/new"))),
        ("one deleted", decided(old_tree().remove("ws/b"))),
        ("one put", decided(old_tree().file("ws/a", "A new"))),
        ("all applied", applied.file("ws/.onionskin/log", journal(ops()).encode())),
        ("all applied by copy", decided(new_tree())),
        ("a second name on its way", decided(old_tree()).same("ws/.onionskin/tx-7/apply-0", "ws/.onionskin/tx-7/0")),
        ("half a copy on its way", decided(old_tree()).file("ws/.onionskin/tx-7/apply-1", "C n")),
    ];
    for (context, before) in cases {
        check(context, &before, &Ok(FORWARD), &new_tree());
    }
    let with_others = decided(old_tree()).file("ws/.onionskin/tx-9/0", "x").file("ws/.onionskin/file-8", "x");
    let expected: Findings<'_> =
        &[(RolledForward, "."), (Swept, ".onionskin/tx-7"), (Swept, ".onionskin/tx-9"), (Swept, ".onionskin/file-8")];
    check("remains of others", &with_others, &Ok(expected), &new_tree());
}

/// Missing or wrong staged content does not matter for a path that already has its new content.
#[test]
fn an_applied_path_needs_no_staging() {
    let bare = new_tree().file("ws/.onionskin/log", journal(ops()).encode());
    check("no staging at all", &bare, &Ok(&[(RolledForward, ".")]), &new_tree());
    let wrong = decided(new_tree()).file("ws/.onionskin/tx-7/0", "wrong").remove("ws/.onionskin/tx-7/1");
    check("wrong and missing", &wrong, &Ok(FORWARD), &new_tree());
}

/// Missing or wrong staged content for a path that was not applied: the decision is parked.
#[test]
fn missing_staged_content_is_never_guessed() {
    for (context, before) in [
        ("missing", decided(old_tree()).remove("ws/.onionskin/tx-7/0")),
        ("no staging", decided(old_tree()).remove("ws/.onionskin/tx-7")),
        ("another length", decided(old_tree()).file("ws/.onionskin/tx-7/0", "A newer")),
        ("empty", decided(old_tree()).file("ws/.onionskin/tx-7/0", "")),
        ("the same length", decided(old_tree()).file("ws/.onionskin/tx-7/0", "A n.w")),
        ("a directory", decided(old_tree()).remove("ws/.onionskin/tx-7/0").dir("ws/.onionskin/tx-7/0")),
        ("a link", decided(old_tree()).symlink("ws/.onionskin/tx-7/0", "../../kept")),
        ("a pipe", decided(old_tree()).other("ws/.onionskin/tx-7/0")),
        ("half applied", decided(new_tree().file("ws/a", "A old")).file("ws/.onionskin/tx-7/0", "wrong")),
    ] {
        check_parked(context, &before, ".", "a");
    }
}

/// An entry that cannot be replaced parks the decision: everything is kept, and the finding names the entry.
#[test]
fn an_entry_in_the_way_is_named() {
    let in_the_way = |at: &str| decided(old_tree().remove(at)).dir(at);
    check_parked("a directory where a file goes", &in_the_way("ws/a"), ".", "a");
    check_parked("a directory where one is deleted", &in_the_way("ws/b"), ".", "b");
    check_parked("a file where a directory goes", &decided(old_tree().file("ws/new", "?")), ".", "new");
    check_parked("a link where a directory goes", &decided(old_tree().symlink("ws/new", "kept")), ".", "new");
}

/// A decision at the durability `visible` is completed if its content is there, and quarantined with its staging if a
/// power loss took the content.
#[test]
fn an_unsynced_decision_is_completed_or_quarantined() {
    let log = onionskin::journal::Journal { unsynced: true, ..journal(ops()) }.encode();
    let good = staged(old_tree()).file("ws/.onionskin/log-unsynced", &log);
    check("good", &good, &Ok(FORWARD), &new_tree());
    for (context, bad) in [("empty", ""), ("zeros", "\0\0\0\0\0")] {
        let before = good.clone().file("ws/.onionskin/tx-7/0", bad);
        let after = old_tree()
            .file("ws/.onionskin/quarantine-8/log-unsynced", &log)
            .file("ws/.onionskin/quarantine-8/tx-7/0", bad)
            .file("ws/.onionskin/quarantine-8/tx-7/1", "C new");
        check(context, &before, &Ok(&[(Quarantined, ".onionskin/log-unsynced")]), &after);
    }
    let lost = old_tree().file("ws/.onionskin/log-unsynced", &log);
    let after = old_tree().file("ws/.onionskin/quarantine-1/log-unsynced", &log);
    check("no staging", &lost, &Ok(&[(Quarantined, ".onionskin/log-unsynced")]), &after);
}

/// A decision without changes is completed by removing its log.
#[test]
fn a_decision_without_changes_is_forgotten() {
    let before = old_tree().file("ws/.onionskin/log", journal(Vec::new()).encode());
    check("no changes", &before, &Ok(&[(RolledForward, ".")]), &old_tree());
}

/// The place where the first entry of others is kept.
const KEPT: &str = "ws/.onionskin/quarantine-7/kept-0";

/// A decision is completed over the work that others did after it, which is kept, and named: at the first open after a
/// kill, and when it was parked. What the decision had applied itself is no work of others.
#[test]
fn what_others_changed_after_a_decision_is_kept() {
    let old = old_tree;
    let cases = [
        ("a file that is written", old().file("ws/a", "of others"), "a", new_tree().file(KEPT, "of others")),
        ("a file that is to be deleted", old().file("ws/b", "of others"), "b", new_tree().file(KEPT, "of others")),
        ("a new file in the way", old().file("ws/new/c", "of others"), "new/c", new_tree().file(KEPT, "of others")),
        ("a link in the place of a file", old().symlink("ws/a", "kept"), "a", new_tree().symlink(KEPT, "kept")),
        ("a pipe in the place of a file", old().other("ws/a"), "a", new_tree().other(KEPT)),
        ("a hard link", old().same("ws/a", "ws/kept"), "a", new_tree().same(KEPT, "ws/kept")),
    ];
    for record in ["log", "parked-7"] {
        let recorded = |tree: Tree| staged(tree).file(format!("ws/.onionskin/{record}"), journal(ops()).encode());
        for (context, before, named, after) in &cases {
            let expected: Findings<'_> = &[(Quarantined, named), (RolledForward, "."), (Swept, ".onionskin/tx-7")];
            check(context, &recorded(before.clone()), &Ok(expected), after);
        }
        for (context, before) in [
            ("nothing changed", old()),
            ("one put", old().file("ws/a", "A new")),
            ("all applied", new_tree()),
            ("a file that is gone", old().remove("ws/a")),
        ] {
            check(context, &recorded(before), &Ok(FORWARD), &new_tree());
        }
    }
}

/// Each entry of others is kept, in a place of its own, whatever an interrupted open left there.
#[test]
fn entries_of_others_are_kept_apart() {
    let before = decided(old_tree().file("ws/a", "first of others").file("ws/b", "second of others"))
        .file(KEPT, "kept before")
        .file("ws/.onionskin/quarantine-7/unfinished", "half a co");
    let after = new_tree()
        .file(KEPT, "kept before")
        .file("ws/.onionskin/quarantine-7/kept-1", "first of others")
        .file("ws/.onionskin/quarantine-7/kept-2", "second of others");
    let expected: Findings<'_> =
        &[(Quarantined, "a"), (Quarantined, "b"), (RolledForward, "."), (Swept, ".onionskin/tx-7")];
    check("two entries", &before, &Ok(expected), &after);
}

/// An entry that an open kept before it met an obstacle is not kept twice.
#[test]
fn an_entry_is_kept_once() {
    let obstacle = old_tree().file("ws/a", "of others").file("ws/new", "in the way");
    let before = staged(obstacle).file("ws/.onionskin/parked-7", journal(ops()).encode()).file(KEPT, "of others");
    let scene = Scene::with(TIMELESS, &before);
    for time in ["first", "second"] {
        let found = opened(&scene.fs).expect("an obstacle locks nobody out");
        let is_kept = |finding: &onionskin::recover::Finding| {
            (finding.path.as_str(), finding.verdict) == ("a", Quarantined) && finding.detail.contains("kept-0")
        };
        assert!(found.iter().any(is_kept), "the {time} time: {found:?}");
        let kept = scene.fs.tree().below("ws/.onionskin/quarantine-7");
        assert_eq!(kept.len(), 1, "the {time} time: {kept}");
    }
    let free = before.remove("ws/new");
    let expected: Findings<'_> = &[(Quarantined, "a"), (RolledForward, "."), (Swept, ".onionskin/tx-7")];
    check("without the obstacle", &free, &Ok(expected), &new_tree().file(KEPT, "of others"));
}

/// Content that was applied as a second name, and into which others have written since, stays; nothing else of the
/// decision is held up.
#[test]
fn a_path_into_which_others_wrote_after_it_was_applied_stays() {
    let applied = decided(old_tree()).remove("ws/a").remove("ws/.onionskin/tx-7/0");
    let before = applied.file("ws/a", "A new, of others").same("ws/.onionskin/tx-7/0", "ws/a");
    check("written into", &before, &Ok(FORWARD), &new_tree().file("ws/a", "A new, of others"));
}

/// The record of a decision that a workspace waits for stays when it is complete, however often the root is opened.
#[test]
fn the_record_of_a_commit_stays() {
    let log = onionskin::journal::Journal { kept: true, ..journal(ops()) }.encode();
    let before = staged(old_tree()).file("ws/.onionskin/log", &log);
    check("a commit", &before, &Ok(FORWARD), &new_tree().file("ws/.onionskin/done-7", &log));
}

/// The same for links, whose text is compared.
#[test]
fn the_link_of_a_decision_is_no_work_of_others() {
    let link =
        Op { path: path("a"), change: Change::Put { staged: 0, length: LINK_LENGTH, digest: None, old: old(5) } };
    let log = journal(vec![link]).encode();
    let decided = old_tree().symlink("ws/.onionskin/tx-7/0", "kept").file("ws/.onionskin/log", log);
    let after = old_tree().symlink("ws/a", "kept");
    check("ours", &decided.clone().symlink("ws/a", "kept"), &Ok(FORWARD), &after);
    let expected: Findings<'_> = &[(Quarantined, "a"), (RolledForward, "."), (Swept, ".onionskin/tx-7")];
    check("of others", &decided.symlink("ws/a", "b"), &Ok(expected), &after.symlink(KEPT, "b"));
}
