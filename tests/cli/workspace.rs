//! `workspace`: a tree to work in over one that stays as it is, until a commit.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::ground::{self, Tree};
use crate::world::{Ran, World};

/// A run that has not ended by itself after so many calls never will.
const CALLS_MAX: u64 = 400;

/// Calls between two crashes that are tried.
const CALLS_STEP: usize = 5;

/// A workspace `up` over `lower`, with nothing changed.
fn fresh() -> World {
    let world = World::new(&[
        ("lower/a.txt", "one\ntwo\n"),
        ("lower/gone", "gone"),
        ("lower/dir/x", "x"),
        ("lower/dir/sub/y", "y"),
    ]);
    world.done(&["workspace", "create", "up", "--lower", "lower"]);
    world
}

/// The same with a change of each kind.
fn changed() -> World {
    let world = fresh();
    world.done_with(&["workspace", "put", "up", "a.txt"], "one\n2\n");
    world.done(&["workspace", "mkdir", "up", "new"]);
    world.done_with(&["workspace", "put", "up", "new/file"], "new");
    world.done(&["workspace", "mv", "up", "dir", "moved"]);
    world.done(&["workspace", "rm", "up", "gone"]);
    world
}

const CHANGES: &str = "\
deleted   gone
modified  a.txt
renamed   moved     from dir
added     new
added     new/file
";

/// A directory, without what is ours.
fn shown(world: &World, name: &str) -> Tree {
    let mut tree = ground::read(&world.at(name));
    tree.retain(|path, _| !path.starts_with(".onionskin"));
    tree
}

/// What `lower` is to become.
fn expected() -> Tree {
    let place = ground::scratch();
    for (name, content) in [("a.txt", "one\n2\n"), ("new/file", "new"), ("moved/x", "x"), ("moved/sub/y", "y")] {
        ground::write(&place.path().join(name), content);
    }
    ground::read(place.path())
}

/// The merged tree is read and written, the changes are told, and the lower stays as it is.
#[test]
fn the_lower_stays_as_it_is() {
    let before = ground::read(&fresh().at("lower"));
    let world = changed();
    assert_eq!(world.done(&["workspace", "changes", "up"]), CHANGES);
    assert_eq!(world.done(&["workspace", "cat", "up", "a.txt"]), "one\n2\n");
    assert_eq!(world.done(&["workspace", "cat", "up", "moved/sub/y"]), "y");
    let listed = world.json(&["workspace", "ls", "up"]);
    let names: Vec<&str> =
        listed["entries"].as_array().expect("a list").iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["a.txt", "moved", "new"]);
    let diff = world.done(&["workspace", "diff", "up", "a.txt"]);
    assert_eq!(diff, "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n");
    let told = world.json(&["workspace", "changes", "up", "moved"]);
    assert_eq!(
        told["changes"],
        json!([{"kind": "renamed", "path": "moved", "type": "directory", "size": 0, "from": "dir"}])
    );
    let status = world.json(&["workspace", "status", "up"]);
    assert_eq!((&status["changes"], &status["conflicts"]), (&json!(5), &json!([])));
    assert_eq!(ground::read(&world.at("lower")), before);
}

/// More than a chunk goes in and comes out as it was, and leaves no draft.
#[test]
fn a_large_file_goes_through() {
    let world = fresh();
    let content: Vec<u8> = (0..5_000_000_u32).map(|at| b'a' + (at % 23) as u8).collect();
    ground::write(&world.at("big"), &content);
    world.done(&["workspace", "put", "up", "dir/big", "--from", "big"]);
    assert_eq!(world.done(&["workspace", "cat", "up", "dir/big"]).as_bytes(), content);
    assert_eq!(world.done(&["workspace", "changes", "up"]), "added  dir/big\n");
}

/// A commit makes the lower what the workspace showed; afterwards nothing is changed any more.
#[test]
fn commit_writes_all() {
    let world = changed();
    let receipt = world.json(&["workspace", "commit", "up", "--into", "lower", "--yes"]);
    assert_eq!(receipt["achieved"], json!("full"));
    assert_eq!(ground::read(&world.at("lower")), expected());
    assert_eq!(world.done(&["workspace", "changes", "up"]), "");
}

/// `--only` and `--except` choose; what a chosen change cannot be without comes along.
#[test]
fn commit_writes_a_part() {
    let world = changed();
    world.done(&[
        "workspace",
        "commit",
        "up",
        "--into",
        "lower",
        "--only",
        "new",
        "--only",
        "a.*",
        "--except",
        "a.txt",
        "--yes",
    ]);
    assert_eq!((world.text("lower/new/file"), world.text("lower/a.txt")), ("new".into(), "one\ntwo\n".into()));
    assert_eq!(
        world.done(&["workspace", "changes", "up"]),
        "deleted   gone\nmodified  a.txt\nrenamed   moved  from dir\n"
    );
}

/// Without a terminal and without `--yes` nothing is written; nor into a directory that is no lower.
#[test]
fn commit_asks_first() {
    let world = changed();
    let before = world.tree();
    let Ran { code, out, err } = world.run(&["workspace", "commit", "up", "--into", "lower"]);
    assert_eq!((code, out.as_str(), err.contains("--yes")), (2, "", true), "{err}");
    assert_eq!(world.tree(), before);
    let Ran { code, err, .. } = world.run(&["workspace", "commit", "up", "--into", "root", "--yes"]);
    assert_eq!((code, err.contains("not the topmost lower")), (1, true), "{err}");
    assert_eq!(shown(&world, "root"), Tree::new());
}

/// Conflicts are refused with their paths and the choices; each choice does what it says.
#[test]
fn conflicts_want_a_choice() {
    for (choice, expected) in [("--ours", "one\n2\n"), ("--theirs", "theirs")] {
        let world = changed();
        fs::write(world.at("lower/a.txt"), "theirs").expect("a file");
        let before = shown(&world, "lower");
        assert_eq!(world.done(&["workspace", "conflicts", "up"]), "conflict  a.txt\n");
        let Ran { code, err, .. } = world.run(&["workspace", "commit", "up", "--into", "lower", "--yes"]);
        assert_eq!(code, 1, "{err}");
        assert!(["a.txt", "--ours", "--theirs", "--except"].iter().all(|word| err.contains(word)), "{err}");
        assert_eq!(shown(&world, "lower"), before);
        world.done(&["workspace", "commit", "up", "--into", "lower", "--yes", choice]);
        assert_eq!(world.text("lower/a.txt"), expected, "{choice}");
        assert!(!world.at("lower/gone").exists(), "{choice}");
        assert_eq!(world.done(&["workspace", "changes", "up"]), "", "{choice}");
    }
}

/// Nothing is left of what was discarded.
#[test]
fn discard_leaves_nothing() {
    let world = changed();
    let before = ground::read(&world.at("lower"));
    world.done(&["workspace", "discard", "up"]);
    assert_eq!((ground::read(&world.at("up")), ground::read(&world.at("lower"))), (Tree::new(), before));
    let Ran { code, err, .. } = world.run(&["workspace", "status", "up"]);
    assert_eq!((code, err.contains("there is no workspace in it")), (1, true), "{err}");
}

/// A checkpoint comes back, and so does what was there before it came back.
#[test]
fn states_come_back() {
    let world = changed();
    assert_eq!(world.done(&["workspace", "checkpoint", "up", "before"]), "checkpoint 1\n");
    world.done(&["workspace", "rm", "up", "--recursive", "moved"]);
    let without = world.done(&["workspace", "changes", "up"]);
    assert_ne!(without, CHANGES);
    let before = world.json(&["workspace", "restore", "up", "1"])["before"].to_string();
    assert_eq!(world.done(&["workspace", "changes", "up"]), CHANGES);
    world.done(&["workspace", "restore", "up", &before]);
    assert_eq!(world.done(&["workspace", "changes", "up"]), without);
}

/// A fork goes its own way.
#[test]
fn a_fork_goes_its_own_way() {
    let world = changed();
    world.done(&["workspace", "fork", "up", "up2"]);
    assert_eq!(world.done(&["workspace", "changes", "up2"]), CHANGES);
    world.done_with(&["workspace", "put", "up2", "new/file"], "other");
    assert_eq!(world.done(&["workspace", "cat", "up", "new/file"]), "new");
    assert_eq!(world.done(&["workspace", "cat", "up2", "new/file"]), "other");
}

/// An export is the merged tree, as files.
#[test]
fn export_writes_the_merged_tree() {
    let world = changed();
    let before = ground::read(&world.at("lower"));
    world.done(&["workspace", "export", "up", "out"]);
    assert_eq!((ground::read(&world.at("out")), ground::read(&world.at("lower"))), (expected(), before));
    let again = world.run(&["workspace", "export", "up", "out"]);
    assert_eq!(again.code, 1, "{again:?}");
}

/// Lowers that were moved are found again when they are named.
#[test]
fn a_lower_may_move() {
    let world = changed();
    fs::rename(world.at("lower"), world.at("elsewhere")).expect("a new name");
    let Ran { code, err, .. } = world.run(&["workspace", "changes", "up"]);
    assert_eq!((code, err.contains("lower")), (1, true), "{err}");
    assert_eq!(world.done(&["workspace", "changes", "up", "--moved", "elsewhere"]), CHANGES);
}

/// Whatever call a commit is stopped before, the next command finishes or forgets it: the lower is
/// exactly old or exactly new, and so are the changes.
#[test]
fn a_stopped_commit_is_all_or_nothing() {
    let commit = ["workspace", "commit", "up", "--into", "lower", "--yes"];
    let (old, new) = (shown(&fresh(), "lower"), expected());
    let (mut olds, mut news) = (0, 0);
    for call in (1..=CALLS_MAX).step_by(CALLS_STEP) {
        let world = changed();
        let ran = world.run(&[&["--crash-at", &call.to_string()], &commit[..]].concat());
        if ran.code == 0 {
            assert!(olds > 0 && news > 0, "{olds} old, {news} new");
            return;
        }
        assert_eq!(ran.code, 70, "--crash-at {call}: {ran:?}");
        assert_eq!(world.run(&["workspace", "status", "up"]).code, 0, "--crash-at {call}");
        let changes = world.done(&["workspace", "changes", "up"]);
        let now = shown(&world, "lower");
        if changes.is_empty() {
            news += 1;
            assert_eq!(ground::difference(&new, &now), Vec::<PathBuf>::new(), "--crash-at {call}");
        } else {
            olds += 1;
            assert_eq!(changes, CHANGES, "--crash-at {call}");
            assert_eq!(ground::difference(&old, &now), Vec::<PathBuf>::new(), "--crash-at {call}");
        }
    }
    panic!("a commit makes more than {CALLS_MAX} calls");
}
