//! The originals never change: content that is shared by link becomes independent before it is written.
//!
//! | promise | module |
//! |---|---|
//! | a link or a hard-linked file becomes an independent file or directory | [`files`], [`trees`] |
//! | a database is copied with its companions, or not at all | [`databases`] |
//! | a source that cannot be read, or changes while it is read, is refused, and nothing changes | [`sources`] |
//! | a whole workspace of links is overwritten and the originals stay byte-identical | [`ground_truth`] |

use onionskin_tests_core as support;

mod databases;
mod files;
mod ground_truth;
mod sources;
mod trees;

use onionskin::error::Error;
use onionskin::persist::materialize::{Content, Source};
use onionskin::store::{Durability, Store};
use onionskin_sim::{SimFs, Switches, Tree};

use support::Outcome;

/// Materializes a path and asserts the outcome, as durability, paths and bytes, and the resulting tree.
#[track_caller]
fn check(
    context: &str,
    before: &Tree,
    path: &str,
    origin: &Source,
    holds: Content,
    expected: Outcome<(u64, u64)>,
    after: &Tree,
) {
    check_with(Switches::default(), context, before, (path, origin, holds), expected, after);
}

/// As [`check`], on a filesystem with these switches.
#[track_caller]
fn check_with(
    switches: Switches,
    context: &str,
    before: &Tree,
    (path, origin, holds): (&str, &Source, Content),
    expected: Outcome<(u64, u64)>,
    after: &Tree,
) {
    let expected = expected.map(|(applied, bytes)| (Durability::Full, applied, bytes));
    let act = |store: &Store<SimFs>| materialize(store, path, origin, holds);
    support::check_with(switches, context, before, act, expected, after);
}

fn materialize(
    store: &Store<SimFs>,
    path: &str,
    origin: &Source,
    holds: Content,
) -> Result<(Durability, u64, u64), Error> {
    store.materialize(path, origin, holds).map(|done| (done.achieved, done.applied, done.bytes))
}

/// Names the source at a guest path.
fn from(path: &str) -> Source {
    Source::Path(path.to_owned())
}
