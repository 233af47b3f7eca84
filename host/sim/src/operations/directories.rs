//! One directory, in each mode of publishing.

use onionskin::error::Error;
use onionskin::limits::GENERATIONS_KEPT;
use onionskin::persist::transaction::{DirectoryOptions, Publish, Transaction};
use onionskin::store::{Durability, Store, Symlinks};

use super::pointers::{published, shows_alike};
use super::scenes::{conversations, file_and_directory, nothing, workspace};
use super::{Action, FaultyFs, Operation, same_content};
use crate::model::Model;
use crate::tree::Tree;

type Done = Result<(), Error>;

pub(super) fn durable(publish: Publish) -> DirectoryOptions {
    DirectoryOptions {
        publish,
        durability: Durability::Full,
        symlinks: Symlinks::Replace,
        keep_generations: GENERATIONS_KEPT,
    }
}

pub(super) fn changes(transaction: &mut Transaction<FaultyFs>) -> Done {
    transaction.put("metadata.json", b"{\"v\":2}".to_vec())?;
    transaction.put("events.json", b"[1,".to_vec())?;
    transaction.append("events.json", b"2]".to_vec())
}

pub(super) fn persist_with(store: &Store<FaultyFs>, path: &str, how: DirectoryOptions) -> Done {
    let mut transaction = store.begin(path, how)?;
    changes(&mut transaction)?;
    transaction.commit().map(drop)
}

pub(super) fn persist(store: &Store<FaultyFs>, publish: Publish) -> Done {
    persist_with(store, "conv", durable(publish))
}

fn weakly(store: &Store<FaultyFs>, publish: Publish, durability: Durability) -> Done {
    persist_with(store, "conv", DirectoryOptions { durability, ..durable(publish) })
}

fn reshape(store: &Store<FaultyFs>, publish: Publish) -> Done {
    let mut transaction = store.begin("conv", durable(publish))?;
    transaction.remove("thing")?;
    transaction.put("thing/inside", b"now a directory".to_vec())?;
    transaction.remove("goes")?;
    transaction.rename("old-name", "new-name")?;
    transaction.commit().map(drop)
}

fn copy_in(store: &Store<FaultyFs>, publish: Publish) -> Done {
    let mut transaction = store.begin("real", durable(publish))?;
    transaction.put_file("copied", "/lower/original")?;
    transaction.append("copied", b", and more".to_vec())?;
    transaction.rename("inner", "deep/leaf")?;
    transaction.commit().map(drop)
}

fn create(store: &Store<FaultyFs>, publish: Publish) -> Done {
    persist_with(store, "a/conv", durable(publish))
}

/// Parents are made before the decision: an empty directory more is all that a crash leaves.
fn parents_are_old(found: &Tree, stage: &Tree) -> bool {
    found == stage || (*stage == nothing() && *found == nothing().dir("ws/a"))
}

/// As [`parents_are_old`], regardless of generations to which no link leads.
fn shown_parents_are_old(found: &Tree, stage: &Tree) -> bool {
    shows_alike(found, stage) || (*stage == nothing() && shows_alike(found, &nothing().dir("ws/a")))
}

fn operation(
    name: &'static str,
    about: &'static str,
    scene: fn() -> Tree,
    act: fn(&Store<FaultyFs>) -> Done,
) -> Operation {
    Operation::new(name, about, scene, Action::Store(act))
}

pub(super) fn all() -> Vec<Operation> {
    let mut all = in_place();
    all.extend(swap());
    all.extend(pointer());
    all.extend(weak());
    all
}

fn in_place() -> Vec<Operation> {
    let act = |store: &Store<FaultyFs>| persist(store, Publish::InPlace);
    vec![
        operation("in-place", "two files of a directory", conversations, act),
        operation("", "the same without hard links", conversations, act).without_links("in-place-no-links"),
        operation("in-place-new", "a directory that was not there", nothing, |store| create(store, Publish::InPlace)),
        operation("in-place-reshape", "remove, rename, and a file becomes a directory", file_and_directory, |store| {
            reshape(store, Publish::InPlace)
        }),
        operation("in-place-root", "the root itself", conversations, |store| {
            let mut transaction = store.begin(".", durable(Publish::InPlace))?;
            transaction.put("conv/metadata.json", b"{\"v\":2}".to_vec())?;
            transaction.rename("beside", "conv/beside")?;
            transaction.commit().map(drop)
        }),
        operation("in-place-copy", "a copy of an original, and a rename over a file", workspace, |store| {
            copy_in(store, Publish::InPlace)
        }),
        operation("in-place-empty", "a transaction without changes", conversations, |store| {
            store.begin("conv", durable(Publish::InPlace))?.commit().map(drop)
        }),
    ]
}

fn swap() -> Vec<Operation> {
    let act = |store: &Store<FaultyFs>| persist(store, Publish::Swap);
    vec![
        operation("swap", "a directory at once, by two renames", conversations, act),
        operation("", "the same without hard links", conversations, act).without_links("swap-no-links"),
        operation("swap-reshape", "remove, rename, and a file becomes a directory", file_and_directory, |store| {
            reshape(store, Publish::Swap)
        }),
        operation("swap-nested", "a directory in a directory", workspace, |store| {
            persist_with(store, "real/deep", durable(Publish::Swap))
        }),
        Operation {
            matches: parents_are_old,
            ..operation("swap-new", "a directory that was not there", nothing, |store| create(store, Publish::Swap))
        },
    ]
}

fn pointer() -> Vec<Operation> {
    vec![
        Operation {
            matches_harmed: Some(shows_alike),
            ..operation("pointer-first", "a directory becomes a generation", conversations, |store| {
                persist(store, Publish::Pointer)
            })
        },
        Operation {
            matches_harmed: Some(shows_alike),
            ..operation(
                "pointer-first-reshape",
                "the first generation, with a removal and a rename",
                file_and_directory,
                |store| reshape(store, Publish::Pointer),
            )
        },
        Operation {
            matches: parents_are_old,
            matches_harmed: Some(shown_parents_are_old),
            ..operation("pointer-new", "a generation of what was not there", nothing, |store| {
                create(store, Publish::Pointer)
            })
        },
        Operation {
            matches: same_content,
            matches_harmed: Some(shows_alike),
            ..operation("pointer", "the next generation", published, |store| persist(store, Publish::Pointer))
        },
        operation("pointer-in-place", "a generation, in place", published, |store| persist(store, Publish::InPlace)),
    ]
}

/// Transactions of less than full durability. `data` is not weaker here: the log makes it durable.
fn weak() -> Vec<Operation> {
    let visible =
        |name, about, act| Operation { models: &[Model::Process], ..operation(name, about, conversations, act) };
    vec![
        operation("in-place-data", "two files, whole under power loss", conversations, |store| {
            weakly(store, Publish::InPlace, Durability::Data)
        }),
        visible("in-place-visible", "two files, whole when the process dies", |store| {
            weakly(store, Publish::InPlace, Durability::Visible)
        }),
        visible("swap-visible", "a directory, whole when the process dies", |store| {
            weakly(store, Publish::Swap, Durability::Visible)
        }),
        visible("pointer-visible", "a generation, whole when the process dies", |store| {
            weakly(store, Publish::Pointer, Durability::Visible)
        }),
    ]
}
