//! A mount point below the root is refused before the decision, with the cause of the host.

use onionskin::error::Error;
use onionskin::fs::Cause;
use onionskin::persist::transaction::{Publish, Transaction};
use onionskin_sim::{SimFs, Tree, tree};

use crate::CALLS;
use crate::support::{PUBLISH, Scene, cause, kind, publish};

/// `mnt` is another filesystem; `conv` holds one, and `inside/conv` is wholly on it.
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

/// A refusal is `not-committed` with the cause of the host, or the change is done: never in between.
#[track_caller]
fn refused_or_done(what: &str, scene: &Scene, answer: Result<(), Error>, after: &Tree) -> Option<String> {
    let recovered = onionskin_sim::operations::open(&scene.fs).map(|store| store.recovered());
    let found = scene.fs.tree();
    assert_eq!(scene.fs.intrusions(), [], "{what}");
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
    Some(format!("{what}: {answer:?}; opening again: {recovered:?}\n{}", expected.diff(&found)))
}

/// One file: the rename that would cross is the decision itself, so nothing has happened.
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

/// A transaction in place is refused before it is decided, new directories or not.
#[test]
fn a_transaction_in_place_is_refused_before_the_decision() {
    let mut wrong = Vec::new();
    for (at, put) in [(".", "mnt/f"), ("mnt", "f"), ("mnt/conv", "f"), ("conv", "mnt/g")] {
        let scene = mounted();
        let answer = commit(&scene, at, Publish::InPlace, put);
        wrong.extend(refused_or_done(&format!("{at}, {put}"), &scene, answer, &plain()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A new directory on the other filesystem is asked for before the decision, too.
#[test]
fn a_new_directory_across_a_mount_point_is_refused_before_the_decision() {
    let mut wrong = Vec::new();
    for (at, put) in [(".", "mnt/new/f"), ("mnt", "new/deep/f"), ("mnt/new", "f"), ("conv/mnt/new", "f")] {
        let scene = mounted();
        let answer = commit(&scene, at, Publish::InPlace, put);
        wrong.extend(refused_or_done(&format!("{at}, {put}"), &scene, answer, &plain()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A file that gives way to a directory on the other filesystem.
#[test]
fn a_reshaped_path_across_a_mount_point_is_refused_before_the_decision() {
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

/// A directory that is a mount point itself cannot be renamed: a publish of the whole is refused.
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

/// A directory that holds a mount point is not published whole: what is mounted there would be
/// copied, and then removed.
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

/// A directory wholly on the other filesystem is refused, for its content is staged on this one.
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
