//! Every sync, and every order of two steps, has a reason: without it a violation is found, or the table gives the
//! reason why none is.

mod redundant;
mod workspaces;
mod zones;

use std::collections::BTreeSet;

use onionskin_sim::Model;
use onionskin_sim::explore::Plan;
use onionskin_sim::mutation::{Change, mutate};
use onionskin_sim::operations::Operation;

use crate::support::{is_full, operations};
use redundant::{ORDERS, SYNCS};

/// The operations that a bounded run mutates.
const BOUNDED: &[&str] = &["replace", "replace-absent", "materialize-database", "in-place", "swap-reshape", "pointer"];

/// The operations that a full run mutates as well: together they produce every kind of plan.
const FULL: &[&str] =
    &["in-place-new", "in-place-reshape", "materialize-directory", "lock-replace", "break-lock-decided"];

/// An upper bound of the images, for mutants whose recoveries never reach a fixed point.
const IMAGES_MAX: usize = 1 << 14;

fn chosen() -> Vec<Operation> {
    let is_chosen = |name: &str| BOUNDED.contains(&name) || (is_full() && FULL.contains(&name));
    operations().into_iter().filter(|operation| is_chosen(operation.name)).collect()
}

/// A surviving mutant must be in a table with its reason; an entry without a survivor is an error.
#[test]
fn every_sync_and_every_order_is_needed() {
    let plan = Plan { shown: 1, images_max: IMAGES_MAX, ..Plan::under(&[Model::Process, Model::Any, Model::Split]) };
    let (mut mutants, mut killed) = (0, 0);
    let mut survivors = BTreeSet::new();
    let mut names = BTreeSet::new();
    for operation in chosen() {
        names.insert(operation.name);
        let start = (mutants, killed);
        for mutant in mutate(&operation, &plan) {
            mutants += 1;
            killed += u32::from(mutant.caught.is_some());
            if mutant.caught.is_none() {
                survivors.insert(match &mutant.change {
                    Change::Without(sync, number) => {
                        (true, format!("{}: {:?} {sync} #{number}", operation.name, mutant.part))
                    }
                    Change::Swapped((first, second)) => {
                        (false, format!("{:?} {} | {}", mutant.part, zones::call(first), zones::call(second)))
                    }
                });
            }
        }
        println!("{}: {} mutants, {} killed", operation.name, mutants - start.0, killed - start.1);
    }
    println!(
        "mutation: {} operations, {mutants} mutants, {killed} killed, {} kinds survive",
        names.len(),
        survivors.len()
    );
    let listed = |is_sync: bool| if is_sync { SYNCS } else { ORDERS };
    let is_listed = |row: &(bool, String)| {
        listed(row.0).iter().any(|(_, rows)| rows.contains(&row.1.as_str())) || !row.0 && zones::asks(&row.1)
    };
    let unexplained: Vec<_> = survivors.iter().filter(|row| !is_listed(row)).collect();
    for (is_sync, row) in &unexplained {
        println!("survives without a reason: {} {row}", if *is_sync { "sync" } else { "order" });
    }
    let mut stale = Vec::new();
    for is_sync in [true, false] {
        for row in listed(is_sync).iter().flat_map(|(_, rows)| *rows) {
            // An order may survive in any operation, so only a run of all of them can decide.
            let ran = if is_sync {
                row.split(':').next().is_some_and(|name| names.contains(name))
            } else {
                is_everything(&names)
            };
            if ran && !survivors.contains(&(is_sync, (*row).to_owned())) {
                println!("is needed now, or gone: {} {row}", if is_sync { "sync" } else { "order" });
                stale.push(row);
            }
        }
    }
    assert!(
        unexplained.is_empty() && stale.is_empty(),
        "{} without a reason, {} stale",
        unexplained.len(),
        stale.len()
    );
    assert!(killed > 0, "no mutant was killed");
}

fn is_everything(names: &BTreeSet<&str>) -> bool {
    BOUNDED.iter().chain(FULL).all(|name| names.contains(name))
}
