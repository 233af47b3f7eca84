//! Every public operation, crashed at every crash point, and the results of its recovery: explored, counted and written
//! as a readable page.
//!
//! [`Trial::run`] explores one operation of [`onionskin_sim::operations`], and [`Trial::run_guest`] any program. A
//! [`CrashReport`] contains the results of several, without times and without the number of threads: the same trial of
//! the same code writes the same bytes.

mod lines;
mod page;
mod program;
mod progress;
mod report;
mod watched;

pub use program::{Guest, files};
pub use progress::Progress;
pub use report::{CrashReport, Sums};

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use onionskin::fs::Cause;
use onionskin_sim::explore::{self, Plan, Report, Subject};
use onionskin_sim::faults::{self, FaultReport, Sweep};
use onionskin_sim::operations::Operation;
use onionskin_sim::{Bounds, Harm, Model, Tear};

use watched::Watched;

/// The number of images of each outcome that are kept for each crash point.
const SHOWN_MAX: usize = 3;
/// The number of crashes in a row that are explored for a program, whose check may leave a new state each time.
const GUEST_ROUNDS_MAX: u32 = 8;
/// The number of reported violations by faults for each operation.
const FAULTS_SHOWN_MAX: usize = 8;

/// The depth of a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Whole pages, and the usual bounds.
    #[default]
    Usual,
    /// Wider bounds; also writes torn by sectors of 512 bytes, over garbage; pairs of faults.
    Full,
}

/// The settings of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The models. An operation that promises nothing under a model is not explored under it.
    pub models: Vec<Model>,
    /// The depth.
    pub depth: Depth,
    /// Whether faults are injected in every call, too.
    pub faults: bool,
    /// Whether to keep the results of the images that a [`CrashReport`] shows, which takes some time.
    pub results: bool,
    /// The seed of the samples, where not every state is explored.
    pub seed: u64,
    /// The number of threads. No result depends on it.
    pub threads: usize,
}

impl Default for Trial {
    fn default() -> Self {
        Self {
            models: Model::PROVEN.to_vec(),
            depth: Depth::Usual,
            faults: false,
            results: false,
            seed: 0,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The result of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialResult {
    /// The description of the operation, in one line.
    pub about: String,
    /// Whether a check decided on the results, instead of a comparison with the states before and after.
    pub checked: bool,
    /// The results of crashes: one part for each model, and two with [`Depth::Full`].
    pub report: Report,
    /// Whether chains of crashes were explored to their end. They are not if each leaves a new state, or if there are
    /// more images than the explorer's bound.
    pub complete: bool,
    /// The results of the images in the report, printed as there.
    pub results: BTreeMap<String, String>,
    /// The results of faults, if any were injected.
    pub faults: Option<FaultReport>,
}

impl TrialResult {
    /// Whether no promise was broken.
    #[must_use]
    pub fn held(&self) -> bool {
        self.report.totals().violations == 0 && self.faults.as_ref().is_none_or(FaultReport::is_clean)
    }
}

impl Trial {
    /// Explores an operation, and reports its progress to `progress`.
    #[must_use]
    pub fn run(&self, operation: &Operation, progress: &Progress) -> TrialResult {
        let plans: Vec<Plan> = self.plans().iter().map(|plan| operation.plan(plan)).collect();
        let plans: Vec<Plan> = plans.into_iter().filter(|plan| !plan.models.is_empty()).collect();
        progress.begin(&plans, self.faults);
        let (report, results) = self.explore(operation, &plans, progress);
        let faults = self.faults.then(|| {
            let watched = Watched { subject: operation, progress, results: None };
            let found = faults::sweep(&watched, &operation.sweep(&self.sweep()));
            progress.phase_done();
            found
        });
        let complete = report.models.iter().all(|model| model.complete);
        TrialResult { about: operation.about.to_owned(), checked: false, report, complete, results, faults }
    }

    /// Explores a program. Faults are left out, since every program defines its own response to them.
    #[must_use]
    pub fn run_guest(&self, guest: &Guest<'_>, progress: &Progress) -> TrialResult {
        let plan = |plan: Plan| Plan { rounds_max: GUEST_ROUNDS_MAX, ..plan };
        let plans: Vec<Plan> = self.plans().into_iter().map(plan).collect();
        progress.begin(&plans, false);
        let (mut report, results) = self.explore(guest, &plans, progress);
        // Every state that the check accepts is allowed: there are no states to compare with.
        report.stages.clear();
        let complete = report.models.iter().all(|model| model.complete);
        let about = format!("run `{}`, check `{}`", guest.run.join(" "), guest.check.join(" "));
        TrialResult { about, checked: true, report, complete, results, faults: None }
    }

    fn explore(
        &self,
        subject: &dyn Subject,
        plans: &[Plan],
        progress: &Progress,
    ) -> (Report, BTreeMap<String, String>) {
        let results = self.results.then(Mutex::default);
        let watched = Watched { subject, progress, results };
        let mut report = explore::explore(&watched, &Plan::under(&[]));
        for plan in plans {
            report.models.extend(explore::explore(&watched, plan).models);
            progress.phase_done();
        }
        let results = watched.results.map(|results| results.into_inner().unwrap_or_else(PoisonError::into_inner));
        let results = results.map(|results| results.of(images(&report))).unwrap_or_default();
        (report, results)
    }

    /// Returns one plan for each model, and another one with torn writes.
    fn plans(&self) -> Vec<Plan> {
        let plan = |model: Model, torn: bool| Plan {
            tear: if torn { Tear::Sectors } else { Tear::Pages },
            garbage: torn,
            bounds: self.bounds(),
            shown: SHOWN_MAX,
            threads: self.threads,
            ..Plan::under(&[model])
        };
        let mut plans = Vec::new();
        for model in &self.models {
            plans.push(plan(*model, false));
            // A killed process tears nothing: the operating system has its writes.
            if self.depth == Depth::Full && *model != Model::Process {
                plans.push(plan(*model, true));
            }
        }
        plans
    }

    fn bounds(&self) -> Bounds {
        let usual = Bounds { seed: self.seed, ..Bounds::default() };
        match self.depth {
            Depth::Usual => usual,
            Depth::Full => Bounds { exhaustive_ops: 18, exhaustive_subsets: 1 << 20, samples: 1 << 16, ..usual },
        }
    }

    fn sweep(&self) -> Sweep {
        let usual = Sweep { shown: FAULTS_SHOWN_MAX, threads: self.threads, ..Sweep::default() };
        match self.depth {
            Depth::Usual => usual,
            Depth::Full => Sweep { pairs: vec![Harm::Fail(Cause::Io), Harm::LoseSync], recoveries: 256, ..usual },
        }
    }
}

/// The images that a report shows.
fn images(report: &Report) -> impl Iterator<Item = &str> {
    let points = report.models.iter().flat_map(|model| &model.points);
    points.flat_map(|point| &point.shown).map(|shown| shown.tree.as_str())
}
