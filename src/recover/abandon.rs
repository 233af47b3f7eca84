//! Gives up a parked decision: everything that it prepared is set aside for a person to look at.

use alloc::vec::Vec;

use crate::control;
use crate::error::Error;
use crate::exec::Executor;
use crate::fs::Fs;
use crate::journal::{Change, Journal};
use crate::path::RelPath;
use crate::plan::Plan;

/// Returns the plan that moves a parked decision, its staging and its siblings to the quarantine. A path that
/// was switched half-way gets its former content back. What was applied of other changes stays.
///
/// The decision is moved last: after a crash it is still parked, and can be given up again.
///
/// # Errors
///
/// The failure of looking at the siblings.
pub fn abandon<F: Fs>(exec: &mut Executor<F>, journal: &Journal, place: &RelPath) -> Result<Plan, Error> {
    let number = journal.transaction;
    let mut plan = Plan::new();
    plan.make_dir(place, "a place that recovery does not read");
    let mut parents = Vec::new();
    for op in journal.ops.iter().filter(|op| op.change == Change::Switch) {
        let (new, old) = (control::sibling_new(&op.path, number), control::sibling_old(&op.path, number));
        let is_missing = exec.kind(&op.path)?.is_none();
        if exec.kind(&old)?.is_some() {
            if is_missing {
                plan.rename(&old, &op.path, "the former content goes back to its place");
            } else {
                plan.rename(&old, &place.child(old.name()), "the former content is set aside");
            }
        }
        if exec.kind(&new)?.is_some() {
            plan.rename(&new, &place.child(new.name()), "what was prepared is set aside");
        }
        parents.push(op.path.parent());
    }
    plan.sync_dir(place, "or what was prepared could be lost");
    for parent in &parents {
        plan.sync_dir(parent, "or a sibling could come back when no record names it");
    }
    let staging = control::transaction(number);
    if exec.kind(&staging)?.is_some() {
        plan.rename(&staging, &place.child(staging.name()), "the staging stays with its decision");
    }
    let parked = control::parked(number);
    plan.rename(&parked, &place.child(parked.name()), "nothing is decided any more");
    plan.decides();
    plan.sync_dir(place, "or the decision could be lost to people");
    plan.sync_control("or the decision could come back");
    Ok(plan)
}
