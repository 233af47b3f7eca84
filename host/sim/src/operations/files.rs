//! One file.

use onionskin::error::{Error, ErrorKind};
use onionskin::store::{Durability, Precondition, Store, Symlinks, WriteOptions};

use super::pointers::published;
use super::scenes::{DATABASE, workspace};
use super::{Action, FaultyFs, Operation};
use crate::model::Model;
use crate::tree;
use crate::tree::Tree;

type Done = Result<(), Error>;

/// An operation on one file, which leaves no record.
pub(super) fn single(
    name: &'static str,
    about: &'static str,
    scene: fn() -> Tree,
    act: fn(&Store<FaultyFs>) -> Done,
) -> Operation {
    Operation { stable: false, ..Operation::new(name, about, scene, Action::Store(act)) }
}

pub(super) fn replace(store: &Store<FaultyFs>, path: &str, how: &WriteOptions) -> Done {
    store.replace(path, b"new content".to_vec(), how).map(drop)
}

fn when(when: Precondition) -> WriteOptions {
    WriteOptions { when, ..WriteOptions::default() }
}

fn with(durability: Durability) -> WriteOptions {
    WriteOptions { durability, ..WriteOptions::default() }
}

/// Takes the refusal that an operation is about for its success.
pub(super) fn refused(answer: Done, expected: fn(&Error) -> bool) -> Done {
    match answer {
        Err(error) if expected(&error) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => Err(Error::invalid_argument("the call", "was to be refused, and was done")),
    }
}

pub(super) fn all() -> Vec<Operation> {
    let mut all = replacements();
    all.extend(conditions());
    all.extend(durabilities());
    all.extend(writers());
    all
}

fn replacements() -> Vec<Operation> {
    vec![
        single("replace", "a file gets new content", workspace, |store| {
            replace(store, "file", &WriteOptions::default())
        }),
        single("replace-new", "a file that was not there", workspace, |store| {
            replace(store, "real/deep/new", &WriteOptions::default())
        }),
        single("replace-empty", "a file gets no content", workspace, |store| {
            store.replace("file", Vec::new(), &WriteOptions::default()).map(drop)
        }),
        single("replace-json", "a file gets JSON", workspace, |store| {
            store.replace_json("file", "{\"a\": [1, 2]}", &WriteOptions::default()).map(drop)
        }),
        single("replace-link", "a symbolic link gives way to a file", workspace, |store| {
            replace(store, "absolute", &WriteOptions::default())
        }),
        single("replace-hard-link", "one of two names gets content of its own", workspace, |store| {
            replace(store, "shared", &WriteOptions::default())
        }),
        single("replace-follow", "the file behind a link", workspace, |store| {
            replace(store, "link", &WriteOptions { symlinks: Symlinks::FollowWithin, ..WriteOptions::default() })
        }),
        single("replace-follow-pointer", "a file of a published generation", published, |store| {
            let how = WriteOptions { symlinks: Symlinks::FollowWithin, ..WriteOptions::default() };
            replace(store, "conv/metadata.json", &how)
        }),
        Operation {
            // The directory is made independent first. That alone changes nothing for a reader of the old content, so
            // it counts as old.
            passes: &[materialized],
            matches: |found, stage| found == stage || (*stage == workspace() && *found == materialized()),
            ..single(
                "replace-through-link",
                "a linked directory is made independent for a file in it",
                workspace,
                |store| replace(store, "linked/inner", &WriteOptions::default()),
            )
        },
    ]
}

/// The workspace with `linked` made independent.
fn materialized() -> Tree {
    workspace().remove("ws/linked").file("ws/linked/inner", "inside").file("ws/linked/deep/leaf", "leaf")
}

fn conditions() -> Vec<Operation> {
    let absent = |store: &Store<FaultyFs>| replace(store, "fresh", &when(Precondition::Absent));
    vec![
        single("replace-absent", "a file that must not be there", workspace, absent),
        single("", "the same without hard links", workspace, absent).without_links("replace-absent-no-links"),
        single("replace-unchanged", "a file that must be as it was seen", workspace, |store| {
            let seen = store.fingerprint("file", true)?;
            replace(store, "file", &when(Precondition::Unchanged(seen)))
        }),
        single("replace-single-link", "a file that must have one name", workspace, |store| {
            replace(store, "file", &when(Precondition::SingleLink))
        }),
        single("refused-absent", "a file that must not be there, and is", workspace, |store| {
            let answer = replace(store, "file", &when(Precondition::Absent));
            refused(answer, |error| error.kind() == ErrorKind::AlreadyExists)
        }),
        single("refused-single-link", "a file that must have one name, and has two", workspace, |store| {
            let answer = replace(store, "shared", &when(Precondition::SingleLink));
            refused(answer, |error| error.kind() == ErrorKind::HardLinked)
        }),
        single("refused-link", "a link that must not be one", workspace, |store| {
            let answer =
                replace(store, "link", &WriteOptions { symlinks: Symlinks::Refuse, ..WriteOptions::default() });
            refused(answer, |error| error.kind() == ErrorKind::SymlinkRefused)
        }),
        single("refused-json", "what is no JSON", workspace, |store| {
            let answer = store.replace_json("file", "{", &WriteOptions::default()).map(drop);
            refused(answer, |error| error.kind() == ErrorKind::InvalidJson)
        }),
        single("refused-journal", "a database beside the journal of another", beside_journal, |store| {
            let answer = store.replace("index.db", DATABASE.to_vec(), &WriteOptions::default()).map(drop);
            refused(answer, |error| error.kind() == ErrorKind::HotJournal)
        }),
        single("keep-identical", "content that is there already", workspace, |store| {
            let how = WriteOptions { keep_identical: true, ..WriteOptions::default() };
            store.replace("file", b"old".to_vec(), &how).map(drop)
        }),
        single("keep-identical-shared", "content that is there already, under two names", workspace, |store| {
            let how = WriteOptions { keep_identical: true, ..WriteOptions::default() };
            store.replace("shared", b"shared content".to_vec(), &how).map(drop)
        }),
    ]
}

fn beside_journal() -> Tree {
    tree! { dir "lower"; file "ws/index.db-wal" = super::scenes::WAL; }
}

/// The weaker durabilities promise less, and that is held against them.
fn durabilities() -> Vec<Operation> {
    let data = |store: &Store<FaultyFs>| replace(store, "file", &with(Durability::Data));
    let visible = |store: &Store<FaultyFs>| replace(store, "file", &with(Durability::Visible));
    let old_or_whole = |found: &Tree, stage: &Tree| found == stage || *found == workspace();
    vec![
        Operation {
            models: &[Model::Ordered, Model::Any, Model::Split],
            // Acknowledged, it may be old after a loss of power, and is whole.
            matches: old_or_whole,
            ..single("replace-data", "a file, whole under power loss", workspace, data)
        },
        Operation {
            models: &[Model::Process],
            ..single("replace-data-killed", "the same, when only the process dies", workspace, data)
        },
        Operation {
            models: &[Model::Process],
            ..single("replace-visible", "a file, whole when the process dies", workspace, visible)
        },
        Operation {
            // Nothing is promised of the file but that opening does not trip over it.
            matches: |_, _| true,
            ..single("replace-visible-power", "the same under power loss: the root opens", workspace, visible)
        },
    ]
}

fn writers() -> Vec<Operation> {
    vec![
        single("writer", "content piece by piece", workspace, |store| {
            let mut writer = store.writer("file", &WriteOptions::default())?;
            writer.write(b"one ".to_vec())?;
            writer.write_from("/lower/original", 7, 5)?;
            writer.commit().map(drop)
        }),
        single("writer-identical", "content piece by piece that is there already", workspace, |store| {
            let mut writer = store.writer("file", &WriteOptions { keep_identical: true, ..WriteOptions::default() })?;
            writer.write(b"o".to_vec())?;
            writer.write(b"ld".to_vec())?;
            writer.commit().map(drop)
        }),
        single("writer-dropped", "content that is given up", workspace, |store| {
            let mut writer = store.writer("file", &WriteOptions::default())?;
            writer.write(b"never seen".to_vec())
        }),
    ]
}
