//! The trial: every crash of the transfers, then every crash of the checks that roll something back.

use std::fmt;

use onionskin_host::simulated::Program;
use onionskin_sim::explore::{Dropped, Plan, Report, Subject as _, Totals, explore};
use onionskin_sim::{Call, Model, SimFs, Tree};

use super::books::{Books, LOCKS};
use super::subject::{Ledger, Seen, Start};

/// More images than there are in any of these trials.
const IMAGES_MAX: usize = 1 << 22;

/// What is promised, and for how many transfers.
pub(super) struct Trial<'t> {
    pub(super) program: &'t Program,
    /// What is there before.
    pub(super) files: &'t Tree,
    pub(super) synchronous: &'t str,
    pub(super) journal: &'t str,
    pub(super) count: u32,
    /// How many transfers of which it was told may be undone.
    pub(super) forgets: usize,
}

/// What came of it under one model.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) totals: Totals,
    /// Crash points of the transfers.
    pub(super) points: u64,
    /// Those at which every state was tried.
    pub(super) exhaustive: u64,
    /// The first violations, in words.
    pub(super) violations: Vec<String>,
    /// States that programs can tell apart.
    pub(super) states: u64,
    /// Of these, those that the program changed when it looked at them.
    pub(super) rolled_back: u64,
    /// Of these, those in which a transfer was undone of which it had told.
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
                self.violations.push(format!("{}: it has no end", report.subject));
            }
        }
    }
}

impl Trial<'_> {
    /// Tries it under one model, as far as the plan goes.
    pub(super) fn run(&self, model: Model, plan: &Plan) -> Outcome {
        let plan = Plan { models: vec![model], images_max: IMAGES_MAX, ..plan.clone() };
        let (books, seen) = (Books::default(), Seen::default());
        let mut ledger = self.ledger(&books, &seen);
        let mut outcome = Outcome::default();
        let report = explore(&ledger, &plan);
        outcome.add(&report);
        let points = report.models.iter().flat_map(|model| &model.points);
        (outcome.points, outcome.exhaustive) =
            points.fold((0, 0), |(all, exhaustive), point| (all + 1, exhaustive + u64::from(point.exhaustive)));
        // What a program rolls back may be crashed as well, and so may what rolls that back.
        loop {
            let new = seen.take();
            if new.is_empty() {
                return outcome;
            }
            for (files, image) in new {
                if !outcome.violations.is_empty() {
                    // One is told by a few; more would only be the same again.
                    return outcome;
                }
                outcome.states += 1;
                outcome.forgotten += u64::from(books.check(&files).is_err());
                ledger.scene = image;
                ledger.start = Start::Check(files);
                let report = explore(&ledger, &plan);
                outcome.rolled_back += u64::from(report.totals().points > 1);
                outcome.add(&report);
            }
        }
    }

    /// Leaves out each sync of the transfers, one at a time, and says of which call it was and what came of
    /// it first, if anything did.
    pub(super) fn without_each_sync(&self, plan: &Plan) -> Vec<(String, Option<String>)> {
        let (books, seen) = (Books::default(), Seen::default());
        let ledger = self.ledger(&books, &seen);
        let fs = SimFs::new();
        ledger.setup(&fs);
        ledger.run(&fs).expect("nothing is in its way");
        let calls = fs.calls();
        let syncs = calls.iter().filter(|call| call.verb.syncs());
        let without = |(number, call): (u32, &Call)| {
            let plan = Plan { dropped: Some(Dropped::Operation(number)), ..plan.clone() };
            let report = explore(&ledger, &plan);
            (call.to_string(), report.violations().next().map(|found| found.text.clone()))
        };
        (0..).zip(syncs).map(without).collect()
    }

    fn ledger<'l>(&'l self, books: &'l Books, seen: &'l Seen) -> Ledger<'l> {
        let count = self.count.to_string();
        let transfers = ["transfer", self.synchronous, LOCKS, self.journal, &count].map(str::to_owned);
        Ledger {
            program: self.program,
            scene: Ledger::scene(self.program, self.files),
            start: Start::Transfers(transfers.into()),
            forgets: self.forgets,
            books,
            seen,
        }
    }
}
