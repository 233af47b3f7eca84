//! The end of a workspace.

use super::{Workspace, layout};
use crate::error::{CommitPhase, Error, ErrorKind};
use crate::fs::Fs;
use crate::lock::Ownership;
use crate::plan::Plan;
use crate::store::{Preopens, State, Store};

impl<F: Fs> Workspace<F> {
    /// Discards all changes, and the workspace with them. No space is needed for that, so it is possible on a
    /// full disk.
    ///
    /// # Errors
    /// [`ErrorKind::NotCommitted`] when the workspace still exists. What cannot be removed of one that was discarded is
    /// left to the next use of the directory.
    pub fn discard(mut self) -> Result<(), Error> {
        // A failure that only the next open can judge does not matter any more.
        if self.observed.is_some() {
            self.state.check_usable()?;
        }
        discard(&mut self.state)
    }
}

/// Discards a workspace without reading it: its map may be damaged, and its lowers gone.
///
/// # Errors
/// [`ErrorKind::NotFound`] when there is nothing of a workspace; as for [`Workspace::discard`].
pub fn abandon<F: Fs>(fs: F, preopens: &Preopens<F>, upper: &str, owner: &Ownership) -> Result<(), Error> {
    let mut state = Store::open(fs, preopens, upper, owner, false)?.into_state();
    if !layout::look(&mut state.exec)?.exists {
        return Err(ErrorKind::NotFound.of(upper).because("there is no workspace in it"));
    }
    discard(&mut state)
}

/// Marks the directory of a workspace as discarded, and removes it.
fn discard<F: Fs>(state: &mut State<F>) -> Result<(), Error> {
    state.check_owner()?;
    let found = layout::look(&mut state.exec)?;
    let mut plan = Plan::new();
    if found.map {
        plan.rename(&layout::map(), &layout::discarded(), "from here on nothing here counts");
    } else if !found.discarded {
        plan.create(&layout::discarded(), "from here on nothing here counts");
    }
    plan.decides();
    plan.sync_dir(&layout::directory(), "or the map could come back without its files");
    state.run(plan).map_err(|error| judge(state, error))?;
    // What cannot be removed now counts for nothing.
    let _removed_by_the_next = layout::look(&mut state.exec).and_then(|found| state.run(found.clear()));
    Ok(())
}

/// Determines the outcome of a discard that failed.
fn judge<F: Fs>(state: &mut State<F>, error: Error) -> Error {
    let is_there = matches!(state.exec.stat(&layout::map()), Ok(Some(_)));
    if is_there && error.phase() != CommitPhase::After { error } else { error.with_kind(ErrorKind::OutcomeUnknown) }
}
