//! The single error type of the core, as the contract defines it: kind, subject, and a message that includes
//! the remedy, so that any host can show it unchanged.
//!
//! It is one pointer wide, because nearly every function of the core may return it.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt;

use crate::fs::{Cause, Kind};
use crate::path::{PathRule, RESERVED_PREFIX, RelPath};
use crate::text::hex;

/// A fingerprint: the observable state of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// Kind of the entry.
    pub kind: Kind,
    /// Length in bytes.
    pub size: u64,
    /// Time of the last change of content, in nanoseconds since 1970.
    pub modified: Option<u64>,
    /// SHA-256 of the content, if it was read.
    pub digest: Option<[u8; 32]>,
}

impl Fingerprint {
    /// Formats the fingerprint for a message.
    fn words(&self) -> String {
        let digest = self.digest.map(|digest| format!(", sha256:{}", hex(&digest))).unwrap_or_default();
        format!("{} of {} bytes{digest}", self.kind.text(), self.size)
    }
}

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
    const fn unit(self) -> &'static str {
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
}

impl ErrorKind {
    /// Creates an error of this kind about a path.
    pub fn at(self, path: &RelPath) -> Error {
        self.of(path.shown())
    }

    /// Creates an error of this kind about a guest path or another named subject.
    pub fn of(self, subject: &str) -> Error {
        self.because(subject, "")
    }

    /// Creates an error of this kind about a subject, with a detail for the message.
    pub fn because(self, subject: &str, detail: &str) -> Error {
        let (subject, detail) = (subject.to_string(), detail.to_string());
        Error(Box::new(Parts { kind: self, cause: None, side: Side::Before, subject, detail }))
    }

    /// Returns the template of the message, where `$` stands for the subject, `#` for the detail and `%` for
    /// the cause.
    const fn message(self) -> &'static str {
        match self {
            Self::InvalidPath => "\"$\" is not a path to write to: #",
            Self::NoPreopen => "\"$\" is below no preopened directory; grant one that holds it",
            Self::NotFound => "$: there is no such file or directory",
            Self::AlreadyExists => "$: exists already and was to be absent",
            Self::NotDirectory => "$: is not a directory; remove it, or choose another path",
            Self::IsDirectory => "$: is a directory; name a file in it",
            Self::NotAFile => "$: is a pipe, a socket or a device; choose another path",
            Self::SymlinkRefused => {
                "$: is a symbolic link; choose the policy `replace` or `follow-within`, or name what it leads to"
            }
            Self::SymlinkEscapes => {
                "$: leads out of what was granted; grant the place it leads to and name it as the source"
            }
            Self::LinkUnreadable => {
                "$: is an absolute link, which cannot be read from inside; grant the place it leads to and name it as \
                 the source"
            }
            Self::SymlinkLoop => "$: its links lead in a circle",
            Self::HardLinked => "$: has a second hard link; materialize it first, or drop the precondition",
            Self::IllegalName => {
                "$: holds a name that is not UTF-8, which cannot be carried; rename it, or publish in place"
            }
            Self::InvalidJson => "$: is not JSON: #; nothing was written",
            Self::ReadOnly => "$: is granted for reading alone; grant it for writing",
            Self::PreconditionFailed => "$: has changed and is now a #; look at it and try again",
            Self::Conflicts => "changed while being read, try again: #",
            Self::Locked => "another owner holds the root, token \"$\"; wait for it, or break its lock if it is dead",
            Self::HotJournal => {
                "$: belongs to a database, and the two move together or not at all; close the database, or materialize \
                 it instead"
            }
            Self::LimitExceeded => "$: over the limit of #; write in smaller parts",
            Self::Unsupported => "$: not supported: #",
            Self::InvalidArgument => "$: #",
            Self::NotCommitted => "nothing was changed, try again: # $: %",
            Self::NeedsRecovery => "decided but not finished; open the root again and it is completed: # $: %",
            Self::OutcomeUnknown => "the outcome is unknown; open the root again to learn it: # $: %",
            Self::Corrupt => "$: #; nothing was touched",
        }
    }
}

/// An error of the core.
#[derive(Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub struct Error(Box<Parts>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Parts {
    kind: ErrorKind,
    /// Cause reported by the filesystem, if it failed.
    cause: Option<Cause>,
    side: Side,
    subject: String,
    /// For a failure of the filesystem, the action that failed.
    detail: String,
}

/// Position, relative to the commit point, at which a plan stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Before the commit point: nothing was decided.
    Before,
    /// At the commit point: the deciding step itself failed.
    At,
    /// After the commit point: the change is decided, and recovery completes it.
    After,
}

impl Error {
    /// Creates the error for a failed call of the filesystem, with nothing changed.
    pub fn failed(action: &str, path: &str, cause: Cause) -> Self {
        let kind = match cause {
            Cause::IllegalName => ErrorKind::IllegalName,
            Cause::NoEntry => ErrorKind::NotFound,
            Cause::NotDirectory => ErrorKind::NotDirectory,
            _ => ErrorKind::NotCommitted,
        };
        let mut error = kind.because(path, action);
        error.0.cause = Some(cause);
        error
    }

    /// Creates the error for a path that breaks a rule.
    pub fn invalid_path(path: &str, rule: PathRule) -> Self {
        ErrorKind::InvalidPath.because(path, rule.text())
    }

    /// Creates the error for an invalid argument, with its name and the reason.
    pub fn invalid_argument(which: &str, why: &str) -> Self {
        ErrorKind::InvalidArgument.because(which, why)
    }

    /// Creates the error for an exceeded limit.
    pub fn limit(path: &str, limit: Limit, maximum: u64) -> Self {
        ErrorKind::LimitExceeded.because(path, &format!("{maximum} {}", limit.unit()))
    }

    /// Creates the error for a path that does not satisfy a precondition.
    pub fn precondition_failed(path: &str, now: &Fingerprint) -> Self {
        ErrorKind::PreconditionFailed.because(path, &now.words())
    }

    /// Creates the error for paths that changed while they were read; the subject is the first.
    pub fn conflicts(paths: &[String]) -> Self {
        ErrorKind::Conflicts.because(paths.first().map_or("", String::as_str), &paths.join(", "))
    }

    /// Creates the error for a contradictory state on disk, with its description and the remedy.
    pub fn corrupt(path: &RelPath, what: &str) -> Self {
        ErrorKind::Corrupt.because(path.shown(), what)
    }

    /// Returns the kind of the error.
    pub const fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the subject: a path, or the token of an owner; empty if there is none.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Returns the cause reported by the filesystem, if it failed.
    pub const fn cause(&self) -> Option<Cause> {
        self.0.cause
    }

    /// Returns the action during which the filesystem failed; for other errors, a detail about the subject.
    pub fn action(&self) -> &str {
        &self.0.detail
    }

    /// Returns the position at which the plan that failed with this error stopped.
    pub const fn side(&self) -> Side {
        self.0.side
    }

    /// Returns the message, in one line: the event and the remedy.
    pub fn message(&self) -> String {
        self.fill(self.kind().message())
    }

    /// Describes a failure of the filesystem, without its consequence for the change.
    pub(crate) fn failure(&self) -> String {
        self.fill("# $: %")
    }

    fn fill(&self, template: &str) -> String {
        let mut line = String::new();
        for letter in template.chars() {
            match letter {
                '$' => push_in_one_line(&mut line, &self.0.subject),
                '#' => push_in_one_line(&mut line, &self.0.detail),
                '%' => line.push_str(self.0.cause.map_or("", Cause::text)),
                _ => line.push(letter),
            }
        }
        line
    }

    /// Returns the same error with another kind, set by a caller that knows the resulting state.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Returns this error as the failure of a plan.
    ///
    /// The kind becomes [`ErrorKind::NotCommitted`], or [`ErrorKind::ReadOnly`] if not even the control
    /// directory could be made. A caller that knows that the plan was decided overrides it.
    pub(crate) fn of_plan(mut self, side: Side) -> Self {
        self.0.side = side;
        if self.is_without_control() && self.is_refused_write() {
            return self.with_subject(".").with_kind(ErrorKind::ReadOnly);
        }
        self.with_kind(ErrorKind::NotCommitted)
    }

    /// Checks whether the creation of the control directory failed.
    pub(crate) fn is_without_control(&self) -> bool {
        self.action() == "make directory" && (self.kind() == ErrorKind::ReadOnly || self.subject() == RESERVED_PREFIX)
    }

    /// Checks whether the filesystem failed because writing is not permitted.
    pub(crate) fn is_refused_write(&self) -> bool {
        matches!(self.cause(), Some(Cause::NotPermitted | Cause::ReadOnly))
    }

    /// Returns the same error with the path the caller gave as its subject, in place of the path it resolved
    /// to. Changes only errors about the entry at a path.
    pub(crate) fn about(self, path: &str) -> Self {
        use ErrorKind as K;
        if matches!(
            self.kind(),
            K::NotFound
                | K::AlreadyExists
                | K::NotDirectory
                | K::IsDirectory
                | K::NotAFile
                | K::SymlinkEscapes
                | K::LinkUnreadable
                | K::SymlinkLoop
                | K::HardLinked
                | K::HotJournal
                | K::PreconditionFailed
        ) {
            return self.with_subject(path);
        }
        self
    }

    fn with_subject(mut self, subject: &str) -> Self {
        self.0.subject = subject.to_string();
        self
    }
}

/// Appends a text from an external source, without its control characters.
fn push_in_one_line(line: &mut String, text: &str) {
    for letter in text.chars() {
        line.push(if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter });
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind())
    }
}
