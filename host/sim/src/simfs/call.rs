//! The calls a run made, in order.

use std::fmt;
use std::sync::Arc;

use onionskin::fs::Cause;

/// The verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// A directory was opened.
    OpenDir,
    /// A file was opened.
    OpenFile,
    /// An entry was asked about.
    Stat,
    /// An open file was asked about.
    StatFile,
    /// A directory was listed.
    List,
    /// The text of a link was read.
    ReadLink,
    /// Bytes were read.
    Read,
    /// Two names were compared.
    IsSame,
    /// A file was created.
    CreateFile,
    /// Bytes were written.
    Write,
    /// A length was set.
    SetSize,
    /// A time was set.
    SetTimes,
    /// Attributes were given.
    SetAttributes,
    /// A file was synced.
    SyncFile,
    /// A directory was synced.
    SyncDir,
    /// A directory was made.
    MakeDir,
    /// A directory was removed.
    RemoveDir,
    /// A name that is not a directory was removed.
    RemoveFile,
    /// A name was changed.
    Rename,
    /// A second name was given.
    Link,
    /// A symbolic link was made.
    Symlink,
}

impl Verb {
    /// Whether the call changes the visible or the durable state: a crash point follows it.
    #[must_use]
    pub fn mutates(self) -> bool {
        match self {
            Verb::OpenDir
            | Verb::OpenFile
            | Verb::Stat
            | Verb::StatFile
            | Verb::List
            | Verb::ReadLink
            | Verb::Read
            | Verb::IsSame => false,
            Verb::CreateFile
            | Verb::Write
            | Verb::SetSize
            | Verb::SetTimes
            | Verb::SetAttributes
            | Verb::SyncFile
            | Verb::SyncDir
            | Verb::MakeDir
            | Verb::RemoveDir
            | Verb::RemoveFile
            | Verb::Rename
            | Verb::Link
            | Verb::Symlink => true,
        }
    }

    /// Whether the call may need room on the disk.
    #[must_use]
    pub fn needs_room(self) -> bool {
        matches!(self, Verb::CreateFile | Verb::Write | Verb::MakeDir | Verb::Link | Verb::Symlink)
    }

    /// Whether the call is there to make something durable.
    #[must_use]
    pub fn syncs(self) -> bool {
        matches!(self, Verb::SyncFile | Verb::SyncDir)
    }

    /// The name of the verb as it is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::OpenDir => "open-dir",
            Verb::OpenFile => "open-file",
            Verb::Stat => "stat",
            Verb::StatFile => "stat-file",
            Verb::List => "list",
            Verb::ReadLink => "read-link",
            Verb::Read => "read",
            Verb::IsSame => "is-same",
            Verb::CreateFile => "create",
            Verb::Write => "write",
            Verb::SetSize => "set-size",
            Verb::SetTimes => "set-times",
            Verb::SetAttributes => "set-attributes",
            Verb::SyncFile => "sync-file",
            Verb::SyncDir => "sync-dir",
            Verb::MakeDir => "make-dir",
            Verb::RemoveDir => "remove-dir",
            Verb::RemoveFile => "remove-file",
            Verb::Rename => "rename",
            Verb::Link => "link",
            Verb::Symlink => "symlink",
        }
    }
}

/// A path as far as it is known: where the directory was when it was opened, and a name in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(crate) dir: Arc<str>,
    pub(crate) name: Option<Box<str>>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            None if self.dir.is_empty() => f.write_str("."),
            None => f.write_str(&self.dir),
            Some(name) if self.dir.is_empty() => f.write_str(name),
            Some(name) => write!(f, "{}/{name}", self.dir),
        }
    }
}

/// One call: its verb, its path, and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The verb.
    pub verb: Verb,
    /// The path of the call.
    pub place: Place,
    /// The second path of a rename or link.
    pub to: Option<Place>,
    /// The result that the caller got.
    pub result: Result<(), Cause>,
    /// Whether a fault was at work.
    pub harmed: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb.as_str(), self.place)?;
        if let Some(to) = &self.to {
            write!(f, " -> {to}")?;
        }
        match self.result {
            Ok(()) if self.harmed => f.write_str(" (harmed)"),
            Ok(()) => Ok(()),
            Err(cause) if self.harmed => write!(f, " = {cause:?} (injected)"),
            Err(cause) => write!(f, " = {cause:?}"),
        }
    }
}
