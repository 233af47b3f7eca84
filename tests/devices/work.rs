//! The work on a disk: a sequence of changes, and the state after each.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use onionskin_host::{
    CommitOptions, Content, DirectoryOptions, Durability, Error, Onionskin, OpenOptions, Publish, Source, Store,
    Workspace, WriteOptions,
};

/// Files by path, with their content; links are not followed.
pub(crate) type Tree = BTreeMap<String, Vec<u8>>;
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A sequence of steps that are each atomic.
pub(crate) trait Work: Sync {
    /// Creates the initial state below a directory.
    fn prepare(&self, at: &Path) -> Result<()>;
    /// Runs all steps. Calls `done` after each, which is durable by then, and returns the state after each.
    fn run(&self, at: &Path, done: &mut dyn FnMut()) -> Result<Vec<Tree>>;
    /// Opens the root twice after a crash, and returns the state.
    fn recovered(&self, at: &Path) -> Result<Tree>;
}

pub(crate) fn onionskin() -> &'static Onionskin {
    static LOADED: OnceLock<Onionskin> = OnceLock::new();
    LOADED.get_or_init(|| Onionskin::load().expect("the component that is built in loads"))
}

fn write(place: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(place.parent().expect("a place in a directory")).expect("a directory");
    fs::write(place, content).expect("a file");
}

/// Content of this length that depends on the number.
fn content(number: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| number ^ (at / 512) as u8).collect()
}

/// Adds the tree below a directory, and asserts that no record is left in it.
fn look(at: &Path, below: &str, tree: &mut Tree) {
    let entries = fs::read_dir(at.join(below)).expect("a directory that was opened can be read");
    for entry in entries {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("the names of this work are text");
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        // The control directory is reached through a pointer only.
        if path.contains(".onionskin") {
            continue;
        }
        if entry.path().is_dir() {
            look(at, &path, tree);
        } else {
            let content = fs::read(entry.path()).expect("a file that is shown can be read");
            tree.insert(path, content);
        }
    }
}

/// Files, directories in every mode, and a link, in a store.
pub(crate) struct Changes {
    pub(crate) durability: Durability,
}

impl Changes {
    fn open(at: &Path) -> Result<Store> {
        onionskin().store(at.join("root")).lower(at.join("lower")).open(&OpenOptions::default())
    }

    fn seen(at: &Path) -> Tree {
        let mut tree = Tree::new();
        look(at, "root", &mut tree);
        look(at, "lower", &mut tree);
        tree
    }

    fn transaction(&self, store: &Store, directory: &str, publish: Publish, number: u8) -> Result<()> {
        let options = DirectoryOptions::default().publish(publish).durability(self.durability);
        let mut change = store.begin(directory, &options)?;
        change.put("a", &content(number, 5_000))?;
        change.put("deep/b", &content(number, 100))?;
        change.remove("gone")?;
        change.commit().map(drop)
    }
}

impl Work for Changes {
    fn prepare(&self, at: &Path) -> Result<()> {
        for directory in ["in-place", "swap", "pointer"] {
            for name in ["keep", "a", "gone"] {
                write(&at.join("root").join(directory).join(name), content(1, 3_000));
            }
        }
        write(&at.join("root/file"), content(1, 10_000));
        write(&at.join("lower/original"), content(9, 20_000));
        std::os::unix::fs::symlink("../lower/original", at.join("root/link")).expect("a link");
        Ok(())
    }

    fn run(&self, at: &Path, done: &mut dyn FnMut()) -> Result<Vec<Tree>> {
        let store = Self::open(at)?;
        let mut seen = Vec::new();
        let mut done = || {
            done();
            seen.push(Self::seen(at));
        };
        let options = WriteOptions::default().durability(self.durability);
        store.replace("file", &content(2, 9_000), &options)?;
        done();
        let mut writer = store.writer("new", &options)?;
        for number in 0..4 {
            writer.append(&content(number, 60_000))?;
        }
        writer.commit()?;
        done();
        for (directory, publish) in
            [("in-place", Publish::InPlace), ("swap", Publish::Swap), ("pointer", Publish::Pointer)]
        {
            self.transaction(&store, directory, publish, 3)?;
            done();
        }
        store.materialize("link", &Source::Path(at.join("lower/original")), &Content::Keep)?;
        done();
        store.replace("file", &content(4, 100), &options)?;
        done();
        store.close()?;
        Ok(seen)
    }

    fn recovered(&self, at: &Path) -> Result<Tree> {
        Self::open(at)?.close()?;
        let again = Self::open(at)?;
        assert_eq!(again.recovered()?, [], "a second open finds more");
        again.close()?;
        Ok(Self::seen(at))
    }
}

/// Opens a workspace. The kernel may have given its disk another device number, as after a reboot, so that the lower
/// looks like another directory.
pub(crate) fn reopened(at: &Path) -> Result<Workspace> {
    onionskin().workspace(at.join("upper")).moved().open()
}

/// A workspace that is written to, synced and committed.
pub(crate) struct Layers;

impl Layers {
    fn open(at: &Path) -> Result<Workspace> {
        reopened(at)
    }

    fn seen(workspace: &mut Workspace, at: &Path) -> Result<Tree> {
        let mut tree = Tree::new();
        look(at, "lower", &mut tree);
        for directory in [".", "d"] {
            for entry in workspace.list(directory)? {
                let path = format!("{directory}/{}", entry.name);
                let path = path.trim_start_matches("./");
                if path != "d" {
                    tree.insert(format!("shown/{path}"), workspace.read(path, 0, 1 << 20)?);
                }
            }
        }
        Ok(tree)
    }
}

impl Work for Layers {
    fn prepare(&self, at: &Path) -> Result<()> {
        for (name, length) in [("keep", 100), ("changed", 30_000), ("gone", 2_000), ("old", 7_000)] {
            write(&at.join("lower/d").join(name), content(1, length));
        }
        fs::create_dir(at.join("upper")).expect("a new directory");
        onionskin().workspace(at.join("upper")).lower(at.join("lower")).create()?.close()
    }

    fn run(&self, at: &Path, done: &mut dyn FnMut()) -> Result<Vec<Tree>> {
        let mut workspace = Self::open(at)?;
        let mut seen = Vec::new();
        let mut done = |workspace: &mut Workspace| {
            done();
            Self::seen(workspace, at).map(|tree| seen.push(tree))
        };
        workspace.write("d/changed", 5_000, &content(2, 600))?;
        workspace.sync()?;
        done(&mut workspace)?;
        workspace.remove("d/gone")?;
        workspace.sync()?;
        done(&mut workspace)?;
        workspace.put("new", &content(3, 50_000))?;
        workspace.sync()?;
        done(&mut workspace)?;
        workspace.rename("d/old", "d/newer")?;
        workspace.sync()?;
        done(&mut workspace)?;
        workspace.commit(at.join("lower"), &CommitOptions::default())?;
        done(&mut workspace)?;
        workspace.append("new", &content(5, 4_000))?;
        workspace.sync()?;
        done(&mut workspace)?;
        workspace.commit(at.join("lower"), &CommitOptions::default())?;
        done(&mut workspace)?;
        workspace.close()?;
        Ok(seen)
    }

    fn recovered(&self, at: &Path) -> Result<Tree> {
        Self::open(at)?.close()?;
        let mut workspace = Self::open(at)?;
        assert_eq!(workspace.recovered(), [], "a second open finds more");
        let tree = Self::seen(&mut workspace, at)?;
        workspace.close()?;
        Ok(tree)
    }
}
