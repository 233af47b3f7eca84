//! Two demonstrations that use the component as a program would, and check its promises.
//!
//! `onionskin demo` prints them; tests run the same functions silently. [`ground_truth`] is about originals that must
//! never change, [`conversations`] about a directory that is persisted repeatedly with crashes at every call.

pub mod conversations;
pub mod ground_truth;
pub mod originals;
mod teller;
pub mod tree;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use onionskin_host::{Error, Onionskin};

pub use teller::{Promise, Teller};

/// Runs both demonstrations in an empty directory. The teller then has the promises and their results; an error means
/// that a demonstration could not continue.
pub fn tell(onionskin: &Onionskin, directory: &Path, teller: &mut Teller<'_>) -> Result<(), Trouble> {
    ground_truth::tell(onionskin, &directory.join("ground-truth"), teller)?;
    conversations::tell(onionskin, &directory.join("conversations"), teller)
}

/// The reason why a demonstration could not continue. A broken promise is not trouble: the teller counts it.
#[derive(Debug)]
pub enum Trouble {
    /// A call failed unexpectedly.
    Host(Error),
    /// The files of the demonstration could not be created or read.
    Files(PathBuf, io::Error),
    /// SQLite failed on a database of the demonstration.
    Sqlite(PathBuf, rusqlite::Error),
    /// The teller could not write.
    Output(io::Error),
}

impl Trouble {
    pub(crate) fn files(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Files(path, error)
    }

    pub(crate) fn sqlite(path: impl Into<PathBuf>) -> impl Fn(rusqlite::Error) -> Self {
        let path = path.into();
        move |error| Self::Sqlite(path.clone(), error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Host(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(error) => error.fmt(f),
            Self::Files(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Sqlite(path, error) => write!(f, "{}: SQLite says: {error}", path.display()),
            Self::Output(error) => write!(f, "cannot write the story: {error}"),
        }
    }
}

impl std::error::Error for Trouble {
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
