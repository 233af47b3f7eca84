//! Workspaces: `/upper` over `/top`, which takes commits, over `/lower`, which takes nothing.
//!
//! The tree of a workspace and the content of the lowers count; the number of a content on the disk does not.

mod changes;
mod commits;
mod owners;
mod refreshes;
mod states;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Mutex, OnceLock, PoisonError};

use onionskin::error::{Error, ErrorKind};
use onionskin::fs::{Fs, Kind};
use onionskin::lock::Ownership;
use onionskin::store::{Preopens, Store};
use onionskin::workspace::{Options, Quota, Workspace};

use super::{Action, ELSEWHERE, FaultyFs, Mutation, Operation, change_beside};
use crate::model::Model;
use crate::simfs::{Dir, SimFs};
use crate::tree;
use crate::tree::{Node, Tree};

pub(super) type Done = Result<(), Error>;

/// Files of workspaces, which may be written in place.
const OWN: [&str; 2] = ["upper/.onionskin/workspace", "upper2/.onionskin/workspace"];

pub(super) fn all() -> Vec<Operation> {
    let mut all = changes::all();
    all.extend(states::all());
    all.extend(commits::all());
    all.extend(refreshes::all());
    all.extend(owners::all());
    all
}

// ---- opening

fn options(upper: &str) -> Options {
    Options {
        upper: upper.to_owned(),
        lowers: vec!["/top".to_owned(), "/lower".to_owned()],
        owner: Ownership::Host,
        quota: Quota::default(),
        moved: true,
        trace: false,
    }
}

fn grants<F: Fs<Dir = Dir>>(fs: &F, root: &Dir) -> Preopens<F> {
    let mut entries = Vec::new();
    for name in ["upper", "upper2", "top", "lower"] {
        if let Ok(dir) = fs.open_dir(root, name) {
            let dir = if name == "lower" { dir.read_only() } else { dir };
            entries.push((format!("/{name}"), Rc::new(dir)));
        }
    }
    Preopens { entries }
}

fn grants_of(faulty: &FaultyFs) -> Preopens<FaultyFs> {
    for path in OWN {
        faulty.fs().own(path);
    }
    grants(faulty, &faulty.fs().root())
}

pub(super) fn create(faulty: &FaultyFs) -> Result<Workspace<FaultyFs>, Error> {
    Workspace::create(faulty.clone(), &grants_of(faulty), &options("/upper"))
}

pub(super) fn open(faulty: &FaultyFs) -> Result<Workspace<FaultyFs>, Error> {
    Workspace::open(faulty.clone(), &grants_of(faulty), &options("/upper"))
}

/// Recovers as the next process does: opens every workspace.
fn reopen(faulty: &FaultyFs) -> Done {
    for upper in ["/upper", "/upper2"] {
        match Workspace::open(faulty.clone(), &grants_of(faulty), &options(upper)) {
            Ok(workspace) => drop(workspace),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Store::open(faulty.clone(), &grants_of(faulty), "/top", &Ownership::Host, false).map(drop)
}

/// Changes something else in the workspace and in the lower that takes commits.
fn beside(faulty: &FaultyFs) -> Done {
    match open(faulty) {
        Ok(mut workspace) => {
            workspace.put(ELSEWHERE, b"elsewhere".to_vec())?;
            workspace.sync()?;
            workspace.remove(ELSEWHERE)?;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    change_beside(&Store::open(faulty.clone(), &grants_of(faulty), "/top", &Ownership::Host, false)?)
}

// ---- what counts

/// How many views are remembered: recoveries of many images end in few states.
const VIEWS_MAX: usize = 1024;

/// Returns the content of the lowers, and the trees of the workspaces on a disk.
pub(super) fn view(disk: &Tree) -> Tree {
    static KNOWN: Mutex<Option<HashMap<u128, Tree>>> = Mutex::new(None);
    let digest = disk.digest();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(view) = known.get_or_insert_default().get(&digest) {
        return view.clone();
    }
    drop(known);
    let fs = SimFs::holding(disk);
    // The record of a commit that was parked, or whose removal was lost with the power, stays for the next commits.
    let is_done = |path: &str| path.contains(".onionskin/done-");
    let mut view = disk.without(|path| path == "upper" || path == "upper2" || is_done(path));
    if view.below("top/.onionskin").is_empty() && disk.get("top/.onionskin").is_some() {
        view = view.remove("top/.onionskin");
    }
    for upper in ["/upper", "/upper2"] {
        let opened = Workspace::open(fs.clone(), &grants(&fs, &fs.root()), &options(upper));
        let Ok(mut workspace) = opened else { continue };
        view = view.dir(format!("view{upper}"));
        if !workspace.recovered().is_empty() {
            view = view.file(format!("view{upper}/.left"), "something was left behind");
        }
        if disk.get(format!("{}/.onionskin/workspace/files", &upper[1..])).is_none() {
            view = view.file(format!("view{upper}/.left"), "no place for contents");
        }
        for checkpoint in workspace.checkpoints().expect("they can be told") {
            view = view.file(format!("view{upper}/.kept/{}", checkpoint.number), checkpoint.label);
        }
        view = shown(&mut workspace, &format!("view{upper}"), view);
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if known.len() == VIEWS_MAX {
        known.clear();
    }
    known.insert(digest, view.clone());
    view
}

/// Adds all that a workspace shows.
fn shown(workspace: &mut Workspace<SimFs>, at: &str, mut view: Tree) -> Tree {
    let mut waiting = vec![String::from(".")];
    while let Some(directory) = waiting.pop() {
        for entry in workspace.list(&directory, None, usize::MAX).expect("a directory can be listed") {
            let path = if directory == "." { entry.name } else { format!("{directory}/{}", entry.name) };
            let place = format!("{at}/{path}");
            match entry.kind {
                Kind::Directory => {
                    view = view.dir(place);
                    waiting.push(path);
                }
                Kind::File => {
                    view = view.file(place, workspace.read(&path, 0, 1 << 20).expect("a file can be read"));
                }
                Kind::Symlink => {
                    view = view.symlink(place, &workspace.read_link(&path).expect("a link can be read"));
                }
                Kind::Other => view = view.other(place),
            }
        }
    }
    view
}

/// Whether a disk shows the same as another one, and has no content that no record names. An acknowledged state may
/// have contents that the next sync removes.
pub(super) fn shows(found: &Tree, stage: &Tree) -> bool {
    view(found) == view(stage).without(|path| path.ends_with("/.left"))
}

/// As [`shows`], where the directory of the lower may have come back that the workspace removed: where its content must
/// not be read any more, it counts as changed, and theirs stays.
fn keeps_deep(found: &Tree, stage: &Tree) -> bool {
    let is_deep = |path: &str| path.starts_with("view/upper/deep");
    view(found).without(is_deep) == view(stage).without(|path| path.ends_with("/.left") || is_deep(path))
}

/// As [`shows`]; or, where the stage is the first one, whether every path has its state before or after the operation,
/// except new files that were never synced.
fn shows_between(found: &Tree, stage: &Tree) -> bool {
    static BEFORE: OnceLock<Tree> = OnceLock::new();
    static AFTER: OnceLock<Tree> = OnceLock::new();
    let (found, stage) = (view(found), view(stage).without(|path| path.ends_with("/.left")));
    let before = BEFORE.get_or_init(|| view(&written()));
    if found == stage || stage != *before {
        return found == stage;
    }
    let after = AFTER.get_or_init(|| {
        let fs = SimFs::holding(&written());
        changes::many(&FaultyFs::new(&fs, &Mutation::None)).expect("nothing is in its way");
        view(&fs.tree())
    });
    let is_loose = |path: &[u8]| path.ends_with(b"/fresh") || path.ends_with(b"/own");
    let is_known = |(path, node): (&[u8], &Node)| {
        before.get(path) == Some(node) || after.get(path) == Some(node) || is_loose(path) || path.ends_with(b"/tmp")
    };
    let is_there = |(path, _): (&[u8], &Node)| found.get(path).is_some() || after.get(path).is_none();
    found.iter().all(is_known) && before.iter().all(is_there)
}

/// Whether a disk shows a directory of links under one of the names that it goes to and fro between.
fn shows_renamed(found: &Tree, _stage: &Tree) -> bool {
    static AFTER: OnceLock<Tree> = OnceLock::new();
    let after = made(&AFTER, linked, |faulty| {
        let mut workspace = open(faulty)?;
        workspace.rename("many", "else")?;
        workspace.sync()
    });
    shows(found, &linked()) || shows(found, &after)
}

// ---- scenes

pub(super) fn lowers() -> Tree {
    tree! {
        file "lower/hidden" = "below";
        file "lower/deep/a" = "a";
        file "top/file" = "original";
        file "top/hidden" = "above";
        file "top/dir/x" = "x";
        symlink "top/link" = "file";
        dir "upper";
        dir "upper2";
    }
}

/// The tree after this operation, computed once.
fn made(left: &OnceLock<Tree>, from: fn() -> Tree, act: fn(&FaultyFs) -> Done) -> Tree {
    left.get_or_init(|| {
        let fs = SimFs::holding(&from());
        act(&FaultyFs::new(&fs, &Mutation::None)).expect("nothing is in its way");
        fs.tree()
    })
    .clone()
}

/// With a file of its own, one written over an original, a deleted and a moved directory.
pub(super) fn written() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    made(&LEFT, lowers, |faulty| {
        let mut workspace = create(faulty)?;
        workspace.put("own", b"mine".to_vec())?;
        workspace.write("hidden", 0, b"W".to_vec())?;
        workspace.remove_tree("deep")?;
        workspace.rename("dir", "moved")?;
        workspace.put("moved/new", b"new".to_vec())?;
        workspace.sync()
    })
}

/// The same with a checkpoint, and a change since.
pub(super) fn kept() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    made(&LEFT, written, |faulty| {
        let mut workspace = open(faulty)?;
        workspace.checkpoint("first")?;
        workspace.write("own", 4, b" again".to_vec())?;
        workspace.remove("hidden")
    })
}

/// With links of great length, so that few changes make the map grow.
fn linked() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    made(&LEFT, lowers, |faulty| {
        let mut workspace = create(faulty)?;
        workspace.make_directory("many")?;
        for number in 0..10 {
            workspace.make_symlink(&"far/".repeat(1000), &format!("many/{number}"))?;
        }
        workspace.sync()
    })
}

/// With half a record at the end of the map.
fn torn() -> Tree {
    let map = "upper/.onionskin/workspace/map";
    let tree = written();
    let mut bytes = tree.bytes(map).expect("there is a map").to_vec();
    bytes.extend(b"\x20\0\0\0half a record");
    tree.file(map, bytes)
}

// ---- operations

/// One that is whole when the process dies. Under power loss it promises nothing before a sync.
pub(super) fn killed(name: &'static str, about: &'static str, act: fn(&FaultyFs) -> Done) -> Operation {
    Operation { models: &[Model::Process], ..power(name, about, written, act) }
}

/// One that is whole, and once acknowledged durable.
pub(super) fn power(
    name: &'static str,
    about: &'static str,
    scene: fn() -> Tree,
    act: fn(&FaultyFs) -> Done,
) -> Operation {
    Operation { reopen, beside, matches: shows, stable: false, ..Operation::new(name, about, scene, Action::Bare(act)) }
}
