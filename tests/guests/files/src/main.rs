//! Uses all of `std::fs` that WASI has, and prints what came of each call: the same lines on a plain
//! directory and on a layered one, or the layer is found out.
//!
//!     files DIRECTORY      the directory has what `tests/run/ground.rs` puts there
//!
//! Times are printed as before or after a moment, sizes of directories not at all: these differ between
//! filesystems.

mod content;
mod names;
mod opening;
mod trees;

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(directory) = std::env::args().nth(1).map(PathBuf::from) else {
        eprintln!("usage: files DIRECTORY");
        return ExitCode::from(2);
    };
    content::all(&directory);
    opening::all(&directory);
    names::all(&directory);
    trees::all(&directory);
    // All codes but 0 come to 1: `wasi:cli/run` knows no others.
    ExitCode::from(7)
}

/// Prints what came of a call: the value, or the kind of error.
fn tell<T: Debug>(what: &str, result: io::Result<T>) -> Option<T> {
    match result {
        Ok(value) => {
            println!("{what}: {value:?}");
            Some(value)
        }
        Err(error) => {
            println!("{what}: error {:?} {:?}", error.kind(), error.raw_os_error());
            None
        }
    }
}

/// As [`tell`], of a value that says nothing.
fn told<T>(what: &str, result: io::Result<T>) -> Option<T> {
    match result {
        Ok(value) => {
            println!("{what}: done");
            Some(value)
        }
        Err(error) => {
            println!("{what}: error {:?} {:?}", error.kind(), error.raw_os_error());
            None
        }
    }
}
