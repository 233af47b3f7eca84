//! Operations under a host that lends the calls beyond `wasi:filesystem`, on scenes where every entry has a mode of its
//! own.

use onionskin::persist::materialize::{Content, Source};
use onionskin::persist::transaction::Publish;
use onionskin::store::WriteOptions;

use super::directories::{durable, persist, persist_with};
use super::files::{replace, single};
use super::pointers::{published, shows_alike};
use super::scenes::{conversations, workspace};
use super::{Action, Operation, same_content};

/// Returns the operations that change entries, each with the attributes that these had. Not in [`super::all`]: their
/// calls are those of an operation there, and some more.
#[must_use]
pub fn all() -> Vec<Operation> {
    let conversation = |name, about, scene, act| Operation::new(name, about, scene, Action::Store(act)).lent().secret();
    vec![
        single("lent-replace", "a file keeps its mode", workspace, |store| {
            replace(store, "file", &WriteOptions::default())
        })
        .lent()
        .secret(),
        single("lent-replace-new", "a new file is like any other", workspace, |store| {
            replace(store, "real/deep/new", &WriteOptions::default())
        })
        .lent(),
        single("lent-replace-hard-link", "one of two names keeps the mode of both", workspace, |store| {
            replace(store, "shared", &WriteOptions::default())
        })
        .lent()
        .secret(),
        single("lent-writer", "a file that is written in pieces keeps its mode", workspace, |store| {
            let mut writer = store.writer("file", &WriteOptions::default())?;
            writer.write(b"in ".to_vec())?;
            writer.write(b"pieces".to_vec())?;
            writer.commit().map(drop)
        })
        .lent()
        .secret(),
        conversation("lent-in-place", "two files keep their modes", conversations, |store| {
            persist(store, Publish::InPlace)
        }),
        conversation("lent-swap", "a directory and all in it keep their modes", conversations, |store| {
            persist(store, Publish::Swap)
        }),
        Operation::new(
            "lent-swap-new",
            "new files in a new directory",
            workspace,
            Action::Store(|store| persist_with(store, "real/deep", durable(Publish::Swap))),
        )
        .lent(),
        Operation {
            matches_harmed: Some(shows_alike),
            ..conversation("lent-pointer-first", "a directory becomes a generation", conversations, |store| {
                persist(store, Publish::Pointer)
            })
        },
        Operation {
            matches: same_content,
            matches_harmed: Some(shows_alike),
            ..conversation("lent-pointer", "the next generation", published, |store| persist(store, Publish::Pointer))
        },
        single("lent-materialize", "a link becomes a file with the mode of its original", workspace, |store| {
            store.materialize("absolute", &Source::Path("/lower/original".into()), Content::Keep).map(drop)
        })
        .lent()
        .secret(),
        Operation::new(
            "lent-materialize-directory",
            "a link becomes a directory",
            workspace,
            Action::Store(|store| store.materialize("linked", &Source::LinkTarget, Content::Keep).map(drop)),
        )
        .lent()
        .secret(),
    ]
}

impl Operation {
    /// The same under a host that lends.
    fn lent(mut self) -> Self {
        self.switches.lends = true;
        self
    }

    /// The same where nobody else can read any content, and nobody is to be able to.
    fn secret(mut self) -> Self {
        self.switches.secret = true;
        self
    }
}
