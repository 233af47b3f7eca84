//! A release can be used without the repository.
//!
//! | promise | module |
//! |---|---|
//! | the commands in `docs/package.md` have the documented results, in a new directory | [`consumers`] |
//! | so have those of `docs/embedding.md`, for a program with its own wasmtime | [`consumers`] |
//! | the host accepts the components of a release as it does the embedded ones | [`taken`] |
//!
//! Without `ONIONSKIN_PACKAGE`, which names a release made by `.ci/run package`, all tests are skipped with a message.
//! The suite `release` checks the files of a release.

#![cfg(unix)]

mod consumers;
mod taken;

use onionskin_tests::{ground, guests, plain};

use std::path::{Path, PathBuf};

/// Returns the directory of the release, or `None` if there is none.
fn package(context: &str) -> Option<PathBuf> {
    let package = std::env::var_os("ONIONSKIN_PACKAGE").map(PathBuf::from);
    if package.is_none() {
        ground::say(&format!("skipped: {context}: ONIONSKIN_PACKAGE names no release; `.ci/run package` makes one"));
    }
    package
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
