//! A filesystem with an upper and two lower directories, and their merged tree.

use std::rc::Rc;

use onionskin::error::Error;
use onionskin::fs::{Fs as _, Kind};
use onionskin::lock::Ownership;
use onionskin::store::Preopens;
use onionskin::workspace::{Options, Quota, Workspace};
use onionskin_sim::{Node as Stands, SimFs, Switches, Tree};

use crate::model::{Model, Node};

/// A scene with an upper directory. `/lower` hides the entries of `/below` where both have the same name.
pub(crate) struct World {
    pub(crate) fs: SimFs,
}

/// The options of the workspace of a world.
pub(crate) fn options() -> Options {
    Options {
        upper: "/upper".to_owned(),
        lowers: vec!["/lower".to_owned(), "/below".to_owned()],
        owner: Ownership::Host,
        quota: Quota::default(),
        moved: false,
        trace: false,
    }
}

impl World {
    pub(crate) fn new(tree: &Tree) -> Self {
        Self::with(Switches::default(), tree)
    }

    pub(crate) fn with(switches: Switches, tree: &Tree) -> Self {
        let fs = SimFs::with_switches(switches);
        let mut tree = tree.clone();
        for needed in ["upper", "lower", "below", "fork", "out"] {
            if tree.get(needed).is_none() {
                tree = tree.dir(needed);
            }
        }
        fs.plant(&tree);
        let world = Self { fs };
        world.own();
        world
    }

    /// Only files of workspaces may be written in place.
    fn own(&self) {
        self.fs.own("upper/.onionskin/workspace");
        self.fs.own("fork/.onionskin/workspace");
    }

    /// The grants: the upper for writing, the lowers for reading only.
    pub(crate) fn preopens(&self) -> Preopens<SimFs> {
        self.grant(false)
    }

    /// As [`World::preopens`], with the topmost lower for writing, too.
    pub(crate) fn preopens_to_commit(&self) -> Preopens<SimFs> {
        self.grant(true)
    }

    fn grant(&self, writes: bool) -> Preopens<SimFs> {
        let open = |name: &str| self.fs.open_dir(&self.fs.root(), name).expect("the world has it");
        let lower = open("lower");
        let entries = [
            ("/upper", open("upper")),
            ("/lower", if writes { lower } else { lower.read_only() }),
            ("/below", open("below").read_only()),
            ("/fork", open("fork")),
            ("/out", open("out")),
        ];
        Preopens { entries: entries.into_iter().map(|(name, dir)| (name.to_owned(), Rc::new(dir))).collect() }
    }

    pub(crate) fn create(&self) -> Workspace<SimFs> {
        Workspace::create(self.fs.clone(), &self.preopens(), &options()).expect("an empty upper")
    }

    pub(crate) fn open(&self) -> Workspace<SimFs> {
        self.try_open().unwrap_or_else(|error| panic!("the world must open: {error}\n{}", self.fs.tree()))
    }

    pub(crate) fn try_open(&self) -> Result<Workspace<SimFs>, Error> {
        Workspace::open(self.fs.clone(), &self.preopens(), &options())
    }

    /// As [`World::open`], where a commit may have to be completed.
    pub(crate) fn open_after_commit(&self) -> Workspace<SimFs> {
        let opened = Workspace::open(self.fs.clone(), &self.preopens_to_commit(), &options());
        opened.unwrap_or_else(|error| panic!("the world must open: {error}\n{}", self.fs.tree()))
    }

    /// Starts the next process, after this one was killed or ended.
    pub(crate) fn restart(&mut self) {
        self.fs = SimFs::mount(self.fs.disk(), self.fs.switches());
        self.own();
    }

    /// Removes every entry of a directory.
    pub(crate) fn empty(&self, path: &str) {
        let dir = |path: &str| self.fs.walk(&self.fs.root(), path, false).expect("it is there");
        for (below, node) in self.fs.tree().below(path).iter().collect::<Vec<_>>().into_iter().rev() {
            let (at, name) = dir(&format!("{path}/{}", String::from_utf8_lossy(below)));
            let removed = if *node == Stands::Directory {
                self.fs.remove_dir(&at, &name)
            } else {
                self.fs.remove_file(&at, &name)
            };
            removed.expect("the entries below were removed before");
        }
    }

    /// Returns the trees of the lower directories.
    pub(crate) fn lowers(&self) -> (Tree, Tree) {
        let tree = self.fs.tree().without(|path| path.ends_with("/.onionskin"));
        (tree.below("lower"), tree.below("below"))
    }
}

/// Converts a tree on the disk to the reference model.
pub(crate) fn plain(tree: &Tree) -> Model {
    let text = |path: &[u8]| String::from_utf8(path.to_vec()).expect("names of tests are UTF-8");
    let nodes = tree.iter().map(|(path, node)| {
        let node = match node {
            Stands::Directory => Node::Directory,
            Stands::File { bytes, .. } => Node::File(bytes.to_vec()),
            Stands::Symlink(text) => Node::Link(text.to_string()),
            Stands::Other => panic!("the reference has no pipes"),
        };
        (text(path), node)
    });
    Model(nodes.collect())
}

/// Returns the merged tree of a workspace, read in small pages and pieces.
pub(crate) fn shown(workspace: &mut Workspace<SimFs>) -> Model {
    let mut model = Model::default();
    let mut waiting = vec![".".to_owned()];
    while let Some(directory) = waiting.pop() {
        let mut after: Option<String> = None;
        loop {
            let page = workspace.list(&directory, after.as_deref(), 2).expect("a directory can be listed");
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            for entry in page {
                let path = if directory == "." { entry.name } else { format!("{directory}/{}", entry.name) };
                let stat = workspace.stat(&path).expect("a listed entry exists");
                assert_eq!((stat.kind, stat.layer), (entry.kind, entry.layer), "{path}");
                let node = match stat.kind {
                    Kind::Directory => {
                        waiting.push(path.clone());
                        Node::Directory
                    }
                    Kind::File => {
                        let mut bytes = workspace.read(&path, 0, 5).expect("a file can be read");
                        bytes.extend(workspace.read(&path, 5, 1 << 16).expect("and read on"));
                        assert_eq!(bytes.len() as u64, stat.size, "{path}");
                        Node::File(bytes)
                    }
                    Kind::Symlink => Node::Link(workspace.read_link(&path).expect("a link can be read")),
                    Kind::Other => panic!("{path}: no test creates one"),
                };
                model.0.insert(path, node);
            }
        }
    }
    model
}
