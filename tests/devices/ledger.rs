//! SQLite in a WASI program, on a layered directory.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use onionskin_host::run::{How, Layers, Program, World};

use crate::ledgers;
use crate::oracle;
use crate::work::{Result, Tree, Work, onionskin, reopened};

/// The file system layer of SQLite that takes no locks: only one process opens a database.
const LOCKS: &str = "unix-none";
const TRANSFERS: usize = 4;

/// Transfers between two accounts, each by a program of its own.
pub(crate) struct Ledger {
    pub(crate) journal: &'static str,
    /// The setting `synchronous`, which decides whether the directory is synced after a journal was removed.
    pub(crate) synchronous: &'static str,
}

impl Ledger {
    /// Returns `None` where the program cannot be built.
    pub(crate) fn new(journal: &'static str, synchronous: &'static str) -> Option<Self> {
        program().map(|_| Self { journal, synchronous })
    }
}

fn program() -> Option<&'static Program> {
    static READ: OnceLock<Option<Program>> = OnceLock::new();
    let read = || ledgers::program().map(|path| Program::read(path).expect("it was built"));
    READ.get_or_init(read).as_ref()
}

/// Returns the number of completed transfers according to the workspace, and the original.
fn seen(at: &Path) -> Result<Tree> {
    let mut workspace = reopened(at)?;
    let copy = tempfile::tempdir().expect("a temporary directory");
    for entry in workspace.list(".")? {
        let content = workspace.read(&entry.name, 0, 1 << 20)?;
        fs::write(copy.path().join(&entry.name), content).expect("a writable directory");
    }
    workspace.close()?;
    let done = match oracle::done(&copy.path().join("ledger.db"), LOCKS) {
        Ok(done) => done.to_string(),
        Err(why) => why,
    };
    let original = fs::read(at.join("lower/ledger.db")).expect("the original can be read");
    Ok(Tree::from([("transfers".into(), done.into()), ("original".into(), original)]))
}

impl Work for Ledger {
    fn prepare(&self, at: &Path) -> Result<()> {
        for directory in ["lower", "upper"] {
            fs::create_dir(at.join(directory)).expect("a new directory");
        }
        let ledger = ledgers::on_small_pages();
        fs::copy(ledger.path().join("ledger.db"), at.join("lower/ledger.db")).expect("a copy");
        onionskin().workspace(at.join("upper")).lower(at.join("lower")).create()?.close()
    }

    fn run(&self, at: &Path, done: &mut dyn FnMut()) -> Result<Vec<Tree>> {
        let layers = Layers { guest: ".".into(), lowers: vec![at.join("lower")], upper: at.join("upper") };
        let arguments = ["transfer", self.synchronous, LOCKS, self.journal, "1"].map(str::to_owned).to_vec();
        let world = World { arguments, layers: vec![layers], ..World::default() };
        let transfer = |_| {
            let ended = program().expect("it was built").start(&world)?;
            assert_eq!(ended.how, How::Exited(0), "a transfer failed");
            done();
            seen(at)
        };
        (0..TRANSFERS).map(transfer).collect()
    }

    fn recovered(&self, at: &Path) -> Result<Tree> {
        reopened(at)?.close()?;
        seen(at)
    }
}
