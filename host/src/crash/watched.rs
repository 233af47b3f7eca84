//! A subject that tells how often it recovered.

use onionskin_sim::explore::{Failure, Subject};
use onionskin_sim::{SimFs, Switches, Tree};

use super::Progress;

/// A subject as it is, but for the counting.
pub(super) struct Watched<'w> {
    pub(super) subject: &'w dyn Subject,
    pub(super) progress: &'w Progress,
}

impl Subject for Watched<'_> {
    fn name(&self) -> String {
        self.subject.name()
    }

    fn switches(&self) -> Switches {
        self.subject.switches()
    }

    fn setup(&self, fs: &SimFs) {
        self.subject.setup(fs);
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        self.subject.run(fs)
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        self.progress.recovered();
        self.subject.recover(fs)
    }

    fn is_leftover(&self, path: &str) -> bool {
        self.subject.is_leftover(path)
    }

    fn stages(&self, seen: Vec<Tree>) -> Vec<Tree> {
        self.subject.stages(seen)
    }

    fn matches(&self, found: &Tree, stage: &Tree) -> bool {
        self.subject.matches(found, stage)
    }
}
