//! An operation over a [`FaultyFs`].

use std::borrow::Borrow;

use super::{FaultyFs, Mutation, Operation};
use crate::explore::{Failure, Subject, record};
use crate::simfs::{Obstacle, SimFs, Switches};
use crate::tree::Tree;

/// An operation with a mutated protocol, which has to keep the promises of the original.
pub struct MutatedOperation<O> {
    operation: O,
    run: Mutation,
    recover: Mutation,
    stages: Vec<Tree>,
}

impl<O: Borrow<Operation>> MutatedOperation<O> {
    /// An operation, with the mutations of its filesystem, and of that of the recovery.
    #[must_use]
    pub fn new(operation: O, run: Mutation, recover: Mutation) -> Self {
        let (_, stages, _) = record(operation.borrow(), None);
        MutatedOperation { operation, run, recover, stages: stages.trees }
    }
}

impl<O: Borrow<Operation> + Sync> Subject for MutatedOperation<O> {
    fn name(&self) -> String {
        format!("{}, run {:?}, recovery {:?}", self.operation.borrow().name, self.run, self.recover)
    }

    fn switches(&self) -> Switches {
        self.operation.borrow().switches
    }

    fn setup(&self, fs: &SimFs) {
        self.operation.borrow().setup(fs);
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        self.operation.borrow().perform(&FaultyFs::new(fs, &self.run))
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        self.operation.borrow().recover_by(&FaultyFs::new(fs, &self.recover))
    }

    fn use_beside(&self, fs: &SimFs) -> Result<(), Failure> {
        let faulty = FaultyFs::new(fs, &self.recover);
        self.operation.borrow().recover_by(&faulty)?;
        self.operation.borrow().change_beside(&faulty)
    }

    fn opens_by(&self, obstacle: &Obstacle, tree: &Tree) -> bool {
        self.operation.borrow().opens_by(obstacle, tree)
    }

    fn changes_by(&self, obstacle: &Obstacle, tree: &Tree) -> bool {
        self.operation.borrow().changes_by(obstacle, tree)
    }

    fn passes(&self) -> Vec<Tree> {
        self.operation.borrow().passes()
    }

    fn is_read(&self, path: &str) -> bool {
        self.operation.borrow().is_read(path)
    }

    fn stages(&self, _: Vec<Tree>) -> Vec<Tree> {
        self.stages.clone()
    }

    fn matches(&self, found: &Tree, stage: &Tree) -> bool {
        self.operation.borrow().matches(found, stage)
    }

    fn matches_harmed(&self, found: &Tree, stage: &Tree) -> bool {
        Subject::matches_harmed(self.operation.borrow(), found, stage)
    }
}
