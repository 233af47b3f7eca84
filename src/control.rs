//! The control directory `.onionskin` at the root of a store: the names it may hold, and the entries found in
//! it.
//!
//! | name | meaning |
//! |---|---|
//! | `file-N` | content of one file, staged before it is renamed to its target |
//! | `tx-N/` | staging of transaction N: contents `0`, ...; second names `apply-0`, ...; `intent`; `link` |
//! | `log.tmp` | a decision being written |
//! | `log`, `log-unsynced` | a decision, to be rolled forward |
//! | `directories/K/G/` | generation G of directory K, publish mode `pointer` |
//! | `lock`, `lock-H` | the lock file; a token on its way to it |
//! | `epoch-N` | a takeover: see [`crate::lock`] |
//! | `quarantine-N/` | unusable records, set aside for inspection by a person |
//! | `probe/` | scratch directory of [`crate::probe`] |
//! | `workspace/` | content written over other directories; see `crate::workspace` |
//!
//! Strays (see [`crate::stray`]) may lie anywhere. Anything else is not ours: an error, never a deletion.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;
use crate::exec::Exec;
use crate::fs::{Fs, Kind};
use crate::path::{RESERVED_PREFIX, RelPath, RootId, is_reserved};
use crate::stray::is_stray;
use crate::text::as_number;

/// Name of the log of a decision whose content was synced.
pub const LOG: &str = "log";
/// Name of the log of a decision at the durability `visible`.
pub const LOG_UNSYNCED: &str = "log-unsynced";
/// Name of the log while it is written, before it is renamed to its final name.
pub const LOG_TEMPORARY: &str = "log.tmp";
/// Name of the lock file.
pub const LOCK: &str = "lock";
/// Name, in a staging directory, of the record of entries prepared elsewhere.
pub const INTENT: &str = "intent";
/// Name, in a staging directory, of a symbolic link before its rename.
pub const LINK: &str = "link";
/// Name of the directory that holds the generations of directories.
pub const DIRECTORIES: &str = "directories";
/// Scratch of a probe.
pub const PROBE: &str = "probe";
/// Name of the directory for content written over other directories.
pub const WORKSPACE: &str = "workspace";

/// Returns the path of the control directory.
pub fn directory() -> RelPath {
    RelPath::ROOT.child(RESERVED_PREFIX)
}

/// Returns the path of an entry of the control directory.
pub fn entry(name: &str) -> RelPath {
    directory().child(name)
}

/// Builds the path of an entry whose reserved name holds a number.
fn numbered(above: &RelPath, prefix: &str, number: u64, suffix: &str) -> RelPath {
    above.child(&format!("{prefix}{number}{suffix}"))
}

/// Returns the path of the file that begins an epoch.
pub fn epoch(number: u64) -> RelPath {
    numbered(&directory(), "epoch-", number, "")
}

/// Returns the path of the directory where unusable records are set aside.
pub fn quarantine(number: u64) -> RelPath {
    numbered(&directory(), "quarantine-", number, "")
}

/// Returns the path where the content of one file is staged.
pub fn file(number: u64) -> RelPath {
    numbered(&directory(), "file-", number, "")
}

/// Returns the path of the staging directory of a transaction.
pub fn transaction(number: u64) -> RelPath {
    numbered(&directory(), "tx-", number, "")
}

/// Returns the path of one staged content of a transaction.
pub fn staged(transaction_number: u64, index: u32) -> RelPath {
    numbered(&transaction(transaction_number), "", index.into(), "")
}

/// Returns the path of the second name of a staged content, which is renamed to its target.
pub fn applied(transaction_number: u64, index: u32) -> RelPath {
    numbered(&transaction(transaction_number), "apply-", index.into(), "")
}

/// Returns the path of the sibling prepared to replace `path`.
pub fn sibling_new(path: &RelPath, transaction_number: u64) -> RelPath {
    numbered(&path.parent(), ".onionskin-", transaction_number, ".new")
}

/// Returns the path of the sibling to which the replaced entry at `path` was moved.
pub fn sibling_old(path: &RelPath, transaction_number: u64) -> RelPath {
    numbered(&path.parent(), ".onionskin-", transaction_number, ".old")
}

/// Returns the path of the directory that holds the generations of a directory.
pub fn generations(directory_number: u64) -> RelPath {
    numbered(&entry(DIRECTORIES), "", directory_number, "")
}

/// A generation of a directory.
pub fn generation(directory_number: u64, number: u64) -> RelPath {
    numbered(&generations(directory_number), "", number, "")
}

/// Returns the text of the link at `path` that points to a generation.
pub fn pointer_text(path: &RelPath, directory_number: u64, generation_number: u64) -> String {
    let up = "../".repeat(path.parent().depth());
    format!("{up}{}", generation(directory_number, generation_number))
}

/// Parses the directory and the generation that the text of a link at `path` names. Returns `None` for a text
/// in another form.
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

/// The kind of an entry of the control directory, determined by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Log,
    LogUnsynced,
    /// Removed once its owner is dead: `log.tmp`, `file-N`, `lock-H`.
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

/// The entries found in the control directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Whether the directory exists.
    pub exists: bool,
    /// Name of the log, if there is one.
    pub log: Option<&'static str>,
    /// Names of files that are of use to a live owner only.
    pub loose: Vec<String>,
    /// Whether there is a lock file.
    pub locked: bool,
    /// The newest epoch; 0 if there has never been a takeover.
    pub epoch: u64,
    /// Numbers of staging directories.
    pub transactions: Vec<u64>,
    /// Whether there is a scratch directory of a probe.
    pub probe: bool,
    /// Whether there is a directory of generations.
    pub directories: bool,
    /// A number above every number in use.
    pub next: u64,
}

impl Control {
    /// Reads the control directory. Its absence is not an error.
    ///
    /// # Errors
    ///
    /// `ErrorKind::Corrupt` for an unknown entry, or if the path is not a directory.
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
            if is_stray(&name) {
                continue;
            }
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
            // The workspace reads and checks this directory itself.
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
