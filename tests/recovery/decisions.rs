//! A decided change is completed, however far it was applied; where that could lose data everything is kept and the
//! error names the path.

use onionskin::journal::{Change, LINK_LENGTH, Op};
use onionskin::recover::Verdict::{Parked, Quarantined, RolledForward, Swept};
use onionskin_sim::{Tree, tree};

use crate::support::{Scene, verdicts};
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
        ("a link in the place of a file", decided(old_tree().symlink("ws/a", "kept"))),
        ("a pipe in the place of a file", decided(old_tree().other("ws/a"))),
        ("a hard link", decided(old_tree().same("ws/a", "ws/kept"))),
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

/// A decision that was parked replaces only what it was decided over: the work of others in the meantime is kept, and
/// named. What it had applied itself is no work of others.
#[test]
fn a_parked_decision_replaces_nothing_newer() {
    let parked = |tree: Tree| staged(tree).file("ws/.onionskin/parked-7", journal(ops()).encode());
    for (context, before, named) in [
        ("a file that is written", parked(old_tree().file("ws/a", "of others")), Some("a changed")),
        ("a file that is to be deleted", parked(old_tree().file("ws/b", "of others")), Some("b changed")),
        ("a new file in the way", parked(old_tree().file("ws/new/c", "of others")), Some("new/c changed")),
        ("a link in the place of a file", parked(old_tree().symlink("ws/a", "kept")), Some("a changed")),
        ("nothing changed", parked(old_tree()), None),
        ("one put", parked(old_tree().file("ws/a", "A new")), None),
        ("all applied", parked(new_tree()), None),
        ("a file that is gone", parked(old_tree().remove("ws/a")), None),
    ] {
        let scene = Scene::with(TIMELESS, &before);
        let found = opened(&scene.fs).expect("an open");
        let Some(named) = named else {
            scene.ends_as(context, &new_tree());
            continue;
        };
        assert_eq!(verdicts(&found), [(Parked, ".")], "{context}: {found:?}");
        assert!(found[0].detail.contains(named), "{context}: {found:?}");
        scene.ends_as(context, &before);
    }
}

/// The same for links, whose text is compared.
#[test]
fn a_parked_link_replaces_nothing_newer() {
    let link =
        Op { path: path("a"), change: Change::Put { staged: 0, length: LINK_LENGTH, digest: None, old: old(5) } };
    let log = journal(vec![link]).encode();
    let parked = old_tree().symlink("ws/.onionskin/tx-7/0", "kept").file("ws/.onionskin/parked-7", log);
    for (text, is_ours) in [("kept", true), ("b", false)] {
        let before = parked.clone().symlink("ws/a", text);
        let scene = Scene::with(TIMELESS, &before);
        let found = opened(&scene.fs).expect("an open");
        let after = if is_ours { old_tree().symlink("ws/a", "kept") } else { before };
        scene.ends_as(&format!("a link to {text}: {found:?}"), &after);
    }
}
