//! The errors of a call, as WASI defines them.

use crate::error::{Error, ErrorKind};
use crate::fs::Cause;

/// The reason why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// An error that the filesystem itself returns, or would return.
    Fs(Cause),
    /// An argument that is invalid for the call.
    Invalid,
    /// The descriptor is not open for this access, or is of another kind.
    BadDescriptor,
    /// In use: a directory that cannot be renamed, an original that changes while it is copied.
    Busy,
}

impl From<Cause> for Code {
    fn from(cause: Cause) -> Self {
        Self::Fs(cause)
    }
}

impl From<Error> for Code {
    /// Converts an error to a code. A program that knows `wasi:filesystem` alone cannot receive the message
    /// of the error: it gets the code that a plain directory would return, or `io` where there is none.
    fn from(error: Error) -> Self {
        Self::Fs(match error.kind() {
            ErrorKind::NotFound | ErrorKind::NoPreopen => Cause::NoEntry,
            ErrorKind::AlreadyExists => Cause::AlreadyExists,
            ErrorKind::IsDirectory => Cause::IsDirectory,
            ErrorKind::NotDirectory => Cause::NotDirectory,
            ErrorKind::SymlinkRefused => Cause::Loop,
            ErrorKind::LinkUnreadable | ErrorKind::NotAFile | ErrorKind::ReadOnly => Cause::NotPermitted,
            ErrorKind::IllegalName => Cause::IllegalName,
            ErrorKind::InvalidPath => Cause::NameTooLong,
            ErrorKind::InvalidArgument => return Self::Invalid,
            ErrorKind::Conflicts => return Self::Busy,
            ErrorKind::LimitExceeded => Cause::Quota,
            ErrorKind::NotCommitted => error.cause().unwrap_or(Cause::Io),
            _ => Cause::Io,
        })
    }
}
