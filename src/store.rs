//! An open root: its owner, the findings of its recovery, and the state shared by its changes.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::control;
use crate::error::{CommitPhase, Error, ErrorKind, Fingerprint, Subject};
use crate::exec::{Executor, Trace};
use crate::fs::{Call, Cause, Fs, Kind};
use crate::generations;
use crate::lock::{self, Claim, Ownership};
use crate::path::{At, RelPath, RootId, match_preopen};
use crate::plan::{Action, Plan};
use crate::records::Records;
use crate::recover::parked::Parked;
use crate::recover::{self, Finding, Scope, Verdict};

/// The state that a change must have reached before the call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Visible, and atomic if the process dies.
    Visible,
    /// Atomic under power loss.
    Data,
    /// Durable.
    Full,
}

/// Policy for symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Symlinks {
    /// Fails.
    Refuse,
    /// Replaces a link at the end of the path, materializes links on the way.
    Replace,
    /// Follows links inside the root.
    FollowWithin,
}

impl Symlinks {
    /// Returns the policy for an entry that is only looked at: no link on its way is materialized.
    pub(crate) const fn for_reading(self) -> Self {
        match self {
            Self::Refuse => Self::Refuse,
            Self::Replace | Self::FollowWithin => Self::FollowWithin,
        }
    }
}

/// Condition that must hold just before a change becomes visible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precondition {
    /// No condition.
    #[default]
    None,
    /// The path does not exist.
    Absent,
    /// The path has this fingerprint.
    Unchanged(Fingerprint),
    /// The path exists and has one name.
    SingleLink,
}

/// Options for writing one file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WriteOptions {
    /// The required durability.
    pub durability: Durability,
    /// The policy for links.
    pub symlinks: Symlinks,
    /// The precondition.
    pub when: Precondition,
    /// Whether a file with identical content is left unchanged.
    pub keep_identical: bool,
}

impl Default for WriteOptions {
    /// Returns the defaults: durable, links replaced, no precondition, always written.
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            symlinks: Symlinks::Replace,
            when: Precondition::None,
            keep_identical: false,
        }
    }
}

/// The result of a completed change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Number of the change, from 1.
    pub transaction: u64,
    /// The durability achieved.
    pub achieved: Durability,
    /// Number of paths that changed.
    pub applied: u64,
    /// Number of bytes of new content.
    pub bytes: u64,
}

/// The preopened directories of a component, or their substitutes in a test.
pub struct Preopens<F: Fs> {
    /// Name and directory of each.
    pub entries: Vec<(String, Rc<F::Dir>)>,
}

impl<F: Fs> Preopens<F> {
    fn find(&self, path: &str) -> Result<(usize, RelPath), Error> {
        let names: Vec<&str> = self.entries.iter().map(|(name, _)| name.as_str()).collect();
        find_preopen(&names, path)
    }

    /// Opens the directory at a guest path as the root of an executor.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoPreopen`], [`ErrorKind::NotFound`], [`ErrorKind::NotDirectory`].
    pub fn open(&self, fs: F, path: &str) -> Result<Executor<F>, Error> {
        let (index, rest) = self.find(path)?;
        let top = &self.entries[index].1;
        if rest.is_root() {
            return Ok(Executor::new(fs, Rc::clone(top)));
        }
        let mut dir = Rc::clone(top);
        for name in rest.components() {
            dir = Rc::new(fs.open_dir(&dir, name).map_err(|cause| match cause {
                Cause::Loop => ErrorKind::SymlinkRefused.of(path),
                other => Error::failed_on(Call::OpenDirectory, Subject::Guest(path.into()), other),
            })?);
        }
        Ok(Executor::new(fs, dir))
    }
}

/// State shared by an open root, its writers and its transactions.
pub(crate) struct State<F: Fs> {
    pub(crate) exec: Executor<F>,
    names: Vec<(String, RootId)>,
    claim: Claim,
    findings: Vec<Finding>,
    /// The decisions that could not be completed at the open.
    parked: Vec<Parked>,
    next: u64,
    receipts: u64,
    control_exists: bool,
    pub(crate) control_durable: bool,
    failed: Option<Error>,
    /// Number of links followed so far in the current lookup.
    pub(crate) links: usize,
}

/// An open root.
pub struct Store<F: Fs> {
    pub(crate) state: Rc<RefCell<State<F>>>,
}

impl<F: Fs> Store<F> {
    /// Opens a root: acquires ownership, then runs recovery.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Locked`] for another owner; [`ErrorKind::Corrupt`] and the filesystem's failures, after
    /// which every file is still there.
    pub fn open(fs: F, preopens: &Preopens<F>, at: &str, owner: &Ownership, trace: bool) -> Result<Self, Error> {
        let mut exec = preopens.open(fs, at)?;
        if trace {
            exec.start_trace();
        }
        let mut names = Vec::new();
        for (name, dir) in &preopens.entries {
            names.push((name.clone(), exec.add_root(Rc::clone(dir))));
        }
        let records = Records::read(&mut exec)?;
        let claim = lock::acquire(&mut exec, &records, owner)?;
        let mut state = State {
            exec,
            names,
            claim,
            findings: Vec::new(),
            parked: Vec::new(),
            next: records.next,
            receipts: 0,
            control_exists: records.exists || matches!(owner, Ownership::LockFile(_)),
            control_durable: false,
            failed: None,
            links: 0,
        };
        if state.control_exists {
            let settled = recover::settle(&mut state.exec, Scope::All).map_err(|error| {
                let is_open = matches!(error.kind(), ErrorKind::NotCommitted | ErrorKind::NeedsRecovery);
                let refused = is_open && error.is_refused_write();
                if refused {
                    ErrorKind::ReadOnly.at(&control::directory()).because(format!(" ({})", error.clause()))
                } else {
                    error
                }
            })?;
            (state.findings, state.parked) = (settled.findings, settled.parked);
            state.next = Records::read(&mut state.exec)?.next;
        }
        Ok(Self { state: Rc::new(RefCell::new(state)) })
    }

    /// Returns the state of a store that is not shared yet.
    pub(crate) fn into_state(self) -> State<F> {
        Rc::into_inner(self.state).expect("nothing was handed out").into_inner()
    }

    /// Returns the findings of recovery at the open.
    pub fn recovered(&self) -> Vec<Finding> {
        self.state.borrow().findings.clone()
    }

    /// Gives up a decision that could not be completed: moves it, its staging and its siblings to the quarantine.
    /// What was applied of it stays; its paths can be changed again. What cannot be moved now is moved by a later open.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if no decision of this number is parked; [`ErrorKind::NotCommitted`] if the
    /// filesystem fails: the decision is still parked.
    pub fn abandon(&self, transaction: u64) -> Result<Finding, Error> {
        let state = &mut *self.state.borrow_mut();
        state.check_usable()?;
        let index = state.parked.iter().position(|parked| parked.journal.transaction == transaction);
        let index = index.ok_or_else(|| {
            ErrorKind::NotFound.at(&control::parked(transaction)).because("no decision of this number is parked")
        })?;
        state.check_owner()?;
        let Parked { record, journal, .. } = state.parked[index].clone();
        if let Err(stopped) = state.run(recover::abandon::give_up(&record, transaction)) {
            let is_there = matches!(state.exec.kind(&record), Ok(Some(_)));
            let error = match stopped.phase() {
                CommitPhase::Before => return Err(stopped),
                // A rename that failed may have taken effect.
                CommitPhase::At if is_there => return Err(stopped),
                CommitPhase::At | CommitPhase::After => stopped.with_kind(ErrorKind::OutcomeUnknown),
            };
            return Err(state.fail(error));
        }
        state.parked.remove(index);
        let place = control::quarantine(transaction);
        let set_aside = recover::abandon::set_aside(&mut state.exec, &journal).and_then(|plan| state.run(plan));
        let detail = match set_aside {
            Ok(()) => format!("transaction {transaction} was given up; its decision and its content are in {place}"),
            Err(error) => format!(
                "transaction {transaction} was given up; its content could not be moved to {place} yet: {}; the next \
                 open tries again",
                error.clause()
            ),
        };
        Ok(Finding::new(&control::parked(transaction), Verdict::Quarantined, detail))
    }

    /// Returns the steps that ran since the last call.
    pub fn steps(&self) -> Vec<Trace> {
        self.state.borrow_mut().exec.take_trace()
    }

    /// Returns the fingerprint of a path; a link at its end is not followed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`], [`ErrorKind::SymlinkRefused`] for a link on the way.
    pub fn fingerprint(&self, path: &str, with_digest: bool) -> Result<Fingerprint, Error> {
        let path = parse(path)?;
        let state = &mut *self.state.borrow_mut();
        state.exec.forget();
        let parent = state.real_parent(&path, Symlinks::Refuse)?;
        state.fingerprint_at(&parent.child(path.name()), with_digest)?.ok_or_else(|| ErrorKind::NotFound.at(&path))
    }
}

/// Returns the findings that an open would report, and the generations to which no link leads; changes nothing.
///
/// # Errors
///
/// As for [`Store::open`], except that another owner is a finding.
pub fn inspect<F: Fs>(fs: F, preopens: &Preopens<F>, at: &str) -> Result<Vec<Finding>, Error> {
    let mut exec = preopens.open(fs, at)?;
    let records = Records::read(&mut exec)?;
    let mut findings = Vec::new();
    if let Some(token) = lock::holder(&mut exec, &records)? {
        let detail = format!("held by \"{token}\"");
        findings.push(Finding::new(&control::entry(control::LOCK), Verdict::InUse, detail));
    }
    let (foreseen, needed) = recover::foresee(&mut exec)?;
    findings.extend(foreseen);
    // A directory that cannot be read hides no finding of an open.
    let unused = generations::unused(&mut exec, usize::MAX).ok().flatten().unwrap_or_default();
    for unused in unused.into_iter().filter(|unused| !needed.contains(&unused.directory)) {
        let (place, detail) = (control::generations(unused.directory), generations::described(&unused));
        findings.push(Finding::new(&place, Verdict::Clean, detail));
    }
    Ok(findings)
}

/// Takes a root from an owner that is known to be dead.
///
/// # Errors
/// See [`lock::take_over`].
pub fn break_lock<F: Fs>(fs: F, preopens: &Preopens<F>, at: &str, expected: &str) -> Result<(), Error> {
    let mut exec = preopens.open(fs, at)?;
    lock::take_over(&mut exec, expected)
}

/// Finds the preopen that a guest path belongs to, and returns its index with the rest of the path.
fn find_preopen(names: &[&str], path: &str) -> Result<(usize, RelPath), Error> {
    let (index, rest) = match_preopen(names, path).ok_or_else(|| ErrorKind::NoPreopen.of(path))?;
    let rest = rest.map_err(|rule| Error::invalid_path(path, rule))?;
    Ok((index, rest))
}

/// Parses a caller's path.
pub(crate) fn parse(path: &str) -> Result<RelPath, Error> {
    RelPath::parse(path).map_err(|rule| Error::invalid_path(path, rule))
}

/// Number of siblings that may not be looked at before a change beside them is refused.
const REFUSALS_MAX: u32 = 2;

impl<F: Fs> State<F> {
    /// Opens a root for reading, beside its owner: takes no lock, and recovers nothing.
    pub(crate) fn observed(fs: F, preopens: &Preopens<F>, at: &str) -> Result<Self, Error> {
        let mut exec = preopens.open(fs, at)?;
        let mut names = Vec::new();
        for (name, dir) in &preopens.entries {
            names.push((name.clone(), exec.add_root(Rc::clone(dir))));
        }
        let claim = Claim { token: None, epoch: 0 };
        Ok(Self {
            exec,
            names,
            claim,
            findings: Vec::new(),
            parked: Vec::new(),
            next: 0,
            receipts: 0,
            control_exists: false,
            control_durable: false,
            failed: None,
            links: 0,
        })
    }

    /// Takes the findings of the open, which are returned once.
    pub(crate) fn take_findings(&mut self) -> Vec<Finding> {
        core::mem::take(&mut self.findings)
    }

    /// Returns the location that a guest path names, for reading.
    pub(crate) fn source(&self, path: &str) -> Result<At, Error> {
        let names: Vec<&str> = self.names.iter().map(|(name, _)| name.as_str()).collect();
        let (index, rest) = find_preopen(&names, path)?;
        Ok(At { root: self.names[index].1, path: rest })
    }

    /// Refuses a change after a failure whose outcome only the next open can determine.
    pub(crate) fn check_usable(&mut self) -> Result<(), Error> {
        self.exec.forget();
        self.failed.as_ref().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// As [`State::check_usable`], with directories kept open.
    #[cfg(any(not(target_family = "wasm"), feature = "overlay"))]
    pub(crate) fn check_failed(&self) -> Result<(), Error> {
        self.failed.as_ref().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Records an error that makes the store refuse all further changes.
    pub(crate) fn fail(&mut self, error: Error) -> Error {
        self.failed = Some(error.clone());
        error
    }

    /// Takes an unused number for a file or transaction to be staged.
    pub(crate) fn take_number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// Like [`State::take_number`], for a change that prepares siblings of `path`. Skips numbers for which
    /// siblings exist, left by a transaction whose intent was damaged, or which cannot be looked at.
    pub(crate) fn take_number_beside(&mut self, path: &RelPath) -> Result<u64, Error> {
        let mut refusals = 0;
        loop {
            let number = self.take_number();
            let new = self.exec.kind(&control::sibling_new(path, number));
            match (new, self.exec.kind(&control::sibling_old(path, number))) {
                (Ok(None), Ok(None)) => return Ok(number),
                (Ok(_), Ok(_)) => {}
                (Err(error), _) | (_, Err(error)) if refusals == REFUSALS_MAX => return Err(error),
                (Err(_), _) | (_, Err(_)) => refusals += 1,
            }
        }
    }

    pub(crate) fn receipt(&mut self, asked: Durability, applied: u64, bytes: u64) -> Receipt {
        self.receipts += 1;
        let achieved = if self.exec.lacks_directory_sync() { asked.min(Durability::Data) } else { asked };
        Receipt { transaction: self.receipts, achieved, applied, bytes }
    }

    /// Returns the step that makes the control directory, or an empty plan if it exists.
    pub(crate) fn control_plan(&self) -> Plan {
        let mut plan = Plan::new();
        if !self.control_exists {
            plan.make_dir(&control::directory(), "staging is out of the way of readers");
        }
        plan
    }

    /// Runs a plan whose failure leaves nothing decided, or whose commit point the caller handles. Keeps
    /// track of the control directory.
    pub(crate) fn run(&mut self, plan: Plan) -> Result<(), Error> {
        let first = plan.steps().first().map(|step| &step.act);
        let makes_control = matches!(first, Some(Action::MakeDir(path)) if *path == control::directory());
        let answer = self.exec.run(plan);
        if makes_control {
            let made = match &answer {
                Ok(_) => true,
                Err(error) => !error.is_without_control(),
            };
            self.control_exists |= made;
        }
        answer
    }

    /// Checks that the root is still owned by this store; called just before every decision.
    pub(crate) fn check_owner(&mut self) -> Result<(), Error> {
        lock::check(&mut self.exec, &self.claim)
    }

    pub(crate) const fn epoch(&self) -> u64 {
        self.claim.epoch
    }

    /// Completes or sweeps one transaction of this store.
    pub(crate) fn settle(&mut self, number: u64, synced: bool) -> Result<Vec<Finding>, Error> {
        Ok(recover::settle(&mut self.exec, Scope::Transaction { number, synced })?.findings)
    }

    /// Refuses a change that would interfere with a decision that could not be completed.
    pub(crate) fn check_parked(&self, path: &RelPath) -> Result<(), Error> {
        let parked = self.parked.iter().find(|parked| parked.concerns(path));
        parked.map_or(Ok(()), |parked| Err(parked.error(path)))
    }

    /// Refuses a decision while the name of the log is taken by one that could not be completed.
    pub(crate) fn check_log(&self) -> Result<(), Error> {
        let in_the_way = self.parked.iter().find(|parked| parked.record != control::parked(parked.journal.transaction));
        in_the_way.map_or(Ok(()), |parked| Err(parked.log_error()))
    }

    /// Refuses to go on beside a decision of a workspace that could not be completed.
    pub(crate) fn check_kept(&self) -> Result<(), Error> {
        let kept = self.parked.iter().find(|parked| parked.journal.kept);
        kept.map_or(Ok(()), |parked| Err(parked.error(&recover::apply::common_directory(&parked.journal))))
    }

    /// Returns whether a parked decision needs the generations of a directory.
    pub(crate) fn is_parked_directory(&self, number: u64) -> bool {
        self.parked.iter().any(|parked| parked.journal.directories().any(|directory| directory == number))
    }

    /// Returns the fingerprint of the entry at a path.
    pub(crate) fn fingerprint_at(&mut self, path: &RelPath, with_digest: bool) -> Result<Option<Fingerprint>, Error> {
        let Some(stat) = self.exec.stat(path)? else { return Ok(None) };
        let digest = if with_digest && stat.kind == Kind::File { Some(self.exec.digest(path)?) } else { None };
        Ok(Some(Fingerprint { kind: stat.kind, size: stat.size, modified: stat.modified, digest }))
    }

    /// Checks a precondition against the entry at a path.
    pub(crate) fn check_precondition(&mut self, path: &RelPath, when: &Precondition) -> Result<(), Error> {
        match when {
            Precondition::None => Ok(()),
            Precondition::Absent => match self.exec.stat(path)? {
                None => Ok(()),
                Some(_) => Err(ErrorKind::AlreadyExists.at(path)),
            },
            Precondition::SingleLink => match self.exec.stat(path)? {
                None => Err(ErrorKind::NotFound.at(path)),
                Some(stat) if stat.links > 1 => Err(ErrorKind::HardLinked.at(path)),
                Some(_) => Ok(()),
            },
            Precondition::Unchanged(wanted) => {
                let now = self.fingerprint_at(path, wanted.digest.is_some())?;
                let now = now.ok_or_else(|| ErrorKind::NotFound.at(path))?;
                let same = now.kind == wanted.kind
                    && now.size == wanted.size
                    && (wanted.modified.is_none() || now.modified == wanted.modified)
                    && (wanted.digest.is_none() || now.digest == wanted.digest);
                if same { Ok(()) } else { Err(Error::precondition_failed(path, now)) }
            }
        }
    }
}

impl<F: Fs> Drop for State<F> {
    /// Releases the root, and removes the control directory if it is empty. A failure cannot be reported from
    /// here and loses nothing: the next open handles the remains.
    fn drop(&mut self) {
        self.exec.forget();
        // A lock that was broken in the meantime belongs to another owner.
        let plan =
            if lock::check(&mut self.exec, &self.claim).is_ok() { lock::release(&self.claim) } else { Plan::new() };
        let released = self.exec.run(plan);
        if self.control_exists && released.is_ok() {
            let mut plan = Plan::new();
            plan.remove_dir(&control::directory(), "nothing is left in it");
            let _stays_when_not_empty = self.exec.run(plan);
        }
    }
}
