//! No write goes through a link: the link is refused or replaced, or its target is replaced.

use onionskin::error::{Error, ErrorKind};
use onionskin::store::{Durability, Precondition, Receipt, Store, Symlinks, WriteOptions};
use onionskin_sim::{SimFs, Tree, tree};

use crate::support::{DATABASE, Outcome, Scene, WAL, check, outcome, receipt, refused, with_links};

use Symlinks::{FollowWithin, Refuse, Replace};

fn before() -> Tree {
    tree! {
        file "lower/original" = "ground truth";
        file "lower/dir/inner" = "ground truth";
        file "ws/file" = "old";
        file "ws/real/inner" = "inside";
        file "ws/real/deep/leaf" = "leaf";
        symlink "ws/link" = "file";
        symlink "ws/again" = "./link";
        symlink "ws/real/up" = "../file";
        symlink "ws/absolute" = "/lower/original";
        symlink "ws/escape" = "../lower/original";
        symlink "ws/dangling" = "nowhere";
        symlink "ws/loop-a" = "loop-b";
        symlink "ws/loop-b" = "loop-a";
        symlink "ws/linked" = "real";
        symlink "ws/twice" = "linked";
        symlink "ws/absolute-dir" = "/lower/dir";
        symlink "ws/escape-dir" = "../lower/dir";
        symlink "ws/dangling-dir" = "nowhere";
        symlink "ws/to-file" = "file";
    }
}

/// The tree after the link to `real` was replaced by a copy.
fn copied(tree: Tree, link: &str) -> Tree {
    let inside = before().below("ws/real");
    let mut tree = tree.remove(link);
    for (path, node) in inside.iter() {
        let path = String::from_utf8_lossy(path);
        tree = tree.with(format!("{link}/{path}"), node.clone());
    }
    tree
}

fn write(store: &Store<SimFs>, path: &str, policy: Symlinks) -> Result<(Durability, u64, u64), Error> {
    let Receipt { achieved, applied, bytes, .. } = store.replace(path, b"new".to_vec(), &with_links(policy))?;
    Ok((achieved, applied, bytes))
}

fn done() -> Outcome<(Durability, u64, u64)> {
    Ok((Durability::Full, 1, 3))
}

#[track_caller]
fn case(path: &str, policy: Symlinks, expected: Outcome<(Durability, u64, u64)>, after: &Tree) {
    let context = format!("{path}, {policy:?}");
    check(&context, &before(), |store| write(store, path, policy), expected, after);
}

/// `refuse` refuses a link at the end of the path, wherever it leads.
#[test]
fn refuse_leaves_every_link_alone() {
    for path in ["link", "again", "absolute", "escape", "dangling", "loop-a", "linked"] {
        case(path, Refuse, refused("symlink-refused", path), &before());
    }
}

/// `replace` puts the new file in the place of a link at the end of the path, and its target stays unchanged.
#[test]
fn replace_replaces_the_link_and_never_its_target() {
    for path in ["link", "again", "real/up", "absolute", "escape", "dangling", "loop-a", "linked"] {
        case(path, Replace, done(), &before().file(format!("ws/{path}"), "new"));
    }
}

/// `follow-within` writes to the target of the link, and the link stays.
#[test]
fn follow_within_replaces_the_target() {
    for (path, target) in [
        ("link", "file"),
        ("again", "file"),
        ("real/up", "file"),
        ("dangling", "nowhere"),
        ("linked/inner", "real/inner"),
    ] {
        case(path, FollowWithin, done(), &before().file(format!("ws/{target}"), "new"));
    }
    case("twice/deep/leaf", FollowWithin, done(), &before().file("ws/real/deep/leaf", "new"));
}

/// Links that leave the root, cannot be read, form a loop or lead to a directory are refused.
#[test]
fn follow_within_never_leaves_the_root() {
    for (path, kind, subject) in [
        ("absolute", "link-unreadable", "absolute"),
        ("escape", "symlink-escapes", "escape"),
        ("linked", "is-directory", "real"),
        ("absolute-dir/inner", "link-unreadable", "absolute-dir"),
        ("escape-dir/inner", "symlink-escapes", "escape-dir"),
        ("dangling-dir/inner", "not-found", "nowhere"),
        ("to-file/inner", "not-directory", "file"),
    ] {
        case(path, FollowWithin, refused(kind, subject), &before());
    }
    let answer = |store: &Store<SimFs>| match write(store, "loop-a", FollowWithin) {
        Err(error) if error.kind() == ErrorKind::SymlinkLoop => Ok(error.subject().starts_with("loop-")),
        other => panic!("loop: {other:?}"),
    };
    check("loop", &before(), answer, Ok(true), &before());
}

/// `refuse` refuses a link among the parents, and names it.
#[test]
fn refuse_names_the_link_on_the_way() {
    for (path, link) in [
        ("linked/inner", "linked"),
        ("twice/inner", "twice"),
        ("absolute-dir/inner", "absolute-dir"),
        ("dangling-dir/x", "dangling-dir"),
    ] {
        case(path, Refuse, refused("symlink-refused", link), &before());
    }
}

/// `replace` turns a linked parent into a directory with a copy of the target, then writes there; the target stays
/// byte-identical.
#[test]
fn replace_materializes_a_link_on_the_way() {
    let inside = copied(before(), "ws/linked").remove("ws/linked/up").file("ws/linked/inner", "new");
    let tree = before().remove("ws/real/up");
    let act = |store: &Store<SimFs>| write(store, "linked/inner", Replace);
    check("linked/inner", &tree, act, done(), &inside.remove("ws/real/up"));

    let deep = copied(before(), "ws/twice").remove("ws/twice/up").remove("ws/real/up").file("ws/twice/deep/new", "new");
    let act = |store: &Store<SimFs>| write(store, "twice/deep/new", Replace);
    check("twice/deep/new", &tree, act, done(), &deep);
}

/// A linked parent that cannot be copied is refused, and the link stays.
#[test]
fn a_link_on_the_way_that_cannot_be_copied_is_refused() {
    for (path, kind, subject) in [
        ("linked/inner", "symlink-escapes", "real/up"),
        ("absolute-dir/inner", "link-unreadable", "absolute-dir"),
        ("escape-dir/inner", "symlink-escapes", "escape-dir"),
        ("dangling-dir/inner", "not-found", "dangling-dir"),
        ("to-file/inner", "not-directory", "to-file"),
    ] {
        case(path, Replace, refused(kind, subject), &before());
    }
}

/// A refused write changes nothing: a linked parent is still a link.
#[test]
fn a_refused_write_leaves_a_linked_parent_a_link() {
    let tree = before().remove("ws/real/up").file("ws/real/index.db-wal", WAL);
    let absent = WriteOptions { when: Precondition::Absent, ..with_links(Replace) };
    let mut wrong = Vec::new();
    for (path, bytes, options, expected) in [
        ("linked/inner", &b"new"[..], &absent, refused("already-exists", "linked/inner")),
        ("linked/none/new", b"new", &with_links(Replace), refused("not-found", "linked/none")),
        ("linked/deep", b"new", &with_links(Replace), refused("is-directory", "linked/deep")),
        ("linked/index.db", DATABASE, &with_links(Replace), refused("hot-journal", "linked/index.db-wal")),
    ] {
        let scene = Scene::new(&tree);
        let store = scene.open();
        assert_eq!(outcome(store.replace(path, bytes.to_vec(), options).map(drop)), expected, "{path}");
        drop(store);
        let found = scene.fs.tree();
        if found != tree {
            wrong.push(format!("{path}: {expected:?}, and yet\n{}", tree.diff(&found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A second hard link keeps the old content: only the written name changes.
#[test]
fn the_other_name_of_a_file_keeps_its_content() {
    let tree = before().same("lower/twin", "lower/original").same("ws/shared", "lower/original");
    let after = before().same("lower/twin", "lower/original").file("ws/shared", "new");
    for policy in [Refuse, Replace, FollowWithin] {
        let act = |store: &Store<SimFs>| store.replace("shared", b"new".to_vec(), &with_links(policy));
        check("hard link", &tree, act, Ok(receipt(Durability::Full, 1, 3)), &after);
    }
}
