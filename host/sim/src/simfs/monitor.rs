//! The monitor of accesses that are forbidden in every run.

use crate::disk::Ino;

/// A forbidden access of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trespass {
    /// A file that this run did not create was opened for writing or truncated.
    OpenedForWrite,
    /// A file with a second name was opened for writing, be it one's own.
    OpenedShared,
    /// Bytes or a length of a file that this run did not create were changed.
    Wrote,
    /// A name below a subtree marked as lower was added, changed or removed.
    ChangedLower,
    /// An inode got a name of a user before its attributes were durable.
    PublishedUnsynced,
    /// Another user could read content in a scene where nobody else could.
    Exposed,
    /// A pipe or device was opened: on a real host the call may never return.
    OpenedPipe,
}

/// One trespass and where it happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Intrusion {
    /// The access.
    pub what: Trespass,
    /// Its path, as far as it is known.
    pub path: String,
    /// The number of the call.
    pub call: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Monitor {
    /// Inodes below this number were there before the run began.
    pub(crate) newborn: u32,
    pub(crate) intrusions: Vec<Intrusion>,
    /// Inodes with attributes that are not durable.
    pub(crate) unsynced: Vec<Ino>,
    /// Subtrees of one's own that may be written in place.
    pub(crate) own: Vec<String>,
}

impl Monitor {
    pub(crate) fn is_older(&self, ino: Ino) -> bool {
        ino.0 < self.newborn
    }

    pub(crate) fn note(&mut self, what: Trespass, path: String, call: u32) {
        let below =
            |own: &String| path.strip_prefix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let writes = matches!(what, Trespass::OpenedForWrite | Trespass::Wrote);
        if writes && self.own.iter().any(below) {
            return;
        }
        self.intrusions.push(Intrusion { what, path, call });
    }
}
