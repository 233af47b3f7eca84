//! The one error of the core. Each case says which state it leaves behind; where it does not say,
//! nothing has changed. The message names the path and the way out, so that every host can show it
//! as it is.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use thiserror::Error;

use crate::fs::{Cause, Kind};
use crate::path::PathRule;

/// A fingerprint: what an entry looked like.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// What the entry is.
    pub kind: Kind,
    /// Length in bytes.
    pub size: u64,
    /// Last change of content, nanoseconds since 1970.
    pub modified: Option<u64>,
    /// SHA-256 of the content, when it was read.
    pub digest: Option<[u8; 32]>,
}

/// A failed call of the filesystem.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
#[error("{action} {path}: {cause}")]
pub struct Failure {
    /// The path, relative to the root; `.` for the root.
    pub path: String,
    /// What was being done.
    pub action: &'static str,
    /// Why it failed.
    pub cause: Cause,
}

/// A limit of [`crate::limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Bytes in one list.
    ChunkBytes,
    /// Entries of a transaction or tree.
    Entries,
    /// Bytes of a transaction.
    TransactionBytes,
    /// Depth of a tree.
    Depth,
    /// Bytes of a decision: the paths of all its changes.
    LogBytes,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ChunkBytes => "bytes in one call",
            Self::Entries => "entries",
            Self::TransactionBytes => "bytes of a transaction",
            Self::Depth => "directories deep",
            Self::LogBytes => "bytes for the paths of one transaction",
        })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.kind, self.size)?;
        if let Some(digest) = &self.digest {
            write!(f, ", sha256:{}", crate::journal::hex(digest))?;
        }
        Ok(())
    }
}

/// Everything that can go wrong, with the path it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
pub enum Error {
    /// The path breaks a rule.
    #[error("{path:?} is not a path to write to: {rule}")]
    InvalidPath {
        /// As given.
        path: String,
        /// The rule.
        rule: PathRule,
    },
    /// No preopened directory matches.
    #[error("{0:?} is below no preopened directory; grant one that holds it")]
    NoPreopen(String),
    /// No such path.
    #[error("{0}: there is no such file or directory")]
    NotFound(String),
    /// The path exists and must not.
    #[error("{0}: exists already and was to be absent")]
    AlreadyExists(String),
    /// Not a directory where one is wanted.
    #[error("{0}: is not a directory; remove it, or choose another path")]
    NotDirectory(String),
    /// A directory where a file is wanted.
    #[error("{0}: is a directory; name a file in it")]
    IsDirectory(String),
    /// A pipe, socket or device.
    #[error("{0}: is a pipe, a socket or a device and is left alone; choose another path")]
    NotAFile(String),
    /// A link, and the policy is to refuse.
    #[error("{0}: is a symbolic link; choose the policy `replace` or `follow-within`, or name what it leads to")]
    SymlinkRefused(String),
    /// The link leads out of what was granted.
    #[error("{0}: leads out of what was granted; grant the place it leads to and name it as the source")]
    SymlinkEscapes(String),
    /// The link is absolute and cannot be read here.
    #[error(
        "{0}: is an absolute link, which cannot be read from inside; grant the place it leads to and name it as the source"
    )]
    LinkUnreadable(String),
    /// The links lead in a circle.
    #[error("{0}: its links lead in a circle")]
    SymlinkLoop(String),
    /// The file has a second name.
    #[error("{0}: has a second hard link; materialize it first, or drop the precondition")]
    HardLinked(String),
    /// An entry of the directory has a name that cannot be expressed.
    #[error("{0}: holds a name that is not UTF-8, which cannot be carried; rename it, or publish in place")]
    IllegalName(String),
    /// Not JSON.
    #[error("{path}: is not JSON: {reason}; nothing was written")]
    InvalidJson {
        /// The path that was to be written.
        path: String,
        /// Where and why.
        reason: String,
    },
    /// Granted for reading alone.
    #[error("{0}: is granted for reading alone; grant it for writing")]
    ReadOnly(String),
    /// The path is not as asked.
    #[error("{path}: has changed and is now a {now}; look at it and try again")]
    PreconditionFailed {
        /// The path.
        path: String,
        /// What it looks like.
        now: Box<Fingerprint>,
    },
    /// Paths that changed while they were read.
    #[error("changed while being read, try again: {}", .0.join(", "))]
    Conflicts(Vec<String>),
    /// Another owner; its token.
    #[error("another owner holds the root, token {0:?}; wait for it, or break its lock if it is dead")]
    Locked(String),
    /// A journal is in the way.
    #[error(
        "{0}: belongs to a database, and the two move together or not at all; close the database, or materialize it instead"
    )]
    HotJournal(String),
    /// A limit was passed.
    #[error("{path}: over the limit of {maximum} {limit}; write in smaller parts")]
    LimitExceeded {
        /// Which.
        limit: Limit,
        /// Its value.
        maximum: u64,
        /// Where.
        path: String,
    },
    /// The host cannot do this.
    #[error("{path}: not supported: {what}")]
    Unsupported {
        /// Where.
        path: String,
        /// What is missing.
        what: &'static str,
    },
    /// The arguments do not go together.
    #[error("{0}")]
    InvalidArgument(String),
    /// Failed with nothing visible changed.
    #[error("nothing was changed, try again: {0}")]
    NotCommitted(Failure),
    /// Failed after the decision: the next open completes it.
    #[error("decided but not finished; open the root again and it is completed: {0}")]
    NeedsRecovery(Failure),
    /// Failed at the decision: the next open tells.
    #[error("the outcome is unknown; open the root again to learn it: {0}")]
    OutcomeUnknown(Failure),
    /// The disk contradicts itself; nothing was touched.
    #[error("{path}: {what}; nothing was touched")]
    Corrupt {
        /// Where.
        path: String,
        /// What is wrong, and the way out.
        what: String,
    },
}

impl Error {
    /// The same error about another path, where it is about one: what the caller gave, instead of
    /// where that led.
    pub(crate) fn about(self, rename: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::NotFound(path) => Self::NotFound(rename(path)),
            Self::AlreadyExists(path) => Self::AlreadyExists(rename(path)),
            Self::NotDirectory(path) => Self::NotDirectory(rename(path)),
            Self::IsDirectory(path) => Self::IsDirectory(rename(path)),
            Self::NotAFile(path) => Self::NotAFile(rename(path)),
            Self::SymlinkEscapes(path) => Self::SymlinkEscapes(rename(path)),
            Self::LinkUnreadable(path) => Self::LinkUnreadable(rename(path)),
            Self::SymlinkLoop(path) => Self::SymlinkLoop(rename(path)),
            Self::HardLinked(path) => Self::HardLinked(rename(path)),
            Self::HotJournal(path) => Self::HotJournal(rename(path)),
            Self::PreconditionFailed { path, now } => Self::PreconditionFailed { path: rename(path), now },
            other => other,
        }
    }

    /// [`Error::NotCommitted`], or [`Error::ReadOnly`] where not even the control directory can be
    /// made.
    pub(crate) fn not_committed(failure: Failure) -> Self {
        let first = failure.action == "make directory" && failure.path == crate::path::RESERVED_PREFIX;
        if first && matches!(failure.cause, Cause::NotPermitted | Cause::ReadOnly) {
            return Self::ReadOnly(String::from("."));
        }
        Self::NotCommitted(failure)
    }

    /// [`Error::Corrupt`].
    pub(crate) fn corrupt(path: &crate::path::RelPath, what: impl Into<String>) -> Self {
        Self::Corrupt { path: format!("{path}"), what: what.into() }
    }
}
