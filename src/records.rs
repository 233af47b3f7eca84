//! The records found in the control directory. [`crate::control`] lists their names.

use alloc::string::String;
use alloc::vec::Vec;

use crate::control::{self, DIRECTORIES, LINKED, LINKED_AGAIN, LOCK, LOG, LOG_UNSYNCED, PROBE, WORKSPACE};
use crate::error::Error;
use crate::exec::Executor;
use crate::fs::{Fs, Kind};
use crate::path::RootId;
use crate::stray::is_stray;
use crate::text::as_number;

/// The kind of an entry of the control directory, determined by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Log,
    LogUnsynced,
    Parked(u64),
    Abandoned(u64),
    Reason(u64),
    Done(u64),
    Ask(u64),
    Draft(u64),
    /// Removed once its owner is dead: `file-N`, `lock-H`, `linked`, `linked-again`.
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
        (Some(("ask", number)), _) => (Entry::Ask(number), Kind::Directory),
        (Some(("draft", number)), _) => (Entry::Draft(number), Kind::File),
        (Some(("parked", number)), _) => (Entry::Parked(number), Kind::File),
        (Some(("abandoned", number)), _) => (Entry::Abandoned(number), Kind::File),
        (Some(("done", number)), _) => (Entry::Done(number), Kind::File),
        (Some(("reason", number)), _) => (Entry::Reason(number), Kind::File),
        (Some(("epoch", number)), _) => (Entry::Epoch(number), Kind::File),
        (Some(("file", _)), _) | (_, LINKED | LINKED_AGAIN) => (Entry::Loose, Kind::File),
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

/// The records found in the control directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Whether the directory exists.
    pub exists: bool,
    /// Name of the log, if there is one.
    pub log: Option<&'static str>,
    /// Numbers of the transactions whose decision could not be completed yet.
    pub parked: Vec<u64>,
    /// Numbers of the transactions that are complete, and whose record a workspace waits for.
    pub done: Vec<u64>,
    /// Numbers of the transactions whose obstacle is described.
    pub reasons: Vec<u64>,
    /// Numbers of the transactions whose decision was given up, and whose content is not in the quarantine yet.
    pub abandoned: Vec<u64>,
    /// Numbers of the transactions that were asking what they may change.
    pub asks: Vec<u64>,
    /// Numbers of the transactions that were writing a decision.
    pub drafts: Vec<u64>,
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

impl Records {
    /// Reads the control directory. Its absence is not an error.
    ///
    /// # Errors
    ///
    /// `ErrorKind::Corrupt` for an unknown entry, or if the path is not a directory.
    pub fn read<F: Fs>(exec: &mut Executor<F>) -> Result<Self, Error> {
        let mut records = Self { next: 1, ..Self::default() };
        match exec.stat(&control::directory())?.map(|stat| stat.kind) {
            None => return Ok(records),
            Some(Kind::Directory) => records.exists = true,
            Some(Kind::File | Kind::Symlink | Kind::Other) => {
                return Err(Error::corrupt(
                    &control::directory(),
                    "stands where the control directory belongs; move it away",
                ));
            }
        }
        for (name, kind) in exec.list(RootId::STORE, &control::directory())? {
            if is_stray(&name) {
                continue;
            }
            let known = classify(&name, kind);
            let known = known.ok_or_else(|| Error::not_ours(&control::entry(&name)))?;
            records.note(known, name);
        }
        Ok(records)
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
            Entry::Parked(number) => {
                used(number);
                self.parked.push(number);
            }
            Entry::Abandoned(number) => {
                used(number);
                self.abandoned.push(number);
            }
            Entry::Done(number) => {
                used(number);
                self.done.push(number);
            }
            Entry::Reason(number) => {
                used(number);
                self.reasons.push(number);
            }
            Entry::Ask(number) => {
                used(number);
                self.asks.push(number);
            }
            Entry::Draft(number) => {
                used(number);
                self.drafts.push(number);
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

#[cfg(test)]
mod tests {
    use super::*;

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
