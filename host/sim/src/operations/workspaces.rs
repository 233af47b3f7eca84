//! Workspaces: `/upper` over `/top`, which takes commits, over `/lower`, which takes nothing.
//!
//! The tree of a workspace and the content of the lowers count; the number of a content on the disk does not.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Mutex, OnceLock, PoisonError};

use onionskin::error::{Error, ErrorKind};
use onionskin::fs::{Fs, Kind};
use onionskin::lock::Ownership;
use onionskin::store::{Durability, Preopens, Store, break_lock};
use onionskin::workspace::glob::Select;
use onionskin::workspace::{CommitOptions, OnConflict, Options, Quota, Workspace};

use super::files::refused;
use super::{Act, Door, Operation, Twist};
use crate::model::Model;
use crate::simfs::{Dir, SimFs};
use crate::tree;
use crate::tree::{Node, Tree};

pub(super) type Done = Result<(), Error>;

/// Files of workspaces, which may be written in place.
const OWN: [&str; 2] = ["upper/.onionskin/workspace", "upper2/.onionskin/workspace"];

pub(super) fn all() -> Vec<Operation> {
    let mut all = changes();
    all.extend(durable());
    all.extend(whole());
    all.extend(commits());
    all.extend(owners());
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

fn door_grants(door: &Door) -> Preopens<Door> {
    for path in OWN {
        door.fs().own(path);
    }
    grants(door, &door.fs().root())
}

pub(super) fn create(door: &Door) -> Result<Workspace<Door>, Error> {
    Workspace::create(door.clone(), &door_grants(door), &options("/upper"))
}

pub(super) fn open(door: &Door) -> Result<Workspace<Door>, Error> {
    Workspace::open(door.clone(), &door_grants(door), &options("/upper"))
}

/// Recovers as the next process does: opens every workspace.
fn reopen(door: &Door) -> Done {
    for upper in ["/upper", "/upper2"] {
        match Workspace::open(door.clone(), &door_grants(door), &options(upper)) {
            Ok(workspace) => drop(workspace),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Store::open(door.clone(), &door_grants(door), "/top", &Ownership::Host, false).map(drop)
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
    let mut view = disk.without(|path| path == "upper" || path == "upper2");
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
        many(&Door::new(&fs, &Twist::Straight)).expect("nothing is in its way");
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
    let after = made(&AFTER, linked, |door| {
        let mut workspace = open(door)?;
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
fn made(left: &OnceLock<Tree>, from: fn() -> Tree, act: fn(&Door) -> Done) -> Tree {
    left.get_or_init(|| {
        let fs = SimFs::holding(&from());
        act(&Door::new(&fs, &Twist::Straight)).expect("nothing is in its way");
        fs.tree()
    })
    .clone()
}

/// With a file of its own, one written over an original, a deleted and a moved directory.
pub(super) fn written() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    made(&LEFT, lowers, |door| {
        let mut workspace = create(door)?;
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
    made(&LEFT, written, |door| {
        let mut workspace = open(door)?;
        workspace.checkpoint("first")?;
        workspace.write("own", 4, b" again".to_vec())?;
        workspace.remove("hidden")
    })
}

/// With links of great length, so that few changes make the map grow.
fn linked() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    made(&LEFT, lowers, |door| {
        let mut workspace = create(door)?;
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
pub(super) fn killed(name: &'static str, about: &'static str, act: fn(&Door) -> Done) -> Operation {
    Operation { models: &[Model::Process], ..power(name, about, written, act) }
}

/// One that is whole, and once acknowledged durable.
pub(super) fn power(name: &'static str, about: &'static str, scene: fn() -> Tree, act: fn(&Door) -> Done) -> Operation {
    Operation { reopen, matches: shows, stable: false, ..Operation::new(name, about, scene, Act::Bare(act)) }
}

fn changes() -> Vec<Operation> {
    vec![
        killed("workspace-write", "an original is written: it gets a copy", |door| {
            open(door)?.write("file", 2, b"NEW".to_vec())
        }),
        killed("workspace-write-own", "a file of one's own is written in place", |door| {
            open(door)?.write("own", 2, b"longer".to_vec())
        }),
        killed("workspace-append", "bytes are added to an original", |door| {
            open(door)?.append("file", b" and more".to_vec()).map(drop)
        }),
        killed("workspace-truncate", "an original is made empty", |door| open(door)?.set_size("file", 0)),
        killed("workspace-extend", "a file of one's own gets longer", |door| open(door)?.set_size("own", 9)),
        killed("workspace-put", "a file gets other content", |door| open(door)?.put("own", b"other".to_vec())),
        killed("workspace-put-draft", "a file gets other content, in pieces", |door| {
            let mut workspace = open(door)?;
            let draft = workspace.draft(None, b"first, ".to_vec())?;
            workspace.draft(Some(draft), b"second".to_vec())?;
            workspace.put_draft(draft, "file")
        }),
        killed("workspace-draft-refused", "a draft that finds no place", |door| {
            let mut workspace = open(door)?;
            let draft = workspace.draft(None, b"nowhere".to_vec())?;
            refused(workspace.put_draft(draft, "missing/file"), |error| error.kind() == ErrorKind::NotFound)
        }),
        killed("workspace-quota", "a limit is remembered", |door| {
            open(door)?.set_quota(Quota { bytes: Some(1 << 20), entries: None })
        }),
        killed("workspace-new", "a new file", |door| open(door)?.write("moved/gap", 3, b"gap".to_vec())),
        killed("workspace-directory", "a directory over a deleted one", |door| open(door)?.make_directory("deep")),
        killed("workspace-link", "a symbolic link", |door| open(door)?.make_symlink("own", "to-own")),
        killed("workspace-remove", "an original is removed", |door| open(door)?.remove("link")),
        killed("workspace-remove-own", "a file of one's own is removed", |door| open(door)?.remove("own")),
        killed("workspace-remove-tree", "a directory is removed with what was written in it", |door| {
            open(door)?.remove_tree("moved").map(drop)
        }),
        killed("workspace-rename", "a file of one's own takes the name of an original", |door| {
            open(door)?.rename("own", "file")
        }),
        killed("workspace-rename-directory", "a directory with what was written in it", |door| {
            open(door)?.rename("moved", "deep")
        }),
        killed("workspace-rename-home", "a directory goes back where it came from", |door| {
            open(door)?.rename("moved", "dir")
        }),
        Operation {
            models: &[Model::Process],
            ..power("workspace-write-kept", "a file that a checkpoint keeps is written", kept, |door| {
                open(door)?.write("moved/new", 0, b"N".to_vec())
            })
        },
        killed("workspace-full", "a quota refuses a change", |door| {
            let quota = Quota { bytes: Some(20), entries: Some(3) };
            let how = Options { quota, ..options("/upper") };
            let mut workspace = Workspace::open(door.clone(), &door_grants(door), &how)?;
            let is_over = |error: &Error| error.kind() == ErrorKind::LimitExceeded;
            refused(workspace.write("own", 4, vec![0; 64]), is_over)?;
            refused(workspace.make_directory("fourth"), is_over)
        }),
    ]
}

fn many(door: &Door) -> Done {
    let mut workspace = open(door)?;
    workspace.write("fresh", 0, b"fresh".to_vec())?;
    workspace.write("own", 1, b"INE".to_vec())?;
    workspace.remove("link")?;
    workspace.write("tmp", 0, b"whole".to_vec())?;
    workspace.rename("tmp", "file")?;
    workspace.sync()
}

fn durable() -> Vec<Operation> {
    vec![
        power("workspace-create", "a workspace", lowers, |door| create(door).map(drop)),
        power("workspace-copy-up", "an original is written, and synced", written, |door| {
            let mut workspace = open(door)?;
            workspace.write("file", 2, b"NEW".to_vec())?;
            workspace.sync()
        }),
        power("workspace-sync-put", "an original gets other content, synced", written, |door| {
            let mut workspace = open(door)?;
            workspace.put("moved/x", b"other".to_vec())?;
            workspace.sync()
        }),
        power("workspace-sync-rename", "a directory gets another name, synced", written, |door| {
            let mut workspace = open(door)?;
            workspace.rename("moved", "deep")?;
            workspace.sync()
        }),
        power("workspace-sync-remove", "an own file is removed, and its space given back", written, |door| {
            let mut workspace = open(door)?;
            workspace.remove("own")?;
            workspace.sync()
        }),
        Operation {
            matches: shows_between,
            ..power("workspace-sync", "changes of all sorts, synced together", written, many)
        },
        Operation {
            // The writes have many pages, and other operations explore their order.
            models: &[Model::Process],
            matches: shows_renamed,
            ..power("workspace-compact", "a map that has grown is written anew", linked, |door| {
                let mut workspace = open(door)?;
                // Each is one record that repeats all links; the states between are those at the ends.
                for (old, new) in [("many", "else"), ("else", "many"), ("many", "else")] {
                    workspace.rename(old, new)?;
                }
                workspace.sync()
            })
        },
        power("workspace-torn", "a map whose last record was torn", torn, |door| open(door).map(drop)),
    ]
}

fn whole() -> Vec<Operation> {
    let fork = |door: &Door| open(door)?.fork(door.clone(), &door_grants(door), &options("/upper2")).map(drop);
    vec![
        power("workspace-checkpoint", "a state is kept", kept, |door| open(door)?.checkpoint("second").map(drop)),
        Operation {
            // The present state is kept first, which alone counts as old.
            matches: |found, stage| {
                shows(found, stage) || (view(stage) == view(&kept()) && without_kept(found) == without_kept(&kept()))
            },
            ..power("workspace-restore", "a state comes back", kept, |door| open(door)?.restore(1).map(drop))
        },
        power("workspace-drop-checkpoint", "a state is kept no longer", kept, |door| open(door)?.drop_checkpoint(1)),
        power("workspace-fork", "a second workspace from the same state", written, fork),
        power("", "the same without hard links", written, fork).without_links("workspace-fork-no-links"),
        power("workspace-discard", "all is given up", kept, |door| open(door)?.discard()),
        power("workspace-export", "all that is shown goes to an empty directory", little, |door| {
            let mut workspace = open(door)?;
            workspace.export(door.clone(), &door_grants(door), "/upper2", &[], Durability::Full).map(drop)
        }),
    ]
}

/// A view without the list of checkpoints.
fn without_kept(disk: &Tree) -> Tree {
    view(disk).without(|path| path.ends_with("/.kept"))
}

fn commit(door: &Door, only: &[&str], conflicts: OnConflict) -> Done {
    let only = only.iter().map(ToString::to_string).collect();
    let how = CommitOptions {
        into: "/top".to_owned(),
        paths: Select { only, except: Vec::new() },
        durability: Durability::Full,
        conflicts,
    };
    open(door)?.commit(door.clone(), &door_grants(door), &how).map(drop)
}

/// With one change of each sort that a commit of files makes.
fn few() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    made(&LEFT, lowers, |door| {
        let mut workspace = create(door)?;
        workspace.put("own", b"mine".to_vec())?;
        workspace.write("hidden", 0, b"W".to_vec())?;
        workspace.remove("link")?;
        workspace.remove_tree("deep")?;
        workspace.sync()
    })
}

/// With little to show.
fn little() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    made(&LEFT, lowers, |door| {
        let mut workspace = create(door)?;
        workspace.put("dir/own", b"mine".to_vec())?;
        for path in ["hidden", "link", "deep", "dir/x"] {
            workspace.remove_tree(path)?;
        }
        workspace.sync()
    })
}

/// With a directory that was moved, and a file in it that is new.
fn moved() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    made(&LEFT, lowers, |door| {
        let mut workspace = create(door)?;
        workspace.rename("dir", "moved")?;
        workspace.put("moved/new", b"new".to_vec())?;
        workspace.sync()
    })
}

/// With a file for a directory, and a directory for a file.
fn retyped() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    made(&LEFT, lowers, |door| {
        let mut workspace = create(door)?;
        workspace.remove("file")?;
        workspace.make_directory("file")?;
        workspace.remove_tree("dir")?;
        workspace.make_symlink("hidden", "dir")?;
        workspace.sync()
    })
}

fn commits() -> Vec<Operation> {
    vec![
        power("workspace-commit", "all changes go to the lower", few, |door| commit(door, &[], OnConflict::Fail)),
        power("", "the same without hard links", few, |door| commit(door, &[], OnConflict::Fail))
            .without_links("workspace-commit-no-links"),
        power("workspace-commit-moved", "a directory that was moved goes to the lower", moved, |door| {
            commit(door, &[], OnConflict::Fail)
        }),
        power("workspace-commit-part", "some changes go to the lower", written, |door| {
            commit(door, &["hidden", "own"], OnConflict::Fail)
        }),
        power("workspace-commit-retyped", "files and directories take each other's place", retyped, |door| {
            commit(door, &[], OnConflict::Fail)
        }),
        power("workspace-commit-conflict", "a lower that changed underneath is left alone", conflicting, |door| {
            refused(commit(door, &[], OnConflict::Fail), |error| error.kind() == ErrorKind::Conflicts)
        }),
        power("workspace-commit-ours", "and is overwritten on request", conflicting, |door| {
            commit(door, &[], OnConflict::Ours)
        }),
        Operation {
            matches_harmed: Some(|found, stage| shows(found, stage) || keeps_deep(found, stage)),
            ..power("workspace-commit-theirs", "and stays on request", conflicting, |door| {
                commit(door, &[], OnConflict::Theirs)
            })
        },
    ]
}

// ---- owners by lock file

const TOKEN: &str = "owner-1";

fn seize(door: &Door, token: &str) -> Done {
    break_lock(door.clone(), &door_grants(door), "/upper", token)
}

fn open_locked(door: &Door) -> Result<Workspace<Door>, Error> {
    let how = Options { owner: Ownership::LockFile(TOKEN.to_owned()), ..options("/upper") };
    Workspace::open(door.clone(), &door_grants(door), &how)
}

/// What a person does after a crash: breaks the lock of the dead owner, if it is held, and opens.
fn take_over(door: &Door) -> Done {
    let answer = match seize(door, TOKEN) {
        // A lock without its whole token: the error says what to expect.
        Err(error) if error.kind() == ErrorKind::Locked => seize(door, error.subject()),
        answer => answer,
    };
    match answer {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => reopen(door),
    }
}

fn owners() -> Vec<Operation> {
    let locked = |name, about, act| Operation { endless: true, reopen: take_over, ..power(name, about, written, act) };
    vec![
        locked("workspace-owner", "an owner by lock file writes and syncs", |door| {
            let mut workspace = open_locked(door)?;
            workspace.write("file", 2, b"NEW".to_vec())?;
            workspace.sync()
        }),
        locked("workspace-lost-owner", "an owner that lost the upper changes nothing", |door| {
            let mut workspace = open_locked(door)?;
            seize(door, TOKEN)?;
            let is_locked = |error: &Error| error.kind() == ErrorKind::Locked;
            refused(workspace.remove("own"), is_locked)?;
            refused(workspace.sync(), is_locked)
        }),
    ]
}

/// Written, and then an original changed underneath.
fn conflicting() -> Tree {
    few().file("top/hidden", "changed underneath")
}
