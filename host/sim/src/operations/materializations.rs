//! Content that is shared by link becomes independent.

use onionskin::error::ErrorKind;
use onionskin::persist::materialize::{Content, Source};
use onionskin::store::Store;

use super::files::{refused, single};
use super::scenes::{DATABASE, workspace};
use super::{Action, FaultyFs, Operation};

pub(super) fn all() -> Vec<Operation> {
    let database = |store: &Store<FaultyFs>| {
        store.materialize("index.db", &Source::Path("/lower/index.db".into()), Content::Keep).map(drop)
    };
    let databases = Operation::new(
        "materialize-database",
        "a database and its log become files",
        workspace,
        Action::Store(database),
    );
    let databases_no_links = Operation::new("", "the same without hard links", workspace, Action::Store(database));
    vec![
        single("materialize", "a link becomes a file", workspace, |store| {
            store.materialize("absolute", &Source::Path("/lower/original".into()), Content::Keep).map(drop)
        }),
        single("materialize-relative", "a link that can be read becomes a file", workspace, |store| {
            store.materialize("link", &Source::LinkTarget, Content::Keep).map(drop)
        }),
        single("materialize-hard-link", "a second name becomes a file", workspace, |store| {
            store.materialize("other-name", &Source::LinkTarget, Content::Keep).map(drop)
        }),
        single("materialize-own", "a file that is its own already", workspace, |store| {
            store.materialize("file", &Source::LinkTarget, Content::Keep).map(drop)
        }),
        databases,
        databases_no_links.without_links("materialize-database-no-links"),
        single("materialize-replacing", "a database link gets new content", workspace, |store| {
            store.materialize("index.db", &Source::LinkTarget, Content::Replace(DATABASE.to_vec())).map(drop)
        }),
        Operation::new(
            "materialize-directory",
            "a link becomes a directory",
            workspace,
            Action::Store(|store| store.materialize("linked", &Source::LinkTarget, Content::Keep).map(drop)),
        ),
        single("refused-unreadable", "an absolute link without a source", workspace, |store| {
            let answer = store.materialize("absolute", &Source::LinkTarget, Content::Keep).map(drop);
            refused(answer, |error| error.kind() == ErrorKind::LinkUnreadable)
        }),
    ]
}
