//! Directory trees as flat lists, and the plans that share or remove them.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind, Limit};
use crate::exec::Executor;
use crate::fs::{Fs, Kind, Stat};
use crate::limits::{ENTRIES_MAX, TREE_DEPTH_MAX};
use crate::order;
use crate::path::{At, RelPath};
use crate::plan::Plan;

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// Path below the top of the tree; never the top itself.
    pub path: RelPath,
    /// Kind of the entry.
    pub kind: Kind,
}

/// A tree: every entry below its top, parents before children, siblings sorted by name. Links are entries and
/// are never followed.
pub type Tree = Vec<Node>;

/// Lists all entries below a directory.
///
/// # Errors
///
/// [`ErrorKind::IllegalName`] for a name that cannot be represented, [`ErrorKind::LimitExceeded`] for a tree
/// that is too large or too deep.
pub fn read<F: Fs>(exec: &mut Executor<F>, top: &At) -> Result<Tree, Error> {
    let mut tree = Tree::new();
    let mut waiting = Vec::from([RelPath::ROOT]);
    while let Some(dir) = waiting.pop() {
        let place = top.path.join(&dir);
        if dir.depth() >= TREE_DEPTH_MAX {
            return Err(over(Limit::Depth, TREE_DEPTH_MAX, &place));
        }
        for (name, kind) in exec.list(top.root, &place)? {
            let path = dir.child(&name);
            if kind == Kind::Directory {
                waiting.push(path.clone());
            }
            tree.push(Node { path, kind });
        }
        if tree.len() > ENTRIES_MAX {
            return Err(over(Limit::Entries, ENTRIES_MAX, &place));
        }
    }
    order::sort(&mut tree);
    Ok(tree)
}

/// An entry of a tree with its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Path below the top of the tree.
    pub path: RelPath,
    /// Metadata at the time of reading.
    pub stat: Stat,
    /// Text of a symbolic link, if requested.
    pub link: Option<String>,
}

/// Like [`read`], with the metadata of every entry, so that later changes can be detected.
///
/// # Errors
///
/// As for [`read`]; [`ErrorKind::Conflicts`] for an entry that vanishes during the call.
pub fn read_stats<F: Fs>(exec: &mut Executor<F>, top: &At) -> Result<Vec<Seen>, Error> {
    let mut seen = Vec::new();
    for node in read(exec, top)? {
        let path = top.path.join(&node.path);
        let stat = exec.stat_in(top.root, &path)?;
        let stat = stat.ok_or_else(|| ErrorKind::Conflicts.at(&path))?;
        seen.push(Seen { path: node.path, stat, link: None });
    }
    Ok(seen)
}

/// Returns the paths that differ between two readings of a tree. The number of hard links of a file is not
/// compared, because [`carry`] changes it.
pub fn changes(seen: &[Seen], now: &[Seen]) -> Vec<String> {
    let mut changed = Vec::new();
    for (one, other) in [(seen, now), (now, seen)] {
        for entry in one {
            let found = other.binary_search_by(|candidate| candidate.path.cmp(&entry.path));
            let same = found.is_ok_and(|index| {
                let there = &other[index].stat;
                (there.kind, there.size, there.modified) == (entry.stat.kind, entry.stat.size, entry.stat.modified)
            });
            if !same && !changed.iter().any(|path| path == entry.path.shown()) {
                changed.push(String::from(entry.path.shown()));
            }
        }
    }
    changed
}

fn over(limit: Limit, maximum: usize, path: &RelPath) -> Error {
    Error::limit(path.shown(), limit, maximum as u64)
}

/// Appends the steps that remove a tree and its top, children before parents.
pub fn remove(plan: &mut Plan, tree: &Tree, top: &RelPath) {
    for node in tree.iter().rev() {
        plan.remove(&top.join(&node.path), node.kind, "it is no longer needed");
    }
    plan.remove_dir(top, "it is no longer needed");
}

/// Appends the steps that give the entries of a tree below `from` a second name below `to`, whose top exists.
/// Directories are created; other entries are shared, so content, mode and owner of files are kept.
pub fn carry(plan: &mut Plan, tree: &Tree, from: &RelPath, to: &RelPath) {
    for node in tree {
        let target = to.join(&node.path);
        if node.kind == Kind::Directory {
            plan.make_dir(&target, "a directory of the old tree");
        } else {
            plan.carry(&from.join(&node.path), &target, "carry an entry that does not change");
        }
    }
}

/// Appends the syncs of directories, children before parents.
pub fn sync_upwards(plan: &mut Plan, directories: &BTreeSet<RelPath>, why: &'static str) {
    // Sorted by path, a directory comes before its descendants.
    for path in directories.iter().rev() {
        plan.sync_dir(path, why);
    }
}
