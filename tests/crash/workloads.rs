//! Sequences of operations survive every crash: every acknowledged change stays, and the next one is present as a whole
//! or not at all.

use onionskin_sim::Model;
use onionskin_sim::explore::{Plan, explore};
use onionskin_sim::workloads::{Workload, sampled, sequences};

use crate::support::{Sum, is_full, setting};

fn try_all(context: &str, workloads: &[Workload]) {
    let plan = Plan { shown: 1, ..Plan::under(&[Model::Process, Model::Any, Model::Split]) };
    let mut sum = Sum::default();
    for workload in workloads {
        sum.add(&explore(workload, &workload.plan(&plan)), true);
    }
    sum.conclude(context);
}

/// Every operation on its own, in the namespace of the sequences.
#[test]
fn single_operations() {
    try_all("sequences of 1", &sequences(1));
}

/// Sequences of two: a sample chosen by the seed, or all in a full run.
#[test]
fn pairs() {
    let seed = setting("ONIONSKIN_SEED", 1);
    let count = setting("ONIONSKIN_WORKLOADS", PAIRS);
    println!("seed {seed}");
    let all =
        if is_full() { sequences(2) } else { sampled(2, usize::try_from(count).expect("a number of tests"), seed) };
    try_all("sequences of 2", &all);
}

/// Sequences of three, sampled by the seed.
#[test]
fn triples() {
    let seed = setting("ONIONSKIN_SEED", 1);
    let count = setting("ONIONSKIN_WORKLOADS", if is_full() { TRIPLES_FULL } else { TRIPLES });
    println!("seed {seed}");
    try_all("sequences of 3", &sampled(3, usize::try_from(count).expect("a number of tests"), seed));
}

const PAIRS: u64 = 40;
const TRIPLES: u64 = 6;
const TRIPLES_FULL: u64 = 300;
