//! The content of the directory of a workspace, and how an open treats it.
//!
//! | name in `.onionskin/workspace` | content |
//! |---|---|
//! | `map` | the source of every path; see [`super::map`] |
//! | `map.tmp` | a map that has not been renamed yet |
//! | `next` | the map for the state after a commit into the topmost lower |
//! | `files/N` | content of one file |
//! | `checkpoint-K` | a map that does not change, which keeps every file that it names |
//! | `discarded` | without a map: the content of the directory is not in use |
//!
//! Strays (see [`crate::stray`]) may lie anywhere. Anything else is not ours: an error, never a deletion.

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::control;
use crate::error::Error;
use crate::exec::Executor;
use crate::fs::{Fs, Kind};
use crate::path::{RelPath, RootId};
use crate::plan::Plan;
use crate::stray::is_stray;
use crate::text::as_number;

/// The path of the directory of a workspace.
pub(super) fn directory() -> RelPath {
    control::entry(control::WORKSPACE)
}

/// The path of the map.
pub(super) fn map() -> RelPath {
    directory().child("map")
}

/// The path of a map that has not been renamed yet.
pub(super) fn draft() -> RelPath {
    directory().child("map.tmp")
}

/// The path of the map for the state after a commit.
pub(super) fn next() -> RelPath {
    directory().child("next")
}

/// The path of the mark of a discarded workspace.
pub(super) fn discarded() -> RelPath {
    directory().child("discarded")
}

/// The path of the directory of the contents.
pub(super) fn files() -> RelPath {
    directory().child("files")
}

/// The path of the content of one file.
pub(super) fn file(number: u64) -> RelPath {
    files().child(&number.to_string())
}

/// The path of the map of a checkpoint.
pub(super) fn checkpoint(number: u64) -> RelPath {
    directory().child(&format!("checkpoint-{number}"))
}

/// The entries found in the directory of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The directory exists.
    pub(super) exists: bool,
    pub(super) map: bool,
    pub(super) draft: bool,
    pub(super) next: bool,
    pub(super) discarded: bool,
    /// The directory of files exists.
    pub(super) has_files: bool,
    /// The numbers of files, sorted.
    pub(super) files: Vec<u64>,
    /// The numbers of checkpoints, sorted.
    pub(super) checkpoints: Vec<u64>,
    /// Strays lie in the directory of files, which then stays.
    strays_in_files: bool,
    /// Strays lie in the directory itself, which then stays.
    strays: bool,
}

/// Reads the directory of a workspace.
///
/// # Errors
/// An entry that does not belong to the workspace; the filesystem's errors.
pub(super) fn look<F: Fs>(exec: &mut Executor<F>) -> Result<Found, Error> {
    let mut found = Found::default();
    if exec.stat_deep(&directory())?.is_none() {
        return Ok(found);
    }
    found.exists = true;
    for (name, kind) in exec.list(RootId::STORE, &directory())? {
        let checkpoint = name.strip_prefix("checkpoint-").and_then(as_number);
        match (name.as_str(), kind, checkpoint) {
            ("map", Kind::File, _) => found.map = true,
            ("map.tmp", Kind::File, _) => found.draft = true,
            ("next", Kind::File, _) => found.next = true,
            ("discarded", Kind::File, _) => found.discarded = true,
            ("files", Kind::Directory, _) => found.has_files = true,
            (_, Kind::File, Some(number)) => found.checkpoints.push(number),
            _ if is_stray(&name) => found.strays = true,
            _ => return Err(Error::not_ours(&directory().child(&name))),
        }
    }
    if found.has_files {
        for (name, kind) in exec.list(RootId::STORE, &files())? {
            if is_stray(&name) {
                found.strays_in_files = true;
                continue;
            }
            let number = as_number(&name).filter(|_| kind == Kind::File);
            found.files.push(number.ok_or_else(|| Error::not_ours(&files().child(&name)))?);
        }
    }
    found.files.sort_unstable();
    found.checkpoints.sort_unstable();
    Ok(found)
}

impl Found {
    /// Checks whether the whole content may be removed: it was discarded, or never became a workspace.
    pub(super) fn counts_for_nothing(&self) -> bool {
        !self.map && (self.discarded || (self.files.is_empty() && self.checkpoints.is_empty()))
    }

    /// Checks whether the directory stays when everything is removed.
    pub(super) const fn keeps_directory(&self) -> bool {
        self.strays || self.keeps_files()
    }

    /// Checks whether the directory of files stays when everything is removed.
    pub(super) const fn keeps_files(&self) -> bool {
        self.strays_in_files
    }

    /// Appends the step that makes the directory of files, after everything was removed.
    pub(super) fn make_files(&self, plan: &mut Plan) {
        if !self.keeps_files() {
            plan.make_dir(&files(), "contents, by number");
        }
    }

    /// Builds the plan that removes all entries but strays. The mark is removed last.
    pub(super) fn clear(&self) -> Plan {
        let why = "it was discarded, or never counted";
        let mut plan = Plan::new();
        plan.sync_dir(&directory(), "or the map could come back without its files");
        for number in &self.files {
            plan.remove_file(&file(*number), why);
        }
        if self.has_files && !self.keeps_files() {
            plan.remove_dir(&files(), why);
        }
        for number in &self.checkpoints {
            plan.remove_file(&checkpoint(*number), why);
        }
        for (is_there, path) in [(self.draft, draft()), (self.next, next())] {
            if is_there {
                plan.remove_file(&path, why);
            }
        }
        if self.discarded {
            plan.sync_dir(&directory(), "or files could stay that nothing says are discarded");
            plan.remove_file(&discarded(), "nothing is left that it stands for");
        }
        if !self.keeps_directory() {
            plan.remove_dir(&directory(), why);
        }
        plan
    }

    /// The plan that removes drafts, and the mark of what does not count: there is a map.
    pub(super) fn drafts(&self) -> Plan {
        let mut plan = Plan::new();
        if self.draft || self.discarded {
            plan.sync_dir(&directory(), "act on durable facts: this map is the one that counts");
        }
        if self.draft {
            plan.remove_file(&draft(), "a map that never got its name");
        }
        if self.discarded {
            plan.remove_file(&discarded(), "it counts, now that there is a map");
        }
        plan
    }

    /// Lists the files that neither the map nor a checkpoint names. `used` is sorted; files below `frozen`
    /// belong to checkpoints.
    pub(super) fn unnamed(&self, used: &[u64], frozen: u64) -> Vec<u64> {
        let is_unnamed = |number: &&u64| **number >= frozen && used.binary_search(number).is_err();
        self.files.iter().filter(is_unnamed).copied().collect()
    }
}

/// Builds the plan that removes files that neither the map nor a checkpoint names.
pub(super) fn sweep(unnamed: &[u64]) -> Plan {
    let mut plan = Plan::new();
    if !unnamed.is_empty() {
        plan.sync_dir(&directory(), "act on durable facts: this map is the one that counts");
    }
    for number in unnamed {
        plan.remove_file(&file(*number), "nothing names it");
    }
    plan
}
