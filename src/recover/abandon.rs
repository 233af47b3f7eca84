//! Gives up a parked decision: everything that it prepared is set aside for a person to look at.
//!
//! The decision is renamed first, to `abandoned-N`: from then on it is never completed. What it prepared goes to
//! `quarantine-N`, and the decision last, so that a crash on the way, or an obstacle, leaves the rest to the next open.

use alloc::vec::Vec;

use crate::control;
use crate::error::Error;
use crate::exec::Executor;
use crate::fs::{Fs, Kind};
use crate::journal::{Change, Journal};
use crate::path::{RelPath, RootId};
use crate::plan::Plan;

/// Returns the plan that gives up the parked decision of a transaction. `record` is the path of the decision.
pub fn give_up(record: &RelPath, number: u64) -> Plan {
    let mut plan = Plan::new();
    plan.rename(record, &control::abandoned(number), "it is not tried again");
    plan.decides();
    plan.sync_control("or the decision could come back");
    plan
}

/// Returns the plan that moves a decision that was given up, its staging, its siblings and its unpublished generation
/// to the quarantine. A path that was switched half-way gets its former content back. What was applied of other
/// changes stays.
///
/// # Errors
///
/// The failure of looking at what it prepared.
pub fn set_aside<F: Fs>(exec: &mut Executor<F>, journal: &Journal) -> Result<Plan, Error> {
    let number = journal.transaction;
    let place = control::quarantine(number);
    let mut plan = Plan::new();
    if exec.kind(&place)?.is_none() {
        plan.make_dir(&place, "a place that recovery does not read");
    }
    let mut parents = Vec::new();
    for op in &journal.ops {
        match op.change {
            Change::Switch => {
                let parent = op.path.parent();
                if exec.kind(&parent)? == Some(Kind::Directory) {
                    siblings(exec, &mut plan, &op.path, number, &place)?;
                    parents.push(parent);
                }
            }
            Change::Pointer { directory, generation, .. } => {
                let prepared = control::generation(directory, generation);
                let text = control::pointer_text(&op.path, directory, generation);
                let is_shown =
                    exec.kind(&op.path)? == Some(Kind::Symlink) && exec.read_link(RootId::STORE, &op.path)? == text;
                if !is_shown && exec.kind(&prepared)?.is_some() {
                    plan.rename(&prepared, &place.child("generation"), "what was prepared is set aside");
                    parents.push(prepared.parent());
                }
            }
            Change::Put { .. } | Change::Delete { .. } | Change::MakeDir | Change::RemoveDir => {}
        }
    }
    plan.sync_dir(&place, "or what was prepared could be lost");
    for parent in &parents {
        plan.sync_dir(parent, "or a sibling could come back when no record names it");
    }
    if exec.kind(&control::reason(number))?.is_some() {
        plan.remove_file(&control::reason(number), "nothing waits any more");
    }
    let staging = control::transaction(number);
    if exec.kind(&staging)?.is_some() {
        plan.rename(&staging, &place.child(staging.name()), "the staging stays with its decision");
    }
    let record = control::abandoned(number);
    plan.rename(&record, &place.child(control::parked(number).name()), "all of it is set aside");
    plan.sync_dir(&place, "or the decision could be lost to people");
    plan.sync_control("or the decision could come back");
    Ok(plan)
}

/// Appends the steps that set the siblings of a switched path aside.
fn siblings<F: Fs>(
    exec: &mut Executor<F>,
    plan: &mut Plan,
    path: &RelPath,
    number: u64,
    place: &RelPath,
) -> Result<(), Error> {
    let (new, old) = (control::sibling_new(path, number), control::sibling_old(path, number));
    if exec.kind(&old)?.is_some() {
        if exec.kind(path)?.is_none() {
            plan.rename(&old, path, "the former content goes back to its place");
        } else {
            plan.rename(&old, &place.child(old.name()), "the former content is set aside");
        }
    }
    if exec.kind(&new)?.is_some() {
        plan.rename(&new, &place.child(new.name()), "what was prepared is set aside");
    }
    Ok(())
}
