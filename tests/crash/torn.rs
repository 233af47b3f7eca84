//! The main operations survive writes that reach the disk in part, and lengths that reach it before their data.

use onionskin_sim::explore::{Plan, explore};
use onionskin_sim::{Model, Tear};

use crate::support::{Sum, is_full, operations};

const MAIN: &[&str] = &[
    "replace",
    "writer",
    "materialize",
    "materialize-database",
    "in-place",
    "swap-reshape",
    "pointer",
    "lock-replace",
    "workspace-copy-up",
    "workspace-torn",
];

/// Writes are torn at every 512 bytes, as a prefix and in any part, with garbage where nothing was written.
#[test]
fn torn_writes_and_garbage_do_no_harm() {
    let main = |name: &str| is_full() || MAIN.contains(&name);
    let mut sum = Sum::default();
    for operation in operations().into_iter().filter(|operation| main(operation.name)) {
        for (tear, garbage) in [(Tear::Pages, true), (Tear::Prefix, false), (Tear::Prefix, true), (Tear::Sectors, true)]
        {
            let plan = Plan { tear, garbage, shown: 1, ..Plan::under(&[Model::Any]) };
            sum.add(&explore(&operation, &operation.plan(&plan)), !operation.endless);
        }
    }
    sum.conclude("torn writes");
}
