//! Whole states: checkpoints, forks, exports, and their end.

use std::sync::OnceLock;

use onionskin::store::Durability;

use super::super::{FaultyFs, Operation};
use super::{create, grants_of, kept, lowers, made, open, options, power, shows, view, written};
use crate::tree::Tree;

pub(super) fn all() -> Vec<Operation> {
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
