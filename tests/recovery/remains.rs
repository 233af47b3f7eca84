//! Remains of a change that was never decided are removed; entries that Onionskin did not write never are.

use onionskin::journal::{Change, Op};
use onionskin::recover::Verdict::{Quarantined, RolledForward, Swept};
use onionskin::store::inspect;
use onionskin_sim::{SimFs, Tree, operations, tree};

use crate::support::{Scene, kind};
use crate::{Findings, check, check_corrupt, journal, path};

fn plain() -> Tree {
    tree! { file "lower/original" = "ground truth"; file "ws/a" = "A"; file "ws/d/b" = "B"; symlink "ws/link" = "a"; }
}

/// A root without records: there are no findings, and opening changes nothing at all.
#[test]
fn a_clean_root_is_opened_without_a_change() {
    let scene = Scene::new(&plain());
    assert_eq!(scene.open().recovered(), []);
    assert_eq!(scene.fs.counts().syncs, 0, "nothing is to be made durable");
    scene.ends_as("clean", &plain());
}

/// Staging, unpublished content, drafts of logs and locks, and remains of probes.
#[test]
fn undecided_remains_are_swept() {
    let intent = journal(vec![Op { path: path("d"), change: Change::Switch }]).encode();
    let cases: [(&str, Tree, Findings<'_>); 10] = [
        ("an empty control directory", plain().dir("ws/.onionskin"), &[]),
        ("an empty staging", plain().dir("ws/.onionskin/tx-7"), &[(Swept, ".onionskin/tx-7")]),
        (
            "staging",
            plain()
                .file("ws/.onionskin/tx-7/0", "x")
                .file("ws/.onionskin/tx-7/apply-0", "x")
                .symlink("ws/.onionskin/tx-7/link", "x"),
            &[(Swept, ".onionskin/tx-7")],
        ),
        (
            "staging and a draft of a log",
            plain().file("ws/.onionskin/tx-7/0", "x").file("ws/.onionskin/draft-7", "half a lo"),
            &[(Swept, ".onionskin/tx-7"), (Swept, ".onionskin/draft-7")],
        ),
        ("a loose file", plain().file("ws/.onionskin/file-12", "x"), &[(Swept, ".onionskin/file-12")]),
        ("a draft of a lock", plain().file("ws/.onionskin/lock-0123", "me"), &[(Swept, ".onionskin/lock-0123")]),
        (
            "a dead probe",
            plain()
                .file("ws/.onionskin/probe/first", "x")
                .same("ws/.onionskin/probe/second", "ws/.onionskin/probe/first"),
            &[(Swept, ".onionskin/probe")],
        ),
        ("no generations", plain().dir("ws/.onionskin/directories"), &[]),
        (
            "an intent that cannot be read was never acted on",
            plain().file("ws/.onionskin/tx-7/intent", "ONIONSKN but not all of it"),
            &[(Swept, ".onionskin/tx-7")],
        ),
        (
            "an intent of which nothing was prepared",
            plain().file("ws/.onionskin/tx-7/intent", &intent),
            &[(Swept, ".onionskin/tx-7")],
        ),
    ];
    for (context, before, expected) in cases {
        check(context, &before, &Ok(expected), &plain());
    }
}

/// A generation that was prepared but not published is removed; the generations in use stay.
#[test]
fn a_generation_that_was_never_published_is_swept() {
    let pointer = |generation| Op {
        path: path("d"),
        change: Change::Pointer { directory: 1, generation, oldest: generation - 1 },
    };
    let first = plain().file("ws/.onionskin/tx-7/intent", journal(vec![pointer(1)]).encode());
    let first = first.file("ws/.onionskin/directories/1/1/b", "new");
    check("the first", &first, &Ok(&[(Swept, ".onionskin/tx-7")]), &plain());

    let published = plain().remove("ws/d").symlink("ws/d", ".onionskin/directories/1/2");
    let published = published.file("ws/.onionskin/directories/1/1/b", "1").file("ws/.onionskin/directories/1/2/b", "2");
    let intent = |generation| journal(vec![pointer(generation)]).encode();
    let third =
        published.clone().file("ws/.onionskin/directories/1/3/b", "3").file("ws/.onionskin/tx-7/intent", intent(3));
    check("the third", &third, &Ok(&[(Swept, ".onionskin/tx-7")]), &published);
    let late =
        published.clone().file("ws/.onionskin/tx-7/intent", intent(2)).file("ws/.onionskin/directories/1/0/b", "0");
    check("published, not cleaned", &late, &Ok(&[(Swept, ".onionskin/tx-7")]), &published);
}

/// Siblings of a swap that was not decided, or that is complete: the new tree is removed, and so is the old one, unless
/// nothing has its place: it may be the last copy, or somebody removed the new one.
#[test]
fn siblings_without_a_decision_are_undone() {
    let intent = journal(vec![Op { path: path("d"), change: Change::Switch }]).encode();
    let base = plain().file("ws/.onionskin/tx-7/intent", intent);
    let gone = plain().remove("ws/d");
    let kept = gone.clone().file("ws/.onionskin/quarantine-7/.onionskin-7.old/b", "B");
    for bits in 0..8 {
        let (at, new, was) = (bits & 4 > 0, bits & 2 > 0, bits & 1 > 0);
        let mut before = base.clone();
        if !at {
            before = before.remove("ws/d");
        }
        if new {
            before = before.file("ws/.onionskin-7.new/b", "new").symlink("ws/.onionskin-7.new/c", "b");
        }
        if was {
            before = before.file("ws/.onionskin-7.old/b", "B");
        }
        let (expected, after): (Findings<'_>, &Tree) = match (at, was) {
            (true, _) => (&[(Swept, ".onionskin/tx-7")], &plain()),
            (false, true) => (&[(Quarantined, "d"), (Swept, ".onionskin/tx-7")], &kept),
            (false, false) => (&[(Swept, ".onionskin/tx-7")], &gone),
        };
        check(&format!("path {at}, new {new}, old {was}"), &before, &Ok(expected), after);
    }
}

/// A foreign entry among the records stays, and the error names it.
#[test]
fn foreign_entries_are_never_removed() {
    let in_control = ["notes", "tx-07", "tx-x", "file-", "file-1x", "log.bak", "Lock", "epoch-", "quarantine-x"];
    for name in in_control {
        let named = format!(".onionskin/{name}");
        let base = plain().file("ws/.onionskin/file-1", "swept otherwise");
        check_corrupt(name, &base.clone().file(format!("ws/{named}"), "foreign"), &named);
        check_corrupt(name, &base.dir(format!("ws/{named}")), &named);
    }
    for (name, file) in
        [("log", false), ("lock", false), ("file-2", false), ("tx-2", true), ("probe", true), ("directories", true)]
    {
        let named = format!(".onionskin/{name}");
        let at = format!("ws/{named}");
        let before = if file { plain().file(&at, "x") } else { plain().dir(&at) };
        check_corrupt(&format!("{name} of the wrong kind"), &before, &named);
        check_corrupt(&format!("{name} is a link"), &plain().symlink(&at, "a"), &named);
        check_corrupt(&format!("{name} is a pipe"), &plain().other(&at), &named);
    }
    for name in ["notes", "00", "apply-x", "-1"] {
        let named = format!(".onionskin/tx-7/{name}");
        let before = plain().file("ws/.onionskin/tx-7/0", "x").file(format!("ws/{named}"), "foreign");
        check_corrupt(name, &before, &named);
    }
    let foreign = plain().file("ws/.onionskin/tx-7/0/inside", "foreign");
    check_corrupt("a directory where content is staged", &foreign, ".onionskin/tx-7/0");
}

/// Entries that desktops and file servers leave anywhere stop nothing: what is ours is removed, they stay, and the next
/// open finds nothing.
#[test]
fn strays_stop_nothing_and_stay() {
    for stray in [".DS_Store", "desktop.ini", "Thumbs.db", "._0", ".nfs0000000001", "@eaDir/inside"] {
        let with = |tree: Tree, places: &[&str]| {
            places.iter().fold(tree, |tree, place| tree.file(format!("ws/.onionskin/{place}{stray}"), "stray"))
        };
        let clean = with(plain(), &[""]);
        check(&format!("{stray} alone"), &clean, &Ok(&[]), &clean);
        let places = ["", "tx-7/", "directories/", "directories/1/"];
        let intent =
            journal(vec![Op { path: path("d"), change: Change::Pointer { directory: 1, generation: 1, oldest: 1 } }]);
        let left = plain().file("ws/.onionskin/tx-7/0", "x").file("ws/.onionskin/tx-7/intent", intent.encode());
        let left = with(left.file("ws/.onionskin/directories/1/1/b", "new"), &places);
        check(stray, &left, &Ok(&[(Swept, ".onionskin/tx-7")]), &with(plain(), &places));
        let decided = journal(vec![crate::put("a", 0, "new", crate::old(1))]).encode();
        let left = plain().file("ws/.onionskin/tx-7/0", "new").file("ws/.onionskin/log", decided);
        let after = with(plain().file("ws/a", "new"), &["", "tx-7/"]);
        let expected: Findings<'_> = &[(RolledForward, "."), (Swept, ".onionskin/tx-7")];
        check(&format!("{stray} beside a decision"), &with(left, &["", "tx-7/"]), &Ok(expected), &after);
    }
}

/// An entry of another kind in the place of the control directory is refused.
#[test]
fn the_control_directory_must_be_a_directory() {
    check_corrupt("a file", &plain().file("ws/.onionskin", "foreign"), ".onionskin");
    check_corrupt("a link", &plain().symlink("ws/.onionskin", "d"), ".onionskin");
    check_corrupt("a link out", &plain().symlink("ws/.onionskin", "/lower"), ".onionskin");
    check_corrupt("a pipe", &plain().other("ws/.onionskin"), ".onionskin");
}

/// Quarantined records stay for inspection by people, at every open.
#[test]
fn quarantined_records_stay() {
    let before = plain().file("ws/.onionskin/quarantine-3/log", "??").file("ws/.onionskin/quarantine-3/tx-2/0", "x");
    check("quarantine", &before, &Ok(&[]), &before);
}

/// `inspect` reports everything that the next open finds, in the same order.
#[test]
fn inspect_reports_what_opening_finds() {
    let mut wrong = Vec::new();
    let staging = plain().file("ws/.onionskin/tx-7/0", "new");
    let switch = Op { path: path("d"), change: Change::Switch };
    let switch = journal(vec![switch, crate::put("d/b", 0, "new", crate::old(1))]).encode();
    let put = journal(vec![crate::put("a", 0, "new", crate::old(1))]).encode();
    let swap = plain().file("ws/.onionskin-7.new/b", "new").file("ws/.onionskin/tx-7/intent", &switch);
    for (context, before) in [
        ("clean", plain()),
        ("staging", staging.clone()),
        ("loose", plain().file("ws/.onionskin/file-1", "x")),
        ("a decided put", staging.clone().file("ws/.onionskin/log", &put)),
        ("a decided switch", swap.clone().file("ws/.onionskin/log", &switch)),
        ("an undecided switch", swap),
        ("an old epoch", staging.file("ws/.onionskin/log", &put).file("ws/.onionskin/epoch-1", "")),
    ] {
        let scene = Scene::with(crate::TIMELESS, &before);
        let preopens = operations::preopens(&scene.fs);
        let seen = inspect::<SimFs>(scene.fs.clone(), &preopens, "/ws").expect("it can be read");
        scene.ends_as(context, &before);
        let found = crate::opened(&scene.fs).unwrap_or_else(|error| panic!("{context}: {}: {error}", kind(&error)));
        if seen != found {
            wrong.push(format!("{context}:\n  inspect {seen:?}\n  open {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
