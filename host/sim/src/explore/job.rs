//! One recovery: its result, and the crash states during it.

use rustc_hash::FxHashSet;

use super::subject::{Stages, Subject, guarded};
use super::{Dropped, Plan};
use crate::disk::Disk;
use crate::model::{Model, Power};
use crate::op::Trace;
use crate::scan::{Image, Scan};
use crate::simfs::{Fault, Harm, Recording, SimFs, When};

/// The expectation of a recovery.
#[derive(Clone, Copy)]
pub(crate) struct Context<'c> {
    pub(crate) subject: &'c dyn Subject,
    pub(crate) stages: &'c Stages,
    pub(crate) plan: &'c Plan,
    pub(crate) power: Power,
}

/// An image that a crash during or after a recovery leaves behind.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) image: Image,
    /// A crash can leave it before the recovery is done.
    pub(crate) during: bool,
    /// A crash can leave it after the recovery reported success.
    pub(crate) after: bool,
}

/// How much was enumerated.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Effort {
    pub(crate) windows: u64,
    pub(crate) exhaustive: u64,
    pub(crate) raw: u64,
}

/// The result of a recovery.
#[derive(Debug)]
pub(crate) struct Finding {
    /// The stages that the result matches, or the violation.
    pub(crate) reached: Result<u32, String>,
    /// Where the result is no stage, how it differs.
    pub(crate) after: String,
    pub(crate) children: Vec<Child>,
    pub(crate) effort: Effort,
}

impl Context<'_> {
    /// Recovers from a disk at rest.
    pub(crate) fn recover(&self, disk: &Disk, known: &FxHashSet<u128>) -> Finding {
        self.recover_in(&SimFs::mount(disk.clone(), self.subject.switches()), known)
    }

    /// Recovers in a new process after another was killed, with writes still pending.
    pub(crate) fn recover_killed(&self, trace: &Trace, point: usize, known: &FxHashSet<u128>) -> Finding {
        self.recover_in(&SimFs::resume(trace, point, self.subject.switches()), known)
    }

    /// Recovers from a disk at rest, without a crash on the way.
    pub(crate) fn check_only(&self, disk: &Disk) -> Result<u32, String> {
        let fs = SimFs::mount(disk.clone(), self.subject.switches());
        guarded(|| self.subject.recover(&fs)).map_err(|error| format!("recovery failed: {error}"))?;
        self.check(&fs, &fs.recording(), &mut String::new())
    }

    fn recover_in(&self, fs: &SimFs, known: &FxHashSet<u128>) -> Finding {
        if let Some(Dropped::Recovery(number)) = self.plan.dropped {
            fs.harm(Fault::once(When::Sync(number), Harm::SkipSync));
        }
        let result = guarded(|| self.subject.recover(fs));
        let recording = fs.recording();
        let mut finding =
            Finding { reached: Ok(0), after: String::new(), children: Vec::new(), effort: Effort::default() };
        finding.reached = match result {
            Err(error) => Err(format!("recovery failed: {error}")),
            Ok(()) => self.check(fs, &recording, &mut finding.after),
        };
        self.crash(&recording, known, &mut finding);
        finding
    }

    pub(crate) fn check(&self, fs: &SimFs, recording: &Recording, after: &mut String) -> Result<u32, String> {
        let bare = |fs: &SimFs| fs.tree().without(|path| self.subject.is_leftover(path));
        if let Some(intrusion) = recording.intrusions.first() {
            return Err(format!("recovery trespassed: {intrusion:?}"));
        }
        let once = bare(fs);
        let reached = self.stages.of(self.subject, &once);
        if reached == 0 {
            *after = self.stages.trees[0].diff(&once);
            return Ok(0);
        }
        if let Some(text) = self.stages.first_other_mode(self.subject, &recording.visible) {
            return Err(format!("an entry lost its mode or owner: {text}"));
        }
        if let Some(text) = self.stages.kept.first_difference(&recording.visible) {
            return Err(format!("an entry that is no part of the change is another one: {text}"));
        }
        fs.restart();
        if let Err(error) = guarded(|| self.subject.recover(fs)) {
            return Err(format!("recovery failed the second time: {error}"));
        }
        if let Some(intrusion) = fs.intrusions().first() {
            return Err(format!("recovery trespassed the second time: {intrusion:?}"));
        }
        let twice = bare(fs);
        if twice != once {
            *after = once.diff(&twice);
            return Err("recovering twice differs from recovering once".to_owned());
        }
        Ok(reached)
    }

    /// Collects the images of crashes at every point of a recovery but the first, which is where
    /// it came from.
    fn crash(&self, recording: &Recording, known: &FxHashSet<u128>, finding: &mut Finding) {
        let last = recording.trace.points() - 1;
        if last == 0 {
            return;
        }
        let kill = Power { model: Model::Process, ..self.power };
        let models = if self.power.model == Model::Process { vec![kill] } else { vec![kill, self.power] };
        let mut seen = rustc_hash::FxHashMap::default();
        for power in models {
            let mut scan = Scan::new(&recording.trace, power);
            let mut marks: Vec<(bool, bool)> = Vec::new();
            for point in 1..=last {
                let at = scan.at(point, known);
                finding.effort.windows += 1;
                finding.effort.exhaustive += u64::from(at.exhaustive);
                finding.effort.raw += at.raw;
                marks.resize(scan.images.len(), (false, false));
                for image in at.images {
                    let (during, after) = &mut marks[image as usize];
                    *(if point == last { after } else { during }) = true;
                }
            }
            for (image, (during, after)) in scan.images.into_iter().zip(marks) {
                let place = *seen.entry(image.hash).or_insert_with(|| {
                    finding.children.push(Child { image, during: false, after: false });
                    finding.children.len() - 1
                });
                finding.children[place].during |= during;
                finding.children[place].after |= after && self.plan.stable;
                finding.children[place].during |= after && !self.plan.stable;
            }
        }
    }
}
