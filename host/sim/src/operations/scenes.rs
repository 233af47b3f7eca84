//! The scenes.

use onionskin::error::Error;
use onionskin::persist::materialize::{Content, Source};
use onionskin::persist::transaction::{DirectoryOptions, Publish, Transaction};
use onionskin::store::{Durability, Precondition, Store, Symlinks, WriteOptions};

use super::Operation;
use crate::simfs::{SimFs, Switches};
use crate::tree;
use crate::tree::Tree;

const DATABASE: &[u8] = b"SQLite format 3\0 pages of the database";
const WAL: &[u8] = &[0x37, 0x7f, 0x06, 0x82, 1, 2, 3];

/// A workspace with everything that a careless write could harm: an original that is reached by a
/// symbolic link, by a hard link and through a linked directory, and a directory of conversations.
fn workspace() -> Tree {
    tree! {
        file "lower/original" = "ground truth";
        file "lower/index.db" = DATABASE;
        file "lower/index.db-wal" = WAL;
        file "ws/file" = "old";
        file "ws/shared" = "shared content";
        same "ws/other-name" = "ws/shared";
        symlink "ws/link" = "file";
        symlink "ws/absolute" = "/lower/original";
        symlink "ws/index.db" = "/lower/index.db";
        file "ws/real/inner" = "inside";
        file "ws/real/deep/leaf" = "leaf";
        symlink "ws/linked" = "real";
    }
}

/// A directory of which some files are managed, and some are nobody's business.
fn conversations() -> Tree {
    tree! {
        dir "lower";
        file "ws/conv/metadata.json" = "{\"v\":1}";
        file "ws/conv/events.json" = "[1]";
        file "ws/conv/QUERY_MESSAGE.md" = "unmanaged";
        file "ws/conv/notes/deep.txt" = "unmanaged too";
        symlink "ws/conv/latest" = "events.json";
        file "ws/beside" = "nobody's business";
    }
}

/// The same, published by pointer before.
fn published() -> Tree {
    tree! {
        dir "lower";
        file "ws/.onionskin/directories/1/1/metadata.json" = "{\"v\":0}";
        file "ws/.onionskin/directories/1/2/metadata.json" = "{\"v\":1}";
        file "ws/.onionskin/directories/1/2/events.json" = "[1]";
        file "ws/.onionskin/directories/1/2/notes/deep.txt" = "unmanaged";
        symlink "ws/conv" = ".onionskin/directories/1/2";
        file "ws/beside" = "nobody's business";
    }
}

/// Where a file gives way to a directory, and a directory is new.
fn file_and_directory() -> Tree {
    tree! {
        dir "lower";
        file "ws/conv/thing" = "a file";
        file "ws/conv/kept" = "kept";
        file "ws/conv/goes" = "goes";
        file "ws/conv/old-name" = "renamed";
    }
}

fn nothing() -> Tree {
    tree! { dir "lower"; dir "ws"; file "ws/beside" = "nobody's business"; }
}

fn directory(publish: Publish) -> DirectoryOptions {
    DirectoryOptions { publish, durability: Durability::Full, symlinks: Symlinks::Replace }
}

fn changes(transaction: &mut Transaction<SimFs>) -> Result<(), Error> {
    transaction.put("metadata.json", b"{\"v\":2}".to_vec())?;
    transaction.put("events.json", b"[1,".to_vec())?;
    transaction.append("events.json", b"2]".to_vec())
}

fn persist(store: &Store<SimFs>, publish: Publish) -> Result<(), Error> {
    let mut transaction = store.begin("conv", directory(publish))?;
    changes(&mut transaction)?;
    transaction.commit().map(drop)
}

fn reshape(store: &Store<SimFs>, publish: Publish) -> Result<(), Error> {
    let mut transaction = store.begin("conv", directory(publish))?;
    transaction.remove("thing")?;
    transaction.put("thing/inside", b"now a directory".to_vec())?;
    transaction.remove("goes")?;
    transaction.rename("old-name", "new-name")?;
    transaction.commit().map(drop)
}

fn create(store: &Store<SimFs>, publish: Publish) -> Result<(), Error> {
    let mut transaction = store.begin("a/conv", directory(publish))?;
    changes(&mut transaction)?;
    transaction.commit().map(drop)
}

fn replace(store: &Store<SimFs>, path: &str, how: &WriteOptions) -> Result<(), Error> {
    store.replace(path, b"new content".to_vec(), how).map(drop)
}

fn operation(
    name: &'static str,
    about: &'static str,
    scene: fn() -> Tree,
    act: fn(&Store<SimFs>) -> Result<(), Error>,
) -> Operation {
    Operation { name, about, switches: Switches::default(), scene, stable: true, shares: false, act }
}

/// An operation on one file, which leaves no record.
fn single(
    name: &'static str,
    about: &'static str,
    scene: fn() -> Tree,
    act: fn(&Store<SimFs>) -> Result<(), Error>,
) -> Operation {
    Operation { stable: false, ..operation(name, about, scene, act) }
}

fn without_links(mut operation: Operation, name: &'static str) -> Operation {
    operation.name = name;
    operation.switches.hard_links = false;
    operation
}

pub(super) fn all() -> Vec<Operation> {
    let mut all = files();
    all.extend(materializations());
    all.extend(directories());
    all
}

fn files() -> Vec<Operation> {
    let absent = |store: &Store<SimFs>| {
        replace(store, "fresh", &WriteOptions { when: Precondition::Absent, ..WriteOptions::default() })
    };
    vec![
        single("replace", "a file gets new content", workspace, |store| {
            replace(store, "file", &WriteOptions::default())
        }),
        single("replace-new", "a file that was not there", workspace, |store| {
            replace(store, "real/deep/new", &WriteOptions::default())
        }),
        single("replace-absent", "a file that must not be there", workspace, absent),
        without_links(single("", "the same without hard links", workspace, absent), "replace-absent-no-links"),
        single("replace-link", "a symbolic link gives way to a file", workspace, |store| {
            replace(store, "absolute", &WriteOptions::default())
        }),
        single("replace-hard-link", "one of two names gets content of its own", workspace, |store| {
            replace(store, "shared", &WriteOptions::default())
        }),
        single("replace-follow", "the file behind a link", workspace, |store| {
            replace(store, "link", &WriteOptions { symlinks: Symlinks::FollowWithin, ..WriteOptions::default() })
        }),
        single("writer", "content piece by piece", workspace, |store| {
            let mut writer = store.writer("file", &WriteOptions::default())?;
            writer.write(b"one ".to_vec())?;
            writer.write_from("/lower/original", 7, 5)?;
            writer.commit().map(drop)
        }),
    ]
}

fn materializations() -> Vec<Operation> {
    let database = |store: &Store<SimFs>| {
        store.materialize("index.db", &Source::Path("/lower/index.db".into()), Content::Keep).map(drop)
    };
    vec![
        single("materialize", "a link becomes a file", workspace, |store| {
            store.materialize("absolute", &Source::Path("/lower/original".into()), Content::Keep).map(drop)
        }),
        single("materialize-hard-link", "a second name becomes a file", workspace, |store| {
            store.materialize("other-name", &Source::LinkTarget, Content::Keep).map(drop)
        }),
        operation("materialize-database", "a database and its log become files", workspace, database),
        without_links(operation("", "the same without hard links", workspace, database), "materialize-database-no-links"),
        single("materialize-replacing", "a database link gets new content", workspace, |store| {
            store.materialize("index.db", &Source::LinkTarget, Content::Replace(DATABASE.to_vec())).map(drop)
        }),
        operation("materialize-directory", "a link becomes a directory", workspace, |store| {
            store.materialize("linked", &Source::LinkTarget, Content::Keep).map(drop)
        }),
    ]
}

fn directories() -> Vec<Operation> {
    let in_place = |store: &Store<SimFs>| persist(store, Publish::InPlace);
    let swap = |store: &Store<SimFs>| persist(store, Publish::Swap);
    vec![
        operation("in-place", "two files of a directory", conversations, in_place),
        without_links(operation("", "the same without hard links", conversations, in_place), "in-place-no-links"),
        operation("in-place-new", "a directory that was not there", nothing, |store| create(store, Publish::InPlace)),
        operation("in-place-reshape", "remove, rename, and a file becomes a directory", file_and_directory, |store| {
            reshape(store, Publish::InPlace)
        }),
        operation("swap", "a directory at once, by two renames", conversations, swap),
        without_links(operation("", "the same without hard links", conversations, swap), "swap-no-links"),
        operation("swap-reshape", "remove, rename, and a file becomes a directory", file_and_directory, |store| {
            reshape(store, Publish::Swap)
        }),
        operation("pointer-first", "a directory becomes a generation", conversations, |store| {
            persist(store, Publish::Pointer)
        }),
        operation("pointer-first-reshape", "the first generation, with a removal and a rename", file_and_directory, |store| {
            reshape(store, Publish::Pointer)
        }),
        Operation {
            shares: true,
            ..operation("pointer", "the next generation", published, |store| persist(store, Publish::Pointer))
        },
        operation("pointer-in-place", "a generation, in place", published, in_place),
    ]
}
