//! Every public operation of the store, on scenes with the obstacles that it must handle, as subjects of the explorer.
//! Tests and the `crash` command run the same list.

mod directories;
mod faulty_fs;
mod files;
mod interplay;
pub mod lent;
mod materializations;
mod mutated;
mod overlays;
mod owners;
mod pointers;
mod scenes;
mod workspaces;

use std::rc::Rc;

use onionskin::error::{Error, ErrorKind};
use onionskin::fs::Fs;
use onionskin::lock::Ownership;
use onionskin::persist::transaction::Publish;
use onionskin::store::{Preopens, Store, WriteOptions};

use crate::explore::{Class, Failure, Plan, Subject};
use crate::faults::Sweep;
use crate::model::{Model, Power};
use crate::obstacles::ObstacleSweep;
use crate::simfs::{Dir, Obstacle, SimFs, Switches, Verb};
use crate::tree::{Node, Tree};

pub use faulty_fs::{FaultyFs, Mutation, Pair};
pub use mutated::MutatedOperation;

/// An operation on a scene.
pub struct Operation {
    /// Its name, as the command line takes it.
    pub name: &'static str,
    /// Its description, in one line.
    pub about: &'static str,
    /// How the filesystem behaves.
    pub switches: Switches,
    /// The initial tree. The root of the store is `ws`, an original is below `lower`.
    pub scene: fn() -> Tree,
    /// Under which models it promises anything: a write of the durability `visible` promises
    /// nothing for a loss of power.
    pub models: &'static [Model],
    /// Whether a state that an open shows after a crash survives the next crash, although it was never acknowledged. A
    /// change of one file leaves no record of the directory to sync.
    pub stable: bool,
    /// Whether crashes can follow one another for ever, each leaving something new: every takeover
    /// of a root leaves an epoch. Then only a few are followed.
    pub endless: bool,
    /// The operation. Its success is the acknowledgement.
    pub act: Action,
    /// The recovery by the next process.
    pub reopen: fn(&FaultyFs) -> Result<(), Error>,
    /// A change of something else by the next process, and back.
    pub beside: fn(&FaultyFs) -> Result<(), Error>,
    /// The states that are allowed in turn, made of those that were acknowledged.
    pub stages: fn(Vec<Tree>) -> Vec<Tree>,
    /// States that a reader may see on the way.
    pub passes: &'static [fn() -> Tree],
    /// Whether a state matches an allowed one.
    pub matches: fn(&Tree, &Tree) -> bool,
    /// Whether an entry may be made anew with the content it had.
    pub renews: fn(&str) -> bool,
    /// The same where calls failed, if it is another: some of what is not needed may be left.
    pub matches_harmed: Option<fn(&Tree, &Tree) -> bool>,
}

/// The action of an operation.
#[derive(Clone, Copy)]
pub enum Action {
    /// Something with an open store, which is closed afterwards.
    Store(fn(&Store<FaultyFs>) -> Result<(), Error>),
    /// An action that opens its own roots.
    Bare(fn(&FaultyFs) -> Result<(), Error>),
}

/// How many crashes in a row are followed where there is no end to them.
const ENDLESS_ROUNDS_MAX: u32 = 4;

/// All operations, in the order of the contract.
#[must_use]
pub fn all() -> Vec<Operation> {
    let mut all = files::all();
    all.extend(materializations::all());
    all.extend(directories::all());
    all.extend(pointers::all());
    all.extend(interplay::all());
    all.extend(owners::all());
    all.extend(workspaces::all());
    all.extend(overlays::all());
    all
}

impl Operation {
    /// An operation that is durable when it is acknowledged, whole or not at all.
    fn new(name: &'static str, about: &'static str, scene: fn() -> Tree, act: Action) -> Self {
        Operation {
            name,
            about,
            switches: Switches::default(),
            scene,
            models: &Model::PROVEN,
            stable: true,
            endless: false,
            act,
            reopen: |faulty| open_faulty(faulty).map(drop),
            beside: |faulty| change_beside(&open_faulty(faulty)?),
            stages: |seen| seen,
            passes: &[],
            matches: |found, stage| found == stage,
            renews: |_| false,
            matches_harmed: None,
        }
    }

    /// The same without hard links.
    fn without_links(mut self, name: &'static str) -> Self {
        self.name = name;
        self.switches.hard_links = false;
        // What cannot get a second name is copied.
        self.renews = |_| true;
        self
    }

    /// Adapts a plan to this operation.
    #[must_use]
    pub fn plan(&self, plan: &Plan) -> Plan {
        let promised = |model: &Model| *model == Model::Lying || self.models.contains(model);
        Plan {
            models: plan.models.iter().copied().filter(promised).collect(),
            stable: plan.stable && self.stable,
            rounds_max: if self.endless { plan.rounds_max.min(ENDLESS_ROUNDS_MAX) } else { plan.rounds_max },
            ..plan.clone()
        }
    }

    /// Adapts a sweep to this operation.
    #[must_use]
    pub fn sweep(&self, sweep: &Sweep) -> Sweep {
        Sweep { stable: sweep.stable && self.stable, power: self.promised(sweep.power), ..sweep.clone() }
    }

    /// Adapts a sweep of obstacles to this operation.
    #[must_use]
    pub fn obstacles(&self, sweep: &ObstacleSweep) -> ObstacleSweep {
        ObstacleSweep { power: self.promised(sweep.power), ..sweep.clone() }
    }

    /// Returns the power under which the operation promises something.
    fn promised(&self, power: Power) -> Power {
        let model = if self.models.contains(&power.model) { power.model } else { Model::Process };
        Power { model, ..power }
    }

    /// Performs the operation, with the calls altered by the wrapper.
    pub(crate) fn perform(&self, faulty: &FaultyFs) -> Result<(), Failure> {
        let answer = match self.act {
            Action::Store(act) => open_faulty(faulty).and_then(|store| act(&store)),
            Action::Bare(act) => act(faulty),
        };
        answer.map_err(failed)?;
        faulty.settle().map_err(|cause| Failure::new(Class::Other, cause))
    }

    /// Changes something else, through a wrapped filesystem.
    pub(crate) fn change_beside(&self, faulty: &FaultyFs) -> Result<(), Failure> {
        (self.beside)(faulty).map_err(failed)
    }

    /// Recovers as the next process does, through a wrapped filesystem.
    pub(crate) fn recover_by(&self, faulty: &FaultyFs) -> Result<(), Failure> {
        (self.reopen)(faulty).map_err(failed)?;
        faulty.settle().map_err(|cause| Failure::new(Class::Other, cause))
    }
}

/// The grants of every scene: `/ws` for writing, `/lower` for reading alone.
pub fn preopens(fs: &SimFs) -> Preopens<SimFs> {
    grants(fs, &fs.root())
}

fn grants<F: Fs<Dir = Dir>>(fs: &F, root: &Dir) -> Preopens<F> {
    let mut entries = Vec::new();
    if let Ok(dir) = fs.open_dir(root, "ws") {
        entries.push(("/ws".to_owned(), Rc::new(dir)));
    }
    if let Ok(dir) = fs.open_dir(root, "lower") {
        entries.push(("/lower".to_owned(), Rc::new(dir.read_only())));
    }
    Preopens { entries }
}

/// Changes what no scene has, by itself and in a transaction.
pub(crate) fn change_beside(store: &Store<FaultyFs>) -> Result<(), Error> {
    store.replace(ELSEWHERE, b"elsewhere".to_vec(), &WriteOptions::default())?;
    let mut transaction = store.begin(".", directories::durable(Publish::InPlace))?;
    transaction.put(ELSEWHERE, b"changed".to_vec())?;
    transaction.commit()?;
    let mut transaction = store.begin(".", directories::durable(Publish::InPlace))?;
    transaction.remove(ELSEWHERE)?;
    transaction.commit().map(drop)
}

/// Entries of a control directory without which it cannot be opened; a number at the end is left out.
const RECORDS: [&str; 11] = [
    "",
    "directories",
    "epoch-",
    "lock",
    "log",
    "log-unsynced",
    "workspace",
    "workspace/files",
    "workspace/map",
    "workspace/map.tmp",
    "workspace/next",
];

/// A path that no scene has.
pub(crate) const ELSEWHERE: &str = "elsewhere";

/// Opens the root of a scene, which recovers it.
///
/// # Errors
/// What opening says.
pub fn open(fs: &SimFs) -> Result<Store<SimFs>, Error> {
    Store::open(fs.clone(), &preopens(fs), "/ws", &Ownership::Host, false)
}

/// Like [`open`], with altered calls.
///
/// # Errors
/// What opening says.
pub fn open_faulty(faulty: &FaultyFs) -> Result<Store<FaultyFs>, Error> {
    open_as(faulty, &Ownership::Host)
}

fn open_as(faulty: &FaultyFs, owner: &Ownership) -> Result<Store<FaultyFs>, Error> {
    Store::open(faulty.clone(), &grants_of(faulty), "/ws", owner, false)
}

fn grants_of(faulty: &FaultyFs) -> Preopens<FaultyFs> {
    grants(faulty, &faulty.fs().root())
}

/// Returns the claim of an error about the state that it left behind.
#[must_use]
pub fn class(error: &Error) -> Class {
    match error.kind() {
        ErrorKind::NeedsRecovery => Class::NeedsRecovery,
        ErrorKind::OutcomeUnknown => Class::OutcomeUnknown,
        _ => Class::NotCommitted,
    }
}

pub(crate) fn failed(error: Error) -> Failure {
    Failure::new(class(&error), error)
}

/// Whether two trees have the same content under the same names, regardless of hard links: where a copy replaces a
/// failed link, the sharing of inodes is not promised.
fn same_content(one: &Tree, other: &Tree) -> bool {
    let alone = |node: &Node| match node {
        Node::File { bytes, .. } => Node::File { bytes: bytes.clone(), group: None },
        Node::Directory | Node::Symlink(_) | Node::Other => node.clone(),
    };
    one.len() == other.len() && one.iter().zip(other.iter()).all(|(a, b)| a.0 == b.0 && alone(a.1) == alone(b.1))
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
        if self.switches.lends {
            fs.vary_modes(self.switches.secret);
        }
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        self.perform(&FaultyFs::new(fs, &Mutation::None))
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        self.recover_by(&FaultyFs::new(fs, &Mutation::None))
    }

    fn use_beside(&self, fs: &SimFs) -> Result<(), Failure> {
        let faulty = FaultyFs::new(fs, &Mutation::None);
        self.recover_by(&faulty)?;
        self.change_beside(&faulty)
    }

    fn opens_by(&self, obstacle: &Obstacle, tree: &Tree) -> bool {
        // Whether a commit was decided is read in the lower that takes it.
        let is_committing = tree.get("upper/.onionskin/workspace/next").is_some();
        if is_committing && obstacle.path.starts_with("top/") {
            return true;
        }
        // Without the roots, the control directory and the records in it nothing is open.
        let Some((_, own)) = obstacle.path.split_once('/') else { return true };
        let Some(own) = own.strip_prefix(".onionskin") else { return false };
        let name = own.trim_start_matches('/').trim_end_matches(|digit: char| digit.is_ascii_digit());
        // A log that can be read may stay where it is.
        let is_log = matches!(name, "log" | "log-unsynced");
        let moves = matches!(obstacle.verb, Verb::Rename | Verb::RemoveFile | Verb::Link);
        RECORDS.contains(&name) && !(is_log && moves)
    }

    fn changes_by(&self, obstacle: &Obstacle, tree: &Tree) -> bool {
        // A change stages its content, and the next has the same number.
        obstacle.path.contains("/.onionskin/") || self.opens_by(obstacle, tree)
    }

    fn passes(&self) -> Vec<Tree> {
        self.passes.iter().map(|tree| tree()).collect()
    }

    fn is_read(&self, path: &str) -> bool {
        !path.starts_with("upper")
    }

    fn stages(&self, seen: Vec<Tree>) -> Vec<Tree> {
        (self.stages)(seen)
    }

    fn renews(&self, path: &str) -> bool {
        (self.renews)(path)
    }

    fn matches(&self, found: &Tree, stage: &Tree) -> bool {
        (self.matches)(found, stage)
    }

    fn matches_harmed(&self, found: &Tree, stage: &Tree) -> bool {
        self.matches_harmed.unwrap_or(self.matches)(found, stage)
    }
}
