//! A link, or a file with several names, becomes an independent file.

use onionskin::persist::materialize::{Content, Source};
use onionskin::store::Durability;
use onionskin_sim::{Switches, Tree, tree};

use crate::support::{Scene, outcome, refused};
use crate::{check, check_with, from, materialize};

fn before() -> Tree {
    tree! {
        file "lower/original" = "ground truth";
        symlink "lower/current" = "original";
        file "ws/file" = "own";
        symlink "ws/link" = "file";
        symlink "ws/again" = "link";
        symlink "ws/sub/up" = "../file";
        symlink "ws/absolute" = "/lower/original";
        symlink "ws/escape" = "../lower/original";
        file "ws/shared" = "shared";
        same "ws/twin" = "ws/shared";
    }
}

/// The content is kept; it is read from the target of the link, or from the source that the call names.
#[test]
fn a_link_becomes_a_file_with_the_content_of_its_target() {
    for (path, origin, text) in [
        ("link", Source::LinkTarget, "own"),
        ("again", Source::LinkTarget, "own"),
        ("sub/up", Source::LinkTarget, "own"),
        ("link", from("/ws/file"), "own"),
        ("absolute", from("/lower/original"), "ground truth"),
        ("absolute", from("/lower/current"), "ground truth"),
        ("escape", from("/lower/original"), "ground truth"),
    ] {
        let after = before().file(format!("ws/{path}"), text);
        let expected = Ok((1, text.len() as u64));
        check(&format!("{path} from {origin:?}"), &before(), path, &origin, Content::Keep, expected, &after);
    }
}

/// A file with two names gets a new inode; the other name keeps the old one.
#[test]
fn a_hard_linked_file_becomes_independent() {
    let after = before().file("ws/shared", "shared").file("ws/twin", "shared");
    check("from itself", &before(), "twin", &Source::LinkTarget, Content::Keep, Ok((1, 6)), &after);
    let truth = before().same("ws/truth", "lower/original");
    let apart = before().file("ws/truth", "ground truth");
    let scene = Scene::new(&truth);
    let store = scene.open();
    let done = materialize(&store, "truth", &Source::LinkTarget, Content::Keep);
    assert_eq!(done, Ok((Durability::Full, 1, 12)));
    drop(store);
    assert!(!scene.fs.tree().is_same("ws/truth", "lower/original"));
    let found = scene.fs.tree();
    assert!(found == apart, "{}", apart.diff(&found));
    assert_eq!(scene.fs.intrusions(), []);
}

/// A file that is already independent is left alone: same inode, same time, no change on the disk.
#[test]
fn an_independent_file_is_left_alone() {
    for origin in [Source::LinkTarget, from("/lower/original"), from("/lower/none")] {
        let scene = Scene::new(&before());
        let seen = scene.inode("ws/file");
        let mutations = scene.fs.counts().mutations;
        let store = scene.open();
        assert_eq!(materialize(&store, "file", &origin, Content::Keep), Ok((Durability::Full, 0, 0)), "{origin:?}");
        assert_eq!(scene.fs.counts().mutations, mutations, "{origin:?}: calls that change something");
        drop(store);
        assert_eq!(scene.inode("ws/file"), seen, "{origin:?}");
        scene.ends_as("independent", &before());
    }
}

/// A second materialization has nothing to do.
#[test]
fn the_second_time_there_is_nothing_to_do() {
    let scene = Scene::new(&before());
    let store = scene.open();
    for (time, expected) in [(Durability::Full, 1, 12), (Durability::Full, 0, 0)].into_iter().enumerate() {
        let done = materialize(&store, "absolute", &from("/lower/original"), Content::Keep);
        assert_eq!(done, Ok(expected), "time {time}");
    }
    drop(store);
    scene.ends_as("twice", &before().file("ws/absolute", "ground truth"));
}

/// New content replaces the link, whatever its target, and nothing is copied.
#[test]
fn content_may_be_replaced() {
    for path in ["link", "again", "sub/up", "absolute", "escape", "shared", "file"] {
        let after = before().file(format!("ws/{path}"), "new");
        let holds = Content::Replace(b"new".to_vec());
        check(path, &before(), path, &Source::LinkTarget, holds, Ok((1, 3)), &after);
    }
}

/// A host without hard links, one whose writes are short, and one without directory sync, which the receipt reports.
#[test]
fn hosts_differ() {
    let after = before().file("ws/absolute", "ground truth");
    for switches in [
        Switches { hard_links: false, ..Switches::default() },
        Switches { short_writes: true, ..Switches::default() },
        Switches { times: false, ..Switches::default() },
    ] {
        let call = ("absolute", &from("/lower/original"), Content::Keep);
        check_with(switches, &format!("{switches:?}"), &before(), call, Ok((1, 12)), &after);
    }
    let scene = Scene::with(Switches { directory_sync: false, ..Switches::default() }, &before());
    let store = scene.open();
    let done = materialize(&store, "absolute", &from("/lower/original"), Content::Keep);
    assert_eq!(done, Ok((Durability::Data, 1, 12)), "without directory sync");
    drop(store);
    scene.ends_as("without directory sync", &after);
}

/// A missing path, a directory and a pipe cannot be materialized.
#[test]
fn only_links_and_files_are_materialized() {
    let tree = before().other("ws/pipe").dir("ws/dir");
    for (path, kind) in [("none", "not-found"), ("dir", "is-directory"), ("pipe", "not-a-file")] {
        for holds in [Content::Keep, Content::Replace(b"new".to_vec())] {
            check(path, &tree, path, &Source::LinkTarget, holds, refused(kind, path), &tree);
        }
    }
    let scene = Scene::new(&tree);
    let store = scene.open();
    assert_eq!(
        outcome(materialize(&store, "none/x", &Source::LinkTarget, Content::Keep)),
        refused("not-found", "none")
    );
    drop(store);
    scene.ends_as("nothing on the way", &tree);
}
