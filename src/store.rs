//! An open root: who owns it, what opening found, and what its changes share.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::control::{self, Control};
use crate::error::{Error, ErrorKind, Fingerprint};
use crate::exec::{Exec, Trace};
use crate::fs::{Cause, Fs, Kind};
use crate::lock::{self, Claim, Ownership};
use crate::path::{RelPath, match_preopen};
use crate::plan::{Act, At, Plan, RootId};
use crate::recover::{self, Finding, Scope, Verdict, survey};

/// How far a change must have gone before the call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Visible, and atomic when the process dies.
    Visible,
    /// Atomic under power loss.
    Data,
    /// Durable.
    Full,
}

/// What to do about symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Symlinks {
    /// Fail.
    Refuse,
    /// Replace the one at the end, materialize those on the way.
    Replace,
    /// Follow them inside the root.
    FollowWithin,
}

/// What must hold just before a change becomes visible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// The path does not exist.
    Absent,
    /// The path looks like this.
    Unchanged(Fingerprint),
    /// The path exists and has one name.
    SingleLink,
}

/// How to write one file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WriteOptions {
    /// How far it must have gone.
    pub durability: Durability,
    /// What to do about links.
    pub symlinks: Symlinks,
    /// What must hold before.
    pub when: Precondition,
    /// Leave identical content alone.
    pub keep_identical: bool,
}

impl Default for WriteOptions {
    /// Durable, links replaced, no precondition, always written.
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            symlinks: Symlinks::Replace,
            when: Precondition::None,
            keep_identical: false,
        }
    }
}

/// What a finished change achieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Number of the change, from 1.
    pub transaction: u64,
    /// What was achieved.
    pub achieved: Durability,
    /// Paths that changed.
    pub applied: u64,
    /// Bytes of new content.
    pub bytes: u64,
}

/// The preopened directories of a component, or what stands for them in a test.
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
    /// [`ErrorKind::NoPreopen`], [`ErrorKind::NotFound`], [`ErrorKind::NotDirectory`].
    pub fn open(&self, fs: F, path: &str) -> Result<Exec<F>, Error> {
        let (index, rest) = self.find(path)?;
        let top = &self.entries[index].1;
        if rest.is_root() {
            return Ok(Exec::new(fs, Rc::clone(top)));
        }
        let mut dir = Rc::clone(top);
        for name in rest.components() {
            dir = Rc::new(fs.open_dir(&dir, name).map_err(|cause| match cause {
                Cause::Loop => ErrorKind::SymlinkRefused.of(path),
                other => Error::failed("open", path, other),
            })?);
        }
        Ok(Exec::new(fs, dir))
    }
}

/// What an open root, its writers and its transactions share.
pub(crate) struct State<F: Fs> {
    pub(crate) exec: Exec<F>,
    names: Vec<(String, RootId)>,
    claim: Claim,
    findings: Vec<Finding>,
    next: u64,
    receipts: u64,
    control_exists: bool,
    pub(crate) control_durable: bool,
    failed: Option<Error>,
    /// Links followed so far in the path that is being looked up.
    pub(crate) links: usize,
}

/// An open root.
pub struct Store<F: Fs> {
    pub(crate) state: Rc<RefCell<State<F>>>,
}

impl<F: Fs> Store<F> {
    /// Opens a root: takes ownership, then recovers.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] for another owner; [`ErrorKind::Corrupt`] and the filesystem's failures, with
    /// everything kept.
    pub fn open(fs: F, preopens: &Preopens<F>, at: &str, owner: &Ownership, trace: bool) -> Result<Self, Error> {
        let mut exec = preopens.open(fs, at)?;
        if trace {
            exec.start_trace();
        }
        let mut names = Vec::new();
        for (name, dir) in &preopens.entries {
            names.push((name.clone(), exec.add_root(Rc::clone(dir))));
        }
        let control = Control::read(&mut exec)?;
        let claim = lock::acquire(&mut exec, &control, owner)?;
        let mut state = State {
            exec,
            names,
            claim,
            findings: Vec::new(),
            next: control.next,
            receipts: 0,
            control_exists: control.exists || matches!(owner, Ownership::LockFile(_)),
            control_durable: false,
            failed: None,
            links: 0,
        };
        if state.control_exists {
            state.findings = recover::settle(&mut state.exec, Scope::All).map_err(|error| {
                let refused = error.kind() == ErrorKind::NotCommitted && error.is_refused_write();
                if refused { ErrorKind::ReadOnly.of(at) } else { error }
            })?;
            state.next = Control::read(&mut state.exec)?.next;
        }
        Ok(Self { state: Rc::new(RefCell::new(state)) })
    }

    /// The open root alone, of a store that nothing shares yet.
    pub(crate) fn into_state(self) -> State<F> {
        Rc::into_inner(self.state).expect("nothing was handed out").into_inner()
    }

    /// What opening found.
    pub fn recovered(&self) -> Vec<Finding> {
        self.state.borrow().findings.clone()
    }

    /// The steps that ran since the last call.
    pub fn steps(&self) -> Vec<Trace> {
        self.state.borrow_mut().exec.take_trace()
    }

    /// What a path looks like, without following a link at its end.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::SymlinkRefused`] for a link on the way.
    pub fn fingerprint(&self, path: &str, with_digest: bool) -> Result<Fingerprint, Error> {
        let path = parse(path)?;
        let state = &mut *self.state.borrow_mut();
        state.exec.forget();
        let parent = state.real_parent(&path, Symlinks::Refuse)?;
        state.fingerprint_at(&parent.child(path.name()), with_digest)?.ok_or_else(|| ErrorKind::NotFound.at(&path))
    }
}

/// What opening would find and do.
///
/// # Errors
/// As for [`Store::open`], but that another owner is a finding.
pub fn inspect<F: Fs>(fs: F, preopens: &Preopens<F>, at: &str) -> Result<Vec<Finding>, Error> {
    let mut exec = preopens.open(fs, at)?;
    let snapshot = survey::survey(&mut exec, Scope::All)?;
    let mut findings = Vec::new();
    if let Some(token) = lock::holder(&mut exec, &snapshot.control)? {
        let detail = format!("held by \"{token}\"");
        findings.push(Finding::new(&control::entry(control::LOCK), Verdict::InUse, detail));
    }
    findings.extend(recover::foresee(&mut exec, snapshot)?);
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

/// The preopen that a guest path belongs to, and the rest of the path.
fn find_preopen(names: &[&str], path: &str) -> Result<(usize, RelPath), Error> {
    let (index, rest) = match_preopen(names, path).ok_or_else(|| ErrorKind::NoPreopen.of(path))?;
    let rest = rest.map_err(|rule| Error::invalid_path(path, rule))?;
    Ok((index, rest))
}

/// Parses a caller's path.
pub(crate) fn parse(path: &str) -> Result<RelPath, Error> {
    RelPath::parse(path).map_err(|rule| Error::invalid_path(path, rule))
}

impl<F: Fs> State<F> {
    /// What opening found; it is told once.
    pub(crate) fn take_findings(&mut self) -> Vec<Finding> {
        core::mem::take(&mut self.findings)
    }

    /// The place that a guest path names, to read from.
    pub(crate) fn source(&self, path: &str) -> Result<At, Error> {
        let names: Vec<&str> = self.names.iter().map(|(name, _)| name.as_str()).collect();
        let (index, rest) = find_preopen(&names, path)?;
        Ok(At { root: self.names[index].1, path: rest })
    }

    /// Refuses a change after a failure that only the next open can judge.
    pub(crate) fn check_usable(&mut self) -> Result<(), Error> {
        self.exec.forget();
        self.failed.as_ref().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// As [`State::check_usable`], with directories kept open.
    #[cfg(any(not(target_family = "wasm"), feature = "overlay"))]
    pub(crate) fn check_failed(&self) -> Result<(), Error> {
        self.failed.as_ref().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Takes no further changes, because of this error.
    pub(crate) fn fail(&mut self, error: Error) -> Error {
        self.failed = Some(error.clone());
        error
    }

    /// A number for a file or transaction that is about to be staged.
    pub(crate) fn take_number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// As [`State::take_number`], for a change that prepares siblings of `path`. A number is passed
    /// over when siblings of that number are there: of a transaction whose intent was damaged.
    pub(crate) fn take_number_beside(&mut self, path: &RelPath) -> Result<u64, Error> {
        loop {
            let number = self.take_number();
            let new = self.exec.kind(&control::sibling_new(path, number))?;
            let old = self.exec.kind(&control::sibling_old(path, number))?;
            if new.is_none() && old.is_none() {
                return Ok(number);
            }
        }
    }

    pub(crate) fn receipt(&mut self, asked: Durability, applied: u64, bytes: u64) -> Receipt {
        self.receipts += 1;
        let achieved = if self.exec.lacks_directory_sync() { asked.min(Durability::Data) } else { asked };
        Receipt { transaction: self.receipts, achieved, applied, bytes }
    }

    /// The step that makes the control directory, where it does not exist yet.
    pub(crate) fn control_plan(&self) -> Plan {
        let mut plan = Plan::new();
        if !self.control_exists {
            plan.make_dir(&control::directory(), "staging is out of the way of readers");
        }
        plan
    }

    /// Runs a plan that has not decided anything when it fails, or whose commit point the caller
    /// looks after. Keeps track of the control directory.
    pub(crate) fn run(&mut self, plan: Plan) -> Result<(), Error> {
        let first = plan.steps().first().map(|step| &step.act);
        let makes_control = matches!(first, Some(Act::MakeDir(path)) if *path == control::directory());
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

    /// Checks that the root is still ours: asked just before every decision.
    pub(crate) fn check_owner(&mut self) -> Result<(), Error> {
        lock::check(&mut self.exec, &self.claim)
    }

    pub(crate) const fn epoch(&self) -> u64 {
        self.claim.epoch
    }

    /// Finishes, or sweeps, one transaction of ours.
    pub(crate) fn settle(&mut self, number: u64, synced: bool) -> Result<Vec<Finding>, Error> {
        recover::settle(&mut self.exec, Scope::Transaction { number, synced })
    }

    /// What stands at a place, as a fingerprint.
    pub(crate) fn fingerprint_at(&mut self, path: &RelPath, with_digest: bool) -> Result<Option<Fingerprint>, Error> {
        let Some(stat) = self.exec.stat(path)? else { return Ok(None) };
        let digest = if with_digest && stat.kind == Kind::File {
            Some(survey::file_digest(&mut self.exec, path)?)
        } else {
            None
        };
        Ok(Some(Fingerprint { kind: stat.kind, size: stat.size, modified: stat.modified, digest }))
    }

    /// Checks a precondition against what stands at a place now.
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
                if same { Ok(()) } else { Err(Error::precondition_failed(path.shown(), &now)) }
            }
        }
    }
}

impl<F: Fs> Drop for State<F> {
    /// Gives the root back and removes the control directory if nothing is in it. A failure cannot
    /// be reported from here and loses nothing: what stays is dealt with at the next open.
    fn drop(&mut self) {
        self.exec.forget();
        // A lock that was broken meanwhile is another owner's.
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
