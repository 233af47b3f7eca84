//! The errors of this library.

mod kind;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::bindings::types::{Cause, Error as GuestError, ErrorKind};
use crate::holder::Holder;
use crate::trust::Distrust;
pub use kind::Kind;

/// An error of a call.
///
/// Its text has one sentence that describes the failure and its place and, if there is a remedy, one for
/// that. The documentation of [`ErrorKind`] describes the state that each error of the component leaves
/// behind.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The component refused the call, or the filesystem returned an error to the component.
    Guest {
        /// The root that the paths of the error are relative to.
        root: PathBuf,
        /// The error of the component.
        error: GuestError,
    },
    /// The component was stopped in the middle of a call. This instance accepts no further calls; opening the
    /// root again recovers it.
    Trap {
        /// The root that was open.
        root: PathBuf,
        /// The reason.
        trap: Trap,
    },
    /// A required path is not granted.
    Grant(Grant),
    /// An absolute link cannot be resolved on the host: its target does not exist, or it is in a cycle.
    Link {
        /// The link, on the host.
        link: PathBuf,
        /// Its text.
        target: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Another owner holds the root.
    Locked {
        /// The root.
        root: PathBuf,
        /// The process of the owner, where the system names it.
        holder: Option<Holder>,
    },
    /// Another user could have written records that an open would carry out with the rights of this user. They
    /// were not read.
    Untrusted {
        /// The entry, on the host.
        path: PathBuf,
        /// The reason.
        why: Distrust,
    },
    /// A call of the operating system failed, outside of the component.
    Io {
        /// The action that failed, such as `open the root`.
        action: &'static str,
        /// The path that the action was on.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A program could not be prepared or started.
    Program {
        /// The action that failed, such as `compile`.
        action: &'static str,
        /// The file of the program.
        path: PathBuf,
        /// The reason.
        source: wasmtime::Error,
    },
    /// Directories and their names for a program contradict one another.
    Layout {
        /// The name, as the program sees it.
        guest: String,
        /// The contradiction, and the remedy.
        text: String,
    },
    /// The component could not be loaded or started.
    Component {
        /// The action that failed, such as `compile`.
        action: &'static str,
        /// The reason.
        source: wasmtime::Error,
    },
}

/// The reason why the component was stopped in the middle of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trap {
    /// [`Faults`](crate::Faults) stopped it just before this mutating host call.
    Injected {
        /// The number of the call, counted from 1.
        call: u64,
        /// Its name and path.
        what: String,
    },
    /// One call used more fuel than the limit of the builder.
    OutOfFuel {
        /// The limit, for each call.
        limit: u64,
    },
    /// One call took longer than the limit of the builder.
    OutOfTime {
        /// The limit, in ticks of the epoch, for each call.
        limit: u64,
    },
    /// The component requested more memory than the limit of the builder.
    OutOfMemory {
        /// The limit, in bytes.
        limit: usize,
    },
    /// An earlier call was stopped, so this call was not made.
    Stopped,
    /// The future of a call was dropped in the middle of it, which stopped the component there. So that call may have
    /// been made in part, and this one was not made.
    Cancelled,
    /// A fault of the component.
    Fault {
        /// The message of the engine.
        message: String,
    },
}

/// A required path that is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grant {
    /// An absolute link leads outside all granted directories.
    LinkLeadsOut {
        /// The link, on the host.
        link: PathBuf,
        /// The resolved target, on the host.
        target: PathBuf,
    },
    /// A link that must be resolved within the root leads out of it.
    LinkLeavesRoot {
        /// The link, on the host.
        link: PathBuf,
        /// The resolved target, on the host.
        target: PathBuf,
    },
    /// A host path is outside all granted directories.
    Outside {
        /// The path.
        path: PathBuf,
    },
    /// A host path is not UTF-8, so WASI cannot express it.
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        Self::Io { action, path, source }
    }

    /// Returns the path of the error: relative to the root where the component reports a path, else a path on
    /// the host. Returns the root if the error has no path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Guest { root, error } if error.subject.is_empty() => root.clone(),
            Self::Guest { error, .. } => PathBuf::from(&error.subject),
            Self::Trap { root, .. } | Self::Locked { root, .. } => root.clone(),
            Self::Grant(
                Grant::LinkLeadsOut { link: path, .. }
                | Grant::LinkLeavesRoot { link: path, .. }
                | Grant::Outside { path }
                | Grant::NotUtf8 { path },
            )
            | Self::Link { link: path, .. }
            | Self::Io { path, .. }
            | Self::Untrusted { path, .. }
            | Self::Program { path, .. } => path.clone(),
            Self::Layout { guest, .. } => PathBuf::from(guest),
            Self::Component { .. } => PathBuf::new(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guest { root, error } => write_guest(f, root, error),
            Self::Trap { root, trap } => write_trap(f, root, trap),
            Self::Grant(grant) => write_grant(f, grant),
            Self::Link { link, target, source } => write!(
                f,
                "{}: this link leads to {}, and that cannot be followed: {source}. Correct or \
                 remove the link.",
                link.display(),
                target.display()
            ),
            Self::Locked { root, holder } => {
                write!(f, "{}: another owner has this root open", root.display())?;
                if let Some(holder) = holder {
                    write!(f, ", {holder}")?;
                }
                f.write_str(". Wait until it has finished, or end it; its lock goes with it.")
            }
            Self::Untrusted { path, why } => write!(
                f,
                "{}: {}, who could have planted what an open would carry out with your rights. Look at it; then \
                 make it your own, move it away, or trust it explicitly.",
                path.display(),
                match why {
                    Distrust::Owner { user } => format!("belongs to user {user}"),
                    Distrust::Writable => "may be written by every user".to_owned(),
                }
            ),
            Self::Io { action, path, source } => {
                write!(f, "{}: cannot {action}: {source}. {}", path.display(), io_way_out(source.kind()))
            }
            Self::Program { action, path, source } => write!(
                f,
                "{}: cannot {action} the program: {}. It has to be a command of WASI: a component that exports \
                 wasi:cli/run, or a module for WASI preview 1; nothing beyond WASI 0.2 is given to it.",
                path.display(),
                causes(source)
            ),
            Self::Layout { guest, text } => write!(f, "{guest}: {text}."),
            Self::Component { action, source } => write!(
                f,
                "cannot {action} the component: {}. Give one that was built from the same \
                 version of the contract, or none, for the one that is built in.",
                source.root_cause()
            ),
        }
    }
}

/// Returns an error of the engine with its causes, in one line.
fn causes(error: &wasmtime::Error) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes the message of the component, which names the path relative to the root.
fn write_guest(f: &mut fmt::Formatter<'_>, root: &Path, error: &GuestError) -> fmt::Result {
    write!(f, "{}: {}.", root.display(), error.message.trim_end_matches('.'))?;
    match guest_way_out(error) {
        Some(sentence) => write!(f, " {sentence}"),
        None => Ok(()),
    }
}

/// Returns the remedy, where the message of the component does not include one.
fn guest_way_out(error: &GuestError) -> Option<&'static str> {
    match (error.kind, error.cause) {
        (ErrorKind::InvalidPath, _) => Some("Give a path relative to the root, such as `notes/today.json`."),
        (ErrorKind::NotFound, _) => Some("Check the name; missing directories above a file are not created."),
        (ErrorKind::AlreadyExists, _) => Some("Choose another name, or allow it to be replaced."),
        (ErrorKind::SymlinkRefused, _) => Some("Allow links to be replaced, or name another path."),
        (ErrorKind::SymlinkEscapes | ErrorKind::LinkUnreadable, _) => {
            Some("Grant the directory that the link leads to.")
        }
        (ErrorKind::SymlinkLoop, _) => Some("Remove one of the links."),
        (ErrorKind::InvalidJson, _) => Some("Correct it, or write it without asking for JSON."),
        (ErrorKind::Unsupported, _) => Some("Probe the root to learn what works there, and choose another way."),
        (ErrorKind::InvalidArgument, _) => Some("Change one of the arguments; nothing was touched."),
        (ErrorKind::NotCommitted, Some(Cause::Access | Cause::NotPermitted)) => {
            Some("Check owner, mode and attributes of it and of its directory.")
        }
        (ErrorKind::NotCommitted, Some(Cause::InsufficientSpace | Cause::Quota)) => Some("Make room first."),
        (ErrorKind::NeedsRecovery, _) => Some("Do not repeat the change."),
        (ErrorKind::OutcomeUnknown, _) => Some("Look before repeating the change."),
        _ => None,
    }
}

/// Returns the remedy for a failure of the operating system.
fn io_way_out(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => "Check the path.",
        io::ErrorKind::PermissionDenied => "Check who may read and write there.",
        io::ErrorKind::NotADirectory => "Give a directory.",
        io::ErrorKind::IsADirectory => "Give a file.",
        io::ErrorKind::Unsupported => "This operating system cannot do that.",
        _ => "Remove the cause and try again.",
    }
}

fn write_trap(f: &mut fmt::Formatter<'_>, root: &Path, trap: &Trap) -> fmt::Result {
    let root = root.display();
    match trap {
        Trap::Injected { call, what } => write!(
            f,
            "{root}: stopped on request just before mutating host call {call}, {what}. Open the \
             root again to recover."
        ),
        Trap::OutOfFuel { limit } => write!(
            f,
            "{root}: the call used more than its {limit} units of fuel and was stopped. Open the \
             root again to recover; raise the limit or give less work to one call."
        ),
        Trap::OutOfTime { limit } => write!(
            f,
            "{root}: the call took longer than its {limit} ticks and was stopped. Open the root again to \
             recover; raise the limit or give less work to one call."
        ),
        Trap::OutOfMemory { limit } => write!(
            f,
            "{root}: the component wanted more than its {limit} bytes of memory and was stopped. \
             Open the root again to recover; raise the limit or give smaller chunks."
        ),
        Trap::Stopped => write!(
            f,
            "{root}: an earlier call was stopped half-way, so this one was not made. Open the \
             root again to recover."
        ),
        Trap::Cancelled => write!(
            f,
            "{root}: the future of an earlier call was dropped in the middle of it, which stopped the call there; this \
             one was not made. Open the root again to recover."
        ),
        Trap::Fault { message } => write!(
            f,
            "{root}: the component stopped half-way: {message}. Open the root again to recover, \
             and please report this."
        ),
    }
}

fn write_grant(f: &mut fmt::Formatter<'_>, grant: &Grant) -> fmt::Result {
    match grant {
        Grant::LinkLeadsOut { link, target } => write!(
            f,
            "{}: this link leads to {}, which is not granted. Grant the directory that it is in for reading, {}.",
            link.display(),
            target.display(),
            target.parent().unwrap_or(target).display()
        ),
        Grant::LinkLeavesRoot { link, target } => write!(
            f,
            "{}: this link leads out of the root, to {}, and nothing is written there. Replace the link itself.",
            link.display(),
            target.display()
        ),
        Grant::Outside { path } => write!(
            f,
            "{}: this path is below no granted directory. Grant the directory that it is in for reading, {}.",
            path.display(),
            path.parent().unwrap_or(path).display()
        ),
        Grant::NotUtf8 { path } => write!(
            f,
            "{}: this path is not UTF-8, and WASI cannot express it. Rename it, or grant a \
             directory below which it is.",
            path.display()
        ),
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::Link { source, .. } => Some(source),
            Self::Component { source, .. } | Self::Program { source, .. } => Some(source.as_ref()),
            Self::Guest { error, .. } => Some(error),
            Self::Trap { .. } | Self::Grant(_) | Self::Locked { .. } | Self::Untrusted { .. } | Self::Layout { .. } => {
                None
            }
        }
    }
}
