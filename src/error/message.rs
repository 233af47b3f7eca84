//! The sentence of an error for people: made here, and nothing reads it.

use core::fmt::{self, Write as _};

use super::{Detail, Error, ErrorKind, Subject};

impl Error {
    /// Writes the message without the subject.
    fn write_reason(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ErrorKind as K;
        let (before, after) = match self.kind() {
            K::InvalidPath if self.subject().is_empty() => ("\"\" is not a path to write to: ", ""),
            K::InvalidPath => ("is not a path to write to: ", ""),
            K::NoPreopen => ("is below no preopened directory; grant one that holds it", ""),
            K::NotFound if self.0.detail == Detail::None => ("there is no such file or directory", ""),
            K::AlreadyExists => ("exists already and was to be absent", ""),
            K::NotDirectory => ("is not a directory; remove it, or choose another path", ""),
            K::IsDirectory => ("is a directory; name a file in it", ""),
            K::NotAFile => ("is a pipe, a socket or a device; choose another path", ""),
            K::SymlinkRefused => {
                let remedy = "choose the policy `replace` or `follow-within`, or name what it leads to";
                return write!(f, "is a symbolic link; {remedy}");
            }
            K::SymlinkEscapes => {
                ("leads out of what was granted; grant the place it leads to and name it as the source", "")
            }
            K::LinkUnreadable => {
                let remedy = "grant the place it leads to and name it as the source";
                return write!(f, "is an absolute link, which cannot be read from inside; {remedy}");
            }
            K::SymlinkLoop => ("its links lead in a circle", ""),
            K::HardLinked => ("has a second hard link; materialize it first, or drop the precondition", ""),
            K::IllegalName => {
                let remedy = "rename it, or publish in place";
                return write!(f, "holds a name that is not UTF-8, which cannot be carried; {remedy}");
            }
            K::InvalidJson => ("is not JSON: ", "; nothing was written"),
            K::ReadOnly => ("cannot be changed: it is granted for reading alone, or the system refuses", ""),
            K::PreconditionFailed if matches!(self.0.detail, Detail::Changed(_)) => {
                ("is not as it was expected to be", "; nothing was changed, look at it and try again")
            }
            K::PreconditionFailed => ("has changed and is now a ", "; look at it and try again"),
            K::Conflicts if matches!(self.0.detail, Detail::Reason(_)) => ("", ""),
            K::Conflicts => ("changed while it was read", "; try again"),
            K::Locked => {
                f.write_str("another owner holds the root, token \"")?;
                write_in_one_line(f, self.subject())?;
                return f.write_str("\"; wait for it, or break its lock if it is dead");
            }
            K::HotJournal => {
                let remedy = "close the database, or materialize it instead";
                return write!(f, "belongs to a database, and the two move together or not at all; {remedy}");
            }
            K::LimitExceeded => ("over the limit of ", "; write in smaller parts"),
            K::Unsupported => ("not supported: ", ""),
            K::NotFound | K::InvalidArgument => ("", ""),
            K::NotCommitted => ("", "; nothing was changed"),
            K::NeedsRecovery => ("", "; decided but not finished, open the root again and it is completed"),
            K::OutcomeUnknown => ("", "; the outcome is unknown, open the root again to learn it"),
            K::Corrupt => ("", "; nothing was touched"),
            K::Parked => ("", "; remove the obstacle and open the root again, or give the transaction up"),
        };
        f.write_str(before)?;
        match (&self.0.detail, self.failure()) {
            (Detail::Rule(rule), _) => f.write_str(rule.text())?,
            (Detail::Limit(limit, maximum), _) => write!(f, "{maximum} {}", limit.unit())?,
            (Detail::Now(now), _) => write!(f, "{now}")?,
            (Detail::Changed(paths), _) if paths.len() > 1 => {
                f.write_str(if self.kind() == K::Conflicts { ", as did " } else { ", nor is " })?;
                write_in_one_line(f, &paths[1..].join(", "))?;
            }
            (Detail::Reason(reason), _) => write_in_one_line(f, reason)?,
            (Detail::None, Some(failure)) if before.is_empty() => write!(f, "{failure}")?,
            (Detail::None | Detail::Changed(_), _) => {}
        }
        f.write_str(after)
    }
}

/// Writes a text from an external source, without its control characters.
fn write_in_one_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let shown = |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    text.chars().try_for_each(|letter| f.write_char(shown(letter)))
}

/// The message, in one line: the subject, the event and the remedy.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject();
        if !subject.is_empty() && !matches!(self.0.subject, Subject::Token(_)) {
            write_in_one_line(f, subject)?;
            f.write_str(": ")?;
        }
        self.write_reason(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::control;
    use crate::error::CommitPhase;
    use crate::fs::{Call, Cause};
    use crate::path::{At, PathRule, RelPath, RootId};

    #[test]
    fn a_message_names_subject_event_and_remedy() {
        let path = RelPath::parse("a/b").expect("a good path");
        let elsewhere = At { root: RootId(1), path: path.clone() };
        let paths = ["a".to_string(), "b\nc".to_string()];
        let failed = |kind| Error::failed(Call::Write, &path, Cause::InsufficientSpace).with_kind(kind);
        for (error, message) in [
            (ErrorKind::NotFound.at(&path), "a/b: there is no such file or directory"),
            (ErrorKind::NotFound.of("/up").because("there is no workspace in it"), "/up: there is no workspace in it"),
            (ErrorKind::IsDirectory.at(&RelPath::ROOT), ".: is a directory; name a file in it"),
            (Error::failed(Call::Stat, &elsewhere, Cause::NoEntry), "a/b: there is no such file or directory"),
            (Error::invalid_path("", PathRule::Empty), "\"\" is not a path to write to: it must not be empty"),
            (
                Error::locked("me"),
                "another owner holds the root, token \"me\"; wait for it, or break its lock if it is dead",
            ),
            (Error::conflicts(&paths[..1]), "a: changed while it was read; try again"),
            (Error::conflicts(&paths), "a: changed while it was read, as did b\u{fffd}c; try again"),
            (
                Error::not_merged(&paths),
                "a: cannot be merged, nor can b\u{fffd}c; nothing was changed, choose a side for it",
            ),
            (failed(ErrorKind::NotCommitted), "a/b: cannot be written: no space left; nothing was changed"),
            (
                failed(ErrorKind::OutcomeUnknown),
                "a/b: cannot be written: no space left; the outcome is unknown, open the root again to learn it",
            ),
        ] {
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn an_entry_of_another_directory_is_named_by_its_guest_path() {
        let path = RelPath::parse("a/b").expect("a good path");
        let names = ["/root".to_string(), "/lower/".to_string()];
        for (root, subject) in [(0, "a/b"), (1, "/root/a/b"), (2, "/lower/a/b"), (3, "a/b")] {
            let error = ErrorKind::NotAFile.at(&At { root: RootId(root), path: path.clone() });
            assert_eq!(error.with_guest_path(&names).subject(), subject, "root {root}");
        }
    }

    #[test]
    fn a_plan_that_cannot_make_the_control_directory_is_refused() {
        let plan = |path: &RelPath, cause| Error::failed(Call::MakeDirectory, path, cause).of_plan(CommitPhase::Before);
        let control = control::directory();
        let error = plan(&control, Cause::NotPermitted);
        assert_eq!((error.kind(), error.subject()), (ErrorKind::ReadOnly, "."));
        assert!(error.is_without_control(), "the call that failed stays known");
        assert_eq!(plan(&control, Cause::Io).kind(), ErrorKind::NotCommitted);
        assert_eq!(plan(&control.child("tx-1"), Cause::NotPermitted).kind(), ErrorKind::NotCommitted);
    }
}
