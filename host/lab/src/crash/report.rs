//! The results of a trial in serializable form: nothing in them depends on time or threads.

use std::collections::BTreeMap;

use onionskin_sim::explore::{ModelReport, Outcome, PointReport, Report, Shown, Totals, Violation};
use onionskin_sim::faults::FaultReport;
use onionskin_sim::{Model, Tear};
use serde::Serialize;

use super::{Depth, Trial, TrialResult, lines, page};

/// The most bytes a page may have; images are left out until it fits.
const PAGE_BYTES_MAX: usize = 3_000_000;

/// The results of several operations, and the settings of the trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CrashReport {
    trial: Settings,
    totals: Sums,
    operations: Vec<OperationSection>,
}

/// The settings that determine the result of a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Settings {
    models: Vec<Model>,
    depth: Depth,
    faults: bool,
    seed: u64,
}

/// Sums over all operations and models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// The number of operations.
    pub operations: u64,
    /// The results of crashes.
    #[serde(flatten)]
    pub crashes: Totals,
    /// The number of injected faults.
    pub faults: u64,
    /// The number of crash images of faulty runs that were recovered.
    pub fault_images: u64,
    /// The number of broken promises after a fault.
    pub fault_violations: u64,
}

impl Sums {
    /// The sums.
    #[must_use]
    pub fn of(results: &[TrialResult]) -> Self {
        results.iter().fold(Self::default(), |mut sums, it| {
            sums.operations += 1;
            sums.crashes = sums.crashes.plus(&it.report.totals());
            if let Some(faults) = &it.faults {
                sums.faults += faults.injected;
                sums.fault_images += faults.images;
                sums.fault_violations += faults.violations_total;
            }
            sums
        })
    }
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct OperationSection {
    name: String,
    about: String,
    /// Whether a check decided on the results: then there are no stages.
    checked: bool,
    complete: bool,
    totals: Totals,
    /// The calls that make a change. A crash point is before the first and after each.
    steps: Vec<String>,
    /// The steps that are syncs.
    syncs: Vec<usize>,
    /// The commit points: the first steps after which a crash can lead to the new state.
    commits: Vec<usize>,
    /// The number of acknowledged parts at each crash point.
    acknowledged: Vec<u32>,
    models: Vec<ModelSection>,
    faults: Option<FaultReport>,
    /// The allowed states in turn, as numbers of `trees`.
    stages: Vec<usize>,
    /// Every printed tree, once.
    trees: Vec<String>,
}

/// One operation under one model. Every list has an entry for each crash point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ModelSection {
    model: Model,
    torn: bool,
    complete: bool,
    totals: Totals,
    violations: Vec<Violation>,
    pending: Vec<u32>,
    raw: Vec<u64>,
    unique: Vec<u64>,
    exhaustive: Vec<bool>,
    old: Vec<u64>,
    new: Vec<u64>,
    broken: Vec<u64>,
    /// The first images of each outcome.
    shown: Vec<Vec<Image>>,
}

/// An image: the stage of its recovery, the image itself, and the result of the recovery if that was kept; both as
/// numbers of `trees`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Image(Outcome, usize, Option<usize>);

impl CrashReport {
    /// Records the results. Images are left out until the page fits.
    #[must_use]
    pub fn new(trial: &Trial, results: &[TrialResult]) -> Self {
        let mut limit = super::SHOWN_MAX;
        loop {
            let report = Self::with_images(trial, results, limit);
            if limit == 0 || report.html().len() <= PAGE_BYTES_MAX {
                return report;
            }
            limit -= 1;
        }
    }

    fn with_images(trial: &Trial, results: &[TrialResult], limit: usize) -> Self {
        let Trial { models, depth, faults, seed, results: _, threads: _ } = trial.clone();
        Self {
            trial: Settings { models, depth, faults, seed },
            totals: Sums::of(results),
            operations: results.iter().map(|it| OperationSection::new(it, limit)).collect(),
        }
    }

    /// Returns the page: one self-contained HTML document.
    #[must_use]
    pub fn html(&self) -> String {
        page::html(self)
    }

    /// The same as JSON: an object, one line for each field of an operation and model.
    #[must_use]
    pub fn json(&self) -> String {
        lines::to_string(self)
    }
}

impl OperationSection {
    /// An operation, with up to this many images of each outcome for each crash point, and at least one for a broken
    /// promise.
    fn new(result: &TrialResult, limit: usize) -> Self {
        let TrialResult { about, checked, report, complete, results, faults } = result;
        let mut trees = Trees { results, all: Vec::new(), numbers: BTreeMap::new() };
        let stages = report.stages.iter().map(|tree| trees.number(tree)).collect();
        let models = report.models.iter().map(|model| ModelSection::new(model, limit, &mut trees)).collect();
        let points: &[PointReport] = report.models.first().map_or(&[], |model| &model.points);
        let steps = points.iter().filter_map(|point| point.call.clone());
        let syncs = (0..).zip(points.iter().skip(1)).filter(|(_, point)| point.sync);
        Self {
            name: report.subject.clone(),
            about: about.clone(),
            checked: *checked,
            complete: *complete,
            totals: report.totals(),
            steps: steps.collect(),
            syncs: syncs.map(|(step, _)| step).collect(),
            commits: if *checked { Vec::new() } else { commits(report) },
            acknowledged: points.iter().map(|point| point.acknowledged).collect(),
            models,
            faults: faults.clone(),
            stages,
            trees: trees.all,
        }
    }
}

/// Returns the commit points: between two acknowledgements, the first step after which a crash can lead to the new
/// state.
fn commits(report: &Report) -> Vec<usize> {
    let Some(first) = report.models.first() else {
        return Vec::new();
    };
    let last = u32::try_from(report.stages.len().saturating_sub(1)).expect("there are few stages");
    let is_new = |point: usize| report.models.iter().any(|model| model.points[point].new > 0);
    let mut decided: BTreeMap<u32, usize> = BTreeMap::new();
    for (at, point) in first.points.iter().enumerate() {
        if point.acknowledged < last && is_new(at) {
            decided.entry(point.acknowledged).or_insert(at);
        }
    }
    // Where the very first point counts as new, old and new are one: nothing is decided.
    decided.into_values().filter_map(|point| point.checked_sub(1)).collect()
}

impl ModelSection {
    fn new(report: &ModelReport, limit: usize, trees: &mut Trees<'_>) -> Self {
        let points = &report.points;
        let shown = points.iter().map(|point| trees.images(&point.shown, limit)).collect();
        Self {
            model: report.model,
            torn: report.garbage || report.tear != Tear::Pages,
            complete: report.complete,
            totals: report.totals,
            violations: report.violations.clone(),
            pending: points.iter().map(|point| point.pending).collect(),
            raw: points.iter().map(|point| point.raw).collect(),
            unique: points.iter().map(|point| point.unique).collect(),
            exhaustive: points.iter().map(|point| point.exhaustive).collect(),
            old: points.iter().map(|point| point.old).collect(),
            new: points.iter().map(|point| point.new).collect(),
            broken: points.iter().map(|point| point.violations).collect(),
            shown,
        }
    }
}

/// Printed trees, each once.
struct Trees<'t> {
    /// The results of the recovery of images.
    results: &'t BTreeMap<String, String>,
    all: Vec<String>,
    numbers: BTreeMap<String, usize>,
}

impl Trees<'_> {
    fn number(&mut self, tree: &str) -> usize {
        if let Some(number) = self.numbers.get(tree) {
            return *number;
        }
        let number = self.all.len();
        self.all.push(tree.to_owned());
        self.numbers.insert(tree.to_owned(), number);
        number
    }

    fn images(&mut self, shown: &[Shown], limit: usize) -> Vec<Image> {
        let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
        let mut images = Vec::new();
        for Shown { outcome, tree } in shown {
            let count = counts.entry(*outcome).or_default();
            let most = if *outcome == Outcome::Violation { limit.max(1) } else { limit };
            if *count < most {
                *count += 1;
                let results = self.results;
                let result = results.get(tree).map(|result| self.number(result));
                images.push(Image(*outcome, self.number(tree), result));
            }
        }
        images
    }
}

#[cfg(test)]
mod tests {
    use onionskin_sim::Model;
    use onionskin_sim::operations::{self, Operation};

    use super::*;
    use crate::crash::Progress;

    fn replace() -> Operation {
        operations::all().into_iter().find(|it| it.name == "replace").expect("it is the first of all")
    }

    fn report(threads: usize) -> CrashReport {
        let trial = Trial { faults: true, results: true, seed: 7, threads, ..Trial::default() };
        CrashReport::new(&trial, &[trial.run(&replace(), &Progress::default())])
    }

    #[test]
    fn the_same_trial_writes_the_same_bytes_whatever_the_threads() {
        let (one, other) = (report(1), report(3));
        assert_eq!(one.html(), other.html());
        assert_eq!(one.json(), other.json());
    }

    #[test]
    fn the_page_needs_nothing_else_and_its_data_cannot_end_it() {
        let page = report(1).html();
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(page.matches("</script>").count(), 2);
    }

    #[test]
    fn a_file_is_decided_on_by_the_one_rename() {
        let report = report(1);
        let section = &report.operations[0];
        let decided: Vec<&str> = section.commits.iter().map(|step| section.steps[*step].as_str()).collect();
        assert!(
            matches!(decided[..], [step] if step.starts_with("rename ") && step.ends_with("ws/file")),
            "{decided:?}"
        );
        assert_eq!(section.acknowledged.last(), Some(&1));
        for Image(outcome, _, result) in section.models.iter().flat_map(|row| row.shown.iter().flatten()) {
            let stage = usize::from(*outcome == Outcome::New);
            assert_eq!(*result, Some(section.stages[stage]), "recovery made of it what it counts as");
        }
        assert_eq!(report.totals.crashes.violations + report.totals.fault_violations, 0);
    }

    #[test]
    fn a_disk_that_lies_is_found_out_and_shown() {
        let trial = Trial { models: vec![Model::Lying], threads: 1, ..Trial::default() };
        let result = trial.run(&replace(), &Progress::default());
        assert!(!result.held());
        let report = CrashReport::with_images(&trial, &[result], 0);
        let row = &report.operations[0].models[0];
        let shown = row.shown.iter().flatten();
        assert_eq!(row.broken.iter().filter(|count| **count > 0).count(), shown.count());
        assert!(!row.violations.is_empty());
    }
}
