//! Every public operation of the store, on a scene that shows what it must care for, as subjects of
//! the explorer. Tests and the `crash` command run the same list.

mod scenes;

use std::rc::Rc;

use onionskin::error::Error;
use onionskin::lock::Ownership;
use onionskin::store::{Preopens, Store};

use crate::explore::{Class, Failure, Subject};
use crate::simfs::{SimFs, Switches};
use crate::tree::{Node, Tree};

/// An operation on a scene.
pub struct Operation {
    /// Its name, as the command line takes it.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// How the filesystem behaves.
    pub switches: Switches,
    /// What is there before. The root of the store is `ws`, an original is below `lower`.
    pub scene: fn() -> Tree,
    /// Whether what opening shows after a crash survives the next one, although it was never
    /// acknowledged. One file has no record that would tell recovery which directory to sync.
    pub stable: bool,
    /// Whether it shares content between an old and a new place, so that a link which fails is made
    /// up for by a copy: then which names are one inode is not promised.
    pub shares: bool,
    /// The operation. Its success is the acknowledgement.
    pub act: fn(&Store<SimFs>) -> Result<(), Error>,
}

/// All operations, in the order of the contract.
pub fn all() -> Vec<Operation> {
    scenes::all()
}

/// The grants of every scene: `/ws` for writing, `/lower` for reading alone.
pub fn preopens(fs: &SimFs) -> Preopens<SimFs> {
    use onionskin::fs::Fs as _;
    let mut entries = Vec::new();
    if let Ok(dir) = fs.open_dir(&fs.root(), "ws") {
        entries.push(("/ws".to_owned(), Rc::new(dir)));
    }
    if let Ok(dir) = fs.open_dir(&fs.root(), "lower") {
        entries.push(("/lower".to_owned(), Rc::new(dir.read_only())));
    }
    Preopens { entries }
}

/// Opens the root of a scene, which recovers it.
///
/// # Errors
/// What opening says.
pub fn open(fs: &SimFs) -> Result<Store<SimFs>, Error> {
    Store::open(fs.clone(), &preopens(fs), "/ws", &Ownership::Host, false)
}

/// What an error claims of the state it left behind.
pub fn class(error: &Error) -> Class {
    match error {
        Error::NeedsRecovery(_) => Class::NeedsRecovery,
        Error::OutcomeUnknown(_) => Class::OutcomeUnknown,
        _ => Class::NotCommitted,
    }
}

fn failed(error: Error) -> Failure {
    Failure::new(class(&error), error)
}

/// Whether two trees hold the same under the same names, whatever names are one inode.
fn same_content(one: &Tree, other: &Tree) -> bool {
    let alone = |node: &Node| match node {
        Node::File { bytes, .. } => Node::File { bytes: bytes.clone(), group: None },
        Node::Directory | Node::Symlink(_) | Node::Other => node.clone(),
    };
    one.len() == other.len()
        && one.iter().zip(other.iter()).all(|(a, b)| a.0 == b.0 && alone(a.1) == alone(b.1))
}

impl Subject for Operation {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn switches(&self) -> Switches {
        self.switches
    }

    fn setup(&self, fs: &SimFs) {
        fs.plant(&(self.scene)());
        fs.set_lower("lower");
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        open(fs).and_then(|store| (self.act)(&store)).map_err(failed)
    }

    fn matches(&self, found: &Tree, stage: &Tree) -> bool {
        found == stage || (self.shares && same_content(found, stage))
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        open(fs).map(drop).map_err(failed)
    }
}
