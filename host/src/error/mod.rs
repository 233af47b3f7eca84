//! What can go wrong, and what to do about it.

mod advice;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::bindings::types::Error as GuestError;

/// Everything that a call can fail with.
///
/// The text of each case is one sentence that says what happened and where, and one that says what
/// to do. `GuestError` documents the state that is left behind.
#[derive(Debug)]
pub enum Error {
    /// The component refused the call, or the filesystem refused the component.
    Guest {
        /// The root that the paths of the error are relative to.
        root: PathBuf,
        /// What the component said.
        error: GuestError,
    },
    /// The component was stopped in the middle of a call. This instance takes no further calls;
    /// opening the root again recovers.
    Trap {
        /// The root that was open.
        root: PathBuf,
        /// What stopped it.
        trap: Trap,
    },
    /// Something is needed that was not granted.
    Grant(Grant),
    /// An absolute link cannot be followed on the host: it dangles, or leads in a circle.
    Link {
        /// The link, on the host.
        link: PathBuf,
        /// What it says.
        target: PathBuf,
        /// Why it cannot be followed.
        source: io::Error,
    },
    /// Another owner holds the root.
    Locked {
        /// The root.
        root: PathBuf,
    },
    /// A call of the operating system failed, outside of the component.
    Io {
        /// What was being done, such as `open the root`.
        action: &'static str,
        /// The path it was done to.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A program is a module of WebAssembly, and no component.
    Module {
        /// Its file.
        path: PathBuf,
    },
    /// A program could not be made ready to run, or started.
    Program {
        /// What was being done, such as `compile`.
        action: &'static str,
        /// Its file.
        path: PathBuf,
        /// Why it failed.
        source: wasmtime::Error,
    },
    /// Directories and their names for a program do not go together.
    Layout {
        /// The name, as the program sees it.
        guest: String,
        /// What is wrong, and what to say instead.
        text: String,
    },
    /// A program that was to be crashed fails without a crash.
    Rehearsal {
        /// Its file.
        path: PathBuf,
        /// How it failed, and what it printed.
        text: String,
    },
    /// The component could not be loaded or started.
    Component {
        /// What was being done, such as `compile`.
        action: &'static str,
        /// Why it failed.
        source: wasmtime::Error,
    },
}

/// What stopped the component in the middle of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trap {
    /// [`Faults`](crate::Faults) asked for it, just before this mutating host call.
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
    /// It wanted more memory than the limit of the builder.
    OutOfMemory {
        /// The limit, in bytes.
        limit: usize,
    },
    /// An earlier call had been stopped, so there was nobody to ask.
    Stopped,
    /// A fault of the component.
    Fault {
        /// The message of the engine.
        message: String,
    },
}

/// What was needed and not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// An absolute link leads to a place below no granted directory.
    LinkLeadsOut {
        /// The link, on the host.
        link: PathBuf,
        /// Where it leads, on the host.
        target: PathBuf,
    },
    /// A link must be followed within the root, and leads out of it.
    LinkLeavesRoot {
        /// The link, on the host.
        link: PathBuf,
        /// Where it leads, on the host.
        target: PathBuf,
    },
    /// A host path was named that is below no granted directory.
    Outside {
        /// The path.
        path: PathBuf,
    },
    /// A host path is not UTF-8, so the component cannot be told about it.
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

    /// The case as a word for programs: that of the contract for [`Error::Guest`], such as
    /// `not-found`, and a word of its own for the others.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Guest { error, .. } => advice::kind(error.kind),
            Self::Trap { trap: Trap::Injected { .. }, .. } => "injected-crash",
            Self::Trap { trap: Trap::OutOfFuel { .. }, .. } => "out-of-fuel",
            Self::Trap { trap: Trap::OutOfMemory { .. }, .. } => "out-of-memory",
            Self::Trap { trap: Trap::Stopped, .. } => "stopped",
            Self::Trap { trap: Trap::Fault { .. }, .. } => "trap",
            Self::Grant(Grant::LinkLeadsOut { .. }) => "link-not-granted",
            Self::Grant(Grant::LinkLeavesRoot { .. }) => "symlink-escapes",
            Self::Grant(Grant::Outside { .. }) => "not-granted",
            Self::Grant(Grant::NotUtf8 { .. }) => "illegal-name",
            Self::Link { source, .. } if source.kind() == io::ErrorKind::NotFound => "not-found",
            Self::Link { .. } => "link-unreadable",
            Self::Locked { .. } => "locked",
            Self::Io { .. } => "io",
            Self::Module { .. } => "module",
            Self::Program { .. } => "program",
            Self::Layout { .. } => "layout",
            Self::Rehearsal { .. } => "rehearsal",
            Self::Component { .. } => "component",
        }
    }

    /// The path it is about: as the component named it, relative to the root, or a host path. The
    /// root where the case names none.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Guest { root, error } if error.subject.is_empty() => root.clone(),
            Self::Guest { error, .. } => PathBuf::from(&error.subject),
            Self::Trap { root, .. } | Self::Locked { root } => root.clone(),
            Self::Grant(
                Grant::LinkLeadsOut { link: path, .. }
                | Grant::LinkLeavesRoot { link: path, .. }
                | Grant::Outside { path }
                | Grant::NotUtf8 { path },
            )
            | Self::Link { link: path, .. }
            | Self::Io { path, .. }
            | Self::Module { path }
            | Self::Program { path, .. }
            | Self::Rehearsal { path, .. } => path.clone(),
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
            Self::Locked { root } => write!(
                f,
                "{}: another owner has this root open. Wait until it has finished, or end it; \
                 its lock goes with it.",
                root.display()
            ),
            Self::Io { action, path, source } => {
                write!(f, "{}: cannot {action}: {source}. {}", path.display(), advice::io(source.kind()))
            }
            Self::Module { path } => write!(
                f,
                "{}: this is a module of WebAssembly, and a component is wanted. Build it for wasm32-wasip2, or make a \
                 component of it: wasm-tools component new MODULE --adapt wasi_snapshot_preview1.command.wasm.",
                path.display()
            ),
            Self::Program { action, path, source } => write!(
                f,
                "{}: cannot {action} the program: {}. It has to be a command of WASI: a component that exports \
                 wasi:cli/run, or a module for WASI preview 1; nothing beyond WASI 0.2 is given to it.",
                path.display(),
                causes(source)
            ),
            Self::Layout { guest, text } => write!(f, "{guest}: {text}."),
            Self::Rehearsal { path, text } => {
                write!(f, "{}: {text}. No crash was tried: correct this first.", path.display())
            }
            Self::Component { action, source } => write!(
                f,
                "cannot {action} the component: {}. Give one that was built from the same \
                 version of the contract, or none, for the one that is built in.",
                source.root_cause()
            ),
        }
    }
}

/// An error of the engine and what it came from, in one line.
fn causes(error: &wasmtime::Error) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The message of the component names the path, relative to the root.
fn write_guest(f: &mut fmt::Formatter<'_>, root: &Path, error: &GuestError) -> fmt::Result {
    write!(f, "{}: {}.", root.display(), error.message.trim_end_matches('.'))?;
    match advice::way_out(error) {
        Some(sentence) => write!(f, " {sentence}"),
        None => Ok(()),
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
            "{}: this link leads to {}, which is not granted. Grant the directory it is in for \
             reading: --lower {}",
            link.display(),
            target.display(),
            target.parent().unwrap_or(target).display()
        ),
        Grant::LinkLeavesRoot { link, target } => write!(
            f,
            "{}: this link leads out of the root, to {}, and nothing is written there. Replace \
             the link itself (--symlinks replace).",
            link.display(),
            target.display()
        ),
        Grant::Outside { path } => write!(
            f,
            "{}: this path is below no granted directory. Grant the directory it is in for \
             reading: --lower {}",
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
            Self::Trap { .. }
            | Self::Grant(_)
            | Self::Locked { .. }
            | Self::Module { .. }
            | Self::Layout { .. }
            | Self::Rehearsal { .. } => None,
        }
    }
}
