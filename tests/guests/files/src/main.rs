//! Uses every call of `std::fs` that WASI supports, and prints the result of each. A plain directory and a layered one
//! must give the same lines.
//!
//!     files DIRECTORY      the directory has the entries of `tests/run/ground.rs`
//!
//! Times are printed as before or after a moment, and sizes of directories not at all, since these differ between
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
    // Every exit code but 0 becomes 1: `wasi:cli/run` knows no others.
    ExitCode::from(7)
}

/// Prints the result of a call: the value, or the kind of error.
fn report<T: Debug>(label: &str, result: io::Result<T>) -> Option<T> {
    match result {
        Ok(value) => {
            println!("{label}: {value:?}");
            Some(value)
        }
        Err(error) => {
            println!("{label}: error {:?} {:?}", error.kind(), error.raw_os_error());
            None
        }
    }
}

/// As [`report`], for a value that need not be printed.
fn report_done<T>(label: &str, result: io::Result<T>) -> Option<T> {
    match result {
        Ok(value) => {
            println!("{label}: done");
            Some(value)
        }
        Err(error) => {
            println!("{label}: error {:?} {:?}", error.kind(), error.raw_os_error());
            None
        }
    }
}
