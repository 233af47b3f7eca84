//! Ground truth never changes: what is shared by link becomes independent before it is written.
//!
//! | promise | module |
//! |---|---|
//! | a link or a hard-linked file becomes a file or directory of its own | [`files`], [`trees`] |
//! | a database travels with its companions, or not at all | [`databases`] |
//! | what cannot be read, or changes while it is read, is refused and nothing changes | [`sources`] |
//! | a whole workspace of links is overwritten and the originals stay byte-identical | [`ground_truth`] |

#[path = "../support/mod.rs"]
mod support;

mod databases;
mod files;
mod ground_truth;
mod sources;
mod trees;

use onionskin::error::Error;
use onionskin::persist::materialize::{Content, Source};
use onionskin::store::{Durability, Store};
use onionskin_sim::{SimFs, Switches, Tree};

use support::Told;

/// Materializes a path and asserts what was said, as durability, paths and bytes, and what is there.
#[track_caller]
fn check(
    what: &str,
    before: &Tree,
    path: &str,
    origin: &Source,
    holds: Content,
    expected: Told<(u64, u64)>,
    after: &Tree,
) {
    check_with(Switches::default(), what, before, (path, origin, holds), expected, after);
}

/// As [`check`], on a filesystem that behaves as the switches say.
#[track_caller]
fn check_with(
    switches: Switches,
    what: &str,
    before: &Tree,
    (path, origin, holds): (&str, &Source, Content),
    expected: Told<(u64, u64)>,
    after: &Tree,
) {
    let expected = expected.map(|(applied, bytes)| (Durability::Full, applied, bytes));
    let act = |store: &Store<SimFs>| materialize(store, path, origin, holds);
    support::check_with(switches, what, before, act, expected, after);
}

fn materialize(
    store: &Store<SimFs>,
    path: &str,
    origin: &Source,
    holds: Content,
) -> Result<(Durability, u64, u64), Error> {
    store.materialize(path, origin, holds).map(|done| (done.achieved, done.applied, done.bytes))
}

/// The source at a guest path.
fn from(path: &str) -> Source {
    Source::Path(path.to_owned())
}
