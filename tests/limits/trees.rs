//! Depth and entries of a tree that is copied, carried or removed.

use onionskin::error::Limit;
use onionskin::limits::{ENTRIES_MAX, TREE_DEPTH_MAX};
use onionskin::persist::materialize::{Content, Source};
use onionskin::persist::transaction::Publish;
use onionskin_sim::{Tree, tree};

use crate::exceeded;
use crate::support::intercept::InterceptFs;
use crate::support::{Scene, kind, publish};

/// Builds a directory with a file this many directories below it, and a link to the directory.
fn deep(depth: usize) -> Tree {
    let inside = vec!["d"; depth].join("/");
    let tree = tree! { dir "lower"; symlink "ws/link" = "top"; file "ws/top/f" = "old"; };
    if depth == 0 { tree } else { tree.file(format!("ws/top/{inside}/leaf"), "1") }
}

/// A tree as deep as a path may be is copied and carried; a deeper one is refused as a whole.
#[test]
fn the_depth_of_a_tree_is_limited() {
    for depth in [1, TREE_DEPTH_MAX - 2] {
        let scene = Scene::new(&deep(depth));
        let done = scene.open().materialize("link", &Source::LinkTarget, Content::Keep).map(|done| done.applied);
        assert_eq!(done, Ok(depth as u64 + 3), "depth {depth}");
        assert_eq!(scene.fs.tree().below("ws/link"), deep(depth).below("ws/top"), "depth {depth}");
    }
    for depth in [TREE_DEPTH_MAX + 1, TREE_DEPTH_MAX + 70] {
        let tree = deep(depth);
        let scene = Scene::new(&tree);
        let store = scene.open();
        let error = store.materialize("link", &Source::LinkTarget, Content::Keep).expect_err("too deep");
        assert_eq!(kind(&error), "limit-exceeded", "depth {depth}: {error}");
        assert!(error.to_string().contains(&TREE_DEPTH_MAX.to_string()), "depth {depth}: {error}");
        for mode in [Publish::Swap, Publish::Pointer] {
            let mut transaction = store.begin("top", publish(mode)).expect("a directory");
            transaction.put("f", b"new".to_vec()).expect("staged");
            let error = transaction.commit().expect_err("too deep");
            assert_eq!(kind(&error), "limit-exceeded", "depth {depth}, {mode:?}: {error}");
        }
        drop(store);
        scene.ends_as(&format!("depth {depth}"), &tree);
    }
}

/// A change in place carries nothing, so the depth of unchanged trees does not matter.
#[test]
fn in_place_ignores_unchanged_trees() {
    let tree = deep(TREE_DEPTH_MAX + 70).other("ws/top/pipe");
    let scene = Scene::new(&tree);
    let store = scene.open();
    let mut transaction = store.begin("top", publish(Publish::InPlace)).expect("a directory");
    transaction.put("f", b"new".to_vec()).expect("staged");
    assert_eq!(transaction.commit().map(|done| done.applied), Ok(1));
    drop(store);
    scene.ends_as("in place", &tree.file("ws/top/f", "new"));
}

/// A tree with more entries than the limit is refused before any copy.
#[test]
fn the_entries_of_a_tree_are_limited() {
    let tree = deep(0);
    let scene = Scene::new(&tree);
    let intercept = InterceptFs::on(&scene.fs);
    intercept.hooks.fake_entries.replace(Some(("top", ENTRIES_MAX)));
    let store = intercept.open().expect("a root");
    let answer = store.materialize("link", &Source::LinkTarget, Content::Keep);
    exceeded("materialize", answer, Limit::Entries, ENTRIES_MAX as u64, "top");
    let mut transaction = store.begin("top", publish(Publish::Swap)).expect("a directory");
    transaction.put("f", b"new".to_vec()).expect("staged");
    exceeded("swap", transaction.commit(), Limit::Entries, ENTRIES_MAX as u64, "top");
    drop(store);
    scene.ends_as("entries", &tree);
}
