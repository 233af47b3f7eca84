//! Sequences of operations on a small namespace, each a subject of the explorer. Its oracle is the visible state at
//! each acknowledgement.

mod steps;

use std::collections::BTreeSet;

use onionskin::error::{Error, ErrorKind};

use crate::explore::{Failure, Plan, Subject};
use crate::operations::{FaultyFs, Mutation, failed, open_faulty};
use crate::simfs::SimFs;
use crate::tree;
use crate::tree::{Node, Tree};

pub use steps::{Step, steps};

/// A sequence of operations by one owner.
#[derive(Clone)]
pub struct Workload {
    /// The operations, in order.
    pub steps: Vec<Step>,
    /// Whether the root is closed and opened again between them.
    pub reopens: bool,
}

impl Workload {
    /// Adapts a plan: after a sequence with an operation on one file, a state that an open showed need not survive the
    /// next power loss.
    #[must_use]
    pub fn plan(&self, plan: &Plan) -> Plan {
        let stable = self.steps.iter().all(|step| step.stable);
        Plan { stable: plan.stable && stable, ..plan.clone() }
    }
}

/// Every sequence of so many operations.
#[must_use]
pub fn sequences(length: u32) -> Vec<Workload> {
    let steps = steps();
    let count = steps.len().pow(length);
    let nth = |mut number: usize| {
        let mut chosen = Vec::new();
        for _ in 0..length {
            chosen.push(steps[number % steps.len()]);
            number /= steps.len();
        }
        Workload { steps: chosen, reopens: false }
    };
    (0..count).map(nth).collect()
}

/// So many different sequences of a length, drawn by a seed; every second opens the root anew
/// between its operations.
#[must_use]
pub fn sampled(length: u32, count: usize, seed: u64) -> Vec<Workload> {
    let steps = steps();
    let most = steps.len().pow(length);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut drawn = BTreeSet::new();
    let mut workloads = Vec::new();
    while workloads.len() < count.min(most) {
        let chosen: Vec<usize> = (0..length).map(|_| random.usize(..steps.len())).collect();
        if drawn.insert(chosen.clone()) {
            let reopens = workloads.len() % 2 == 1;
            workloads.push(Workload { steps: chosen.into_iter().map(|step| steps[step]).collect(), reopens });
        }
    }
    workloads
}

/// The namespace: files, a directory with a sub-directory, links to each, a second name, originals.
#[must_use]
pub fn namespace() -> Tree {
    tree! {
        file "lower/original" = "truth";
        file "ws/a" = "a";
        file "ws/b" = "b";
        same "ws/twin" = "ws/b";
        symlink "ws/link" = "a";
        symlink "ws/up" = "/lower/original";
        file "ws/dir/x" = "x";
        file "ws/dir/y" = "y";
        file "ws/dir/sub/z" = "z";
        symlink "ws/linked" = "dir";
    }
}

/// Refusals that a sequence may meet, as when it removes a file twice: nothing happens.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::IsDirectory
            | ErrorKind::NotDirectory
            | ErrorKind::SymlinkRefused
            | ErrorKind::SymlinkEscapes
            | ErrorKind::LinkUnreadable
            | ErrorKind::InvalidArgument
    )
}

impl Subject for Workload {
    fn name(&self) -> String {
        let names: Vec<&str> = self.steps.iter().map(|step| step.name).collect();
        names.join(if self.reopens { " | " } else { " + " })
    }

    fn setup(&self, fs: &SimFs) {
        fs.plant(&namespace());
        fs.set_lower("lower");
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        let faulty = FaultyFs::new(fs, &Mutation::None);
        let mut store = open_faulty(&faulty).map_err(failed)?;
        for step in &self.steps {
            match (step.act)(&store) {
                Ok(()) => {}
                Err(error) if is_refusal(&error) => {}
                Err(error) => return Err(failed(error)),
            }
            fs.acknowledge();
            if self.reopens {
                drop(store);
                store = open_faulty(&faulty).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        open_faulty(&FaultyFs::new(fs, &Mutation::None)).map(drop).map_err(failed)
    }

    /// The directory of records is there while the root is open; closing it removes an empty one.
    fn stages(&self, seen: Vec<Tree>) -> Vec<Tree> {
        let closed = |tree: Tree| {
            let kept = tree.iter().any(|(path, _)| path.starts_with(b"ws/.onionskin/"));
            if kept { tree } else { tree.remove("ws/.onionskin") }
        };
        seen.into_iter().map(closed).collect()
    }

    /// A linked directory that is made independent on the way to a file in it counts as the link:
    /// who reads through it sees the same.
    fn matches(&self, found: &Tree, stage: &Tree) -> bool {
        found == stage || (self.steps.iter().any(|step| step.through_link) && *found == independent(stage))
    }
}

/// A tree with `linked` made independent, if it is a link.
fn independent(tree: &Tree) -> Tree {
    if !matches!(tree.get("ws/linked"), Some(Node::Symlink(_))) {
        return tree.clone();
    }
    let dir = match tree.get("ws/dir") {
        Some(Node::Symlink(text)) => tree.below(&format!("ws/{text}")),
        Some(Node::Directory | Node::File { .. } | Node::Other) | None => tree.below("ws/dir"),
    };
    let mut copied = tree.clone().remove("ws/linked").dir("ws/linked");
    for (path, node) in dir.iter() {
        let node = match node {
            Node::File { bytes, .. } => Node::File { bytes: bytes.clone(), group: None },
            Node::Directory | Node::Symlink(_) | Node::Other => node.clone(),
        };
        copied = copied.with([b"ws/linked/", path].concat(), node);
    }
    copied
}
