//! The errors of crash trials.

use std::fmt;
use std::path::PathBuf;

/// An error of a crash trial.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An error of the host.
    Host(onionskin_host::Error),
    /// A program is a module of WebAssembly, and no component.
    Module {
        /// The file of the program.
        path: PathBuf,
    },
    /// A program that was to be crashed fails without a crash.
    Rehearsal {
        /// The file of the program.
        path: PathBuf,
        /// The failure, and the output of the program.
        text: String,
    },
}

impl Error {
    /// Returns the kind of the error as a word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Host(error) => error.kind().as_str(),
            Self::Module { .. } => "module",
            Self::Rehearsal { .. } => "rehearsal",
        }
    }

    /// Returns the path that the error is about.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Host(error) => error.path(),
            Self::Module { path } | Self::Rehearsal { path, .. } => path.clone(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(error) => error.fmt(f),
            Self::Module { path } => write!(
                f,
                "{}: this is a module of WebAssembly, and a component is wanted. Build it for wasm32-wasip2, or make a \
                 component of it: wasm-tools component new MODULE --adapt wasi_snapshot_preview1.command.wasm.",
                path.display()
            ),
            Self::Rehearsal { path, text } => {
                write!(f, "{}: {text}. No crash was tried: correct this first.", path.display())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Host(error) => Some(error),
            Self::Module { .. } | Self::Rehearsal { .. } => None,
        }
    }
}

impl From<onionskin_host::Error> for Error {
    fn from(error: onionskin_host::Error) -> Self {
        Self::Host(error)
    }
}
