//! Mutations of the store's own protocol: each sync is left out, and each two steps that follow one
//! another change places. A mutant that no crash catches is redundant, or the trial is weak.

use std::collections::BTreeSet;
use std::fmt;

use onionskin::fs::Cause;

use crate::explore::{Class, Failure, Plan, Subject, explore, guarded, prepared, record};
use crate::faults::{Sweep, sweep};
use crate::model::Power;
use crate::operations::{FaultyFs, MutatedOperation, Mutation, Operation, Pair};
use crate::scan::Scan;
use crate::simfs::{Harm, SimFs};

/// One mutation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A sync is left out: as it is printed, and its number among those that are printed like it.
    Without(String, u32),
    /// Two calls change places.
    Swapped(Pair),
}

/// The mutated part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The operation.
    Operation,
    /// Every recovery.
    Recovery,
}

/// A mutation, and its result.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The mutated part.
    pub part: Part,
    /// How.
    pub change: Change,
    /// The first violation. None: the step is redundant, or the exploration is weak.
    pub caught: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Without(sync, number) => write!(f, "without {sync} #{number}"),
            Change::Swapped((first, second)) => write!(f, "swapped {first} | {second}"),
        }
    }
}

impl Change {
    fn mutation(&self) -> Mutation {
        match self {
            Change::Without(sync, number) => Mutation::SkipSync(sync.clone(), *number),
            Change::Swapped(pair) => Mutation::Swap(pair.clone()),
        }
    }
}

/// Every mutation of an operation and of the recoveries from its crash images.
#[must_use]
pub fn mutations(operation: &Operation, plan: &Plan) -> Vec<(Part, Change)> {
    let fs = prepared(operation);
    let mut found = BTreeSet::new();
    watch(&fs, Part::Operation, &mut found, |faulty| operation.perform(faulty).is_ok());
    let (recording, _, _) = record(operation, None);
    for model in &operation.plan(plan).models {
        let mut scan = Scan::new(
            &recording.trace,
            Power { model: *model, tear: plan.tear, garbage: plan.garbage, bounds: plan.bounds },
        );
        for point in 0..recording.trace.points() {
            scan.at(point, &rustc_hash::FxHashSet::default());
        }
        for disk in scan.images.iter().filter_map(|image| image.disk.as_ref()) {
            let fs = SimFs::mount(disk.clone(), operation.switches());
            watch(&fs, Part::Recovery, &mut found, |faulty| operation.recover_by(faulty).is_ok());
        }
    }
    found.into_iter().collect()
}

fn watch(fs: &SimFs, part: Part, found: &mut BTreeSet<(Part, Change)>, act: impl FnOnce(&FaultyFs) -> bool) {
    let faulty = FaultyFs::new(fs, &Mutation::Watch);
    // A violation without a mutation belongs to the explorer.
    let _ = guarded(|| if act(&faulty) { Ok(()) } else { Err(Failure::new(Class::Other, "it failed")) });
    found.extend(faulty.syncs().into_iter().map(|(sync, number)| (part, Change::Without(sync, number))));
    found.extend(faulty.pairs().into_iter().map(|pair| (part, Change::Swapped(pair))));
}

/// Tries every mutation of an operation: first without second crashes, which catches most, then with
/// them, then with calls that fail.
///
/// # Panics
/// If the operation as it is does not pass: then nothing could be learned from its mutants.
#[must_use]
pub fn mutate(operation: &Operation, plan: &Plan) -> Vec<Mutant> {
    mutate_where(operation, plan, |_| true)
}

/// As [`mutate`], for the mutations that are wanted.
///
/// # Panics
/// As [`mutate`].
#[must_use]
pub fn mutate_where(operation: &Operation, plan: &Plan, wanted: impl Fn(&Change) -> bool) -> Vec<Mutant> {
    let sound = catch(operation, plan, &MutatedOperation::new(operation, Mutation::None, Mutation::None));
    assert_eq!(sound, None, "{} fails without a mutation", operation.name);
    let trial = |(part, change): (Part, Change)| {
        let (run, recover) = match part {
            Part::Operation => (change.mutation(), Mutation::None),
            Part::Recovery => (Mutation::None, change.mutation()),
        };
        let caught = catch(operation, plan, &MutatedOperation::new(operation, run, recover));
        Mutant { part, change, caught }
    };
    mutations(operation, plan).into_iter().filter(|(_, change)| wanted(change)).map(trial).collect()
}

/// Returns the first violation of a mutant.
fn catch(operation: &Operation, plan: &Plan, subject: &MutatedOperation<&Operation>) -> Option<String> {
    let whole = operation.plan(plan);
    let quick = Plan { kills: false, rounds_max: 1, ..whole.clone() };
    let crash = |plan: &Plan| explore(subject, plan).violations().next().map(|violation| violation.text.clone());
    let fault = || {
        let harms = vec![Harm::Fail(Cause::Io), Harm::LoseSync];
        let faults =
            Sweep { harms, sticky: false, recoveries: RECOVERIES, shown: 1, threads: plan.threads, ..Sweep::default() };
        sweep(subject, &operation.sweep(&faults)).violations.first().map(|violation| violation.text.clone())
    };
    crash(&quick).or_else(|| crash(&whole)).or_else(fault)
}

/// From how many crash images the recovery of a mutant is made to fail.
const RECOVERIES: usize = 6;
