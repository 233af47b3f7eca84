//! A reader beside the owner sees names of one moment and contents that were there, or is refused; it changes nothing.
//!
//! The calls of both are interleaved in both ways: a whole reading between any two calls of the owner, and changes of
//! the owner between any two calls of a reading.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use onionskin::error::{Error, ErrorKind};
use onionskin::fs::{Cause, Fs, Kind, Listed, Stat};
use onionskin::store::{Durability, Preopens};
use onionskin::workspace::glob::Select;
use onionskin::workspace::{CommitOptions, OnConflict, Workspace};
use onionskin_sim::{Dir, File, SimFs, tree};

use crate::laws::Random;
use crate::model::{Model, Node};
use crate::world::{World, options, shown};

/// The states of each path in turn, and the lists of each kind.
type Past = (BTreeMap<String, Vec<Node>>, Vec<Vec<String>>);

/// The number of runs, each with its own random changes.
const RUNS: u64 = 24;
/// The number of changes in a run.
const CHANGES: usize = 24;

/// A filesystem with an action before each call.
#[derive(Clone)]
struct Between {
    fs: SimFs,
    act: Rc<RefCell<dyn FnMut()>>,
}

impl Between {
    fn before(&self) -> &SimFs {
        // The action itself makes calls.
        if let Ok(mut act) = self.act.try_borrow_mut() {
            act();
        }
        &self.fs
    }

    fn preopens(&self, of: Preopens<SimFs>, is_reader: bool) -> Preopens<Self> {
        let grant = |(name, dir): (String, Rc<Dir>)| (name, if is_reader { Rc::new(dir.read_only()) } else { dir });
        Preopens { entries: of.entries.into_iter().map(grant).collect() }
    }
}

impl Fs for Between {
    type Dir = Dir;
    type File = File;

    fn open_dir(&self, at: &Dir, name: &str) -> Result<Dir, Cause> {
        self.before().open_dir(at, name)
    }
    fn open_file(&self, at: &Dir, name: &str) -> Result<File, Cause> {
        self.before().open_file(at, name)
    }
    fn create_file(&self, at: &Dir, name: &str) -> Result<File, Cause> {
        self.before().create_file(at, name)
    }
    fn stat(&self, at: &Dir, name: &str) -> Result<Stat, Cause> {
        self.before().stat(at, name)
    }
    fn list(&self, dir: &Dir) -> Result<Vec<Listed>, Cause> {
        self.before().list(dir)
    }
    fn read_link(&self, at: &Dir, name: &str) -> Result<String, Cause> {
        self.before().read_link(at, name)
    }
    fn read(&self, file: &File, offset: u64, length: usize) -> Result<Vec<u8>, Cause> {
        self.before().read(file, offset, length)
    }
    fn write(&self, file: &File, offset: u64, bytes: &[u8]) -> Result<usize, Cause> {
        self.before().write(file, offset, bytes)
    }
    fn sync_file(&self, file: &File) -> Result<(), Cause> {
        self.before().sync_file(file)
    }
    fn sync_dir(&self, dir: &Dir) -> Result<(), Cause> {
        self.before().sync_dir(dir)
    }
    fn make_dir(&self, at: &Dir, name: &str) -> Result<(), Cause> {
        self.before().make_dir(at, name)
    }
    fn remove_dir(&self, at: &Dir, name: &str) -> Result<(), Cause> {
        self.before().remove_dir(at, name)
    }
    fn remove_file(&self, at: &Dir, name: &str) -> Result<(), Cause> {
        self.before().remove_file(at, name)
    }
    fn rename(&self, from: (&Dir, &str), to: (&Dir, &str)) -> Result<(), Cause> {
        self.before().rename(from, to)
    }
    fn link(&self, from: (&Dir, &str), to: (&Dir, &str)) -> Result<(), Cause> {
        self.before().link(from, to)
    }
    fn symlink(&self, target: &str, at: &Dir, name: &str) -> Result<(), Cause> {
        self.before().symlink(target, at, name)
    }
    fn open_to_write(&self, at: &Dir, name: &str) -> Result<File, Cause> {
        self.before().open_to_write(at, name)
    }
    fn set_size(&self, file: &File, size: u64) -> Result<(), Cause> {
        self.before().set_size(file, size)
    }
    fn identity(&self, dir: &Dir) -> Result<u128, Cause> {
        self.before().identity(dir)
    }
}

fn world() -> World {
    World::new(&tree! {
        file "lower/a/a" = "first of the lower";
        file "lower/a/b/c" = "deep";
        file "lower/b" = "a file over a directory";
        symlink "lower/c" = "a/a";
        file "below/a/c" = "from below";
        dir "below/a-b/c";
    })
}

/// Changes something in a workspace; returns whether the merged tree may be another one.
fn change<F: Fs + Clone>(workspace: &mut Workspace<F>, random: &mut Random, fs: &F, commit: &Preopens<F>) {
    let (path, other, token) = (random.path(), random.path(), format!("a content with {} in it", random.below(1000)));
    // The kinds of entries decide which are refused.
    let _refused_or_not = match random.below(14) {
        0..=2 => workspace.put(&path, token.into()),
        3 | 4 => workspace.write(&path, 1, token.into()),
        5 => workspace.set_size(&path, 3),
        6 => workspace.make_directory(&path),
        7 => workspace.make_symlink(&token, &path),
        8 => workspace.remove(&path),
        9 | 10 => workspace.rename(&path, &other),
        11 => workspace.sync(),
        12 => workspace.checkpoint("kept").map(drop),
        _ => {
            let (into, durability) = ("/lower".to_owned(), Durability::Visible);
            let options = CommitOptions { into, paths: random.select(), durability, conflicts: OnConflict::Ours };
            workspace.commit(fs.clone(), commit, &options).map(drop)
        }
    };
}

/// Reads all that a workspace shows, and its list of changes, where nothing is refused.
fn read<F: Fs + Clone>(reader: &mut Workspace<F>) -> Result<(Model, Vec<String>), Error> {
    let mut model = Model::default();
    let mut waiting = vec![String::new()];
    while let Some(directory) = waiting.pop() {
        let name = if directory.is_empty() { "." } else { &directory };
        for entry in reader.list(name, None, usize::MAX)? {
            let path = if directory.is_empty() { entry.name } else { format!("{directory}/{}", entry.name) };
            let node = match entry.kind {
                Kind::Directory => {
                    waiting.push(path.clone());
                    Node::Directory
                }
                Kind::File => {
                    let mut bytes = reader.read(&path, 0, 5)?;
                    bytes.extend(reader.read(&path, 5, 1 << 16)?);
                    Node::File(bytes)
                }
                Kind::Symlink => Node::Link(reader.read_link(&path)?),
                Kind::Other => panic!("{path}: no test creates one"),
            };
            model.0.insert(path, node);
        }
    }
    let changes = reader.changes(&Select::default(), None, usize::MAX)?.changes;
    reader.conflicts(&Select::default())?;
    reader.checkpoints()?;
    Ok((model, changes.into_iter().map(|change| change.path).collect()))
}

fn is_refused(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflicts | ErrorKind::NeedsRecovery)
}

/// A whole reading between any two calls of the owner: it sees the state before the change or the one after it.
#[test]
fn a_reader_between_two_calls_of_the_owner_sees_the_state_before_a_change_or_after_it() {
    let (mut whole, mut refused) = (0, 0);
    for run in 0..RUNS {
        let world = world();
        let readings = Rc::new(RefCell::new(Vec::new()));
        let (fs, into) = (world.fs.clone(), Rc::clone(&readings));
        let plain = World { fs: fs.clone() };
        let act = Rc::new(RefCell::new(move || {
            let between = Between { fs: fs.clone(), act: Rc::new(RefCell::new(|| ())) };
            let preopens = between.preopens(plain.preopens(), true);
            let reader = Workspace::observe(between, &preopens, &options());
            into.borrow_mut().push(reader.and_then(|mut reader| read(&mut reader)));
        }));
        let between = Between { fs: world.fs.clone(), act };
        let preopens = between.preopens(world.preopens(), false);
        let commit = between.preopens(world.preopens_to_commit(), false);
        let mut workspace = Workspace::create(between.clone(), &preopens, &options()).expect("an empty upper");
        let mut random = Random(run);
        for step in 0..CHANGES {
            let before = read(&mut workspace).expect("its owner can read it");
            readings.borrow_mut().clear();
            change(&mut workspace, &mut random, &between, &commit);
            let readings = readings.take();
            let after = read(&mut workspace).expect("its owner can read it");
            for (call, reading) in readings.into_iter().enumerate() {
                match reading {
                    Ok(seen) => {
                        whole += 1;
                        assert!(seen == before || seen == after, "run {run}, step {step}, call {call}: {seen:?}");
                    }
                    Err(error) => {
                        refused += 1;
                        assert!(is_refused(&error), "run {run}, step {step}, call {call}: {error}");
                    }
                }
            }
        }
    }
    println!("{whole} readings, and {refused} refused during commits");
    assert!(whole > 4 * refused && refused > 0);
}

/// Changes of the owner between any two calls of a reading: names of one moment, and contents that the path had.
#[test]
fn changes_between_two_calls_of_a_reader_are_seen_whole_or_refused() {
    let (mut whole, mut refused) = (0, 0);
    for run in 0..RUNS {
        for every in [1, 2, 3, 5, 8, 13, 40] {
            let world = world();
            let owner = Between { fs: world.fs.clone(), act: Rc::new(RefCell::new(|| ())) };
            let preopens = owner.preopens(world.preopens(), false);
            let commit = owner.preopens(world.preopens_to_commit(), false);
            let workspace = Workspace::create(owner.clone(), &preopens, &options()).expect("an empty upper");
            let mut random = Random(run);
            // What each path has been, and the sets of all paths, since the beginning.
            let past: Rc<RefCell<Past>> = Rc::default();
            let note = |past: &mut (BTreeMap<String, Vec<Node>>, Vec<Vec<String>>), shows: Model| {
                past.1.push(shows.0.keys().cloned().collect());
                for (path, node) in shows.0 {
                    past.0.entry(path).or_default().push(node);
                }
            };
            let workspace = Rc::new(RefCell::new(workspace));
            for _ in 0..4 {
                change(&mut workspace.borrow_mut(), &mut random, &owner, &commit);
            }
            note(&mut past.borrow_mut(), read(&mut workspace.borrow_mut()).expect("its owner can read it").0);
            let (mut calls, inner, noted) = (0, Rc::clone(&workspace), Rc::clone(&past));
            let act = Rc::new(RefCell::new(move || {
                calls += 1;
                if calls % every == 0 {
                    change(&mut inner.borrow_mut(), &mut random, &owner, &commit);
                    let shows = read(&mut inner.borrow_mut()).expect("its owner can read it").0;
                    note(&mut noted.borrow_mut(), shows);
                }
            }));
            let between = Between { fs: world.fs.clone(), act };
            let preopens = between.preopens(world.preopens(), true);
            let reading = Workspace::observe(between, &preopens, &options()).and_then(|mut reader| read(&mut reader));
            match reading {
                Ok((seen, _)) => {
                    whole += 1;
                    let past = past.borrow();
                    let names: Vec<String> = seen.0.keys().cloned().collect();
                    assert!(past.1.contains(&names), "run {run}, every {every}: {names:?} were never there together");
                    for (path, node) in &seen.0 {
                        let has_been = past.0.get(path).is_some_and(|past| past.contains(node));
                        assert!(has_been, "run {run}, every {every}: {path} never was {node:?}");
                    }
                }
                Err(error) => {
                    refused += 1;
                    assert!(is_refused(&error), "run {run}, every {every}: {error}");
                }
            }
        }
    }
    println!("{whole} readings, and {refused} refused");
    assert!(whole > 20 && refused > 20);
}

/// A reader changes nothing, whatever it is asked, and does not keep the owner out.
#[test]
fn a_reader_changes_nothing() {
    let world = world();
    let mut owner = world.create();
    owner.put("a/new", b"new".to_vec()).expect("there is room");
    let before = world.fs.tree();
    let mut reader = Workspace::observe(world.fs.clone(), &world.preopens(), &options()).expect("it is there");
    assert_eq!(shown(&mut reader), shown(&mut owner));
    let read_only =
        |answer: Result<(), Error>| assert_eq!(answer.map_err(|error| error.kind()), Err(ErrorKind::ReadOnly));
    read_only(reader.put("a/new", b"other".to_vec()));
    read_only(reader.write("a/new", 0, b"other".to_vec()));
    read_only(reader.append("a/new", b"other".to_vec()).map(drop));
    read_only(reader.draft(None, b"other".to_vec()).map(drop));
    read_only(reader.set_size("a/new", 1));
    read_only(reader.make_directory("d"));
    read_only(reader.make_symlink("d", "e"));
    read_only(reader.remove("a/new"));
    read_only(reader.remove_tree("a").map(drop));
    read_only(reader.rename("a/new", "d"));
    read_only(reader.sync());
    read_only(reader.checkpoint("").map(drop));
    read_only(reader.restore(1).map(drop));
    read_only(reader.drop_checkpoint(1));
    read_only(reader.set_quota(onionskin::workspace::Quota::default()));
    read_only(reader.fork(world.fs.clone(), &world.preopens(), &options()).map(drop));
    let all = CommitOptions {
        into: "/lower".to_owned(),
        paths: Select::default(),
        durability: Durability::Visible,
        conflicts: OnConflict::Fail,
    };
    read_only(reader.commit(world.fs.clone(), &world.preopens_to_commit(), &all).map(drop));
    read_only(reader.export(world.fs.clone(), &world.preopens(), "/out", &[], Durability::Visible).map(drop));
    read_only(reader.discard());
    assert_eq!(world.fs.tree(), before);
    owner.put("a/new", b"newer".to_vec()).expect("the owner goes on");
}
