//! A program on a layered directory as a subject of the explorer. The core of the workspace checks the recovery instead
//! of the program, which makes a thousand times as many crash states feasible.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use onionskin::error::ErrorKind;
use onionskin::fs::Fs as _;
use onionskin::lock::Ownership;
use onionskin::store::Preopens;
use onionskin::workspace::{Options, Quota, Workspace};
use onionskin_lab::simulated::{How, PRINTED, Program};
use onionskin_sim::explore::{Class, Failure, Subject};
use onionskin_sim::{SimFs, Tree};

use super::oracle::{Files, LOCKS, Oracle};

const UPPER: &str = "files/upper";
const LOWER: &str = "files/lower";
const DATABASE: &str = "ledger.db";
const JOURNAL: &str = "ledger.db-journal";
/// An upper bound of the length of the files here, in bytes.
const LENGTH_MAX: usize = 1 << 20;

/// A run of the program.
pub(super) struct Ledger<'l> {
    pub(super) program: &'l Program,
    /// The initial tree.
    pub(super) scene: Tree,
    pub(super) start: Start,
    /// The number of acknowledged transfers that may be undone.
    pub(super) forgets: usize,
    pub(super) oracle: &'l Oracle,
    pub(super) seen: &'l Seen,
}

/// The arguments of a run.
pub(super) enum Start {
    /// Transfers with these arguments.
    Transfers(Vec<String>),
    /// The check, which may roll a transaction back. It must report of these files what the oracle reports.
    Check(Files),
}

/// One of each set of crash states that programs cannot distinguish.
#[derive(Default)]
pub(super) struct Seen(Mutex<Found>);

#[derive(Default)]
struct Found {
    taken: BTreeSet<Files>,
    /// The least of the states that programs cannot distinguish, so that the order of threads does not matter.
    new: BTreeMap<Files, Tree>,
}

impl Seen {
    fn add(&self, image: Tree, files: Files) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !found.taken.contains(&files) {
            let least = found.new.entry(files).or_insert_with(|| image.clone());
            if image < *least {
                *least = image;
            }
        }
    }

    /// Returns the states that were added since the last call.
    pub(super) fn take(&self) -> BTreeMap<Files, Tree> {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = std::mem::take(&mut found.new);
        found.taken.extend(new.keys().cloned());
        new
    }
}

/// Opens the workspace as the component does.
fn open(fs: &SimFs) -> Result<Workspace<SimFs>, Failure> {
    let part = |path: &str| {
        let (files, name) = fs.walk(&fs.root(), path, false)?;
        fs.open_dir(&files, &name)
    };
    let failed = |cause| Failure::new(Class::Other, format!("the scene has no such directory: {cause}"));
    let entries = vec![
        ("/#upper".to_owned(), Rc::new(part(UPPER).map_err(failed)?)),
        ("/#lower".to_owned(), Rc::new(part(LOWER).map_err(failed)?.read_only())),
    ];
    let options = Options {
        upper: "/#upper".to_owned(),
        lowers: vec!["/#lower".to_owned()],
        owner: Ownership::Host,
        quota: Quota::default(),
        moved: false,
        trace: false,
    };
    let preopens = Preopens { entries };
    let opened = match Workspace::open(fs.clone(), &preopens, &options) {
        Err(error) if error.kind() == ErrorKind::NotFound => Workspace::create(fs.clone(), &preopens, &options),
        answer => answer,
    };
    opened.map_err(|error| Failure::new(Class::Other, error))
}

/// Reads the files of the database from a workspace.
fn read(workspace: &mut Workspace<SimFs>, printed: String) -> Result<Files, Failure> {
    let failed = |error| Failure::new(Class::Other, error);
    let names = workspace.list(".", None, 16).map_err(failed)?;
    let mut files = Files { database: Vec::new(), journal: None, printed };
    for entry in names {
        let bytes = workspace.read(&entry.name, 0, LENGTH_MAX).map_err(failed)?;
        match entry.name.as_str() {
            DATABASE => files.database = bytes,
            JOURNAL => files.journal = Some(bytes),
            other => return Err(Failure::new(Class::Other, format!("{other} is not a file of the database"))),
        }
    }
    Ok(files)
}

fn printed(image: &Tree) -> String {
    String::from_utf8_lossy(image.bytes(PRINTED).unwrap_or_default()).into_owned()
}

impl Ledger<'_> {
    /// Creates the initial tree with its workspace.
    pub(super) fn scene(program: &Program, files: &Tree) -> Tree {
        let fs = SimFs::holding(&program.scene(files));
        fs.own(UPPER);
        open(&fs).expect("a workspace can be created");
        fs.tree()
    }

    /// Checks the files against all that was printed, and against that without the transfers that may be undone.
    fn is_kept(&self, files: &Files) -> Result<(), String> {
        let mut wrong = String::new();
        for forgotten in 0..=self.forgets {
            let lines: Vec<&str> = files.printed.lines().collect();
            let printed = lines[..lines.len().saturating_sub(forgotten)].iter().map(|line| format!("{line}\n"));
            match self.oracle.check(&Files { printed: printed.collect(), ..files.clone() }) {
                Ok(_) => return Ok(()),
                Err(text) => wrong = text,
            }
        }
        Err(wrong)
    }
}

impl Subject for Ledger<'_> {
    fn name(&self) -> String {
        match &self.start {
            Start::Transfers(arguments) => arguments.join(" "),
            Start::Check(_) => "check".to_owned(),
        }
    }

    fn setup(&self, fs: &SimFs) {
        fs.plant(&self.scene);
        fs.set_lower(LOWER);
    }

    fn run(&self, fs: &SimFs) -> Result<(), Failure> {
        let check = ["check".to_owned(), LOCKS.to_owned()];
        let (arguments, expected) = match &self.start {
            Start::Transfers(arguments) => (&arguments[..], None),
            Start::Check(files) => (&check[..], Some(self.oracle.check(files))),
        };
        let ended = self.program.start(fs, arguments).map_err(|error| Failure::new(Class::Other, error))?;
        let is_expected = match (&ended.how, expected) {
            (How::Exited(0), None) => true,
            (How::Exited(0), Some(Ok(done))) => ended.output == format!("done: {done}"),
            (How::Exited(1), Some(Err(text))) => ended.output == text,
            _ => false,
        };
        if is_expected { Ok(()) } else { Err(Failure::new(Class::Other, format!("{:?}: {}", ended.how, ended.output))) }
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        fs.own(UPPER);
        let image = fs.tree();
        if image.below(LOWER) != self.scene.below(LOWER) {
            return Err(Failure::new(Class::Other, "an original has changed"));
        }
        let files = read(&mut open(fs)?, printed(&image))?;
        self.is_kept(&files).map_err(|text| Failure::new(Class::Other, text))?;
        self.seen.add(image, files);
        Ok(())
    }

    /// Leftovers are part of the database, which the oracle checks.
    fn is_leftover(&self, _: &str) -> bool {
        true
    }
}
