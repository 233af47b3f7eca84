//! Correct protocols pass, and leaving out any necessary part is detected.

use onionskin_sim::explore::{Dropped, Plan, drop_each_sync, explore};
use onionskin_sim::{Model, Tear};

use crate::replace::Replace;
use crate::two_files::TwoFiles;

/// Both toys keep their promise under every model, torn and with garbage.
#[test]
fn correct_protocols_are_clean() {
    for (tear, garbage) in [(Tear::Pages, false), (Tear::Prefix, true), (Tear::Sectors, true)] {
        let plan = Plan { tear, garbage, ..Plan::default() };
        let replace = explore(&Replace::default(), &plan);
        assert!(replace.is_clean(), "{:#?}", replace.violations().next());
        let two = explore(&TwoFiles::default(), &plan);
        assert!(two.is_clean(), "{:#?}", two.violations().next());
        // A trial that met neither outcome, or no second crash, would be no trial.
        let totals = two.totals();
        assert!(totals.old > 0 && totals.new > 0 && totals.windows > totals.points);
        assert_eq!(totals.windows, totals.windows_exhaustive);
    }
}

/// With a lying disk no protocol holds; an explorer that reports otherwise is blind.
#[test]
fn lying_disk_is_caught() {
    let report = explore(&Replace::default(), &Plan::under(&[Model::Lying]));
    assert!(!report.is_clean());
}

/// Each sync of both toys is missed when it is left out, but for those after the last removal: a
/// temporary that comes back is removed again, and a log is applied again, to the same end.
#[test]
fn every_sync_is_missed() {
    let plan = Plan::under(&[Model::Any]);
    for barrier in drop_each_sync(&Replace::default(), &plan) {
        let redundant = matches!(barrier.dropped, Dropped::Recovery(1));
        assert_eq!(barrier.caught.is_none(), redundant, "{barrier:#?}");
    }
    let barriers = drop_each_sync(&TwoFiles::default(), &plan);
    let missed: Vec<_> = barriers.iter().filter(|barrier| barrier.caught.is_none()).map(|b| b.dropped).collect();
    assert_eq!(missed, [Dropped::Operation(5), Dropped::Recovery(4)], "{barriers:#?}");
}

/// The same seed gives the same report, for any number of threads.
#[test]
fn reports_do_not_depend_on_threads() {
    let one = explore(&TwoFiles::default(), &Plan { threads: 1, ..Plan::default() });
    let three = explore(&TwoFiles::default(), &Plan { threads: 3, ..Plan::default() });
    assert_eq!(one, three);
}
