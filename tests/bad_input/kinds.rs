//! An entry of the wrong kind, a directory, a pipe or a name that is not UTF-8, is refused and left alone.

use onionskin::persist::transaction::Publish;
use onionskin::store::{Symlinks, WriteOptions};
use onionskin_sim::{Tree, tree};

use crate::CALLS;
use crate::support::{PUBLISH, Scene, outcome, publish, refused, with_links};

fn before() -> Tree {
    tree! {
        file "lower/original" = "ground truth";
        file "ws/file" = "old";
        file "ws/dir/inside" = "old";
        other "ws/pipe";
        symlink "ws/to-dir" = "dir";
        symlink "ws/to-pipe" = "pipe";
    }
}

/// A directory or a pipe in the place of a file, a file or a pipe in the place of a directory.
#[test]
fn the_wrong_kind_is_refused_by_every_call() {
    let mut wrong = Vec::new();
    for (path, kind, subject) in [
        ("dir", "is-directory", "dir"),
        ("pipe", "not-a-file", "pipe"),
        ("file/x", "not-directory", "file"),
        ("pipe/x", "not-directory", "pipe"),
        ("file/x/y", "not-directory", "file"),
    ] {
        // A file may be renamed below its own name, which becomes a directory.
        for (name, call) in CALLS.iter().filter(|(name, _)| *name != "rename-to" || !path.starts_with("file")) {
            let scene = Scene::new(&before());
            let store = scene.open();
            let answer = outcome(call(&store, path));
            drop(store);
            if answer != refused(kind, subject) {
                wrong.push(format!("{name} {path}: expected {kind} {subject}, found {answer:?}"));
            }
            scene.ends_as(&format!("{name} {path}"), &before());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// No call opens a pipe, through whatever link.
#[test]
fn a_pipe_is_never_opened() {
    let tree = before().other("lower/pipe");
    let scene = Scene::new(&tree);
    let store = scene.open();
    let follow = with_links(Symlinks::FollowWithin);
    assert_eq!(outcome(store.replace("to-pipe", vec![1], &follow).map(drop)), refused("not-a-file", "pipe"));
    assert_eq!(store.fingerprint("pipe", true).map(|seen| seen.digest), Ok(None));
    let mut writer = store.writer("file", &WriteOptions::default()).expect("a file");
    assert_eq!(outcome(writer.write_from("/ws/pipe", 0, 1).map(drop)), refused("not-a-file", "/ws/pipe"));
    assert_eq!(outcome(writer.write_from("/ws/dir", 0, 1).map(drop)), refused("is-directory", "/ws/dir"));
    drop(writer);
    let mut transaction = store.begin("dir", publish(Publish::InPlace)).expect("a directory");
    assert_eq!(outcome(transaction.put_file("x", "/lower/pipe")), refused("not-a-file", "/lower/pipe"));
    assert_eq!(outcome(transaction.put_file("x", "/ws/dir")), refused("is-directory", "/ws/dir"));
    drop(transaction);
    drop(store);
    scene.ends_as("pipes", &tree);
}

/// Pipes in a directory that is published as a whole are carried, never opened; they may be removed.
#[test]
fn a_pipe_in_a_directory_is_carried_or_removed() {
    let tree = before().other("ws/dir/socket").other("ws/dir/sub/pipe");
    for mode in PUBLISH {
        for remove in [false, true] {
            let scene = Scene::new(&tree);
            let store = scene.open();
            let mut transaction = store.begin("dir", publish(mode)).expect("a directory");
            transaction.put("inside", b"new".to_vec()).expect("staged");
            if remove {
                transaction.remove("socket").expect("staged");
            }
            transaction.commit().unwrap_or_else(|error| panic!("{mode:?}: {error}"));
            drop(store);
            let mut wanted = tree.below("ws/dir").file("inside", "new");
            if remove {
                wanted = wanted.remove("socket");
            }
            let place = if mode == Publish::Pointer { "ws/.onionskin/directories/1/1" } else { "ws/dir" };
            let found = scene.fs.tree().below(place);
            assert!(found == wanted, "{mode:?}, remove {remove}:\n{}", wanted.diff(&found));
            assert_eq!(scene.fs.intrusions(), [], "{mode:?}");
        }
    }
}

/// A transaction does not rename pipes or links as it does files.
#[test]
fn only_a_file_is_renamed() {
    let scene = Scene::new(&before());
    let store = scene.open();
    let mut transaction = store.begin(".", publish(Publish::InPlace)).expect("the root");
    assert_eq!(outcome(transaction.rename("pipe", "x")), refused("not-a-file", "pipe"));
    assert_eq!(outcome(transaction.rename("to-dir", "x")), refused("symlink-refused", "to-dir"));
    assert_eq!(outcome(transaction.rename("dir", "x")), refused("is-directory", "dir"));
    drop(transaction);
    drop(store);
    scene.ends_as("rename", &before());
}

/// Names that are not UTF-8 do not disturb changes that need not carry them.
#[test]
fn names_that_are_not_utf8_do_not_matter_beside_ours() {
    let tree = before().file(b"ws/\xff\xfe", "?").file(b"ws/dir/\xff", "?").dir(b"ws/dir/sub\xc3");
    for (name, call) in CALLS.iter().filter(|(name, _)| !name.starts_with("materialize")) {
        for path in ["fresh", "dir/fresh"] {
            let scene = Scene::new(&tree);
            let store = scene.open();
            assert_eq!(outcome(call(&store, path)), Ok(()), "{name} {path}");
            drop(store);
            let text = match *name {
                "replace-json" => "1",
                "rename-to" => "old",
                "put-file" => "ground truth",
                _ => "new",
            };
            let mut after = tree.clone().file(format!("ws/{path}"), text);
            if *name == "rename-to" {
                after = after.remove("ws/file");
            }
            scene.ends_as(&format!("{name} {path}"), &after);
        }
    }
}

/// A name that is not UTF-8 cannot be carried, so that a publish of the whole directory is refused and names the
/// directory; in place it does not matter.
#[test]
fn a_name_that_is_not_utf8_cannot_be_carried() {
    for (bad, named) in [(&b"ws/dir/\xff"[..], "dir"), (&b"ws/dir/sub/\xff"[..], "dir/sub")] {
        let tree = before().file(bad, "?");
        for mode in PUBLISH {
            let scene = Scene::new(&tree);
            let store = scene.open();
            let mut transaction = store.begin("dir", publish(mode)).expect("a directory");
            transaction.put("inside", b"new".to_vec()).expect("staged");
            let answer = outcome(transaction.commit().map(|done| done.applied));
            drop(store);
            if mode == Publish::InPlace {
                assert_eq!(answer, Ok(1));
                scene.ends_as("in place", &tree.clone().file("ws/dir/inside", "new"));
            } else {
                assert_eq!(answer, refused("illegal-name", named), "{mode:?}");
                scene.ends_as(&format!("{mode:?}"), &tree);
            }
        }
    }
}
