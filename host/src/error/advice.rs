//! Words for people: the way out, where the component's own message does not name it.

use std::io;

use crate::bindings::types::{Cause, Error, ErrorKind};

/// The name of the case in the contract.
pub(super) fn kind(kind: ErrorKind) -> &'static str {
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
    }
}

/// What to do on this host, as a sentence to go behind the message of the component. None where
/// that says it all.
pub(super) fn way_out(error: &Error) -> Option<&'static str> {
    match error.kind {
        ErrorKind::InvalidPath => Some("Give a path relative to the root, such as `notes/today.json`."),
        ErrorKind::NotFound => Some("Check the name; missing directories above a file are not created."),
        ErrorKind::AlreadyExists => Some("Choose another name, or allow it to be replaced."),
        ErrorKind::SymlinkRefused => Some("On the command line: --symlinks replace."),
        ErrorKind::SymlinkEscapes | ErrorKind::LinkUnreadable => {
            Some("On the command line: --lower DIR, with the directory that the link leads to.")
        }
        ErrorKind::SymlinkLoop => Some("Remove one of the links."),
        ErrorKind::InvalidJson => Some("Correct it, or write it without asking for JSON."),
        ErrorKind::Unsupported => Some("See what works here with `onionskin probe`, and choose another way."),
        ErrorKind::InvalidArgument => Some("Change one of the arguments; nothing was touched."),
        ErrorKind::NotCommitted => match error.cause {
            // The host says no more of a read-only mount than of a broken disk.
            Some(Cause::Access | Cause::NotPermitted | Cause::ReadOnly | Cause::Io) => {
                Some("See what works there with `onionskin probe`.")
            }
            Some(Cause::InsufficientSpace | Cause::Quota) => Some("Make room first."),
            _ => None,
        },
        ErrorKind::NeedsRecovery => Some("`onionskin recover` does so; do not repeat the change."),
        ErrorKind::OutcomeUnknown => Some("`onionskin recover` does so; look before repeating the change."),
        ErrorKind::NoPreopen
        | ErrorKind::NotDirectory
        | ErrorKind::IsDirectory
        | ErrorKind::NotAFile
        | ErrorKind::HardLinked
        | ErrorKind::IllegalName
        | ErrorKind::ReadOnly
        | ErrorKind::PreconditionFailed
        | ErrorKind::Conflicts
        | ErrorKind::Locked
        | ErrorKind::HotJournal
        | ErrorKind::LimitExceeded
        | ErrorKind::Corrupt => None,
    }
}

/// What to do about a failure of the operating system.
pub(super) fn io(kind: io::ErrorKind) -> &'static str {
    if kind == io::ErrorKind::NotFound {
        "Check the path."
    } else if kind == io::ErrorKind::PermissionDenied {
        "Check who may read and write there."
    } else if kind == io::ErrorKind::NotADirectory {
        "Give a directory."
    } else if kind == io::ErrorKind::IsADirectory {
        "Give a file."
    } else {
        "Remove the cause and try again."
    }
}
