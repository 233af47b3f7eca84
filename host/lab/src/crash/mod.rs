//! Every public operation, crashed at every point, and what recovery made of it: run, counted and
//! written down as a page that people can read.
//!
//! [`Trial::run`] puts one operation of [`onionskin_sim::operations`] on trial, and
//! [`Trial::run_guest`] a program of somebody else. A [`Book`] holds
//! what came of several, without times and without the number of threads: the same trial of the
//! same code writes the same bytes.

mod book;
mod lines;
mod page;
mod program;
mod progress;
mod watched;

pub use book::{Book, Sums};
pub use program::{Guest, files};
pub use progress::Progress;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use onionskin::fs::Cause;
use onionskin_sim::explore::{self, Plan, Report, Subject};
use onionskin_sim::faults::{self, FaultReport, Sweep};
use onionskin_sim::operations::Operation;
use onionskin_sim::{Bounds, Harm, Model, Tear};

use watched::Watched;

/// How many images of each outcome are kept for each crash point.
const SHOWN_MAX: usize = 3;
/// How many crashes in a row are followed in somebody else's program: its check may leave something
/// new each time.
const GUEST_ROUNDS_MAX: u32 = 8;
/// How many violations by faults are told for each operation.
const FAULTS_SHOWN_MAX: usize = 8;

/// How far a trial goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Whole pages, and the usual bounds.
    #[default]
    Usual,
    /// Wider bounds; also writes torn by sectors of 512 bytes, over garbage; pairs of faults.
    Full,
}

/// What is tried, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Under which models. An operation that promises nothing under a model is not tried under it.
    pub models: Vec<Model>,
    /// How far.
    pub depth: Depth,
    /// Whether every call is made to fail, too.
    pub faults: bool,
    /// Whether to keep what recovery made of the images that a [`Book`] shows. It takes some time.
    pub results: bool,
    /// What decides the samples, where not every state is tried.
    pub seed: u64,
    /// How many threads work. No result depends on it.
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

/// What came of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// What the operation does, in one line.
    pub about: String,
    /// Whether a check judged what came out, and not a comparison with what was before and after.
    pub checked: bool,
    /// What crashes led to. It has one part for each model, and with [`Depth::Full`] two.
    pub report: Report,
    /// Whether crashes were followed one after another to their end. They are not where each leaves
    /// something new, or where there are more images than the explorer takes.
    pub complete: bool,
    /// What recovery made of the images in the report, printed as they are there.
    pub results: BTreeMap<String, String>,
    /// What faults led to, if there were any.
    pub faults: Option<FaultReport>,
}

impl Tried {
    /// Whether no promise was broken.
    #[must_use]
    pub fn held(&self) -> bool {
        self.report.totals().violations == 0 && self.faults.as_ref().is_none_or(FaultReport::is_clean)
    }
}

impl Trial {
    /// Puts an operation on trial. `progress` is told how far that is.
    #[must_use]
    pub fn run(&self, operation: &Operation, progress: &Progress) -> Tried {
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
        Tried { about: operation.about.to_owned(), checked: false, report, complete, results, faults }
    }

    /// Puts somebody else's program on trial. Faults are left out: what a program has to do about
    /// one is its own affair.
    #[must_use]
    pub fn run_guest(&self, guest: &Guest<'_>, progress: &Progress) -> Tried {
        let plan = |plan: Plan| Plan { rounds_max: GUEST_ROUNDS_MAX, ..plan };
        let plans: Vec<Plan> = self.plans().into_iter().map(plan).collect();
        progress.begin(&plans, false);
        let (mut report, results) = self.explore(guest, &plans, progress);
        // Everything is allowed that the check lets pass: there are no states to compare with.
        report.stages.clear();
        let complete = report.models.iter().all(|model| model.complete);
        let about = format!("run `{}`, check `{}`", guest.run.join(" "), guest.check.join(" "));
        Tried { about, checked: true, report, complete, results, faults: None }
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

    /// One plan for each model, and another where writes are torn.
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
            // A killed process tears nothing: what it wrote is with the operating system.
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
