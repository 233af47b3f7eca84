//! The one error of the core, as the contract has it: what went wrong, what it is about, and a
//! message that names the way out, so that every host can show it as it is.
//!
//! It is one pointer wide, because nearly every function of the core may return it.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt;

use crate::fs::{Cause, Kind};
use crate::path::{PathRule, RESERVED_PREFIX, RelPath};
use crate::text::hex;

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

impl Fingerprint {
    /// The fingerprint in words.
    fn words(&self) -> String {
        let digest = self.digest.map(|digest| format!(", sha256:{}", hex(&digest))).unwrap_or_default();
        format!("{} of {} bytes{digest}", self.kind.text(), self.size)
    }
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
    /// Bytes of the files of a workspace.
    QuotaBytes,
    /// Files, directories and links of a workspace's own.
    QuotaEntries,
    /// Bytes of the map of a workspace.
    MapBytes,
}

impl Limit {
    /// What is counted.
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

/// What went wrong. Each case says which state it leaves behind; where it does not say, nothing has
/// changed.
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
    /// Not a directory where one is wanted.
    NotDirectory,
    /// A directory where a file is wanted.
    IsDirectory,
    /// A pipe, socket or device.
    NotAFile,
    /// A link, and the policy is to refuse.
    SymlinkRefused,
    /// The link leads out of what was granted.
    SymlinkEscapes,
    /// The link is absolute and cannot be read here.
    LinkUnreadable,
    /// The links lead in a circle.
    SymlinkLoop,
    /// The file has a second name.
    HardLinked,
    /// An entry of the directory has a name that cannot be expressed.
    IllegalName,
    /// Not JSON.
    InvalidJson,
    /// Granted for reading alone.
    ReadOnly,
    /// The path is not as asked.
    PreconditionFailed,
    /// Paths that changed while they were read.
    Conflicts,
    /// Another owner; its token is the subject.
    Locked,
    /// A journal is in the way.
    HotJournal,
    /// A limit was passed.
    LimitExceeded,
    /// The host cannot do this.
    Unsupported,
    /// The arguments do not go together.
    InvalidArgument,
    /// The filesystem failed, with nothing visible changed.
    NotCommitted,
    /// It failed after the decision: the next open completes it.
    NeedsRecovery,
    /// It failed at the decision: the next open tells.
    OutcomeUnknown,
    /// The disk contradicts itself; nothing was touched.
    Corrupt,
}

impl ErrorKind {
    /// This error about a path.
    pub fn at(self, path: &RelPath) -> Error {
        self.of(path.shown())
    }

    /// This error about a guest path, or about what else is named.
    pub fn of(self, subject: &str) -> Error {
        self.because(subject, "")
    }

    /// This error about a subject, and what else there is to say.
    pub fn because(self, subject: &str, detail: &str) -> Error {
        let (subject, detail) = (subject.to_string(), detail.to_string());
        Error(Box::new(Parts { kind: self, cause: None, side: Side::Before, subject, detail }))
    }

    /// The message, where `$` stands for the subject, `#` for the detail and `%` for the cause.
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

/// Everything that can go wrong.
#[derive(Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub struct Error(Box<Parts>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Parts {
    kind: ErrorKind,
    /// What the filesystem said, where it failed.
    cause: Option<Cause>,
    side: Side,
    subject: String,
    /// Of a failure of the filesystem, what was being done.
    detail: String,
}

/// Where a plan stopped, seen from its commit point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Nothing that counts has happened.
    Before,
    /// The deciding step itself failed.
    At,
    /// It was decided; the rest is left to recovery.
    After,
}

impl Error {
    /// A failed call of the filesystem, while nothing has changed.
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

    /// A path that breaks a rule.
    pub fn invalid_path(path: &str, rule: PathRule) -> Self {
        ErrorKind::InvalidPath.because(path, rule.text())
    }

    /// The arguments do not go together: which one, and why.
    pub fn invalid_argument(which: &str, why: &str) -> Self {
        ErrorKind::InvalidArgument.because(which, why)
    }

    /// A limit was passed.
    pub fn limit(path: &str, limit: Limit, maximum: u64) -> Self {
        ErrorKind::LimitExceeded.because(path, &format!("{maximum} {}", limit.unit()))
    }

    /// A path is not as a precondition asks.
    pub fn precondition_failed(path: &str, now: &Fingerprint) -> Self {
        ErrorKind::PreconditionFailed.because(path, &now.words())
    }

    /// Paths changed while they were read; the first is the subject.
    pub fn conflicts(paths: &[String]) -> Self {
        ErrorKind::Conflicts.because(paths.first().map_or("", String::as_str), &paths.join(", "))
    }

    /// The disk contradicts itself: what is wrong, and the way out.
    pub fn corrupt(path: &RelPath, what: &str) -> Self {
        ErrorKind::Corrupt.because(path.shown(), what)
    }

    /// What went wrong.
    pub const fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What it is about: a path, or the token of an owner; empty when it is about none.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// What the filesystem said, when it failed.
    pub const fn cause(&self) -> Option<Cause> {
        self.0.cause
    }

    /// What was being done when the filesystem failed; else what is to be said of the subject.
    pub fn action(&self) -> &str {
        &self.0.detail
    }

    /// Where the plan stopped that this error ended.
    pub const fn side(&self) -> Side {
        self.0.side
    }

    /// What happened and what to do about it, in one line.
    pub fn message(&self) -> String {
        self.fill(self.kind().message())
    }

    /// A failure of the filesystem in words, without what it means for the change.
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

    /// The same failure, in a state that the caller knows better.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The failure of a plan, of which nothing was decided unless the caller knows better:
    /// [`ErrorKind::NotCommitted`], or [`ErrorKind::ReadOnly`] where not even the control directory
    /// can be made.
    pub(crate) fn of_plan(mut self, side: Side) -> Self {
        self.0.side = side;
        if self.is_without_control() && self.is_refused_write() {
            return self.with_subject(".").with_kind(ErrorKind::ReadOnly);
        }
        self.with_kind(ErrorKind::NotCommitted)
    }

    /// Whether it was the control directory that could not be made.
    pub(crate) fn is_without_control(&self) -> bool {
        self.action() == "make directory" && (self.kind() == ErrorKind::ReadOnly || self.subject() == RESERVED_PREFIX)
    }

    /// Whether the filesystem failed because nothing may be written.
    pub(crate) fn is_refused_write(&self) -> bool {
        matches!(self.cause(), Some(Cause::NotPermitted | Cause::ReadOnly))
    }

    /// The same error about another path, where it is about what stands at one: what the caller
    /// gave, instead of where that led.
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

/// Appends a text that came from elsewhere, without its control characters.
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
