//! The operations that sequences are made of.

use onionskin::error::Error;
use onionskin::limits::GENERATIONS_KEPT;
use onionskin::persist::materialize::{Content, Source};
use onionskin::persist::transaction::{DirectoryOptions, Publish, Transaction};
use onionskin::store::{Durability, Precondition, Store, Symlinks, WriteOptions};

use crate::operations::FaultyFs;

type Done = Result<(), Error>;

/// One operation on the namespace.
#[derive(Clone, Copy)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// Whether a state that an open shows after a crash in it survives the next crash.
    pub stable: bool,
    /// Whether it goes through a linked directory, which it makes independent.
    pub through_link: bool,
    /// Its action.
    pub act: fn(&Store<FaultyFs>) -> Done,
}

fn file(name: &'static str, act: fn(&Store<FaultyFs>) -> Done) -> Step {
    Step { name, stable: false, through_link: false, act }
}

fn directory(name: &'static str, act: fn(&Store<FaultyFs>) -> Done) -> Step {
    Step { name, stable: true, through_link: false, act }
}

fn replace(store: &Store<FaultyFs>, path: &str, how: &WriteOptions) -> Done {
    store.replace(path, b"new".to_vec(), how).map(drop)
}

fn transaction(store: &Store<FaultyFs>, publish: Publish, change: fn(&mut Transaction<FaultyFs>) -> Done) -> Done {
    let how = DirectoryOptions {
        publish,
        durability: Durability::Full,
        symlinks: Symlinks::Replace,
        keep_generations: GENERATIONS_KEPT,
    };
    let mut transaction = store.begin("dir", how)?;
    change(&mut transaction)?;
    transaction.commit().map(drop)
}

fn put(transaction: &mut Transaction<FaultyFs>) -> Done {
    transaction.put("x", b"put".to_vec())?;
    transaction.put("sub/new", b"new".to_vec())
}

fn remove(transaction: &mut Transaction<FaultyFs>) -> Done {
    transaction.remove("x")
}

fn rename(transaction: &mut Transaction<FaultyFs>) -> Done {
    transaction.rename("x", "y")
}

/// All of them.
#[must_use]
pub fn steps() -> Vec<Step> {
    vec![
        file("replace a", |store| replace(store, "a", &WriteOptions::default())),
        file("replace twin", |store| replace(store, "twin", &WriteOptions::default())),
        file("replace link", |store| replace(store, "link", &WriteOptions::default())),
        file("follow link", |store| {
            replace(store, "link", &WriteOptions { symlinks: Symlinks::FollowWithin, ..WriteOptions::default() })
        }),
        file("create", |store| {
            replace(store, "dir/sub/new", &WriteOptions { when: Precondition::Absent, ..WriteOptions::default() })
        }),
        Step {
            through_link: true,
            ..file("replace linked/x", |store| replace(store, "linked/x", &WriteOptions::default()))
        },
        file("write b", |store| {
            let mut writer = store.writer("b", &WriteOptions::default())?;
            writer.write(b"one ".to_vec())?;
            writer.write_from("/lower/original", 0, 5)?;
            writer.commit().map(drop)
        }),
        file("own up", |store| {
            store.materialize("up", &Source::Path("/lower/original".to_owned()), Content::Keep).map(drop)
        }),
        file("own twin", |store| store.materialize("twin", &Source::LinkTarget, Content::Keep).map(drop)),
        directory("own linked", |store| store.materialize("linked", &Source::LinkTarget, Content::Keep).map(drop)),
        directory("put in place", |store| transaction(store, Publish::InPlace, put)),
        directory("remove in place", |store| transaction(store, Publish::InPlace, remove)),
        directory("rename in place", |store| transaction(store, Publish::InPlace, rename)),
        directory("put by swap", |store| transaction(store, Publish::Swap, put)),
        directory("remove by swap", |store| transaction(store, Publish::Swap, remove)),
        directory("rename by swap", |store| transaction(store, Publish::Swap, rename)),
        directory("put by pointer", |store| transaction(store, Publish::Pointer, put)),
        directory("remove by pointer", |store| transaction(store, Publish::Pointer, remove)),
        directory("rename by pointer", |store| transaction(store, Publish::Pointer, rename)),
    ]
}
