//! A mount point below the root is refused before the commit point, with the cause that the host reported.

use onionskin::error::Error;
use onionskin::fs::Cause;
use onionskin::persist::transaction::{Publish, Transaction};
use onionskin_sim::{SimFs, Tree, tree};

use crate::CALLS;
use crate::support::{PUBLISH, Scene, cause, kind, publish};

/// `mnt` is another filesystem; `conv` contains a mount point, and `mnt/conv` is entirely on the other filesystem.
fn plain() -> Tree {
    tree! {
        file "lower/original" = "ground truth";
        file "ws/file" = "old";
        file "ws/mnt/f" = "old";
        file "ws/mnt/conv/f" = "old";
        file "ws/conv/f" = "old";
        file "ws/conv/mnt/g" = "kept";
    }
}

fn mounted() -> Scene {
    let scene = Scene::new(&plain());
    scene.fs.set_device("ws/mnt", 1);
    scene.fs.set_device("ws/conv/mnt", 2);
    scene
}

/// Returns a description of the failure unless the change was refused as `not-committed`, with the cause that the host
/// reported and no effect, or applied.
#[track_caller]
fn refused_or_done(context: &str, scene: &Scene, answer: Result<(), Error>, after: &Tree) -> Option<String> {
    let recovered = onionskin_sim::operations::open(&scene.fs).map(|store| store.recovered());
    let found = scene.fs.tree();
    assert_eq!(scene.fs.intrusions(), [], "{context}");
    let good = match &answer {
        Ok(()) => found == *after,
        Err(error) => {
            kind(error) == "not-committed"
                && matches!(cause(error), Some(Cause::CrossDevice | Cause::Other))
                && found == plain()
        }
    };
    if good && recovered == Ok(Vec::new()) {
        return None;
    }
    let expected = if answer.is_ok() { after.clone() } else { plain() };
    Some(format!("{context}: {answer:?}; opening again: {recovered:?}\n{}", expected.diff(&found)))
}

/// One file: the rename that would cross the mount point is the commit point itself, so that nothing has happened.
#[test]
fn a_write_across_a_mount_point_is_refused() {
    let calls = CALLS.iter().filter(|(name, _)| !matches!(*name, "materialize" | "materialize-replace"));
    let mut wrong = Vec::new();
    for (name, call) in calls {
        for path in ["mnt/f", "mnt/new", "mnt/conv/f"] {
            let scene = mounted();
            let store = scene.open();
            let answer = call(&store, path);
            drop(store);
            let failed = kind_of(&answer);
            assert_eq!(failed, "not-committed", "{name} {path}: {answer:?}");
            wrong.extend(refused_or_done(&format!("{name} {path}"), &scene, answer, &plain()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn kind_of(answer: &Result<(), Error>) -> &'static str {
    answer.as_ref().map_or_else(kind, |()| "done")
}

fn commit(scene: &Scene, at: &str, mode: Publish, put: &str) -> Result<(), Error> {
    let store = scene.open();
    let mut transaction: Transaction<SimFs> = store.begin(at, publish(mode))?;
    transaction.put(put, b"new".to_vec())?;
    transaction.commit().map(drop)
}

/// A transaction in place is refused before the commit point, with new directories or without.
#[test]
fn a_transaction_in_place_is_refused_before_the_commit_point() {
    let mut wrong = Vec::new();
    for (at, put) in [(".", "mnt/f"), ("mnt", "f"), ("mnt/conv", "f"), ("conv", "mnt/g")] {
        let scene = mounted();
        let answer = commit(&scene, at, Publish::InPlace, put);
        wrong.extend(refused_or_done(&format!("{at}, {put}"), &scene, answer, &plain()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// So is a new directory on the other filesystem.
#[test]
fn a_new_directory_across_a_mount_point_is_refused_before_the_commit_point() {
    let mut wrong = Vec::new();
    for (at, put) in [(".", "mnt/new/f"), ("mnt", "new/deep/f"), ("mnt/new", "f"), ("conv/mnt/new", "f")] {
        let scene = mounted();
        let answer = commit(&scene, at, Publish::InPlace, put);
        wrong.extend(refused_or_done(&format!("{at}, {put}"), &scene, answer, &plain()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// So is a file on the other filesystem that a directory replaces.
#[test]
fn a_reshaped_path_across_a_mount_point_is_refused_before_the_commit_point() {
    let scene = mounted();
    let store = scene.open();
    let mut transaction = store.begin("mnt", publish(Publish::InPlace)).expect("a directory");
    transaction.remove("f").expect("staged");
    transaction.put("f/inside", b"new".to_vec()).expect("staged");
    let answer = transaction.commit().map(drop);
    drop(store);
    let wrong = refused_or_done("f becomes a directory", &scene, answer, &plain());
    assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
}

/// A directory that is a mount point cannot be renamed: publishing it as a whole is refused.
#[test]
fn a_mount_point_itself_is_not_published_whole() {
    let mut wrong = Vec::new();
    for mode in [Publish::Swap, Publish::Pointer] {
        let scene = mounted();
        let answer = commit(&scene, "mnt", mode, "f");
        wrong.extend(refused_or_done(&format!("{mode:?}"), &scene, answer, &plain()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A directory that contains a mount point is not published as a whole: the mounted content would be copied, and then
/// removed.
#[test]
fn a_directory_with_a_mount_point_in_it_is_not_published_whole() {
    let mut wrong = Vec::new();
    for mode in [Publish::Swap, Publish::Pointer] {
        let scene = mounted();
        let answer = commit(&scene, "conv", mode, "f");
        wrong.extend(refused_or_done(&format!("{mode:?}"), &scene, answer, &plain()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A directory entirely on the other filesystem is refused, since its content is staged on this one.
#[test]
fn a_directory_on_the_other_filesystem_is_refused() {
    let mut wrong = Vec::new();
    for mode in PUBLISH {
        let scene = mounted();
        let answer = commit(&scene, "mnt/conv", mode, "f");
        if mode != Publish::Pointer {
            assert_eq!(kind_of(&answer), "not-committed", "{mode:?}: {answer:?}");
            wrong.extend(refused_or_done(&format!("{mode:?}"), &scene, answer, &plain()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
