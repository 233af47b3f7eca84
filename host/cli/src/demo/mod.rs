//! Two demonstrations that use the component as a program would, and check its promises.
//!
//! `onionskin demo` prints them; tests run the same functions silently. [`ground_truth`] is about originals that must
//! never change, [`conversations`] about a directory that is persisted repeatedly with crashes at every call.

pub(super) mod command;
pub mod conversations;
pub mod ground_truth;
pub mod originals;
mod report;
pub mod tree;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use onionskin_host::{Error, Onionskin};

pub use report::{Promise, Report};

/// Runs both demonstrations in an empty directory. The report then has the promises and their results; an error means
/// that a demonstration could not continue.
pub fn run(onionskin: &Onionskin, directory: &Path, report: &mut Report<'_>) -> Result<(), DemoError> {
    ground_truth::run(onionskin, &directory.join("ground-truth"), report)?;
    conversations::run(onionskin, &directory.join("conversations"), report)
}

/// The reason why a demonstration could not continue. A broken promise is no error: the report counts it.
#[derive(Debug)]
pub enum DemoError {
    /// A call failed unexpectedly.
    Host(Error),
    /// The files of the demonstration could not be created or read.
    Files(PathBuf, io::Error),
    /// SQLite failed on a database of the demonstration.
    Sqlite(PathBuf, rusqlite::Error),
    /// The report could not be written.
    Output(io::Error),
}

impl DemoError {
    pub(crate) fn files(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Files(path, error)
    }

    pub(crate) fn sqlite(path: impl Into<PathBuf>) -> impl Fn(rusqlite::Error) -> Self {
        let path = path.into();
        move |error| Self::Sqlite(path.clone(), error)
    }
}

impl From<Error> for DemoError {
    fn from(error: Error) -> Self {
        Self::Host(error)
    }
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(error) => error.fmt(f),
            Self::Files(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Sqlite(path, error) => write!(f, "{}: SQLite says: {error}", path.display()),
            Self::Output(error) => write!(f, "cannot write the demonstration: {error}"),
        }
    }
}

impl std::error::Error for DemoError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Host(error) => Some(error),
            Self::Files(_, error) | Self::Output(error) => Some(error),
            Self::Sqlite(_, error) => Some(error),
        }
    }
}

/// Names in one line, or `none`.
fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
