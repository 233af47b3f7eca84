//! The kinds of errors, and the limits that they name.

use alloc::string::ToString;

use super::{Error, Subject};
use crate::path::At;

/// Identifies a limit of [`crate::limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Bytes in one list.
    ChunkBytes,
    /// Entries of a transaction or a tree.
    Entries,
    /// Bytes of a transaction.
    TransactionBytes,
    /// Depth of a tree.
    Depth,
    /// Bytes of a decision, that is, of the paths of all its changes.
    LogBytes,
    /// Bytes of the files of a workspace.
    QuotaBytes,
    /// Files, directories and links in the upper of a workspace.
    QuotaEntries,
    /// Bytes of the map of a workspace.
    MapBytes,
}

impl Limit {
    /// Returns the unit that the limit counts.
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::ChunkBytes => "bytes in one call",
            Self::Entries => "entries",
            Self::TransactionBytes => "bytes of a transaction",
            Self::Depth => "directories deep",
            Self::LogBytes => "bytes for the paths of one transaction",
            Self::QuotaBytes => "bytes in this workspace",
            Self::QuotaEntries => "entries in this workspace",
            Self::MapBytes => "bytes for the map of a workspace",
        }
    }
}

/// The kind of an error. Each case states the state it leaves behind; where it does not, nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// The path breaks a rule.
    InvalidPath,
    /// No preopened directory matches.
    NoPreopen,
    /// No such path.
    NotFound,
    /// The path exists and must not.
    AlreadyExists,
    /// Not a directory where one is required.
    NotDirectory,
    /// A directory where a file is required.
    IsDirectory,
    /// A pipe, socket or device.
    NotAFile,
    /// A symbolic link, and the policy refuses links.
    SymlinkRefused,
    /// The link points outside the granted directories.
    SymlinkEscapes,
    /// The link is absolute and cannot be read on this host.
    LinkUnreadable,
    /// The links form a cycle.
    SymlinkLoop,
    /// The file has more than one name.
    HardLinked,
    /// An entry of the directory has a name that cannot be represented.
    IllegalName,
    /// The content is not valid JSON.
    InvalidJson,
    /// The directory is granted read-only.
    ReadOnly,
    /// The path does not satisfy the precondition.
    PreconditionFailed,
    /// Paths changed while they were read.
    Conflicts,
    /// Another owner holds the root; the subject is its token.
    Locked,
    /// A hot journal prevents the change.
    HotJournal,
    /// A limit was exceeded.
    LimitExceeded,
    /// The host does not support the operation.
    Unsupported,
    /// The arguments are invalid, or invalid in combination.
    InvalidArgument,
    /// The filesystem failed before the commit point; nothing visible changed.
    NotCommitted,
    /// The filesystem failed after the commit point; the next open completes the change.
    NeedsRecovery,
    /// The filesystem failed at the commit point; the next open determines the outcome.
    OutcomeUnknown,
    /// The state on disk is contradictory; nothing was changed.
    Corrupt,
    /// The path belongs to a decision that cannot be completed now.
    Parked,
}

impl ErrorKind {
    /// Creates an error of this kind about a path below a root.
    pub fn at(self, place: impl Into<At>) -> Error {
        Error::new(self, Subject::Path(place.into()))
    }

    /// Creates an error of this kind about a guest path, as the caller gave it.
    pub fn of(self, guest: &str) -> Error {
        Error::new(self, Subject::Guest(guest.to_string()))
    }

    /// Creates an error of this kind about a subject that is no path.
    pub fn named(self, subject: &str) -> Error {
        Error::new(self, Subject::Text(subject.to_string()))
    }
}
