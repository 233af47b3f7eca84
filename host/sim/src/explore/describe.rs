//! Findings as text.

use super::Trial;
use super::pool::{Breach, Known, Origin};
use super::report::{Outcome, PointReport, Shown, Violation};
use crate::tree::Tree;

/// The violation in a recovered state.
pub(super) fn violation(reached: &Result<u32, String>, allowed: u32) -> String {
    match reached {
        Err(text) => text.clone(),
        Ok(0) => "recovery ends in a state that is neither old nor new".to_owned(),
        Ok(reached) if reached.trailing_zeros() < allowed.trailing_zeros() => {
            "what was acknowledged is lost".to_owned()
        }
        Ok(_) => "what recovery had undone or not begun is there".to_owned(),
    }
}

impl Trial<'_> {
    pub(super) fn describe_breach(&self, breach: &Breach) -> Violation {
        let known = &self.pool.images[breach.image];
        let reached = known.reached.as_ref().expect("only recovered images are checked");
        Violation {
            path: self.describe_path(breach),
            text: violation(reached, breach.expectation.allowed),
            image: describe_image(known),
            after: known.after.clone(),
        }
    }

    pub(super) fn describe_kill(&self, point: usize, text: &str, after: &str) -> Violation {
        Violation {
            path: vec![format!("killed {}", self.describe_place(point))],
            text: text.to_owned(),
            image: Tree::of(&self.recording.trace.visible(point)).to_string(),
            after: after.to_owned(),
        }
    }

    fn describe_path(&self, breach: &Breach) -> Vec<String> {
        let mut path = Vec::new();
        let mut expectation = breach.expectation;
        loop {
            match expectation.origin {
                Origin::Point(point) => {
                    path.push(format!("power lost {}", self.describe_place(point)));
                    break;
                }
                Origin::Kill(point) => {
                    path.push("power lost in the recovery that followed".to_owned());
                    path.push(format!("killed {}", self.describe_place(point)));
                    break;
                }
                Origin::Recovery { image, expectation: handed_on } => {
                    path.push("crashed in or after the recovery of that".to_owned());
                    expectation = self.pool.images[image].expectations[handed_on];
                }
            }
        }
        path.reverse();
        path
    }

    fn describe_place(&self, point: usize) -> String {
        match self.recording.call_before(point) {
            Some(call) => format!("at point {point}, after: {call}"),
            None => "before the first call".to_owned(),
        }
    }

    pub(super) fn point_report(&self, point: usize) -> PointReport {
        let (at, images) = &self.done.points[point];
        let call = self.recording.call_before(point);
        let mut report = PointReport {
            call: call.map(ToString::to_string),
            sync: call.is_some_and(|call| call.verb.syncs()),
            acknowledged: self.acknowledged(point) as u32,
            pending: at.pending,
            raw: at.raw,
            unique: images.len() as u64,
            exhaustive: at.exhaustive,
            old: 0,
            new: 0,
            violations: 0,
            shown: Vec::new(),
        };
        for number in images {
            let known = &self.pool.images[*number];
            let Some(outcome) = self.outcome(known, point) else {
                continue;
            };
            let count = match outcome {
                Outcome::Old => &mut report.old,
                Outcome::New => &mut report.new,
                Outcome::Violation => &mut report.violations,
            };
            *count += 1;
            if *count <= self.context.plan.shown as u64 {
                report.shown.push(Shown { outcome, tree: describe_image(known) });
            }
        }
        report
    }

    /// The result for an image of a crash point; nothing if it was never recovered.
    fn outcome(&self, known: &Known, point: usize) -> Option<Outcome> {
        let reached = match known.reached.as_ref()? {
            Ok(reached) => *reached & self.allowed(point),
            Err(_) => 0,
        };
        let before = 1 << self.acknowledged(point).min(self.context.stages.trees.len() - 1);
        let ended = self.allowed(point) == before;
        Some(match reached {
            0 => Outcome::Violation,
            only if only == before && !ended => Outcome::Old,
            _ => Outcome::New,
        })
    }
}

fn describe_image(known: &Known) -> String {
    known.disk.as_ref().map(|disk| Tree::of(disk).to_string()).unwrap_or_default()
}
