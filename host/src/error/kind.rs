//! The kinds of errors, for handling in code.

use std::fmt;
use std::io;

use super::{Error, Grant, Trap};
use crate::bindings::types::{Cause, Error as GuestError, ErrorKind};

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A kind of the contract, also where the host detected the error before it called the component.
    Contract(ErrorKind),
    /// [`Trap::Injected`].
    InjectedCrash,
    /// [`Trap::OutOfFuel`].
    OutOfFuel,
    /// [`Trap::OutOfTime`].
    OutOfTime,
    /// [`Trap::OutOfMemory`].
    OutOfMemory,
    /// [`Trap::Stopped`].
    Stopped,
    /// [`Trap::Cancelled`].
    Cancelled,
    /// [`Trap::Fault`].
    Fault,
    /// [`Grant::LinkLeadsOut`].
    LinkNotGranted,
    /// [`Grant::Outside`].
    NotGranted,
    /// [`Error::Io`], but for what the operating system cannot do.
    Io,
    /// [`Error::Untrusted`].
    Untrusted,
    /// [`Error::Program`].
    Program,
    /// [`Error::Layout`].
    Layout,
    /// [`Error::Component`].
    Component,
}

impl Kind {
    /// Returns the kind as a word: that of the contract, such as `not-found`, for [`Kind::Contract`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contract(kind) => contract(kind),
            Self::InjectedCrash => "injected-crash",
            Self::OutOfFuel => "out-of-fuel",
            Self::OutOfTime => "out-of-time",
            Self::OutOfMemory => "out-of-memory",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
            Self::Fault => "trap",
            Self::LinkNotGranted => "link-not-granted",
            Self::NotGranted => "not-granted",
            Self::Io => "io",
            Self::Untrusted => "untrusted",
            Self::Program => "program",
            Self::Layout => "layout",
            Self::Component => "component",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Error {
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Guest { error, .. } => Kind::Contract(error.kind),
            Self::Trap { trap: Trap::Injected { .. }, .. } => Kind::InjectedCrash,
            Self::Trap { trap: Trap::OutOfFuel { .. }, .. } => Kind::OutOfFuel,
            Self::Trap { trap: Trap::OutOfTime { .. }, .. } => Kind::OutOfTime,
            Self::Trap { trap: Trap::OutOfMemory { .. }, .. } => Kind::OutOfMemory,
            Self::Trap { trap: Trap::Stopped, .. } => Kind::Stopped,
            Self::Trap { trap: Trap::Cancelled, .. } => Kind::Cancelled,
            Self::Trap { trap: Trap::Fault { .. }, .. } => Kind::Fault,
            Self::Grant(Grant::LinkLeadsOut { .. }) => Kind::LinkNotGranted,
            Self::Grant(Grant::LinkLeavesRoot { .. }) => Kind::Contract(ErrorKind::SymlinkEscapes),
            Self::Grant(Grant::Outside { .. }) => Kind::NotGranted,
            Self::Grant(Grant::NotUtf8 { .. }) => Kind::Contract(ErrorKind::IllegalName),
            Self::Link { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Kind::Contract(ErrorKind::NotFound)
            }
            Self::Link { .. } => Kind::Contract(ErrorKind::LinkUnreadable),
            Self::Locked { .. } => Kind::Contract(ErrorKind::Locked),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::Unsupported => {
                Kind::Contract(ErrorKind::Unsupported)
            }
            Self::Io { .. } => Kind::Io,
            Self::Untrusted { .. } => Kind::Untrusted,
            Self::Program { .. } => Kind::Program,
            Self::Layout { .. } => Kind::Layout,
            Self::Component { .. } => Kind::Component,
        }
    }
}

/// Converts to the nearest kind of [`io::Error`], with the error as its source.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Guest { error, .. } => io_kind(error),
            Error::Io { source, .. } | Error::Link { source, .. } => source.kind(),
            Error::Grant(Grant::NotUtf8 { .. }) | Error::Layout { .. } => io::ErrorKind::InvalidInput,
            Error::Grant(_) | Error::Untrusted { .. } => io::ErrorKind::PermissionDenied,
            Error::Locked { .. } => io::ErrorKind::ResourceBusy,
            Error::Trap { trap: Trap::OutOfMemory { .. }, .. } => io::ErrorKind::OutOfMemory,
            Error::Trap { trap: Trap::OutOfTime { .. }, .. } => io::ErrorKind::TimedOut,
            Error::Trap { .. } | Error::Program { .. } | Error::Component { .. } => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

fn io_kind(error: &GuestError) -> io::ErrorKind {
    match error.kind {
        ErrorKind::NotFound => io::ErrorKind::NotFound,
        ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
        ErrorKind::NotDirectory => io::ErrorKind::NotADirectory,
        ErrorKind::IsDirectory => io::ErrorKind::IsADirectory,
        ErrorKind::IllegalName => io::ErrorKind::InvalidFilename,
        ErrorKind::InvalidPath | ErrorKind::InvalidArgument | ErrorKind::NotAFile => io::ErrorKind::InvalidInput,
        ErrorKind::InvalidJson | ErrorKind::Corrupt => io::ErrorKind::InvalidData,
        ErrorKind::ReadOnly | ErrorKind::SymlinkRefused | ErrorKind::SymlinkEscapes | ErrorKind::NoPreopen => {
            io::ErrorKind::PermissionDenied
        }
        ErrorKind::Locked => io::ErrorKind::ResourceBusy,
        ErrorKind::LimitExceeded => io::ErrorKind::QuotaExceeded,
        ErrorKind::Unsupported => io::ErrorKind::Unsupported,
        _ => match error.cause {
            Some(Cause::InsufficientSpace) => io::ErrorKind::StorageFull,
            Some(Cause::Quota) => io::ErrorKind::QuotaExceeded,
            Some(Cause::Access | Cause::NotPermitted) => io::ErrorKind::PermissionDenied,
            Some(Cause::ReadOnly) => io::ErrorKind::ReadOnlyFilesystem,
            _ => io::ErrorKind::Other,
        },
    }
}

/// Returns the name of a kind in the contract.
fn contract(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidPath => "invalid-path",
        ErrorKind::NoPreopen => "no-preopen",
        ErrorKind::NotFound => "not-found",
        ErrorKind::AlreadyExists => "already-exists",
        ErrorKind::NotDirectory => "not-directory",
        ErrorKind::IsDirectory => "is-directory",
        ErrorKind::NotAFile => "not-a-file",
        ErrorKind::SymlinkRefused => "symlink-refused",
        ErrorKind::SymlinkEscapes => "symlink-escapes",
        ErrorKind::LinkUnreadable => "link-unreadable",
        ErrorKind::SymlinkLoop => "symlink-loop",
        ErrorKind::HardLinked => "hard-linked",
        ErrorKind::IllegalName => "illegal-name",
        ErrorKind::InvalidJson => "invalid-json",
        ErrorKind::ReadOnly => "read-only",
        ErrorKind::PreconditionFailed => "precondition-failed",
        ErrorKind::Conflicts => "conflicts",
        ErrorKind::Locked => "locked",
        ErrorKind::HotJournal => "hot-journal",
        ErrorKind::LimitExceeded => "limit-exceeded",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::InvalidArgument => "invalid-argument",
        ErrorKind::NotCommitted => "not-committed",
        ErrorKind::NeedsRecovery => "needs-recovery",
        ErrorKind::OutcomeUnknown => "outcome-unknown",
        ErrorKind::Corrupt => "corrupt",
        ErrorKind::Parked => "parked",
    }
}
