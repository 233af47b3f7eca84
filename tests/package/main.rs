//! A release can be used by somebody who has nothing else.
//!
//! | promise | module |
//! |---|---|
//! | the lines of `docs/package.md` do what they say, in a directory of their own | [`consumers`] |
//! | the host takes the components of a release as it takes the ones that are built in | [`taken`] |
//!
//! Where `ONIONSKIN_PACKAGE` does not name a release that was made, as `.ci/run package` does, all is left
//! out, and says so. What the files of a release are is held by the suite `release`.

#![cfg(unix)]

mod consumers;
#[path = "../hosts/ground.rs"]
mod ground;
#[path = "../run/guests.rs"]
mod guests;
#[path = "../composed/plain.rs"]
mod plain;
mod taken;

use std::path::{Path, PathBuf};

/// The release; none where it was not made.
fn package(what: &str) -> Option<PathBuf> {
    let package = std::env::var_os("ONIONSKIN_PACKAGE").map(PathBuf::from);
    if package.is_none() {
        ground::say(&format!("skipped: {what}: ONIONSKIN_PACKAGE names no release; `.ci/run package` makes one"));
    }
    package
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
