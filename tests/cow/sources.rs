//! A source that cannot be read, or changes while it is read, is refused, and nothing changes.

use std::cell::Cell;
use std::rc::Rc;

use onionskin::persist::materialize::{Content, Source};
use onionskin::persist::transaction::Publish;
use onionskin_sim::{SimFs, Tree, tree};

use crate::support::intercept::InterceptFs;
use crate::support::{Scene, outcome, publish, refused, rename_outside};
use crate::{check, from};

fn before() -> Tree {
    tree! {
        file "lower/original" = "ground truth";
        dir "lower/dir";
        symlink "lower/absolute" = "/etc/passwd";
        symlink "lower/out" = "../ws/file";
        other "lower/pipe";
        file "ws/file" = "own";
        symlink "ws/absolute" = "/lower/original";
        symlink "ws/absolute-dir" = "/lower";
        symlink "ws/escape" = "../lower/original";
        symlink "ws/far" = "../../../../etc/passwd";
        symlink "ws/dangling" = "nowhere";
        symlink "ws/loop-a" = "loop-b";
        symlink "ws/loop-b" = "loop-a";
        symlink "ws/self" = "self";
        symlink "ws/to-pipe" = "pipe";
        other "ws/pipe";
        same "ws/twin" = "ws/file";
    }
}

/// A link that cannot be followed inside the root is refused, and the error names the link.
#[test]
fn a_link_that_cannot_be_followed_is_refused() {
    for (path, kind, subject) in [
        ("absolute", "link-unreadable", "absolute"),
        ("absolute-dir", "link-unreadable", "absolute-dir"),
        ("absolute-dir/original", "link-unreadable", "absolute-dir"),
        ("escape", "symlink-escapes", "escape"),
        ("far", "symlink-escapes", "far"),
        ("dangling", "not-found", "dangling"),
        ("to-pipe", "not-a-file", "pipe"),
    ] {
        check(path, &before(), path, &Source::LinkTarget, Content::Keep, refused(kind, subject), &before());
    }
}

/// A loop of links ends the lookup, and the error names one of them.
#[test]
fn a_loop_ends() {
    for path in ["loop-a", "self"] {
        let scene = Scene::new(&before());
        let store = scene.open();
        let answer = outcome(store.materialize(path, &Source::LinkTarget, Content::Keep).map(|_| ()));
        assert!(
            matches!(&answer, Err(("symlink-loop", named)) if named.starts_with("loop-") || named == path),
            "{answer:?}"
        );
        drop(store);
        scene.ends_as(path, &before());
    }
}

/// A source that a call names is looked up among the grants, and its errors name it as given.
#[test]
fn a_source_that_cannot_be_read_is_named_as_given() {
    let mut wrong = Vec::new();
    for (origin, kind) in [
        ("/lower/none", "not-found"),
        ("/lower/none/deeper", "not-found"),
        ("/elsewhere/original", "no-preopen"),
        ("/lower/../ws/file", "no-preopen"),
        ("", "no-preopen"),
        ("/lower/original\0", "invalid-path"),
        ("/lower/pipe", "not-a-file"),
        ("/lower/absolute", "link-unreadable"),
        ("/lower/out", "symlink-escapes"),
        ("/lower/original/x", "not-directory"),
    ] {
        let scene = Scene::new(&before());
        let store = scene.open();
        let answer = outcome(store.materialize("absolute", &from(origin), Content::Keep).map(|_| ()));
        drop(store);
        scene.ends_as(origin, &before());
        if answer != refused(kind, origin) {
            wrong.push(format!("{origin:?}: expected {kind}, found {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A file with several names does not become a directory.
#[test]
fn a_file_does_not_become_a_directory() {
    let scene = Scene::new(&before());
    let store = scene.open();
    let answer = outcome(store.materialize("twin", &from("/lower/dir"), Content::Keep).map(|_| ()));
    assert!(matches!(&answer, Err(("is-directory", named)) if named.ends_with("dir")), "{answer:?}");
    drop(store);
    scene.ends_as("twin", &before());
}

fn changing() -> Tree {
    tree! {
        file "ws/source" = "first version";
        file "ws/spare/1" = "second, of another length";
        file "ws/spare/2" = "third";
        file "ws/spare/3" = "fourth";
        symlink "ws/link" = "source";
        file "ws/tree/a" = "first";
        file "ws/tree/b" = "stays";
        symlink "ws/linked" = "tree";
    }
}

/// Returns a hook that replaces a path by the next spare file on each call, and the count of its calls.
fn exchanger(path: &'static str) -> (Rc<Cell<usize>>, impl FnMut(&SimFs) + 'static) {
    let next = Rc::new(Cell::new(0));
    let count = Rc::clone(&next);
    let act = move |fs: &SimFs| {
        count.set(count.get() + 1);
        rename_outside(fs, &format!("ws/spare/{}", count.get()), path);
    };
    (next, act)
}

/// A source that changes once while it is read is read again, so that the copy is of one moment.
#[test]
fn a_source_that_changes_once_is_read_again() {
    let scene = Scene::new(&changing());
    let intercept = InterceptFs::on(&scene.fs);
    let (times, act) = exchanger("ws/source");
    intercept.at_read_of("source", 1, act);
    let store = intercept.open().expect("a root");
    let done = store.materialize("link", &Source::LinkTarget, Content::Keep);
    drop(store);
    assert_eq!((done.map(|done| done.bytes), times.get()), (Ok(25), 1));
    let text = "second, of another length";
    scene.ends_as("once", &changing().remove("ws/spare/1").file("ws/source", text).file("ws/link", text));
}

/// A source that keeps changing is a conflict, and the link stays.
#[test]
fn a_source_that_keeps_changing_is_a_conflict() {
    let scene = Scene::new(&changing());
    let intercept = InterceptFs::on(&scene.fs);
    let (times, mut act) = exchanger("ws/source");
    // The first two reads look for the header of a database, the second of them at the end of the file. Two attempts to
    // copy follow, of one read each.
    let mut reads = 0;
    intercept.at_read_of("source", usize::MAX, move |fs| {
        reads += 1;
        if matches!(reads, 1 | 3 | 4) {
            act(fs);
        }
    });
    let store = intercept.open().expect("a root");
    let answer = outcome(store.materialize("link", &Source::LinkTarget, Content::Keep).map(|_| ()));
    drop(store);
    assert_eq!((answer, times.get()), (refused("conflicts", "source"), 3));
    let after = changing().remove("ws/spare").dir("ws/spare").file("ws/source", "fourth");
    scene.ends_as("again and again", &after);
}

/// A tree that changes once while it is read is read again, as a file is.
#[test]
fn a_tree_that_changes_once_is_read_again() {
    let scene = Scene::new(&changing());
    let intercept = InterceptFs::on(&scene.fs);
    let (_, act) = exchanger("ws/tree/a");
    intercept.at_read_of("tree/a", 1, act);
    let store = intercept.open().expect("a root");
    let done = store.materialize("linked", &Source::LinkTarget, Content::Keep);
    drop(store);
    assert_eq!(done.map(|done| done.applied), Ok(3));
    let text = "second, of another length";
    let after = changing().remove("ws/spare/1").remove("ws/linked").file("ws/tree/a", text);
    scene.ends_as("a tree", &after.file("ws/linked/a", text).file("ws/linked/b", "stays"));
}

/// A link that is replaced while its content is copied is not overwritten.
#[test]
fn a_link_that_changes_is_a_conflict() {
    let scene = Scene::new(&changing().symlink("ws/spare/other", "spare/2"));
    let intercept = InterceptFs::on(&scene.fs);
    intercept.at_read_of("source", 1, |fs| rename_outside(fs, "ws/spare/other", "ws/link"));
    let store = intercept.open().expect("a root");
    let answer = outcome(store.materialize("link", &Source::LinkTarget, Content::Keep).map(|_| ()));
    drop(store);
    assert_eq!(answer, refused("conflicts", "link"));
    scene.ends_as("the link", &changing().symlink("ws/link", "spare/2"));
}

/// A directory that changes while it is carried is a conflict, and the change is kept.
#[test]
fn a_directory_that_changes_while_it_is_carried_is_a_conflict() {
    for mode in [Publish::Swap, Publish::Pointer] {
        let scene = Scene::with(onionskin_sim::Switches { hard_links: false, ..Default::default() }, &changing());
        let intercept = InterceptFs::on(&scene.fs);
        intercept.at_read_of("tree/b", 1, |fs| rename_outside(fs, "ws/spare/3", "ws/tree/a"));
        let store = intercept.open().expect("a root");
        let mut transaction = store.begin("tree", publish(mode)).expect("a directory");
        transaction.put("new", b"new".to_vec()).expect("staged");
        let answer = outcome(transaction.commit().map(|_| ()));
        drop(store);
        assert!(matches!(&answer, Err(("conflicts", named)) if named.ends_with('a')), "{mode:?}: {answer:?}");
        scene.ends_as(&format!("{mode:?}"), &changing().remove("ws/spare/3").file("ws/tree/a", "fourth"));
    }
}
