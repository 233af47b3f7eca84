//! A directory is old or new as a whole after an interrupted swap, at every crash point.

use onionskin::fs::{Fs as _, Kind};
use onionskin::journal::{Change, OldEntry, Op};
use onionskin::recover::Verdict::{Quarantined, RolledBack, RolledForward, Swept};
use onionskin_sim::{Tree, tree};

use crate::support::Scene;
use crate::{Findings, check, check_parked, delete, journal, old, opened, path, put};

const FORWARD: Findings<'_> = &[(RolledForward, "d"), (Swept, ".onionskin/tx-7")];

fn around() -> Tree {
    tree! { file "lower/original" = "ground truth"; file "ws/beside" = "kept"; }
}

/// The decided change: a new `d` with a new `f`, from which `gone` was removed.
fn log() -> Vec<u8> {
    let switch = Op { path: path("d"), change: Change::Switch };
    journal(vec![switch, put("d/f", 0, "new", old(3)), delete("d/gone", old(1))]).encode()
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
    let expected: Findings<'_> = &[(RolledBack, "d"), (Swept, ".onionskin/tx-7")];
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
    let link = Some(OldEntry { kind: Kind::Symlink, size: 4, modified: None });
    let changes = [Change::Switch, Change::Delete { old: link }];
    let switch = journal(changes.map(|change| Op { path: path("d"), change }).into()).encode();
    let before = around().file("ws/real/f", "new").symlink("ws/d", "real").file("ws/.onionskin/log", &switch);
    let before = before.file("ws/.onionskin/tx-7/intent", &switch).file("ws/.onionskin-7.new/f", "new");
    check("a link", &before, &Ok(FORWARD), &around().file("ws/real/f", "new").file("ws/d/f", "new"));
}

/// The first publish by pointer: the directory is replaced by a link to its first generation.
#[test]
fn a_directory_that_a_pointer_replaces() {
    let pointer = Change::Pointer { directory: 1, generation: 1, oldest: 1 };
    let switch = [Change::Switch, pointer.clone()].map(|change| Op { path: path("d"), change });
    let ops = || [&switch[..], &[put("d/f", 0, "new", old(3))]].concat();
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

/// A directory that is switched goes to the quarantine if others worked in it after the decision: if they changed a
/// file that has a successor, or one that was deleted, or made one whose name is taken since. Without that it is
/// removed, and new entries are carried.
#[test]
fn a_switched_directory_with_work_of_others_is_kept() {
    /// What others write, by directory, name and content, and what is kept of it, by name and content.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str, &'a str)], Option<(&'a str, &'a str)>);
    let delete = Op { path: path("d/deleted"), change: Change::Delete { old: old(3) } };
    let switch = Op { path: path("d"), change: Change::Switch };
    let log = journal(vec![switch, put("d/f", 0, "new", old(3)), delete]).encode();
    let cases: [Case<'_>; 7] = [
        ("as it was", &[], None),
        ("a new entry", &[("d", "of-others", "late")], None),
        ("changed", &[("d", "f", "of others")], Some(("f", "of others"))),
        ("changed to the same", &[("d", "f", "new")], None),
        ("deleted by the decision", &[("d", "deleted", "of others")], Some(("deleted", "of others"))),
        (
            "a new entry whose name is taken",
            &[(".onionskin-7.old", "late", "first"), ("d", "late", "second")],
            Some(("late", "first")),
        ),
        ("a changed successor", &[("d", "f", "second")], None),
    ];
    for (context, writes, kept) in cases {
        let is_switched = context.contains("successor") || writes.iter().any(|(directory, ..)| *directory != "d");
        let (was, new) = if is_switched { (".onionskin-7.old", "d") } else { ("d", ".onionskin-7.new") };
        let tree = around()
            .file(format!("ws/{was}/f"), "old")
            .file(format!("ws/{was}/deleted"), "old")
            .file(format!("ws/{new}/f"), "new")
            .file("ws/.onionskin/tx-7/intent", &log);
        let scene = Scene::new(&tree);
        let ws = scene.fs.open_dir(&scene.fs.root(), "ws").expect("a directory");
        let write = |directory: &str, name: &str, bytes: &[u8]| {
            let directory = scene.fs.open_dir(&ws, directory).expect("a directory");
            let _ = scene.fs.remove_file(&directory, name);
            let file = scene.fs.create_file(&directory, name).expect("a new file");
            scene.fs.write(&file, 0, bytes).expect("it is written");
        };
        write(".onionskin", "log", &log);
        for (directory, name, content) in writes {
            write(directory, name, content.as_bytes());
        }
        let found = opened(&scene.fs).expect("an open");
        let quarantined: Vec<_> = found.iter().filter(|found| found.verdict == Quarantined).collect();
        assert_eq!(
            quarantined.iter().map(|found| found.path.as_str()).collect::<Vec<_>>(),
            kept.map_or(vec![], |_| vec!["d"]),
            "{context}: {found:?}"
        );
        let after = scene.fs.tree();
        assert_eq!(after.get("ws/.onionskin-7.old"), None, "{context}");
        if let Some((name, content)) = kept {
            let at = format!("ws/.onionskin/quarantine-7/kept-0/{name}");
            assert_eq!(after.bytes(&at), Some(content.as_bytes()), "{context}\n{after}");
        }
        if context == "a new entry" {
            assert_eq!(after.bytes("ws/d/of-others"), Some(&b"late"[..]), "{context}");
        }
        assert_eq!(opened(&scene.fs), Ok(Vec::new()), "{context}: nothing is pending");
    }
}

/// A directory that was switched stays until the log is gone, and some moments longer: what others do in it then is kept,
/// and without that it is removed.
#[test]
fn work_of_others_in_a_replaced_directory_is_kept_after_the_log_is_gone() {
    /// What others write there, by name and content.
    type Case<'a> = (&'a str, Option<(&'a str, &'a str)>);
    let cases: [Case<'_>; 4] = [
        ("as it was", None),
        ("a new entry", Some(("of-others", "late"))),
        ("a file that has a successor", Some(("f", "of others"))),
        ("a file that was deleted", Some(("gone", "of others"))),
    ];
    for (context, written) in cases {
        let tree = with_old(with_new(around(), "ws/d"), "ws/.onionskin-7.old").file("ws/.onionskin/tx-7/intent", log());
        let scene = Scene::with(crate::TIMELESS, &tree);
        if let Some((name, content)) = written {
            let ws = scene.fs.open_dir(&scene.fs.root(), "ws").expect("a directory");
            let old = scene.fs.open_dir(&ws, ".onionskin-7.old").expect("a directory");
            let _ = scene.fs.remove_file(&old, name);
            let file = scene.fs.create_file(&old, name).expect("a new file");
            scene.fs.write(&file, 0, content.as_bytes()).expect("it is written");
        }
        let found = opened(&scene.fs).expect("an open");
        let quarantined = found.iter().filter(|found| found.verdict == Quarantined).count();
        assert_eq!(quarantined, usize::from(written.is_some()), "{context}: {found:?}");
        let after = scene.fs.tree();
        assert_eq!(after.get("ws/.onionskin-7.old"), None, "{context}");
        assert_eq!(after.bytes("ws/d/f"), Some(&b"new"[..]), "{context}");
        if let Some((name, content)) = written {
            let at = format!("ws/.onionskin/quarantine-7/.onionskin-7.old/{name}");
            assert_eq!(after.bytes(&at), Some(content.as_bytes()), "{context}\n{after}");
        }
        assert_eq!(opened(&scene.fs), Ok(Vec::new()), "{context}: nothing is left");
    }
}

/// A prepared tree or link that others changed takes no place: the decision is parked.
#[test]
fn a_prepared_sibling_that_others_changed_takes_no_place() {
    let pointer = Change::Pointer { directory: 1, generation: 1, oldest: 1 };
    let switch = || Op { path: path("d"), change: Change::Switch };
    let by_pointer = journal(vec![switch(), Op { path: path("d"), change: pointer }]).encode();
    let published = || with_old(around(), "ws/d").file("ws/.onionskin/log", &by_pointer);
    let text = ".onionskin/directories/1/1";
    for (context, before) in [
        ("another link", with_new(published(), "ws/.onionskin/directories/1/1").symlink("ws/.onionskin-7.new", "b")),
        ("a directory", with_new(with_new(published(), "ws/.onionskin/directories/1/1"), "ws/.onionskin-7.new")),
        ("no generation", published().symlink("ws/.onionskin-7.new", text)),
        ("a file", with_old(around(), "ws/d").file("ws/.onionskin-7.new", "x").file("ws/.onionskin/log", log())),
    ] {
        check_parked(context, &before, "d", "d");
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
