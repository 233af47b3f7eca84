//! The facts from which recovery plans. No function here changes storage.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::control;
use crate::error::{Error, ErrorKind};
use crate::exec::Executor;
use crate::fs::{Fs, Kind};
use crate::journal::Journal;
use crate::limits::LOG_BYTES_MAX;
use crate::path::{At, RelPath, RootId};
use crate::plan::Plan;
use crate::records::Records;
use crate::recover::Scope;
use crate::recover::abandon;
use crate::recover::facts::{self, Decision, read_log};
use crate::recover::sweep::{self, Remains};
use crate::tree::{self, Tree};

/// The facts about a root before a round of recovery.
#[derive(Debug)]
pub struct Snapshot {
    /// The remains that are considered.
    pub scope: Scope,
    /// The records of the control directory.
    pub records: Records,
    /// The decision to be completed.
    pub decision: Option<Decision>,
    /// Remains of transactions without a decision; read only if there is no decision.
    pub remains: Vec<Remains>,
    /// Decisions that were given up, with the plans that set them aside.
    pub abandoned: Vec<(RelPath, Plan)>,
    /// Remains that cannot be read, with the reason.
    pub unreadable: Vec<(RelPath, Error)>,
    /// Files that are of use to a dead owner only.
    pub loose: Vec<RelPath>,
    /// The decisions that were being written and can be read.
    pub drafts: Vec<Draft>,
    /// Own entries by which transactions asked what they may change.
    pub asks: Vec<(RelPath, Tree)>,
    /// Scratch directory of a dead probe.
    pub probe: Option<Tree>,
    /// Whether there is a directory of generations that holds none.
    pub no_generations: bool,
}

/// A decision that was being written.
#[derive(Debug)]
pub struct Draft {
    /// Path of the file.
    pub path: RelPath,
    /// The files that it left in directories, or the failure of looking for them.
    pub visits: Result<Visits, Error>,
}

/// The files by which a transaction asked whether it may fill directories.
#[derive(Debug)]
pub struct Visits {
    /// The existing directories that it would have filled.
    pub directories: Vec<RelPath>,
    /// The own files that were moved into them.
    pub visitors: Vec<RelPath>,
}

/// Reads all facts that the next round needs. The records in `passed` are left out: they could not be handled.
///
/// # Errors
///
/// `ErrorKind::Corrupt` for an unknown entry; the failure of reading the control directory or a log.
pub fn survey<F: Fs>(exec: &mut Executor<F>, scope: Scope, passed: &BTreeSet<RelPath>) -> Result<Snapshot, Error> {
    exec.forget();
    let records = Records::read(exec)?;
    let mut snapshot = Snapshot {
        scope,
        records,
        decision: None,
        remains: Vec::new(),
        abandoned: Vec::new(),
        unreadable: Vec::new(),
        loose: Vec::new(),
        drafts: Vec::new(),
        asks: Vec::new(),
        probe: None,
        no_generations: false,
    };
    if let Some(path) = decisions(&snapshot.records, scope).into_iter().find(|path| !passed.contains(path)) {
        snapshot.decision = Some(facts::decision(exec, scope, &snapshot.records, path)?);
        return Ok(snapshot);
    }
    snapshot.read_remains(exec, passed)?;
    Ok(snapshot)
}

/// Returns the paths of the decisions, in the order in which they are completed.
pub(crate) fn decisions(records: &Records, scope: Scope) -> Vec<RelPath> {
    let mut paths: Vec<RelPath> = records.log.iter().map(|name| control::entry(name)).collect();
    if scope == Scope::All {
        paths.extend(records.parked.iter().map(|number| control::parked(*number)));
    }
    paths
}

impl Snapshot {
    /// Returns the remains that cannot be read, with the reason.
    pub(super) fn obstructed(&self) -> impl Iterator<Item = (&RelPath, &Error)> {
        let drafts = self.drafts.iter().filter_map(|draft| Some((&draft.path, draft.visits.as_ref().err()?)));
        self.unreadable.iter().map(|(place, error)| (place, error)).chain(drafts)
    }

    /// Reads the remains that no decision needs.
    ///
    /// # Errors
    ///
    /// As for [`survey`].
    pub(super) fn read_remains<F: Fs>(
        &mut self,
        exec: &mut Executor<F>,
        passed: &BTreeSet<RelPath>,
    ) -> Result<(), Error> {
        let scope = self.scope;
        let is_left = |path: &RelPath| passed.contains(path);
        let is_others = |number: u64| matches!(scope, Scope::Transaction { number: own, .. } if own != number);
        for &number in &self.records.transactions {
            let place = control::transaction(number);
            let is_kept = self.records.parked.contains(&number) || self.records.abandoned.contains(&number);
            if is_others(number) || is_kept || is_left(&place) {
                continue;
            }
            match sweep::read(exec, scope, number) {
                Ok(remains) => self.remains.extend(remains),
                Err(error) if error.kind() == ErrorKind::Corrupt => return Err(error),
                Err(error) => self.unreadable.push((place, error)),
            }
        }
        for name in &self.records.loose {
            let path = control::entry(name);
            if scope == Scope::All && !is_left(&path) {
                self.loose.push(path);
            }
        }
        for &number in self.records.reasons.iter().filter(|_| scope == Scope::All) {
            let path = control::reason(number);
            // The plan of a decision that was given up removes its own.
            let is_pending = self.records.parked.contains(&number)
                || self.records.abandoned.contains(&number)
                || is_left(&control::transaction(number));
            if !is_pending && !is_left(&path) {
                self.loose.push(path);
            }
        }
        for &number in self.records.abandoned.iter().filter(|_| scope == Scope::All) {
            let path = control::abandoned(number);
            if !is_left(&path) {
                match abandoned(exec, &path) {
                    Ok(plan) => self.abandoned.push((path, plan)),
                    Err(error) => self.unreadable.push((path, error)),
                }
            }
        }
        for &number in &self.records.drafts {
            let path = control::draft(number);
            if !is_others(number) && !is_left(&path) {
                match draft(exec, &path, number) {
                    Ok(Some(draft)) => self.drafts.push(draft),
                    Ok(None) => self.loose.push(path),
                    Err(error) => self.unreadable.push((path, error)),
                }
            }
        }
        for &number in &self.records.asks {
            let place = control::ask(number);
            if !is_others(number) && !is_left(&place) {
                match tree::read(exec, &At::store(place.clone())) {
                    Ok(tree) => self.asks.push((place, tree)),
                    Err(error) => self.unreadable.push((place, error)),
                }
            }
        }
        let directories = control::entry(control::DIRECTORIES);
        if self.records.directories && !is_left(&directories) {
            match names(exec, &directories) {
                Ok(names) => self.no_generations = names.is_empty(),
                Err(error) => self.unreadable.push((directories, error)),
            }
        }
        let probe = control::entry(control::PROBE);
        if self.records.probe && scope == Scope::All && !is_left(&probe) {
            match tree::read(exec, &At::store(probe.clone())) {
                Ok(tree) => self.probe = Some(tree),
                Err(error) => self.unreadable.push((probe, error)),
            }
        }
        Ok(())
    }
}

/// Reads a decision that was given up.
fn abandoned<F: Fs>(exec: &mut Executor<F>, path: &RelPath) -> Result<Plan, Error> {
    let journal = Journal::decode(&read_log(exec, path)?);
    let journal = journal.map_err(|_| Error::corrupt(path, "it is damaged; move it and its staging away"))?;
    abandon::set_aside(exec, &journal)
}

/// Reads a decision that was being written. It was durable before a file was moved into a directory, so one that
/// cannot be decoded left none.
fn draft<F: Fs>(exec: &mut Executor<F>, path: &RelPath, number: u64) -> Result<Option<Draft>, Error> {
    let Some(bytes) = exec.read_whole(path, LOG_BYTES_MAX)? else { return Ok(None) };
    let Ok(journal) = Journal::decode(&bytes) else { return Ok(None) };
    if journal.transaction != number {
        return Ok(None);
    }
    let visits = visits(exec, &journal);
    Ok(Some(Draft { path: path.clone(), visits }))
}

fn visits<F: Fs>(exec: &mut Executor<F>, journal: &Journal) -> Result<Visits, Error> {
    let mut directories = Vec::new();
    for directory in journal.filled() {
        if is_directory(exec, &directory)? {
            directories.push(directory);
        }
    }
    Ok(Visits { directories, visitors: visitors(exec, journal)? })
}

/// Returns the files that a decision left in the directories that it fills, when it asked whether it may.
pub(super) fn visitors<F: Fs>(exec: &mut Executor<F>, journal: &Journal) -> Result<Vec<RelPath>, Error> {
    let mut visitors = Vec::new();
    for directory in journal.filled() {
        let path = control::visitor(&directory, journal.transaction);
        if exec.stat_deep(&path)?.is_some_and(|stat| stat.kind == Kind::File) {
            visitors.push(path);
        }
    }
    Ok(visitors)
}

/// Returns whether a directory is at a path.
pub(super) fn is_directory<F: Fs>(exec: &mut Executor<F>, path: &RelPath) -> Result<bool, Error> {
    Ok(exec.kind(path)? == Some(Kind::Directory))
}

/// Lists the names in a directory of the store; empty if it does not exist.
pub(super) fn names<F: Fs>(
    exec: &mut Executor<F>,
    path: &RelPath,
) -> Result<Vec<(alloc::string::String, Kind)>, Error> {
    if is_directory(exec, path)? { Ok(exec.list(RootId::STORE, path)?) } else { Ok(Vec::new()) }
}
