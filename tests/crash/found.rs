//! What the explorer found in the store. A case stays here, and is kept out of the suites, until it
//! is mended; then its test fails and says so, and the case joins the suites.

use onionskin_sim::explore::{Plan, explore};
use onionskin_sim::faults::{Sweep, sweep};
use onionskin_sim::operations::{self, Operation};

/// A fault of the store.
pub(crate) struct Found {
    /// The operation that shows it.
    pub(crate) operation: &'static str,
    /// Whether a crash alone shows it; else a call has to fail.
    pub(crate) by_crash: bool,
    /// What happens to whom.
    pub(crate) story: &'static str,
}

/// An entry that comes while a directory is switched is carried by recovery. A second recovery takes
/// what the first had carried, and had not synced, for safe: it removes the log, then the old
/// directory with the only durable copy.
const LATE: &str = "carried entries of a recovery that was killed are not synced by the next";

/// A switch whose second rename is visible and not durable is taken for done by the next recovery:
/// the log goes, the power goes, and the sweep removes the new tree of a decided transaction.
const NESTED: &str = "a switch that is visible is not synced before its log is removed";

pub(crate) const OPEN: &[Found] = &[
    Found { operation: "late-swap", by_crash: true, story: LATE },
    Found { operation: "late-pointer", by_crash: true, story: LATE },
    Found {
        operation: "late-swap-no-links",
        by_crash: true,
        story: "without hard links, a copy that was cut short by a kill is taken for the carried entry",
    },
    Found { operation: "swap-new", by_crash: false, story: NESTED },
    Found { operation: "swap-nested", by_crash: false, story: NESTED },
];

fn shows(found: &Found, operation: &Operation) -> bool {
    if found.by_crash {
        return explore(operation, &operation.plan(&Plan::default())).violations().next().is_some();
    }
    !sweep(operation, &operation.sweep(&Sweep { recoveries: 1, ..Sweep::default() })).is_clean()
}

/// Each case still shows. One that does not is mended: take it out of the list.
#[test]
fn open_cases_are_open() {
    let all = operations::all();
    for found in OPEN {
        let operation = all.iter().find(|operation| operation.name == found.operation).expect("it is in the list");
        println!("{}: {}", found.operation, found.story);
        assert!(shows(found, operation), "{} is mended: take it out of the list", found.operation);
    }
}
