//! The control directory `.onionskin` at the root of a store: what may be in it, and what is.
//!
//! | name | what it is |
//! |---|---|
//! | `file-N` | content of one file on its way to its name |
//! | `tx-N/` | staging of transaction N: `0`, `1`, ... contents; `apply-0`, ... second names on their way; `intent` what is being prepared elsewhere; `link` a link on its way |
//! | `log.tmp` | a decision being written |
//! | `log`, `log-unsynced` | a decision: roll it forward |
//! | `directories/K/G/` | generation G of directory K, publish mode `pointer` |
//! | `lock`, `lock-H` | the lock file; a token on its way to it |
//! | `epoch-N` | a takeover: see [`crate::lock`] |
//! | `quarantine-N/` | records that could not be used, set aside for people |
//! | `probe/` | scratch of [`crate::probe`] |
//! | `workspace/` | what was written over other directories; see `crate::workspace` |
//!
//! Anything else is not ours: an error, never a deletion.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;
use crate::exec::Exec;
use crate::fs::{Fs, Kind};
use crate::path::{RESERVED_PREFIX, RelPath, is_reserved};
use crate::plan::RootId;
use crate::text::as_number;

/// The file that holds a decision whose content was synced.
pub const LOG: &str = "log";
/// The file that holds a decision at the durability `visible`.
pub const LOG_UNSYNCED: &str = "log-unsynced";
/// A decision being written.
pub const LOG_TEMPORARY: &str = "log.tmp";
/// The lock file.
pub const LOCK: &str = "lock";
/// In a staging directory: what is being prepared elsewhere.
pub const INTENT: &str = "intent";
/// In a staging directory: a symbolic link on its way.
pub const LINK: &str = "link";
/// Where generations of directories are.
pub const DIRECTORIES: &str = "directories";
/// Scratch of a probe.
pub const PROBE: &str = "probe";
/// What was written over other directories.
pub const WORKSPACE: &str = "workspace";

/// The control directory.
pub fn directory() -> RelPath {
    RelPath::ROOT.child(RESERVED_PREFIX)
}

/// An entry of the control directory.
pub fn entry(name: &str) -> RelPath {
    directory().child(name)
}

/// A name of ours with a number in it.
fn numbered(above: &RelPath, prefix: &str, number: u64, suffix: &str) -> RelPath {
    above.child(&format!("{prefix}{number}{suffix}"))
}

/// The file that begins an epoch.
pub fn epoch(number: u64) -> RelPath {
    numbered(&directory(), "epoch-", number, "")
}

/// Where records that could not be used are set aside.
pub fn quarantine(number: u64) -> RelPath {
    numbered(&directory(), "quarantine-", number, "")
}

/// Where the content of one file is staged.
pub fn file(number: u64) -> RelPath {
    numbered(&directory(), "file-", number, "")
}

/// The staging directory of a transaction.
pub fn transaction(number: u64) -> RelPath {
    numbered(&directory(), "tx-", number, "")
}

/// A staged content of a transaction.
pub fn staged(transaction_number: u64, index: u32) -> RelPath {
    numbered(&transaction(transaction_number), "", index.into(), "")
}

/// The second name of a staged content, which is renamed to its target.
pub fn applied(transaction_number: u64, index: u32) -> RelPath {
    numbered(&transaction(transaction_number), "apply-", index.into(), "")
}

/// The sibling that will take the place of `path`.
pub fn sibling_new(path: &RelPath, transaction_number: u64) -> RelPath {
    numbered(&path.parent(), ".onionskin-", transaction_number, ".new")
}

/// The sibling that gave its place to the new one.
pub fn sibling_old(path: &RelPath, transaction_number: u64) -> RelPath {
    numbered(&path.parent(), ".onionskin-", transaction_number, ".old")
}

/// Where the generations of a directory are.
pub fn generations(directory_number: u64) -> RelPath {
    numbered(&entry(DIRECTORIES), "", directory_number, "")
}

/// A generation of a directory.
pub fn generation(directory_number: u64, number: u64) -> RelPath {
    numbered(&generations(directory_number), "", number, "")
}

/// The text of the link at `path` that leads to a generation.
pub fn pointer_text(path: &RelPath, directory_number: u64, generation_number: u64) -> String {
    let up = "../".repeat(path.parent().depth());
    format!("{up}{}", generation(directory_number, generation_number))
}

/// The directory and generation that the text of a link at `path` names, if it is one of ours.
pub fn parse_pointer(path: &RelPath, text: &str) -> Option<(u64, u64)> {
    let (rest, generation) = text.rsplit_once('/')?;
    let (_, directory_number) = rest.rsplit_once('/')?;
    let (directory_number, generation) = (as_number(directory_number)?, as_number(generation)?);
    (pointer_text(path, directory_number, generation) == text).then_some((directory_number, generation))
}

/// Whether a transaction may change a path: no name of ours is in it, or it is inside a generation
/// of a directory that is published by pointer.
pub fn may_change(path: &RelPath) -> bool {
    let mut names = path.components();
    let mut rest = names.clone();
    let inside = rest.next() == Some(RESERVED_PREFIX)
        && rest.next() == Some(DIRECTORIES)
        && rest.next().is_some_and(|name| as_number(name).is_some())
        && rest.next().is_some_and(|name| as_number(name).is_some());
    if inside {
        rest.next().is_some_and(|name| !is_reserved(name)) && !rest.any(is_reserved)
    } else {
        !names.any(is_reserved)
    }
}

/// What an entry of the control directory is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Log,
    LogUnsynced,
    /// Removed when its owner is dead: `log.tmp`, `file-N`, `lock-H`.
    Loose,
    Lock,
    Epoch(u64),
    Transaction(u64),
    Quarantine(u64),
    Directories,
    Probe,
    Workspace,
}

fn classify(name: &str, kind: Kind) -> Option<Entry> {
    let numbered = name.rsplit_once('-').and_then(|(word, text)| Some((word, as_number(text)?)));
    let (entry, wanted) = match (numbered, name) {
        (Some(("tx", number)), _) => (Entry::Transaction(number), Kind::Directory),
        (Some(("quarantine", number)), _) => (Entry::Quarantine(number), Kind::Directory),
        (Some(("epoch", number)), _) => (Entry::Epoch(number), Kind::File),
        (Some(("file", _)), _) | (_, LOG_TEMPORARY) => (Entry::Loose, Kind::File),
        (_, LOG) => (Entry::Log, Kind::File),
        (_, LOG_UNSYNCED) => (Entry::LogUnsynced, Kind::File),
        (_, LOCK) => (Entry::Lock, Kind::File),
        (_, DIRECTORIES) => (Entry::Directories, Kind::Directory),
        (_, PROBE) => (Entry::Probe, Kind::Directory),
        (_, WORKSPACE) => (Entry::Workspace, Kind::Directory),
        _ if name.starts_with("lock-") => (Entry::Loose, Kind::File),
        _ => return None,
    };
    (kind == wanted).then_some(entry)
}

/// What is in the control directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// It exists.
    pub exists: bool,
    /// The name of the log, if there is one.
    pub log: Option<&'static str>,
    /// Names of files that only a live owner needs.
    pub loose: Vec<String>,
    /// A lock file is there.
    pub locked: bool,
    /// The newest epoch; 0 when there was never a takeover.
    pub epoch: u64,
    /// Numbers of staging directories.
    pub transactions: Vec<u64>,
    /// The scratch directory of a probe is there.
    pub probe: bool,
    /// The directory of generations is there.
    pub directories: bool,
    /// A number above every one in use.
    pub next: u64,
}

impl Control {
    /// Reads the control directory. Nothing there is an answer, not an error.
    ///
    /// # Errors
    /// `ErrorKind::Corrupt` for an entry that is not ours, or when it is not a directory.
    pub fn read<F: Fs>(exec: &mut Exec<F>) -> Result<Self, Error> {
        let mut control = Self { next: 1, ..Self::default() };
        match exec.stat(&directory())?.map(|stat| stat.kind) {
            None => return Ok(control),
            Some(Kind::Directory) => control.exists = true,
            Some(Kind::File | Kind::Symlink | Kind::Other) => {
                return Err(Error::corrupt(&directory(), "stands where the control directory belongs; move it away"));
            }
        }
        for (name, kind) in exec.list(RootId::STORE, &directory())? {
            let known = classify(&name, kind);
            let known = known.ok_or_else(|| not_ours(&entry(&name)))?;
            control.note(known, name);
        }
        Ok(control)
    }

    fn note(&mut self, entry: Entry, name: String) {
        let mut used = |number: u64| self.next = self.next.max(number.saturating_add(1));
        match entry {
            Entry::Log => self.log = Some(LOG),
            Entry::LogUnsynced => self.log = self.log.or(Some(LOG_UNSYNCED)),
            Entry::Lock => self.locked = true,
            Entry::Epoch(number) => self.epoch = self.epoch.max(number),
            Entry::Transaction(number) => {
                used(number);
                self.transactions.push(number);
            }
            Entry::Quarantine(number) => used(number),
            Entry::Directories => self.directories = true,
            Entry::Probe => self.probe = true,
            // It has an owner of its own, which knows what is in it.
            Entry::Workspace => {}
            Entry::Loose => {
                if let Some(number) = name.strip_prefix("file-").and_then(as_number) {
                    used(number);
                }
                self.loose.push(name);
            }
        }
    }
}

/// The error for an entry that is not ours.
pub fn not_ours(path: &RelPath) -> Error {
    Error::corrupt(path, "is not ours and stands among our records; move it away")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_reads_back_and_nothing_else_does() {
        let path = |text| RelPath::parse(text).expect("a good path");
        for at in ["x", "a/x", "a/b/x"] {
            let text = pointer_text(&path(at), 3, 14);
            assert_eq!(parse_pointer(&path(at), &text), Some((3, 14)), "{text}");
        }
        for text in ["", "elsewhere", "../.onionskin/directories/3/14", ".onionskin/directories/03/14"] {
            assert_eq!(parse_pointer(&path("x"), text), None, "{text}");
        }
    }

    #[test]
    fn only_names_as_we_write_them_are_ours() {
        assert_eq!(classify("tx-7", Kind::Directory), Some(Entry::Transaction(7)));
        for (name, kind) in
            [("tx-07", Kind::Directory), ("tx-7", Kind::File), ("notes", Kind::File), ("file-x", Kind::File)]
        {
            assert_eq!(classify(name, kind), None, "{name}");
        }
    }
}
