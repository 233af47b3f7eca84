//! The explorer: every crash state of an operation, and the result of its recovery.
//!
//! One run is recorded, and each of its crash points enumerated from the record. Every different
//! image is recovered once. A crash in a recovery leaves further images, which join the others
//! until nothing is new: crashes may follow one another without limit, since the set is finite.
//! Apart from that a process may be killed and recovered by the next, with writes still pending,
//! before the power goes.
//!
//! Not explored: several kills in a row with writes pending across all of them. The second kill of
//! a row is taken for a crash that everything pending survives.

mod barrier;
mod describe;
mod job;
mod pool;
mod report;
mod subject;

use rustc_hash::FxHashSet;

use crate::disk::Disk;
use crate::model::{Bounds, Model, Power, Tear};
use crate::scan::{At, Image, Scan};
use crate::simfs::{Fault, Harm, Recording, SimFs, When};
use crate::workers;

pub use barrier::{Barrier, Dropped, drop_each_sync};
pub use report::{ModelReport, Outcome, PointReport, Report, Shown, Totals, Violation};
pub use subject::{Class, Failure, Subject};
pub(crate) use subject::{RunError, Stages, guarded};

pub(crate) use job::Context;
use job::Effort;
use pool::{Expectation, Origin, Pool};

/// How far to explore.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Under which models.
    pub models: Vec<Model>,
    /// How writes are torn.
    pub tear: Tear,
    /// Whether lengths without data show garbage.
    pub garbage: bool,
    /// How far to enumerate at one crash point.
    pub bounds: Bounds,
    /// Whether to kill, recover, and then lose power, too.
    pub kills: bool,
    /// Whether a state that recovery reported must survive the next crash.
    pub stable: bool,
    /// A sync that does nothing, to see whether that is caught.
    pub dropped: Option<Dropped>,
    /// How many images to recover at most under one model.
    pub images_max: usize,
    /// How many crashes in a row to follow at most. Recoveries that end in ever new states would
    /// go on for ever; others are done after a few.
    pub rounds_max: u32,
    /// How many images of each outcome are printed for each crash point, and how many violations.
    pub shown: usize,
    /// How many threads work. No result depends on it.
    pub threads: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            models: Model::PROVEN.to_vec(),
            tear: Tear::Pages,
            garbage: false,
            bounds: Bounds::default(),
            kills: true,
            stable: true,
            dropped: None,
            images_max: 1 << 18,
            rounds_max: 64,
            shown: 3,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Plan {
    /// The usual plan under some models only.
    #[must_use]
    pub fn under(models: &[Model]) -> Self {
        Plan { models: models.to_vec(), ..Plan::default() }
    }
}

/// Puts a subject on trial.
///
/// # Panics
/// If the subject has more than 32 stages. A panic of the subject is a violation.
#[must_use]
pub fn explore(subject: &dyn Subject, plan: &Plan) -> Report {
    let (recording, stages, failed) = record(subject, plan.dropped);
    let model = |model: &Model| {
        let power = Power { model: *model, tear: plan.tear, garbage: plan.garbage, bounds: plan.bounds };
        let context = Context { subject, stages: &stages, plan, power };
        let mut trial = Trial { context, recording: &recording, pool: Pool::default(), done: Done::default() };
        trial.operation();
        let complete = trial.recoveries();
        trial.report(complete, failed.clone())
    };
    Report {
        subject: subject.name(),
        stages: stages.trees.iter().map(ToString::to_string).collect(),
        models: plan.models.iter().map(model).collect(),
    }
}

/// Runs the operation once without a fault, and records the stages. The text describes a failure of the run itself.
pub(crate) fn record(subject: &dyn Subject, dropped: Option<Dropped>) -> (Recording, Stages, Option<String>) {
    let fs = prepared(subject);
    if let Some(Dropped::Operation(number)) = dropped {
        fs.harm(Fault::once(When::Sync(number), Harm::SkipSync));
    }
    let result = guarded(|| subject.run(&fs));
    let mut recording = fs.recording();
    if result.is_ok() && recording.acknowledged.is_empty() {
        recording.acknowledged.push((recording.trace.points() - 1, recording.visible.clone()));
    }
    let after = recording.acknowledged.iter().map(|(_, disk)| disk.clone());
    let disks: Vec<Disk> = std::iter::once(recording.trace.base.clone()).chain(after).collect();
    let stages = Stages::new(subject, &disks);
    let failed = match (result, recording.intrusions.first()) {
        (Err(error), _) => Some(format!("the operation failed without harm: {error}")),
        (Ok(()), Some(intrusion)) => Some(format!("the operation trespassed: {intrusion:?}")),
        (Ok(()), None) => {
            let lost = disks.iter().find_map(|disk| stages.first_other_mode(subject, disk));
            if let Some(text) = lost {
                return (recording, stages, Some(format!("an entry lost its mode or owner: {text}")));
            }
            let renewed = stages.first_renewed(subject, &disks);
            renewed.map(|text| format!("the operation made an entry anew that is no part of it: {text}"))
        }
    };
    (recording, stages, failed)
}

/// Returns at most so many of the images that a crash of the operation leaves behind, evenly chosen, each with the
/// stages that its recovery may reach.
pub(crate) fn crash_images(context: &Context<'_>, recording: &Recording, most: usize) -> Vec<(Disk, u32)> {
    let mut scan = Scan::new(&recording.trace, context.power);
    let known = FxHashSet::default();
    let mut allowed: Vec<u32> = Vec::new();
    for point in 0..recording.trace.points() {
        let done = recording.acknowledged.iter().filter(|(at, _)| *at <= point).count();
        let at = scan.at(point, &known);
        allowed.resize(scan.images.len(), u32::MAX);
        for image in at.images {
            allowed[image as usize] &= context.stages.after(done);
        }
    }
    let step = scan.images.len().div_ceil(most.max(1)).max(1);
    let disk = |image: &Image| image.disk.clone().expect("nothing was known before");
    let images = scan.images.iter().map(disk).zip(allowed);
    if most == 0 { Vec::new() } else { images.step_by(step).collect() }
}

/// The scene set, durable, and a process about to begin.
pub(crate) fn prepared(subject: &dyn Subject) -> SimFs {
    let fs = SimFs::with_switches(subject.switches());
    subject.setup(&fs);
    fs.settle();
    fs.restart();
    fs
}

/// One subject under one model.
struct Trial<'t> {
    context: Context<'t>,
    recording: &'t Recording,
    pool: Pool,
    done: Done,
}

/// The work done so far.
#[derive(Default)]
struct Done {
    /// The images of each crash point of the operation, as numbers into the pool.
    points: Vec<(At, Vec<usize>)>,
    effort: Effort,
    kills: u64,
    /// A violation right after a kill: the crash point, the text, and the difference.
    killed: Vec<(usize, String, String)>,
    killed_breaches: u64,
}

impl Trial<'_> {
    /// The stages allowed at a crash point of the operation.
    fn allowed(&self, point: usize) -> u32 {
        self.context.stages.after(self.acknowledged(point))
    }

    fn acknowledged(&self, point: usize) -> usize {
        self.recording.acknowledged.iter().filter(|(at, _)| *at <= point).count()
    }

    /// Enumerates the crash points of the operation. Threads take points in turn, each with a scan of its own; the
    /// first image is kept, whichever thread found it.
    fn operation(&mut self) {
        let count = self.recording.trace.points();
        let threads = self.context.plan.threads.clamp(1, count);
        let shares = workers::map(threads, threads, |thread| {
            let mut scan = Scan::new(&self.recording.trace, self.context.power);
            let known = FxHashSet::default();
            let mine = (thread..count).step_by(threads);
            let points: Vec<At> = mine.map(|point| scan.at(point, &known)).collect();
            (points, scan.images)
        });
        for point in 0..count {
            let (points, images) = &shares[point % threads];
            let at = points[point / threads].clone();
            let add = |image: &u32| self.pool.add(Image::clone(&images[*image as usize]));
            let numbers: Vec<usize> = at.images.iter().map(add).collect();
            let expectation = Expectation { allowed: self.allowed(point), origin: Origin::Point(point) };
            for number in &numbers {
                self.pool.require(*number, expectation);
            }
            self.done.effort.windows += 1;
            self.done.effort.exhaustive += u64::from(at.exhaustive);
            self.done.effort.raw += at.raw;
            self.done.points.push((at, numbers));
        }
    }

    /// Recovers image after image until there is no new one. Returns whether it reached that end.
    fn recoveries(&mut self) -> bool {
        if self.context.plan.kills {
            self.killed();
        }
        let first = self.pool.images.len();
        let mut rounds = 0;
        while !self.pool.waiting.is_empty() {
            let plan = self.context.plan;
            if self.pool.images.len() > plan.images_max || rounds == plan.rounds_max {
                return false;
            }
            rounds += 1;
            let round = std::mem::take(&mut self.pool.waiting);
            let (context, pool) = (self.context, &self.pool);
            let findings = workers::map(round.len(), context.plan.threads, |job| {
                let disk = pool.images[round[job]].disk.as_ref();
                context.recover(disk.expect("a waiting image has its disk"), &pool.hashes)
            });
            for (number, finding) in round.into_iter().zip(findings) {
                self.count(finding.effort);
                self.pool.settle(number, finding, number < first);
            }
        }
        true
    }

    /// Kills the operation at every point and recovers in a new process, with writes pending.
    fn killed(&mut self) {
        let trace = &self.recording.trace;
        let differs = |point: &usize| *point == 0 || trace.points[*point].events != trace.points[*point - 1].events;
        let points: Vec<usize> = (0..trace.points()).filter(differs).collect();
        let (context, pool) = (self.context, &self.pool);
        let findings = workers::map(points.len(), context.plan.threads, |job| {
            context.recover_killed(trace, points[job], &pool.hashes)
        });
        for (point, finding) in points.into_iter().zip(findings) {
            self.count(finding.effort);
            self.done.kills += 1;
            let origin = Origin::Kill(point);
            let allowed = self.allowed(point);
            let reached = finding.reached.clone().unwrap_or(0) & allowed;
            if reached == 0 {
                let text = describe::violation(&finding.reached, allowed);
                self.done.killed_breaches += 1;
                self.done.killed.push((point, text, finding.after.clone()));
            }
            let stays = if reached == 0 { allowed } else { reached };
            for child in finding.children {
                let number = self.pool.add(child.image);
                for (holds, allowed) in [(child.during, allowed), (child.after, stays)] {
                    if holds {
                        self.pool.require(number, Expectation { allowed, origin });
                    }
                }
            }
        }
    }

    fn count(&mut self, effort: Effort) {
        self.done.effort.windows += effort.windows;
        self.done.effort.exhaustive += effort.exhaustive;
        self.done.effort.raw += effort.raw;
    }

    fn report(mut self, complete: bool, failed: Option<String>) -> ModelReport {
        let breaches = self.pool.breaches();
        let mut violations: Vec<Violation> = Vec::new();
        let mut found = breaches.len() as u64 + self.done.killed_breaches;
        if let Some(text) = failed {
            found += 1;
            let (image, after) = (String::new(), String::new());
            violations.push(Violation { path: Vec::new(), text, image, after });
        }
        for breach in breaches.iter().take(self.context.plan.shown.max(1)) {
            violations.push(self.describe_breach(breach));
        }
        for (point, text, after) in self.done.killed.iter().take(self.context.plan.shown.max(1)) {
            violations.push(self.describe_kill(*point, text, after));
        }
        let broken: FxHashSet<usize> = breaches.iter().map(|breach| breach.image).collect();
        let points = (0..self.done.points.len()).map(|point| self.point_report(point)).collect();
        let outcomes = self.pool.images.iter().enumerate();
        let (mut old, mut new) = (0, 0);
        for (number, image) in outcomes {
            match image.reached {
                _ if broken.contains(&number) => {}
                Some(Ok(1)) => old += 1,
                Some(Ok(_)) => new += 1,
                Some(Err(_)) | None => {}
            }
        }
        ModelReport {
            model: self.context.power.model,
            tear: self.context.power.tear,
            garbage: self.context.power.garbage,
            points,
            totals: Totals {
                points: self.done.points.len() as u64,
                windows: self.done.effort.windows,
                windows_exhaustive: self.done.effort.exhaustive,
                raw: self.done.effort.raw,
                unique: self.pool.images.len() as u64,
                kills: self.done.kills,
                new,
                old,
                violations: found,
            },
            violations,
            complete,
        }
    }
}
