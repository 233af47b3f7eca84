//! Every sync of a workspace has a reason: without it a violation is found, or the table gives the reason why none is.

use std::collections::BTreeSet;

use onionskin_sim::Model;
use onionskin_sim::explore::Plan;
use onionskin_sim::mutation::{Change, mutate_where};

use super::IMAGES_MAX;
use super::redundant::Rows;
use crate::support::{is_full, operations};

/// The operations whose syncs a bounded run leaves out.
const BOUNDED: &[&str] =
    &["workspace-create", "workspace-copy-up", "workspace-checkpoint", "workspace-merge", "workspace-discard"];

/// The additional operations of a full run.
const FULL: &[&str] = &[
    "workspace-sync-put",
    "workspace-sync-rename",
    "workspace-sync-remove",
    "workspace-restore",
    "workspace-drop-checkpoint",
    "workspace-fork",
    "workspace-commit",
];

/// Syncs that can be left out, one at a time.
const SYNCS: Rows = &[
    (
        "no entry that this map names is new in its directory; only in a workspace that is being created",
        &[
            "workspace-checkpoint: Operation sync-dir upper/.onionskin/workspace #0",
            "workspace-checkpoint: Operation sync-dir upper/.onionskin/workspace #2",
            "workspace-commit: Operation sync-dir upper/.onionskin/workspace #0",
            "workspace-copy-up: Operation sync-dir upper/.onionskin/workspace #0",
            "workspace-drop-checkpoint: Operation sync-dir upper/.onionskin/workspace #0",
            "workspace-fork: Operation sync-dir upper/.onionskin/workspace #0",
            "workspace-merge: Operation sync-dir upper/.onionskin/workspace #0",
            "workspace-merge: Operation sync-dir upper/.onionskin/workspace #2",
            "workspace-restore: Operation sync-dir upper/.onionskin/workspace #0",
            "workspace-restore: Operation sync-dir upper/.onionskin/workspace #2",
            "workspace-restore: Operation sync-dir upper/.onionskin/workspace #4",
            "workspace-sync-put: Operation sync-dir upper/.onionskin/workspace #0",
            "workspace-sync-remove: Operation sync-dir upper/.onionskin/workspace #0",
            "workspace-sync-rename: Operation sync-dir upper/.onionskin/workspace #0",
        ],
    ),
    (
        "the same directory is synced once more before anything is acknowledged",
        &[
            "workspace-checkpoint: Operation sync-dir upper/.onionskin/workspace #1",
            "workspace-drop-checkpoint: Operation sync-dir upper/.onionskin/workspace #1",
            "workspace-fork: Operation sync-dir upper2/.onionskin/workspace #3",
            "workspace-merge: Operation sync-dir upper/.onionskin/workspace #1",
            "workspace-restore: Operation sync-dir upper/.onionskin/workspace #1",
            "workspace-restore: Operation sync-dir upper/.onionskin/workspace #3",
        ],
    ),
    (
        "the map rewritten here is equivalent to the former one, and the fork changes nothing else",
        &["workspace-fork: Operation sync-dir upper/.onionskin/workspace #1"],
    ),
    (
        "the map was written anew and synced just before; one that changes were appended to was not",
        &[
            "workspace-checkpoint: Operation sync-file upper/.onionskin/workspace/map #0",
            "workspace-drop-checkpoint: Operation sync-file upper/.onionskin/workspace/map #0",
            "workspace-fork: Operation sync-file upper/.onionskin/workspace/map #0",
            "workspace-merge: Operation sync-file upper/.onionskin/workspace/map #0",
            "workspace-restore: Operation sync-file upper/.onionskin/workspace/map #0",
        ],
    ),
    (
        "without the map that waits the lower is as committed, and so is the merged tree that is compared; but the \
         workspace would be in conflict with its own commit",
        &["workspace-commit: Operation sync-dir upper/.onionskin/workspace #1"],
    ),
    (
        "an open that finds the map that waits adopts it",
        &["workspace-commit: Operation sync-dir upper/.onionskin/workspace #2"],
    ),
    (
        "the discard has just made it durable; an open that completes a discard has not",
        &["workspace-discard: Operation sync-dir upper/.onionskin/workspace #1"],
    ),
    (
        "as in a transaction of the store: its owner synced it, or either of two syncs is enough",
        &[
            "workspace-commit: Recovery sync-dir top #0",
            "workspace-commit: Recovery sync-dir top/.onionskin #1",
            "workspace-commit: Recovery sync-dir top/.onionskin #2",
            "workspace-commit: Recovery sync-file top/.onionskin/tx-1/0 #0",
            "workspace-commit: Recovery sync-file top/.onionskin/tx-1/1 #0",
        ],
    ),
    (
        "recovery acts on durable facts (R5), though what it removes here is a draft, or content that no map names",
        &[
            "workspace-checkpoint: Recovery sync-dir upper/.onionskin/workspace #0",
            "workspace-commit: Recovery sync-dir upper/.onionskin/workspace #0",
            "workspace-commit: Recovery sync-dir upper/.onionskin/workspace #1",
            "workspace-copy-up: Recovery sync-dir upper/.onionskin/workspace #0",
            "workspace-copy-up: Recovery sync-dir upper/.onionskin/workspace #1",
            "workspace-copy-up: Recovery sync-dir upper/.onionskin/workspace #2",
            "workspace-copy-up: Recovery sync-dir upper/.onionskin/workspace #3",
            "workspace-create: Recovery sync-dir upper/.onionskin/workspace #0",
            "workspace-drop-checkpoint: Recovery sync-dir upper/.onionskin/workspace #0",
            "workspace-fork: Recovery sync-dir upper/.onionskin/workspace #0",
            "workspace-merge: Recovery sync-dir upper/.onionskin/workspace #1",
            "workspace-restore: Recovery sync-dir upper/.onionskin/workspace #0",
            "workspace-sync-put: Recovery sync-dir upper/.onionskin/workspace #0",
            "workspace-sync-put: Recovery sync-dir upper/.onionskin/workspace #1",
            "workspace-sync-put: Recovery sync-dir upper/.onionskin/workspace #2",
            "workspace-sync-put: Recovery sync-dir upper/.onionskin/workspace #3",
            "workspace-sync-remove: Recovery sync-dir upper/.onionskin/workspace #0",
            "workspace-sync-remove: Recovery sync-dir upper/.onionskin/workspace #1",
            "workspace-sync-remove: Recovery sync-dir upper/.onionskin/workspace #2",
            "workspace-sync-rename: Recovery sync-dir upper/.onionskin/workspace #0",
            "workspace-sync-rename: Recovery sync-dir upper/.onionskin/workspace #1",
        ],
    ),
];

#[test]
fn every_sync_of_a_workspace_is_needed() {
    let plan = Plan { shown: 1, images_max: IMAGES_MAX, ..Plan::under(&[Model::Process, Model::Any, Model::Split]) };
    let (mut mutants, mut killed) = (0, 0);
    let (mut survivors, mut names) = (BTreeSet::new(), BTreeSet::new());
    let is_chosen = |name: &str| BOUNDED.contains(&name) || (is_full() && FULL.contains(&name));
    for operation in operations().into_iter().filter(|operation| is_chosen(operation.name)) {
        names.insert(operation.name);
        let start = (mutants, killed);
        for mutant in mutate_where(&operation, &plan, |change| matches!(change, Change::Without(..))) {
            mutants += 1;
            killed += u32::from(mutant.caught.is_some());
            if let (None, Change::Without(sync, number)) = (&mutant.caught, &mutant.change) {
                survivors.insert(format!("{}: {:?} {sync} #{number}", operation.name, mutant.part));
            }
        }
        println!("{}: {} syncs left out, {} missed", operation.name, mutants - start.0, killed - start.1);
    }
    println!("mutation of workspaces: {} operations, {mutants} syncs left out, {killed} missed", names.len());
    let rows = || SYNCS.iter().flat_map(|(_, rows)| *rows);
    let ran = |row: &str| row.split(':').next().is_some_and(|name| names.contains(name));
    let unexplained: Vec<_> = survivors.iter().filter(|survivor| !rows().any(|row| row == survivor)).collect();
    let stale: Vec<_> = rows().filter(|row| ran(row) && !survivors.contains(**row)).collect();
    assert!(unexplained.is_empty() && stale.is_empty(), "without a reason: {unexplained:#?}, needed now: {stale:#?}");
    assert!(names.is_empty() || killed > 0, "no sync was missed");
}
