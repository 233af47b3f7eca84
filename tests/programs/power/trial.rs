//! The trial: every crash of the transfers, then every crash of the checks that roll a transaction back.

use std::fmt;

use onionskin_lab::simulated::Program;
use onionskin_sim::explore::{Dropped, Plan, Report, Subject as _, Totals, explore};
use onionskin_sim::{Call, Model, SimFs, Tree};

use super::oracle::{LOCKS, Oracle};
use super::subject::{Ledger, Seen, Start};

/// An upper bound of the number of images in these trials.
const IMAGES_MAX: usize = 1 << 22;

/// The promise, and the number of transfers.
pub(super) struct Trial<'t> {
    pub(super) program: &'t Program,
    /// The initial files.
    pub(super) files: &'t Tree,
    pub(super) synchronous: &'t str,
    pub(super) journal: &'t str,
    pub(super) count: u32,
    /// The number of acknowledged transfers that may be undone.
    pub(super) forgets: usize,
}

/// The outcome under one model.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) totals: Totals,
    /// The number of crash points of the transfers.
    pub(super) points: u64,
    /// The number of crash points at which every state was explored.
    pub(super) exhaustive: u64,
    /// The first violations.
    pub(super) violations: Vec<String>,
    /// The number of states that programs can distinguish.
    pub(super) states: u64,
    /// The number of those that the program changed when it checked them.
    pub(super) rolled_back: u64,
    /// The number of those in which an acknowledged transfer was undone.
    pub(super) forgotten: u64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { points, windows, windows_exhaustive, raw, unique, kills, violations, .. } = self.totals;
        let share = 100.0 * windows_exhaustive as f64 / windows.max(1) as f64;
        let Self { points: own, exhaustive, states, rolled_back, forgotten, .. } = self;
        write!(
            f,
            "{own} crash points ({exhaustive} exhaustive), and {} of checks; {kills} kills, {windows} windows ({share:.2} % exhaustive), {raw} raw \
             and {unique} unique images, {states} states of the database, {rolled_back} of them rolled back, \
             {forgotten} with a transfer undone; {violations} violations",
            points - own
        )
    }
}

impl Outcome {
    fn add(&mut self, report: &Report) {
        self.totals = self.totals.plus(&report.totals());
        for model in &report.models {
            self.violations.extend(model.violations.iter().map(|found| format!("{}: {found:#?}", report.subject)));
            if !model.complete {
                self.violations.push(format!("{}: it does not end", report.subject));
            }
        }
    }
}

impl Trial<'_> {
    /// Explores the trial under one model, within the bounds of the plan.
    pub(super) fn run(&self, model: Model, plan: &Plan) -> Outcome {
        let plan = Plan { models: vec![model], images_max: IMAGES_MAX, ..plan.clone() };
        let (oracle, seen) = (Oracle::default(), Seen::default());
        let mut ledger = self.ledger(&oracle, &seen);
        let mut outcome = Outcome::default();
        let report = explore(&ledger, &plan);
        outcome.add(&report);
        let points = report.models.iter().flat_map(|model| &model.points);
        (outcome.points, outcome.exhaustive) =
            points.fold((0, 0), |(all, exhaustive), point| (all + 1, exhaustive + u64::from(point.exhaustive)));
        // A rollback may itself be crashed, and so may the rollback after that.
        loop {
            let new = seen.take();
            if new.is_empty() {
                return outcome;
            }
            for (files, image) in new {
                if !outcome.violations.is_empty() {
                    // A few violations suffice for the message.
                    return outcome;
                }
                outcome.states += 1;
                outcome.forgotten += u64::from(oracle.check(&files).is_err());
                ledger.scene = image;
                ledger.start = Start::Check(files);
                let report = explore(&ledger, &plan);
                outcome.rolled_back += u64::from(report.totals().points > 1);
                outcome.add(&report);
            }
        }
    }

    /// Leaves out each sync of the transfers, one at a time, and returns for each the call and the first violation, if
    /// any.
    pub(super) fn without_each_sync(&self, plan: &Plan) -> Vec<(String, Option<String>)> {
        let (oracle, seen) = (Oracle::default(), Seen::default());
        let ledger = self.ledger(&oracle, &seen);
        let fs = SimFs::new();
        ledger.setup(&fs);
        ledger.run(&fs).expect("the transfers succeed without a fault");
        let calls = fs.calls();
        let syncs = calls.iter().filter(|call| call.verb.syncs());
        let without = |(number, call): (u32, &Call)| {
            let plan = Plan { dropped: Some(Dropped::Operation(number)), ..plan.clone() };
            let report = explore(&ledger, &plan);
            (call.to_string(), report.violations().next().map(|found| found.text.clone()))
        };
        (0..).zip(syncs).map(without).collect()
    }

    fn ledger<'l>(&'l self, oracle: &'l Oracle, seen: &'l Seen) -> Ledger<'l> {
        let count = self.count.to_string();
        let transfers = ["transfer", self.synchronous, LOCKS, self.journal, &count].map(str::to_owned);
        Ledger {
            program: self.program,
            scene: Ledger::scene(self.program, self.files),
            start: Start::Transfers(transfers.into()),
            forgets: self.forgets,
            oracle,
            seen,
        }
    }
}
