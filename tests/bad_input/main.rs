//! Bad input causes a typed error that names the path: nothing is lost, no call panics or hangs.
//!
//! | promise | module |
//! |---|---|
//! | a path that breaks a rule is refused before any change | [`paths`] |
//! | an entry of the wrong kind is refused and left as it is | [`kinds`] |
//! | writes that are not permitted are refused with an error that says so | [`grants`] |
//! | a mount point below the root is refused before the commit point | [`mounts`] |
//! | a full disk loses nothing, whichever call fails | [`full_disk`] |
//! | no path and no record, whatever its bytes, causes a panic or a change outside the root | [`arbitrary`] |

use onionskin_tests_core as support;

mod arbitrary;
mod full_disk;
mod grants;
mod kinds;
mod mounts;
mod paths;

use onionskin::error::Error;
use onionskin::persist::materialize::{Content, Source};
use onionskin::persist::transaction::{Publish, Transaction};
use onionskin::store::{Store, WriteOptions};
use onionskin_sim::SimFs;

/// The name of a call, and the call as a function of the path that it changes.
type Call = (&'static str, fn(&Store<SimFs>, &str) -> Result<(), Error>);

/// Every call that takes a path to change.
const CALLS: [Call; 8] = [
    ("replace", |store, path| store.replace(path, b"new".to_vec(), &WriteOptions::default()).map(drop)),
    ("replace-json", |store, path| store.replace_json(path, "1", &WriteOptions::default()).map(drop)),
    ("writer", |store, path| {
        let mut writer = store.writer(path, &WriteOptions::default())?;
        writer.write(b"new".to_vec())?;
        writer.commit().map(drop)
    }),
    ("materialize", |store, path| store.materialize(path, &Source::LinkTarget, Content::Keep).map(drop)),
    ("materialize-replace", |store, path| {
        store.materialize(path, &Source::LinkTarget, Content::Replace(b"new".to_vec())).map(drop)
    }),
    ("put", |store, path| in_root(store, |transaction| transaction.put(path, b"new".to_vec()))),
    ("rename-to", |store, path| in_root(store, |transaction| transaction.rename("file", path))),
    ("put-file", |store, path| in_root(store, |transaction| transaction.put_file(path, "/lower/original"))),
];

fn in_root(store: &Store<SimFs>, act: impl FnOnce(&mut Transaction<SimFs>) -> Result<(), Error>) -> Result<(), Error> {
    let mut transaction = store.begin(".", support::publish(Publish::InPlace))?;
    act(&mut transaction)?;
    transaction.commit().map(drop)
}
