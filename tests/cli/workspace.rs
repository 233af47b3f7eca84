//! `workspace`: a writable tree over a lower directory that stays unchanged until a commit.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::json;

use crate::ground::{self, Tree};
use crate::world::{Ran, World};

/// The maximum of calls in a run; a longer run counts as endless.
const CALLS_MAX: u64 = 400;

/// The number of calls from one tested crash to the next.
const CALLS_STEP: usize = 5;

/// The same for commands that make many calls.
const STOPS_STEP: usize = 4;

/// Creates a workspace `up` over `lower`, without changes.
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
pub(crate) fn changed() -> World {
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

/// Returns the tree of a directory without records.
pub(crate) fn shown(world: &World, name: &str) -> Tree {
    let mut tree = ground::read(&world.at(name));
    tree.retain(|path, _| !path.starts_with(".onionskin"));
    tree
}

/// Returns the tree of `lower` after the commit.
fn expected() -> Tree {
    let place = ground::scratch();
    for (name, content) in [("a.txt", "one\n2\n"), ("new/file", "new"), ("moved/x", "x"), ("moved/sub/y", "y")] {
        ground::write(&place.path().join(name), content);
    }
    ground::read(place.path())
}

/// The merged tree is read and written, the changes are reported, and the lower directory stays unchanged.
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
    let head = "diff --git a/a.txt b/a.txt\nindex 814f4a4..99b356d 100644\n--- a/a.txt\n+++ b/a.txt\n";
    assert_eq!(diff, format!("{head}@@ -1,2 +1,2 @@\n one\n-two\n+2\n"));
    let changes = world.json(&["workspace", "changes", "up", "moved"]);
    assert_eq!(
        changes["changes"],
        json!([{"kind": "renamed", "path": "moved", "type": "directory", "size": 0, "from": "dir"}])
    );
    let status = world.json(&["workspace", "status", "up"]);
    assert_eq!((&status["changes"], &status["conflicts"]), (&json!(5), &json!([])));
    assert_eq!(ground::read(&world.at("lower")), before);
}

/// A file larger than one chunk is written and read back unchanged, and leaves no draft.
#[test]
fn a_large_file_goes_through() {
    let world = fresh();
    let content: Vec<u8> = (0..5_000_000_u32).map(|at| b'a' + (at % 23) as u8).collect();
    ground::write(&world.at("big"), &content);
    world.done(&["workspace", "put", "up", "dir/big", "--from", "big"]);
    assert_eq!(world.done(&["workspace", "cat", "up", "dir/big"]).as_bytes(), content);
    assert_eq!(world.done(&["workspace", "changes", "up"]), "added  dir/big\n");
}

/// A commit gives the lower directory the content of the workspace; afterwards there are no changes.
#[test]
fn commit_writes_all() {
    let world = changed();
    let receipt = world.json(&["workspace", "commit", "up", "--into", "lower", "--yes"]);
    assert_eq!(receipt["achieved"], json!("full"));
    assert_eq!(ground::read(&world.at("lower")), expected());
    assert_eq!(world.done(&["workspace", "changes", "up"]), "");
}

/// `--only` and `--except` select changes; a change that a selected one depends on is included.
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

/// Whatever a kill left of a creation can be discarded, and nothing of it is left.
#[test]
fn a_killed_creation_can_be_discarded() {
    for call in 1..CALLS_MAX {
        let world = World::new(&[("lower/a", "a")]);
        fs::create_dir(world.at("up")).expect("a new directory");
        let number = call.to_string();
        let created = world.run(&["--crash-at", &number, "workspace", "create", "up", "--lower", "lower"]);
        let discarded = world.run(&["workspace", "discard", "up", "--yes"]);
        assert_eq!(discarded.code, 0, "{call}: {discarded:?}");
        assert_eq!(shown(&world, "up"), Tree::new(), "{call}");
        assert!(!world.at("up/.onionskin").exists(), "{call}: {:?}", ground::read(&world.at("up")));
        if created.code == 0 {
            return;
        }
        assert_eq!(created.code, 70, "{call}: {created:?}");
    }
    panic!("the creation makes too many calls");
}

/// A workspace that cannot be created leaves nothing behind, and nothing in the lower directory.
#[test]
fn a_failed_creation_leaves_nothing() {
    let world = fresh();
    let before = ground::read(&world.at("lower"));
    for upper in ["lower/up", "lower/dir/new", "lower"] {
        let refused = world.run(&["workspace", "create", upper, "--lower", "lower"]);
        assert_eq!(refused.code, 1, "{}", refused.err);
        assert!(refused.err.contains("is inside the lower lower; keep the upper directory apart"), "{}", refused.err);
    }
    let refused = world.run(&["workspace", "create", "other", "--lower", "nowhere"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("nowhere: cannot open the lower directory"), "{}", refused.err);
    assert!(!world.at("other").exists(), "it was created all the same");
    assert_eq!(ground::read(&world.at("lower")), before);
}

/// Conflicts are refused with their paths and the choices; each choice has its documented effect.
#[test]
fn conflicts_require_a_choice() {
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

/// What both sides changed in a text is merged by lines, before a commit or on its own; what overlaps is named with the
/// ways out, and nothing changes.
#[test]
fn texts_of_both_sides_are_merged() {
    let world = changed();
    fs::write(world.at("lower/a.txt"), "1\n2\n3\n").expect("a file");
    world.done(&["workspace", "refresh", "up", "--theirs"]);
    world.done_with(&["workspace", "put", "up", "a.txt"], "one\n2\n3\n");
    fs::write(world.at("lower/a.txt"), "1\n2\nthree\n").expect("a file");
    assert_eq!(world.done(&["workspace", "refresh", "up"]), "merged  a.txt\n");
    assert_eq!(world.done(&["workspace", "cat", "up", "a.txt"]), "one\n2\nthree\n");
    assert_eq!(world.done(&["workspace", "refresh", "up"]), "up: nothing was changed on both sides\n");
    let theirs = "ONE\n2\nthree\n4\n";
    fs::write(world.at("lower/a.txt"), theirs).expect("a file");
    let commit = ["workspace", "commit", "up", "--into", "lower", "--yes", "--merge"];
    let Ran { code, err, .. } = world.run(&commit);
    assert_eq!(code, 1, "{err}");
    let ways = ["a.txt: cannot be merged", "refresh", "--ours", "--theirs", "--mark", "--except"];
    assert!(ways.iter().all(|word| err.contains(word)), "{err}");
    assert_eq!(world.text("lower/a.txt"), theirs);
    fs::write(world.at("lower/a.txt"), "1\n2\nthree\n4\n").expect("a file");
    world.done(&commit);
    assert_eq!(world.text("lower/a.txt"), "one\n2\nthree\n4\n");
    world.done_with(&["workspace", "put", "up", "a.txt"], "mine\n");
    fs::write(world.at("lower/a.txt"), "theirs\n").expect("a file");
    assert_eq!(world.done(&["workspace", "refresh", "up", "--mark", "--only", "a.*"]), "merged  a.txt\n");
    let marked = world.done(&["workspace", "cat", "up", "a.txt"]);
    assert!(marked.starts_with("<<<<<<< ours\nmine\n") && marked.ends_with("theirs\n>>>>>>> theirs\n"), "{marked}");
}

/// A lower that is published by `pointer` is read through its link, from one generation to the next.
#[test]
fn a_lower_that_is_published_by_pointer_is_read_through_its_link() {
    let world = fresh();
    let publish = |text: &str| {
        fs::create_dir_all(world.at("next")).expect("a directory");
        fs::write(world.at("next/i"), text).expect("a file");
        world.done(&["put-dir", "lower", "site", "--from", "next", "--publish", "pointer"]);
    };
    publish("first");
    world.done(&["workspace", "create", "over", "--lower", "lower/site"]);
    world.done_with(&["workspace", "put", "over", "mine"], "mine");
    publish("second");
    assert_eq!(world.done(&["workspace", "cat", "over", "i"]), "second");
    assert!(world.done(&["workspace", "status", "over"]).contains("lower/site"));
    world.done(&["workspace", "commit", "over", "--into", "lower/site", "--yes"]);
    assert_eq!((world.text("lower/site/mine"), world.text("lower/site/i")), ("mine".into(), "second".into()));
}

/// Inside a lower it is read through its link, too, and a commit changes what it shows, but not the directory itself.
#[test]
fn a_directory_that_pointer_publishes_inside_a_lower_is_read_through_its_link() {
    let world = fresh();
    fs::create_dir_all(world.at("next")).expect("a directory");
    fs::write(world.at("next/i"), "first\n").expect("a file");
    world.done(&["put-dir", "lower", "sub/site", "--from", "next", "--publish", "pointer"]);
    world.done(&["workspace", "create", "whole", "--lower", "lower"]);
    assert!(world.done(&["workspace", "ls", "whole", "sub"]).contains("directory  lower  site"));
    assert_eq!(world.done(&["workspace", "cat", "whole", "sub/site/i"]), "first\n");
    world.done_with(&["workspace", "put", "whole", "sub/site/i"], "ours\n");
    let diff = world.done(&["workspace", "diff", "whole"]);
    assert!(diff.contains("-first\n+ours\n"), "{diff}");
    world.done(&["workspace", "commit", "whole", "--into", "lower", "--yes"]);
    assert_eq!(world.text("lower/sub/site/i"), "ours\n");
    world.done(&["workspace", "rm", "whole", "--recursive", "sub/site"]);
    let Ran { code, err, .. } = world.run(&["workspace", "commit", "whole", "--into", "lower", "--yes"]);
    assert!(code == 1 && err.contains("sub/site") && err.contains("published by `pointer`"), "{err}");
    assert_eq!(world.text("lower/sub/site/i"), "ours\n");
    assert!(world.at("lower/sub/site").is_symlink());
}

/// A discard leaves nothing.
#[test]
fn discard_leaves_nothing() {
    let world = changed();
    let before = ground::read(&world.at("lower"));
    world.done(&["workspace", "discard", "up"]);
    assert_eq!((ground::read(&world.at("up")), ground::read(&world.at("lower"))), (Tree::new(), before));
    let Ran { code, err, .. } = world.run(&["workspace", "status", "up"]);
    assert_eq!((code, err.contains("there is no workspace in it")), (1, true), "{err}");
}

/// A checkpoint can be restored, and so can the state before the restore.
#[test]
fn checkpoints_can_be_restored() {
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

/// A fork is independent of its origin.
#[test]
fn a_fork_is_independent() {
    let world = changed();
    world.done(&["workspace", "fork", "up", "up2"]);
    assert_eq!(world.done(&["workspace", "changes", "up2"]), CHANGES);
    world.done_with(&["workspace", "put", "up2", "new/file"], "other");
    assert_eq!(world.done(&["workspace", "cat", "up", "new/file"]), "new");
    assert_eq!(world.done(&["workspace", "cat", "up2", "new/file"]), "other");
}

/// An export writes the merged tree as files.
#[test]
fn export_writes_the_merged_tree() {
    let world = changed();
    let before = ground::read(&world.at("lower"));
    world.done(&["workspace", "export", "up", "out"]);
    assert_eq!((ground::read(&world.at("out")), ground::read(&world.at("lower"))), (expected(), before));
    let again = world.run(&["workspace", "export", "up", "out"]);
    assert_eq!(again.code, 1, "{again:?}");
}

/// Lower directories that were moved are found again when they are named.
#[test]
fn a_lower_may_move() {
    let world = changed();
    fs::rename(world.at("lower"), world.at("elsewhere")).expect("a new name");
    let Ran { code, err, .. } = world.run(&["workspace", "changes", "up"]);
    assert_eq!((code, err.contains("lower")), (1, true), "{err}");
    assert_eq!(world.done(&["workspace", "changes", "up", "--moved", "elsewhere"]), CHANGES);
}

/// A limit applies to every later command, is named in its message, and can be changed.
#[test]
fn limits_are_remembered() {
    let world = World::new(&[("lower/a.txt", "one")]);
    world.done(&["workspace", "create", "up", "--lower", "lower", "--max-bytes", "1KiB", "--max-entries", "2"]);
    world.done_with(&["workspace", "put", "up", "small"], &"x".repeat(1000));
    let before = world.tree();
    let Ran { code, err, .. } = world.run_with(&["workspace", "put", "up", "large"], &"x".repeat(100));
    assert_eq!((code, err.contains("1024"), err.contains("bytes in this workspace")), (1, true, true), "{err}");
    assert_eq!(world.tree(), before, "it was checked before any change");
    world.done(&["workspace", "mkdir", "up", "second"]);
    let Ran { code, err, .. } = world.run(&["workspace", "mkdir", "up", "third"]);
    assert_eq!((code, err.contains("entries in this workspace")), (1, true), "{err}");
    assert_eq!(world.json(&["workspace", "status", "up"])["limits"], json!({"bytes": 1024, "entries": 2}));
    assert_eq!(world.done(&["workspace", "limit", "up", "--max-entries", "none"]), "1.0 KiB\n");
    world.done(&["workspace", "mkdir", "up", "third"]);
    assert_eq!(world.done(&["workspace", "limit", "up", "--max-bytes", "none"]), "none\n");
    world.done_with(&["workspace", "put", "up", "large"], &"x".repeat(100));
    let wrong = world.run(&["workspace", "limit", "up", "--max-bytes", "lots"]);
    assert_eq!((wrong.code, wrong.err.contains("10MiB")), (2, true), "{wrong:?}");
}

/// A dropped checkpoint cannot be restored, and the others can.
#[test]
fn a_checkpoint_can_be_dropped() {
    let world = changed();
    for label in ["first", "second"] {
        world.done(&["workspace", "checkpoint", "up", label]);
    }
    assert_eq!(world.done(&["workspace", "checkpoint", "up", "--drop", "1"]), "checkpoint 1: dropped\n");
    let kept = world.json(&["workspace", "status", "up"])["checkpoints"].clone();
    assert_eq!(kept, json!([{"number": 2, "label": "second"}]));
    for command in [&["workspace", "restore", "up", "1"][..], &["workspace", "checkpoint", "up", "--drop", "1"]] {
        let Ran { code, err, .. } = world.run(command);
        assert_eq!((code, err.contains("no checkpoint 1") && err.contains("status")), (1, true), "{err}");
    }
    world.done(&["workspace", "restore", "up", "2"]);
    assert_eq!(world.run(&["workspace", "checkpoint", "up", "label", "--drop", "2"]).code, 2);
}

/// `--explain` is refused with the reason.
#[test]
fn explain_is_refused_with_a_reason() {
    let Ran { code, err, .. } = changed().run(&["--explain", "workspace", "changes", "up"]);
    assert_eq!((code, err.contains("--explain") && err.contains("no call for them")), (2, true), "{err}");
}

/// Messages name directories as the command line named them.
#[test]
fn messages_name_directories_as_given() {
    let world = changed();
    fs::create_dir(world.at("empty")).expect("a new directory");
    fs::write(world.at("lower/a.txt"), "theirs").expect("a file");
    let commands: &[&[&str]] = &[
        &["workspace", "create", "up", "--lower", "lower"],
        &["workspace", "create", "lower", "--lower", "lower"],
        &["workspace", "status", "empty"],
        &["workspace", "status", "missing"],
        &["workspace", "cat", "up", "missing"],
        &["workspace", "commit", "up", "--into", "root", "--yes"],
        &["workspace", "commit", "up", "--into", "lower", "--yes"],
        &["workspace", "export", "up", "lower"],
        &["workspace", "fork", "up", "up"],
        &["--crash-at", "3", "workspace", "put", "up", "new/other"],
        &["--crash-at", "9", "workspace", "commit", "up", "--into", "lower", "--yes", "--ours"],
        &["--crash-at", "9", "workspace", "export", "up", "out"],
    ];
    let place = world.at("").canonicalize().expect("a directory");
    for command in commands {
        let Ran { code, out, err } = world.run(command);
        assert!(code == 1 || code == 70, "{command:?}: {code}: {out}{err}");
        assert!(!err.contains(place.to_str().expect("UTF-8")), "{command:?}: {err}");
    }
}

/// At whatever call a change is stopped, the next command shows all of it or nothing, and the lower directory stays
/// unchanged.
#[test]
fn a_stopped_change_is_all_or_nothing() {
    let commands: &[&[&str]] = &[
        &["put", "up", "dir/big", "--from", "big"],
        &["put", "up", "moved/x", "--from", "small"],
        &["rm", "up", "--recursive", "moved"],
        &["mv", "up", "new", "newer"],
        &["checkpoint", "up", "label"],
        &["restore", "up", "1"],
        &["limit", "up", "--max-bytes", "1GiB"],
        &["fork", "up", "up2"],
        &["export", "up", "out"],
    ];
    let start = || {
        let world = changed();
        ground::write(&world.at("big"), vec![b'b'; 3 << 20]);
        ground::write(&world.at("small"), "small");
        world.done(&["workspace", "checkpoint", "up"]);
        world.done(&["workspace", "mkdir", "up", "dir"]);
        world
    };
    let listed = |world: &World| world.done(&["workspace", "changes", "up"]);
    for command in commands {
        let world = start();
        let (old, lower) = (listed(&world), ground::read(&world.at("lower")));
        world.done(&[&["workspace"], *command].concat());
        let new = listed(&world);
        for call in (1..=CALLS_MAX).step_by(STOPS_STEP) {
            let world = start();
            let ran = world.run(&[&["--crash-at", &call.to_string(), "workspace"], *command].concat());
            let context = format!("{command:?}, --crash-at {call}");
            assert!(ran.code == 0 || ran.code == 70, "{context}: {ran:?}");
            assert_eq!(world.run(&["workspace", "status", "up"]).code, 0, "{context}");
            let now = listed(&world);
            assert!(now == old || now == new, "{context}: {now}");
            assert_eq!(ground::read(&world.at("lower")), lower, "{context}");
            if ran.code == 0 {
                break;
            }
        }
    }
}

/// At whatever call a commit is stopped, `recover` completes or forgets it: the lower directory is exactly old or
/// exactly new, and so is the list of changes. `status`, which reads alone, changes neither, and says so.
#[test]
fn a_stopped_commit_is_all_or_nothing() {
    let commit = ["workspace", "commit", "up", "--into", "lower", "--yes"];
    let (old, new) = (shown(&fresh(), "lower"), expected());
    let (mut olds, mut news, mut incomplete) = (0, 0, 0);
    for call in (1..=CALLS_MAX).step_by(CALLS_STEP) {
        let world = changed();
        let ran = world.run(&[&["--crash-at", &call.to_string()], &commit[..]].concat());
        if ran.code == 0 {
            assert!(olds > 0 && news > 0 && incomplete > 0, "{olds} old, {news} new, {incomplete} incomplete");
            return;
        }
        assert_eq!(ran.code, 70, "--crash-at {call}: {ran:?}");
        let whole = || ["lower", "up"].map(|directory| ground::read(&world.at(directory)));
        let before = whole();
        let status = world.run(&["workspace", "status", "up"]);
        let is_named =
            status.err.contains("a commit of it is not complete") && status.err.contains("onionskin recover");
        assert!(status.code == 0 || status.code == 1 && is_named, "--crash-at {call}: {status:?}");
        incomplete += status.code;
        assert_eq!(whole(), before, "--crash-at {call}");
        world.done(&["recover", "up"]);
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

/// The map of a workspace that others can write is not followed to its lower directories: they could have named
/// any. It opens where that is trusted explicitly.
#[test]
fn a_workspace_that_others_can_write_is_not_trusted() {
    let world = changed();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(world.at("up/.onionskin/workspace"), open).expect("the directory is ours");
    for command in ["status", "changes", "diff"] {
        let ran = world.run(&["workspace", command, "up"]);
        assert!(ran.code == 1 && ran.err.contains("may be written by every user"), "{command}: {ran:?}");
    }
    assert_eq!(world.done(&["--trust", "workspace", "changes", "up"]), CHANGES);
}
