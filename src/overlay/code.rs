//! What a call answers when it fails, as WASI has it.

use crate::error::{Error, ErrorKind};
use crate::fs::Cause;

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// What the filesystem itself answers, or would.
    Fs(Cause),
    /// An argument that no such call can have.
    Invalid,
    /// The descriptor is not open for this, or not of this kind.
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
    /// The message of an error has no way to a program that knows `wasi:filesystem` alone: what is left
    /// of it is the code that a plain directory would answer, and `io` where there is none.
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
