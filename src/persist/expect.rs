//! The conditions of a transaction: entries that must be as its caller knows them, those that it only read included.
//!
//! They are checked while the root is owned, as the last step before the decision.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind, Limit};
use crate::fs::Fs;
use crate::limits::ENTRIES_MAX;
use crate::path::{RelPath, RootId};
use crate::persist::transaction::Transaction;
use crate::resolve::Missing;
use crate::store::{Precondition, State, Symlinks};

/// The conditions by path, as the caller names it.
pub(crate) type Conditions = BTreeMap<RelPath, Precondition>;

/// The conditions of a commit.
#[derive(Default)]
pub(crate) struct Expected(Vec<Expectation>);

/// A condition for one entry.
struct Expectation {
    /// The path that the caller named, from the root.
    named: RelPath,
    /// The place of the entry.
    real: RelPath,
    when: Precondition,
}

impl<F: Fs> Transaction<F> {
    /// Sets the condition that an entry must meet for the commit to change anything. The last call on a path wins.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidPath`], [`ErrorKind::LimitExceeded`].
    pub fn expect(&mut self, path: &str, when: Precondition) -> Result<(), Error> {
        let path = self.parse(path)?;
        if self.expected.len() >= ENTRIES_MAX && !self.expected.contains_key(&path) {
            return Err(Error::limit(self.full(&path).shown(), Limit::Entries, ENTRIES_MAX as u64));
        }
        self.expected.insert(path, when);
        Ok(())
    }
}

impl<F: Fs> State<F> {
    /// Returns the conditions by real path, after a first check: a change that fails by them prepares nothing.
    ///
    /// # Errors
    ///
    /// As for [`State::check_expected`]; [`ErrorKind::SymlinkRefused`] and the like for a link on the way.
    pub(super) fn resolve_expected(
        &mut self,
        directory: &RelPath,
        conditions: Conditions,
        policy: Symlinks,
    ) -> Result<Expected, Error> {
        let mut expected = Expected::default();
        for (path, when) in conditions {
            let named = directory.join(&path);
            let real = match self.walk(RootId::STORE, &named.parent(), policy.for_reading(), &mut Missing::Refuse) {
                Ok(parent) => parent.child(named.name()),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotDirectory) => named.clone(),
                Err(error) => return Err(error),
            };
            expected.0.push(Expectation { named, real, when });
        }
        self.check_expected(&expected)?;
        Ok(expected)
    }

    /// Checks all conditions.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PreconditionFailed`] with each path that does not meet its condition; nothing has changed.
    pub(super) fn check_expected(&mut self, expected: &Expected) -> Result<(), Error> {
        if expected.0.is_empty() {
            return Ok(());
        }
        // Others may have replaced a directory on the way.
        self.exec.forget();
        let mut changed: Vec<String> = Vec::new();
        for Expectation { named, real, when } in &expected.0 {
            let is_met = match self.exec.kind(real)? {
                None => matches!(when, Precondition::Absent | Precondition::None),
                Some(_) => match self.check_precondition(real, when) {
                    Ok(()) => true,
                    Err(error) => match error.kind() {
                        ErrorKind::AlreadyExists | ErrorKind::HardLinked | ErrorKind::PreconditionFailed => false,
                        _ => return Err(error.with_kind(ErrorKind::NotCommitted)),
                    },
                },
            };
            if !is_met {
                changed.push(named.shown().into());
            }
        }
        if changed.is_empty() { Ok(()) } else { Err(Error::unexpected(changed)) }
    }
}
