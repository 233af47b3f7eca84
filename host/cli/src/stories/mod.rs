//! Two stories that use the component as a program would, and check what it promises.
//!
//! `onionskin demo` tells them; tests run the same functions in silence. [`ground_truth`] is about
//! originals that must never change, [`conversations`] about a directory that is persisted over
//! and over while crashes come at every moment.

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

/// Tells both stories in an empty directory. What was promised and what came of it is then in the
/// teller; an error means that a story could not go on.
pub fn tell(onionskin: &Onionskin, directory: &Path, teller: &mut Teller<'_>) -> Result<(), Trouble> {
    ground_truth::tell(onionskin, &directory.join("ground-truth"), teller)?;
    conversations::tell(onionskin, &directory.join("conversations"), teller)
}

/// Why a story could not go on. A broken promise is not trouble: the teller counts it.
#[derive(Debug)]
pub enum Trouble {
    /// A call failed that must not fail.
    Host(Error),
    /// The files of the story could not be made or looked at.
    Files(PathBuf, io::Error),
    /// SQLite failed on a database of the story.
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
