//! A program on a layered directory as a subject of the explorer, whose recovery is looked at by the core
//! of the workspace and not by the program: a thousand times as many states can be looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use onionskin::error::ErrorKind;
use onionskin::fs::Fs as _;
use onionskin::lock::Ownership;
use onionskin::store::Preopens;
use onionskin::workspace::{Options, Quota, Workspace};
use onionskin_host::simulated::{How, PRINTED, Program};
use onionskin_sim::explore::{Class, Failure, Subject};
use onionskin_sim::{SimFs, Tree};

use super::books::{Books, Files, LOCKS};

const UPPER: &str = "files/upper";
const LOWER: &str = "files/lower";
const DATABASE: &str = "ledger.db";
const JOURNAL: &str = "ledger.db-journal";
/// More than the files here have.
const LENGTH_MAX: usize = 1 << 20;

/// A start of the program.
pub(super) struct Ledger<'l> {
    pub(super) program: &'l Program,
    /// What is there before.
    pub(super) scene: Tree,
    pub(super) start: Start,
    /// How many transfers of which it was told may be undone.
    pub(super) forgets: usize,
    pub(super) books: &'l Books,
    pub(super) seen: &'l Seen,
}

/// With what the program is started.
pub(super) enum Start {
    /// Transfers: the arguments.
    Transfers(Vec<String>),
    /// The check, which may roll something back. It has to say of these files what the books say.
    Check(Files),
}

/// Of the states that were found, one for each that programs can tell apart.
#[derive(Default)]
pub(super) struct Seen(Mutex<Found>);

#[derive(Default)]
struct Found {
    taken: BTreeSet<Files>,
    /// Of states that programs cannot tell apart the least: which thread came first does not matter.
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

    /// Those that are new since the last time.
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
    let how = Options {
        upper: "/#upper".to_owned(),
        lowers: vec!["/#lower".to_owned()],
        owner: Ownership::Host,
        quota: Quota::default(),
        moved: false,
        trace: false,
    };
    let preopens = Preopens { entries };
    let opened = match Workspace::open(fs.clone(), &preopens, &how) {
        Err(error) if error.kind() == ErrorKind::NotFound => Workspace::create(fs.clone(), &preopens, &how),
        answer => answer,
    };
    opened.map_err(|error| Failure::new(Class::Other, error))
}

/// The files of the database in a workspace.
fn read(workspace: &mut Workspace<SimFs>, printed: String) -> Result<Files, Failure> {
    let failed = |error| Failure::new(Class::Other, error);
    let names = workspace.list(".", None, 16).map_err(failed)?;
    let mut files = Files { database: Vec::new(), journal: None, printed };
    for entry in names {
        let bytes = workspace.read(&entry.name, 0, LENGTH_MAX).map_err(failed)?;
        match entry.name.as_str() {
            DATABASE => files.database = bytes,
            JOURNAL => files.journal = Some(bytes),
            other => return Err(Failure::new(Class::Other, format!("{other} is no file of the database"))),
        }
    }
    Ok(files)
}

fn printed(image: &Tree) -> String {
    String::from_utf8_lossy(image.bytes(PRINTED).unwrap_or_default()).into_owned()
}

impl Ledger<'_> {
    /// A scene in which the workspace has been made.
    pub(super) fn scene(program: &Program, files: &Tree) -> Tree {
        let fs = SimFs::holding(&program.scene(files));
        fs.own(UPPER);
        open(&fs).expect("a workspace is made");
        fs.tree()
    }

    /// What was printed, and that without what may be forgotten.
    fn is_kept(&self, files: &Files) -> Result<(), String> {
        let mut wrong = String::new();
        for forgotten in 0..=self.forgets {
            let lines: Vec<&str> = files.printed.lines().collect();
            let printed = lines[..lines.len().saturating_sub(forgotten)].iter().map(|line| format!("{line}\n"));
            match self.books.check(&Files { printed: printed.collect(), ..files.clone() }) {
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
            Start::Check(files) => (&check[..], Some(self.books.check(files))),
        };
        let ended = self.program.start(fs, arguments).map_err(|error| Failure::new(Class::Other, error))?;
        let is_expected = match (&ended.how, expected) {
            (How::Exited(0), None) => true,
            (How::Exited(0), Some(Ok(done))) => ended.said == format!("done: {done}"),
            (How::Exited(1), Some(Err(text))) => ended.said == text,
            _ => false,
        };
        if is_expected { Ok(()) } else { Err(Failure::new(Class::Other, format!("{:?}: {}", ended.how, ended.said))) }
    }

    fn recover(&self, fs: &SimFs) -> Result<(), Failure> {
        fs.own(UPPER);
        let image = fs.tree();
        if image.below(LOWER) != self.scene.below(LOWER) {
            return Err(Failure::new(Class::Other, "an original is not what it was"));
        }
        let files = read(&mut open(fs)?, printed(&image))?;
        self.is_kept(&files).map_err(|text| Failure::new(Class::Other, text))?;
        self.seen.add(image, files);
        Ok(())
    }

    /// The books judge what is there, and nobody else.
    fn is_leftover(&self, _: &str) -> bool {
        true
    }
}
