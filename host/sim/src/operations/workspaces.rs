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
use super::{Action, ELSEWHERE, FaultyFs, Mutation, Operation, change_beside};
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
        many(&FaultyFs::new(&fs, &Mutation::None)).expect("nothing is in its way");
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

fn changes() -> Vec<Operation> {
    vec![
        killed("workspace-write", "an original is written: it gets a copy", |faulty| {
            open(faulty)?.write("file", 2, b"NEW".to_vec())
        }),
        killed("workspace-write-own", "a file of one's own is written in place", |faulty| {
            open(faulty)?.write("own", 2, b"longer".to_vec())
        }),
        killed("workspace-append", "bytes are added to an original", |faulty| {
            open(faulty)?.append("file", b" and more".to_vec()).map(drop)
        }),
        killed("workspace-truncate", "an original is made empty", |faulty| open(faulty)?.set_size("file", 0)),
        killed("workspace-extend", "a file of one's own gets longer", |faulty| open(faulty)?.set_size("own", 9)),
        killed("workspace-put", "a file gets other content", |faulty| open(faulty)?.put("own", b"other".to_vec())),
        killed("workspace-put-draft", "a file gets other content, in pieces", |faulty| {
            let mut workspace = open(faulty)?;
            let draft = workspace.draft(None, b"first, ".to_vec())?;
            workspace.draft(Some(draft), b"second".to_vec())?;
            workspace.put_draft(draft, "file")
        }),
        killed("workspace-draft-refused", "a draft that finds no place", |faulty| {
            let mut workspace = open(faulty)?;
            let draft = workspace.draft(None, b"nowhere".to_vec())?;
            refused(workspace.put_draft(draft, "missing/file"), |error| error.kind() == ErrorKind::NotFound)
        }),
        killed("workspace-quota", "a limit is remembered", |faulty| {
            open(faulty)?.set_quota(Quota { bytes: Some(1 << 20), entries: None })
        }),
        killed("workspace-new", "a new file", |faulty| open(faulty)?.write("moved/gap", 3, b"gap".to_vec())),
        killed("workspace-directory", "a directory over a deleted one", |faulty| open(faulty)?.make_directory("deep")),
        killed("workspace-link", "a symbolic link", |faulty| open(faulty)?.make_symlink("own", "to-own")),
        killed("workspace-remove", "an original is removed", |faulty| open(faulty)?.remove("link")),
        killed("workspace-remove-own", "a file of one's own is removed", |faulty| open(faulty)?.remove("own")),
        killed("workspace-remove-tree", "a directory is removed with what was written in it", |faulty| {
            open(faulty)?.remove_tree("moved").map(drop)
        }),
        killed("workspace-rename", "a file of one's own takes the name of an original", |faulty| {
            open(faulty)?.rename("own", "file")
        }),
        killed("workspace-rename-directory", "a directory with what was written in it", |faulty| {
            open(faulty)?.rename("moved", "deep")
        }),
        killed("workspace-rename-home", "a directory goes back where it came from", |faulty| {
            open(faulty)?.rename("moved", "dir")
        }),
        Operation {
            models: &[Model::Process],
            ..power("workspace-write-kept", "a file that a checkpoint keeps is written", kept, |faulty| {
                open(faulty)?.write("moved/new", 0, b"N".to_vec())
            })
        },
        killed("workspace-full", "a quota refuses a change", |faulty| {
            let quota = Quota { bytes: Some(20), entries: Some(3) };
            let how = Options { quota, ..options("/upper") };
            let mut workspace = Workspace::open(faulty.clone(), &grants_of(faulty), &how)?;
            let is_over = |error: &Error| error.kind() == ErrorKind::LimitExceeded;
            refused(workspace.write("own", 4, vec![0; 64]), is_over)?;
            refused(workspace.make_directory("fourth"), is_over)
        }),
    ]
}

fn many(faulty: &FaultyFs) -> Done {
    let mut workspace = open(faulty)?;
    workspace.write("fresh", 0, b"fresh".to_vec())?;
    workspace.write("own", 1, b"INE".to_vec())?;
    workspace.remove("link")?;
    workspace.write("tmp", 0, b"whole".to_vec())?;
    workspace.rename("tmp", "file")?;
    workspace.sync()
}

fn durable() -> Vec<Operation> {
    vec![
        power("workspace-create", "a workspace", lowers, |faulty| create(faulty).map(drop)),
        power("workspace-copy-up", "an original is written, and synced", written, |faulty| {
            let mut workspace = open(faulty)?;
            workspace.write("file", 2, b"NEW".to_vec())?;
            workspace.sync()
        }),
        power("workspace-sync-put", "an original gets other content, synced", written, |faulty| {
            let mut workspace = open(faulty)?;
            workspace.put("moved/x", b"other".to_vec())?;
            workspace.sync()
        }),
        power("workspace-sync-rename", "a directory gets another name, synced", written, |faulty| {
            let mut workspace = open(faulty)?;
            workspace.rename("moved", "deep")?;
            workspace.sync()
        }),
        power("workspace-sync-remove", "an own file is removed, and its space given back", written, |faulty| {
            let mut workspace = open(faulty)?;
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
            ..power("workspace-compact", "a map that has grown is written anew", linked, |faulty| {
                let mut workspace = open(faulty)?;
                // Each is one record that repeats all links; the states between are those at the ends.
                for (old, new) in [("many", "else"), ("else", "many"), ("many", "else")] {
                    workspace.rename(old, new)?;
                }
                workspace.sync()
            })
        },
        power("workspace-torn", "a map whose last record was torn", torn, |faulty| open(faulty).map(drop)),
    ]
}

fn whole() -> Vec<Operation> {
    let fork =
        |faulty: &FaultyFs| open(faulty)?.fork(faulty.clone(), &grants_of(faulty), &options("/upper2")).map(drop);
    vec![
        power("workspace-checkpoint", "a state is kept", kept, |faulty| open(faulty)?.checkpoint("second").map(drop)),
        Operation {
            // The present state is kept first, which alone counts as old.
            matches: |found, stage| {
                shows(found, stage) || (view(stage) == view(&kept()) && without_kept(found) == without_kept(&kept()))
            },
            ..power("workspace-restore", "a state comes back", kept, |faulty| open(faulty)?.restore(1).map(drop))
        },
        power("workspace-drop-checkpoint", "a state is kept no longer", kept, |faulty| {
            open(faulty)?.drop_checkpoint(1)
        }),
        power("workspace-fork", "a second workspace from the same state", written, fork),
        power("", "the same without hard links", written, fork).without_links("workspace-fork-no-links"),
        power("workspace-discard", "all is given up", kept, |faulty| open(faulty)?.discard()),
        power("workspace-export", "all that is shown goes to an empty directory", little, |faulty| {
            let mut workspace = open(faulty)?;
            workspace.export(faulty.clone(), &grants_of(faulty), "/upper2", &[], Durability::Full).map(drop)
        }),
    ]
}

/// A view without the list of checkpoints.
fn without_kept(disk: &Tree) -> Tree {
    view(disk).without(|path| path.ends_with("/.kept"))
}

fn commit(faulty: &FaultyFs, only: &[&str], conflicts: OnConflict) -> Done {
    let only = only.iter().map(ToString::to_string).collect();
    let how = CommitOptions {
        into: "/top".to_owned(),
        paths: Select { only, except: Vec::new() },
        durability: Durability::Full,
        conflicts,
    };
    open(faulty)?.commit(faulty.clone(), &grants_of(faulty), &how).map(drop)
}

/// With one change of each sort that a commit of files makes.
fn few() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    made(&LEFT, lowers, |faulty| {
        let mut workspace = create(faulty)?;
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
    made(&LEFT, lowers, |faulty| {
        let mut workspace = create(faulty)?;
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
    made(&LEFT, lowers, |faulty| {
        let mut workspace = create(faulty)?;
        workspace.rename("dir", "moved")?;
        workspace.put("moved/new", b"new".to_vec())?;
        workspace.sync()
    })
}

/// With a file for a directory, and a directory for a file.
fn retyped() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    made(&LEFT, lowers, |faulty| {
        let mut workspace = create(faulty)?;
        workspace.remove("file")?;
        workspace.make_directory("file")?;
        workspace.remove_tree("dir")?;
        workspace.make_symlink("hidden", "dir")?;
        workspace.sync()
    })
}

fn commits() -> Vec<Operation> {
    vec![
        power("workspace-commit", "all changes go to the lower", few, |faulty| commit(faulty, &[], OnConflict::Fail)),
        power("", "the same without hard links", few, |faulty| commit(faulty, &[], OnConflict::Fail))
            .without_links("workspace-commit-no-links"),
        power("workspace-commit-moved", "a directory that was moved goes to the lower", moved, |faulty| {
            commit(faulty, &[], OnConflict::Fail)
        }),
        power("workspace-commit-part", "some changes go to the lower", written, |faulty| {
            commit(faulty, &["hidden", "own"], OnConflict::Fail)
        }),
        power("workspace-commit-retyped", "files and directories take each other's place", retyped, |faulty| {
            commit(faulty, &[], OnConflict::Fail)
        }),
        power("workspace-commit-conflict", "a lower that changed underneath is left alone", conflicting, |faulty| {
            refused(commit(faulty, &[], OnConflict::Fail), |error| error.kind() == ErrorKind::Conflicts)
        }),
        power("workspace-commit-ours", "and is overwritten on request", conflicting, |faulty| {
            commit(faulty, &[], OnConflict::Ours)
        }),
        Operation {
            matches_harmed: Some(|found, stage| shows(found, stage) || keeps_deep(found, stage)),
            ..power("workspace-commit-theirs", "and stays on request", conflicting, |faulty| {
                commit(faulty, &[], OnConflict::Theirs)
            })
        },
    ]
}

// ---- owners by lock file

const TOKEN: &str = "owner-1";

fn seize(faulty: &FaultyFs, token: &str) -> Done {
    break_lock(faulty.clone(), &grants_of(faulty), "/upper", token)
}

fn open_locked(faulty: &FaultyFs) -> Result<Workspace<FaultyFs>, Error> {
    let how = Options { owner: Ownership::LockFile(TOKEN.to_owned()), ..options("/upper") };
    Workspace::open(faulty.clone(), &grants_of(faulty), &how)
}

/// What a person does after a crash: breaks the lock of the dead owner, if it is held, and opens.
fn take_over(faulty: &FaultyFs) -> Done {
    let answer = match seize(faulty, TOKEN) {
        // A lock without its whole token: the error says what to expect.
        Err(error) if error.kind() == ErrorKind::Locked => seize(faulty, error.subject()),
        answer => answer,
    };
    match answer {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => reopen(faulty),
    }
}

fn owners() -> Vec<Operation> {
    let locked = |name, about, act| Operation { endless: true, reopen: take_over, ..power(name, about, written, act) };
    vec![
        locked("workspace-owner", "an owner by lock file writes and syncs", |faulty| {
            let mut workspace = open_locked(faulty)?;
            workspace.write("file", 2, b"NEW".to_vec())?;
            workspace.sync()
        }),
        locked("workspace-lost-owner", "an owner that lost the upper changes nothing", |faulty| {
            let mut workspace = open_locked(faulty)?;
            seize(faulty, TOKEN)?;
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
