//! Failures with advice for the command line.

use std::path::PathBuf;

use onionskin_host::{Error, ErrorKind, Grant, Kind};

/// A part of the message about a lower that is not the recorded one.
const ANOTHER_LOWER: &str = "other than the one this workspace was made over";

/// A failure of a command.
pub(crate) struct Failure {
    /// A word for programs.
    pub(crate) kind: &'static str,
    /// The path of the failure.
    pub(crate) path: PathBuf,
    /// One or two sentences, and the way out.
    pub(crate) message: String,
    /// Whether `--crash-at` caused it.
    pub(crate) is_crash: bool,
}

impl Failure {
    /// Checks whether a workspace that is read beside its owner was changed meanwhile.
    pub(crate) fn is_replaced(&self) -> bool {
        self.kind == Kind::Contract(ErrorKind::Conflicts).as_str()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut message = error.to_string();
        if let Some(advice) = advice(&error) {
            message.push(' ');
            message.push_str(&advice);
        }
        let is_crash = error.kind() == Kind::InjectedCrash;
        Self { kind: error.kind().as_str(), path: error.path(), message, is_crash }
    }
}

impl From<onionskin_lab::Error> for Failure {
    fn from(error: onionskin_lab::Error) -> Self {
        match error {
            onionskin_lab::Error::Host(error) => error.into(),
            error => Self { kind: error.kind(), path: error.path(), message: error.to_string(), is_crash: false },
        }
    }
}

/// Returns the option or command that helps, if there is one.
fn advice(error: &Error) -> Option<String> {
    let lower = |path: &PathBuf| format!("On the command line: --lower {}", path.parent().unwrap_or(path).display());
    match error {
        Error::Grant(Grant::LinkLeadsOut { target, .. }) => Some(lower(target)),
        Error::Grant(Grant::Outside { path }) => Some(lower(path)),
        Error::Grant(Grant::LinkLeavesRoot { .. }) => Some("On the command line: --symlinks replace.".to_owned()),
        Error::Untrusted { .. } => Some("On the command line: --trust.".to_owned()),
        Error::Guest { error, .. } if error.message.contains(ANOTHER_LOWER) => {
            Some("On the command line, if it is the right one: --moved DIR.".to_owned())
        }
        Error::Guest { error, .. } => of_kind(error.kind).map(str::to_owned),
        _ => None,
    }
}

fn of_kind(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::SymlinkRefused => Some("On the command line: --symlinks replace."),
        ErrorKind::SymlinkEscapes | ErrorKind::LinkUnreadable => Some("On the command line: --lower DIR."),
        ErrorKind::Unsupported => Some("`onionskin probe` does so."),
        ErrorKind::Parked => Some("`onionskin recover --abandon N` gives transaction N up."),
        ErrorKind::NeedsRecovery | ErrorKind::OutcomeUnknown => Some("`onionskin recover` opens the root."),
        _ => None,
    }
}
