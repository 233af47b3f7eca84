//! Decisions that could not be completed yet.

use alloc::string::String;
use alloc::vec::Vec;

use crate::control;
use crate::error::{Error, ErrorKind};
use crate::exec::Executor;
use crate::fs::{Fs, Kind};
use crate::journal::{Change, Journal, OldEntry, Op};
use crate::path::{At, RelPath, RootId};
use crate::recover::survey::{Fact, Staged, Target};
use crate::recover::{Finding, Verdict, apply};
use crate::tree;

/// A decision that could not be completed yet.
#[derive(Clone, Debug)]
pub(crate) struct Parked {
    /// The decision.
    pub(crate) journal: Journal,
    /// The obstacle, as a clause.
    pub(crate) reason: String,
}

impl Parked {
    /// Returns the finding of an open.
    pub(super) fn finding(&self) -> Finding {
        let number = self.journal.transaction;
        let paths = apply::paths(&self.journal);
        let detail = format!(
            "transaction {number} was decided and cannot be completed now: {}; it changes {paths}, which take no other \
             change; the next open tries again",
            self.reason
        );
        Finding::new(&apply::common_directory(&self.journal), Verdict::Parked, detail)
    }

    /// Returns whether a change to a path would interfere with the decision: it changes the path, an entry
    /// below it, or a directory above it.
    pub(crate) fn concerns(&self, path: &RelPath) -> bool {
        self.journal.ops.iter().any(|op| op.path.is_within(path) || path.is_within(&op.path))
    }

    /// Returns the error for a change to one of the paths.
    pub(crate) fn error(&self, path: &RelPath) -> Error {
        let number = self.journal.transaction;
        let why =
            format!("transaction {number}, which changes it, was decided and cannot be completed: {}", self.reason);
        ErrorKind::Parked.at(path).because(why)
    }
}

/// Checks that a parked decision replaces no entry that changed since it was decided: a decision that waits must not
/// replace the work of others.
///
/// # Errors
///
/// `ErrorKind::Parked` for such an entry; the failure of looking at one.
pub(super) fn check<F: Fs>(
    exec: &mut Executor<F>,
    record: &RelPath,
    journal: &Journal,
    facts: &[Fact],
) -> Result<(), Error> {
    for (op, fact) in journal.ops.iter().zip(facts) {
        let is_newer = match (&op.change, fact) {
            (Change::Put { old, .. } | Change::Delete { old }, _) => {
                // A directory is refused with a reason of its own, and an entry that is gone is nobody's work.
                let now = exec.stat_deep(&op.path)?.filter(|stat| stat.kind != Kind::Directory);
                now.is_some_and(|now| !old.is_some_and(|old| is_same(old, now.into())))
                    && !is_applied(exec, journal, op, fact)?
            }
            (Change::Switch, Fact::Switch { at: Some(_), new: Some(_), old: None, .. }) => {
                is_newer(exec, record, &op.path)?
            }
            _ => false,
        };
        if is_newer {
            return Err(ErrorKind::Parked.at(&op.path).because("changed after the decision that would replace it"));
        }
    }
    Ok(())
}

/// Returns whether an entry, or one below it, was changed after a record was written, where the host knows times. A log
/// does not list what a switch replaces.
fn is_newer<F: Fs>(exec: &mut Executor<F>, record: &RelPath, path: &RelPath) -> Result<bool, Error> {
    let Some(decided) = exec.stat(record)?.and_then(|stat| stat.modified) else { return Ok(false) };
    let mut paths = Vec::from([path.clone()]);
    if exec.kind(path)? == Some(Kind::Directory) {
        paths.extend(tree::read(exec, &At::store(path.clone()))?.iter().map(|node| path.join(&node.path)));
    }
    for path in paths {
        if exec.stat_deep(&path)?.and_then(|stat| stat.modified).is_some_and(|modified| modified > decided) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether an entry is the one that was recorded. A host may not know its time.
fn is_same(old: OldEntry, now: OldEntry) -> bool {
    let times = old.modified.zip(now.modified);
    (old.kind, old.size) == (now.kind, now.size) && times.is_none_or(|(old, now)| old == now)
}

/// Returns whether the entry at a path is the one that a decision puts there.
fn is_applied<F: Fs>(exec: &mut Executor<F>, journal: &Journal, op: &Op, fact: &Fact) -> Result<bool, Error> {
    let (Change::Put { staged: index, digest, .. }, Fact::Put { staged, target, .. }) = (&op.change, fact) else {
        return Ok(false);
    };
    let source = control::staged(journal.transaction, *index);
    match staged {
        _ if *target == Target::New => return Ok(true),
        // The log has no digest of content that was carried by a second name.
        Staged::Good if digest.is_none() => {
            let (size, wanted) =
                (exec.stat(&op.path)?.map(|stat| stat.size), exec.stat(&source)?.map(|stat| stat.size));
            return Ok(size == wanted && exec.digest(&source)? == exec.digest(&op.path)?);
        }
        Staged::Link => {}
        Staged::Good | Staged::Missing | Staged::Wrong => return Ok(false),
    }
    let kind = exec.kind(&source)?;
    if exec.kind(&op.path)? != kind {
        return Ok(false);
    }
    // A pipe or a socket has no content.
    Ok(kind != Some(Kind::Symlink)
        || exec.read_link(RootId::STORE, &source)? == exec.read_link(RootId::STORE, &op.path)?)
}
