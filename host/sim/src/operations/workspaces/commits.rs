//! Commits to the topmost lower.

use std::sync::OnceLock;

use onionskin::error::ErrorKind;
use onionskin::store::Durability;
use onionskin::workspace::glob::Select;
use onionskin::workspace::{CommitOptions, OnConflict};

use super::super::files::refused;
use super::super::pointers::record;
use super::super::{FaultyFs, Operation};
use super::{Done, create, grants_of, keeps_deep, lowers, made, open, power, shows, written};
use crate::tree::Tree;

pub(super) fn all() -> Vec<Operation> {
    vec![
        power("workspace-commit", "all changes go to the lower", few, |faulty| commit(faulty, &[], OnConflict::Fail)),
        power("", "the same without hard links", few, |faulty| commit(faulty, &[], OnConflict::Fail))
            .without_links("workspace-commit-no-links"),
        power("workspace-commit-moved", "a directory that was moved goes to the lower", moved, |faulty| {
            commit(faulty, &[], OnConflict::Fail)
        }),
        power("workspace-commit-published", "changes go into a directory that is published", published, |faulty| {
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

/// With a change in a directory that is published by pointer.
fn published() -> Tree {
    static LEFT: OnceLock<Tree> = OnceLock::new();
    let generation = || {
        let tree = lowers()
            .symlink("top/conv", ".onionskin/directories/1/2")
            .file("top/.onionskin/directories/1/owner", record("conv", 1));
        tree.file("top/.onionskin/directories/1/2/a", "a").file("top/.onionskin/directories/1/2/b", "b")
    };
    made(&LEFT, generation, |faulty| {
        let mut workspace = create(faulty)?;
        workspace.put("conv/a", b"changed".to_vec())?;
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

/// Written, and then an original changed underneath.
fn conflicting() -> Tree {
    few().file("top/hidden", "changed underneath")
}
