//! A link to a directory becomes a directory with a copy of the whole target.

use onionskin::persist::materialize::{Content, Source};
use onionskin::store::{Durability, Store, WriteOptions};
use onionskin_sim::{SimFs, Switches, Tree, tree};

use crate::support::{self, Outcome, Scene, refused};
use crate::{from, materialize};

/// Materializes a path and asserts the number of changed paths and the resulting tree.
#[track_caller]
fn check(
    switches: Switches,
    context: &str,
    before: &Tree,
    (path, origin): (&str, &Source),
    expected: Outcome<u64>,
    after: &Tree,
) {
    let act = |store: &Store<SimFs>| materialize(store, path, origin, Content::Keep).map(|(_, applied, _)| applied);
    support::check_with(switches, context, before, act, expected, after);
}

fn before() -> Tree {
    tree! {
        file "lower/cache/one" = "1";
        file "lower/cache/sub/two" = "22";
        dir "lower/cache/empty";
        symlink "lower/cache/current" = "sub/two";
        symlink "lower/cache/sub/up" = "../one";
        symlink "ws/cache" = "/lower/cache";
        file "ws/real/one" = "1";
        file "ws/real/sub/two" = "22";
        symlink "ws/real/sub/up" = "../one";
        symlink "ws/linked" = "real";
        symlink "ws/twice" = "linked";
    }
}

fn with_copy(tree: Tree, of: &str, at: &str) -> Tree {
    let inside = before().below(of);
    let mut tree = tree.remove(at).dir(at);
    for (path, node) in inside.iter() {
        tree = tree.with(format!("{at}/{}", String::from_utf8_lossy(path)), node.clone());
    }
    tree
}

/// Files, directories, including empty ones, and links that stay inside are all copied; the receipt counts each path.
#[test]
fn a_directory_link_is_copied_whole() {
    for (path, origin, of, applied) in [
        ("linked", Source::LinkTarget, "ws/real", 5),
        ("twice", Source::LinkTarget, "ws/real", 5),
        ("linked", from("/ws/real"), "ws/real", 5),
        ("cache", from("/lower/cache"), "lower/cache", 7),
    ] {
        let after = with_copy(before(), of, &format!("ws/{path}"));
        let context = format!("{path} from {origin:?}");
        check(Switches::default(), &context, &before(), (path, &origin), Ok(applied), &after);
    }
}

/// The result depends neither on the order of a listing nor on the availability of hard links.
#[test]
fn hosts_differ() {
    for switches in [
        Switches { listing_reversed: true, ..Switches::default() },
        Switches { hard_links: false, ..Switches::default() },
        Switches { short_writes: true, times: false, ..Switches::default() },
    ] {
        let after = with_copy(before(), "lower/cache", "ws/cache");
        check(switches, &format!("{switches:?}"), &before(), ("cache", &from("/lower/cache")), Ok(7), &after);
    }
}

/// The receipt reports that a directory cannot be synced.
#[test]
fn a_receipt_reports_the_achieved_durability() {
    let scene = Scene::with(Switches { directory_sync: false, ..Switches::default() }, &before());
    let store = scene.open();
    let done = materialize(&store, "linked", &Source::LinkTarget, Content::Keep);
    drop(store);
    scene.ends_as("without directory sync", &with_copy(before(), "ws/real", "ws/linked"));
    assert_eq!(done.map(|(achieved, ..)| achieved), Ok(Durability::Data));
}

/// The receipt counts the bytes of new content, and no bytes written on the way.
#[test]
fn a_receipt_counts_the_bytes_of_new_content() {
    let scene = Scene::new(&before());
    let done = materialize(&scene.open(), "linked", &Source::LinkTarget, Content::Keep);
    assert_eq!(done, Ok((Durability::Full, 5, 3)));
}

/// A hard link inside the tree is copied as any file is: the copy shares no inode with its source.
#[test]
fn a_copied_tree_shares_nothing_with_its_source() {
    let tree = before().same("ws/real/twin", "ws/real/one");
    let after = with_copy(tree.clone(), "ws/real", "ws/linked").file("ws/linked/twin", "1");
    check(Switches::default(), "hard links", &tree, ("linked", &Source::LinkTarget), Ok(6), &after);
}

/// A write below a linked parent goes to the copy, through several links, and its receipt counts the write only.
#[test]
fn a_write_below_a_linked_parent_lands_in_a_copy() {
    for (path, link) in [("linked/sub/two", "linked"), ("twice/sub/new", "twice"), ("linked/new", "linked")] {
        let scene = Scene::new(&before());
        let store = scene.open();
        let done = store.replace(path, b"new".to_vec(), &WriteOptions::default());
        assert_eq!(done.map(|done| (done.achieved, done.applied, done.bytes)), Ok((Durability::Full, 1, 3)), "{path}");
        drop(store);
        let after = with_copy(before(), "ws/real", &format!("ws/{link}")).file(format!("ws/{path}"), "new");
        scene.ends_as(path, &after);
    }
}

/// A path below a linked parent is materialized with the copy of the parent: no further change is needed.
#[test]
fn a_linked_parent_is_materialized_on_the_way() {
    let scene = Scene::new(&before());
    let store = scene.open();
    let done = materialize(&store, "linked/one", &Source::LinkTarget, Content::Keep);
    assert_eq!(done, Ok((Durability::Full, 0, 0)), "the copy of the parent is independent");
    drop(store);
    scene.ends_as("linked/one", &with_copy(before(), "ws/real", "ws/linked"));
}

/// A link to a directory that contains the link itself is refused, since the copy would never end.
#[test]
fn a_link_to_a_directory_above_is_refused() {
    for (link, text) in [("ws/real/sub/loop", ".."), ("ws/real/sub/loop", "."), ("ws/loop", ".")] {
        let tree = before().symlink(link, text);
        let path = link.trim_start_matches("ws/");
        let expected = refused("symlink-loop", path);
        check(Switches::default(), &format!("{path} -> {text}"), &tree, (path, &Source::LinkTarget), expected, &tree);
    }
}

/// A tree with a link that leaves it, a pipe, or a name that is not UTF-8 is refused, never copied in part.
#[test]
fn a_tree_that_cannot_be_copied_whole_is_refused() {
    for (bad, kind, subject) in [
        (before().symlink("ws/real/sub/out", "../../beside"), "symlink-escapes", "real/sub/out"),
        (before().symlink("ws/real/sub/out", "/lower/cache"), "link-unreadable", "real/sub/out"),
        (before().symlink("ws/real/out", "../../lower"), "symlink-escapes", "real/out"),
        (before().other("ws/real/sub/pipe"), "not-a-file", "real/sub/pipe"),
        (before().file(b"ws/real/sub/\xff", "?"), "illegal-name", "real/sub"),
    ] {
        check(Switches::default(), kind, &bad, ("linked", &Source::LinkTarget), refused(kind, subject), &bad);
    }
}
