//! The single error type of the core. It carries the state of a failure as types: the kind, the subject, the
//! call of the filesystem that failed, and the position relative to the commit point. The sentence for people
//! is made from them in one place, the [`Display`](fmt::Display) of [`Error`], and nothing reads it.
//!
//! It is one pointer wide, because nearly every function of the core may return it.

mod kind;
mod message;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::control;
use crate::fs::{Call, Cause, Kind};
use crate::path::{At, PathRule, RelPath, RootId};
use crate::text::hex;

pub use kind::{ErrorKind, Limit};

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

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.kind, self.size)?;
        self.digest.map_or(Ok(()), |digest| write!(f, ", sha256:{}", hex(&digest)))
    }
}

/// The subject of an error.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An entry below a root.
    Path(At),
    /// A guest path, as the caller gave it.
    Guest(String),
    /// A path that the caller gave and that may be invalid, or the name or value of an argument.
    Text(String),
    /// The token of an owner.
    Token(String),
}

impl Subject {
    /// Returns the subject as text: a path without its root, `.` for a root itself.
    pub fn text(&self) -> &str {
        match self {
            Self::Path(at) => at.path.shown(),
            Self::Guest(text) | Self::Text(text) | Self::Token(text) => text,
        }
    }

    /// Returns the path below the root of the store, if it is one.
    const fn path(&self) -> Option<&RelPath> {
        match self {
            Self::Path(At { root: RootId::STORE, path }) => Some(path),
            Self::Path(_) | Self::Guest(_) | Self::Text(_) | Self::Token(_) => None,
        }
    }
}

/// The reason of an error, beyond its kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Detail {
    /// The kind is the reason.
    None,
    /// The rule that the path breaks.
    Rule(PathRule),
    /// The limit, with its value.
    Limit(Limit, u64),
    /// The present state of the entry.
    Now(Fingerprint),
    /// All paths that changed.
    Changed(Vec<String>),
    /// A clause whose subject is that of the error.
    Reason(Cow<'static, str>),
}

/// A call of the filesystem that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    /// The call.
    pub call: Call,
    /// The entry on which it was made.
    pub subject: Subject,
    /// The cause reported by the filesystem.
    pub cause: Cause,
}

impl Failure {
    /// Returns the path below the root of the store on which the call failed, if it is one.
    pub const fn path(&self) -> Option<&RelPath> {
        self.subject.path()
    }
}

/// A clause whose subject is that of the failure.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot be {}: {}", self.call, self.cause)
    }
}

/// An error of the core.
#[derive(Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub struct Error(Box<Parts>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Parts {
    kind: ErrorKind,
    subject: Subject,
    detail: Detail,
    failure: Option<Failure>,
    phase: CommitPhase,
}

/// Position, relative to the commit point, at which a plan stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommitPhase {
    /// Before the commit point: nothing was decided.
    Before,
    /// At the commit point: the deciding step itself failed.
    At,
    /// After the commit point: the change is decided, and recovery completes it.
    After,
}

impl Error {
    fn new(kind: ErrorKind, subject: Subject) -> Self {
        Self(Box::new(Parts { kind, subject, detail: Detail::None, failure: None, phase: CommitPhase::Before }))
    }

    /// Creates the error for a failed call of the filesystem, with nothing changed.
    pub fn failed(call: Call, place: impl Into<At>, cause: Cause) -> Self {
        Self::failed_on(call, Subject::Path(place.into()), cause)
    }

    /// Like [`Error::failed`], for a subject that may be a guest path.
    pub fn failed_on(call: Call, subject: Subject, cause: Cause) -> Self {
        let kind = match cause {
            Cause::IllegalName => ErrorKind::IllegalName,
            Cause::NoEntry => ErrorKind::NotFound,
            Cause::NotDirectory => ErrorKind::NotDirectory,
            _ => ErrorKind::NotCommitted,
        };
        let mut error = Self::new(kind, subject.clone());
        error.0.failure = Some(Failure { call, subject, cause });
        error
    }

    /// Creates the error for a path that breaks a rule.
    pub fn invalid_path(path: &str, rule: PathRule) -> Self {
        ErrorKind::InvalidPath.named(path).with_detail(Detail::Rule(rule))
    }

    /// Creates the error for a text that is not valid JSON, with the path for which it is meant.
    pub fn invalid_json(path: &str, reason: String) -> Self {
        ErrorKind::InvalidJson.named(path).with_detail(Detail::Reason(reason.into()))
    }

    /// Creates the error for an invalid argument, with its name or value and the reason.
    pub fn invalid_argument(which: &str, why: &'static str) -> Self {
        ErrorKind::InvalidArgument.named(which).with_detail(Detail::Reason(why.into()))
    }

    /// Creates the error for a root that another owner holds, with its token.
    pub fn locked(token: &str) -> Self {
        Self::new(ErrorKind::Locked, Subject::Token(token.to_string()))
    }

    /// Creates the error for an exceeded limit.
    pub fn limit(path: &str, limit: Limit, maximum: u64) -> Self {
        ErrorKind::LimitExceeded.named(path).with_detail(Detail::Limit(limit, maximum))
    }

    /// Creates the error for a path that does not satisfy a precondition.
    pub fn precondition_failed(path: &RelPath, now: Fingerprint) -> Self {
        ErrorKind::PreconditionFailed.at(path).with_detail(Detail::Now(now))
    }

    /// Creates the error for paths that do not meet the conditions of a transaction; the subject is the first.
    pub(crate) fn unexpected(paths: Vec<String>) -> Self {
        let first = paths.first().cloned().unwrap_or_default();
        ErrorKind::PreconditionFailed.named(&first).with_detail(Detail::Changed(paths))
    }

    /// Creates the error for paths that changed while they were read; the subject is the first.
    pub fn conflicts(paths: &[String]) -> Self {
        let first = paths.first().map_or("", String::as_str);
        ErrorKind::Conflicts.named(first).with_detail(Detail::Changed(paths.to_vec()))
    }

    /// Creates the error for paths that both sides have changed and that cannot be merged; the subject is the first.
    pub fn not_merged(paths: &[String]) -> Self {
        let first = paths.first().map_or("", String::as_str);
        let rest = paths.get(1..).map_or(String::new(), |rest| rest.join(", "));
        let others = if rest.is_empty() { rest } else { [", nor can ", &rest].concat() };
        let reason = ["cannot be merged", &others, "; nothing was changed, choose a side for it"].concat();
        ErrorKind::Conflicts.named(first).because(reason)
    }

    /// Creates the error for a contradictory state on disk, with its description and the remedy.
    pub fn corrupt(path: &RelPath, description: &str) -> Self {
        ErrorKind::Corrupt.at(path).because(description.to_string())
    }

    /// Creates the error for an entry that does not belong among the records of the control directory.
    pub fn not_ours(path: &RelPath) -> Self {
        Self::corrupt(path, "is not ours and stands among our records; move it away")
    }

    /// Returns the kind of the error.
    pub const fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the subject as text: a path, an argument, or the token of an owner; empty if there is none.
    pub fn subject(&self) -> &str {
        self.0.subject.text()
    }

    /// Returns the subject, if it is a path below the root of the store.
    pub const fn path(&self) -> Option<&RelPath> {
        self.0.subject.path()
    }

    /// Returns the subject.
    pub const fn place(&self) -> &Subject {
        &self.0.subject
    }

    /// Returns the call of the filesystem that failed, if one did.
    pub const fn failure(&self) -> Option<&Failure> {
        self.0.failure.as_ref()
    }

    /// Returns the name of the call that failed, if one did.
    pub fn call(&self) -> Option<Call> {
        self.failure().map(|failure| failure.call)
    }

    /// Returns the cause reported by the filesystem, if it failed.
    pub fn cause(&self) -> Option<Cause> {
        self.failure().map(|failure| failure.cause)
    }

    /// Returns the position at which the plan that failed with this error stopped.
    pub const fn phase(&self) -> CommitPhase {
        self.0.phase
    }

    /// Returns the same error with another kind, set by a caller that knows the resulting state.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Returns the same error with a reason: a clause whose subject is that of the error.
    #[must_use]
    pub fn because(self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.with_detail(Detail::Reason(reason.into()))
    }

    fn with_detail(mut self, detail: Detail) -> Self {
        self.0.detail = detail;
        self
    }

    /// Names an entry of another directory than the root by its guest path. `preopens` are the names of the
    /// preopened directories, which are the roots after the first.
    #[must_use]
    pub fn with_guest_path(self, preopens: &[String]) -> Self {
        let Subject::Path(At { root, path }) = &self.0.subject else { return self };
        let name = root.0.checked_sub(1).and_then(|index| preopens.get(index));
        let Some(name) = name.map(|name| name.trim_end_matches('/')) else { return self };
        let guest = if path.is_root() { name.to_string() } else { format!("{name}/{path}") };
        self.with_subject(Subject::Guest(guest))
    }

    fn with_subject(mut self, subject: Subject) -> Self {
        self.0.subject = subject;
        self
    }

    /// Returns this error as the failure of a plan.
    ///
    /// The kind becomes [`ErrorKind::NotCommitted`], or [`ErrorKind::ReadOnly`] if not even the control
    /// directory could be made. A caller that knows that the plan was decided overrides it.
    pub(crate) fn of_plan(mut self, phase: CommitPhase) -> Self {
        self.0.phase = phase;
        if self.is_without_control() && self.is_refused_write() {
            return self.with_subject(Subject::Path(At::store(RelPath::ROOT))).with_kind(ErrorKind::ReadOnly);
        }
        self.with_kind(ErrorKind::NotCommitted)
    }

    /// Checks whether the creation of the control directory failed.
    pub(crate) fn is_without_control(&self) -> bool {
        self.failure()
            .is_some_and(|failure| failure.call == Call::MakeDirectory && failure.path() == Some(&control::directory()))
    }

    /// Checks whether the filesystem refused a change because writing is not permitted.
    pub(crate) fn is_refused_write(&self) -> bool {
        let is_change = self.call().is_some_and(|call| !call.reads());
        is_change && matches!(self.cause(), Some(Cause::NotPermitted | Cause::ReadOnly))
    }

    /// Returns the same error about the guest path that the caller gave, in place of the path it resolved to.
    /// Changes only errors about the entry at a path.
    pub(crate) fn about(self, guest: &str) -> Self {
        self.about_entry(|| Subject::Guest(guest.to_string()))
    }

    /// Like [`Error::about`], for a path below the root of the store.
    pub(crate) fn about_path(self, path: &RelPath) -> Self {
        self.about_entry(|| Subject::Path(path.into()))
    }

    fn about_entry(self, subject: impl FnOnce() -> Subject) -> Self {
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
            return self.with_subject(subject());
        }
        self
    }

    /// Returns the event without the remedy: the subject, and the call that failed or the reason.
    pub(crate) fn clause(&self) -> String {
        match (&self.0.detail, self.failure()) {
            (Detail::Reason(reason), _) => format!("{} {reason}", self.subject()),
            (_, Some(failure)) => format!("{} {failure}", failure.subject.text()),
            (_, None) => self.to_string(),
        }
    }
}
