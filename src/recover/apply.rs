//! Applying a decision: the steps that make its changes visible and durable and end it. Every step
//! means "ensure", so the same decision may be applied any number of times.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::control;
use crate::error::Error;
use crate::fs::Kind;
use crate::journal::{Change, Journal, Op};
use crate::path::RelPath;
use crate::plan::{Act, Plan};
use crate::recover::survey::{Decision, Fact, Staged, Target};
use crate::recover::{Finding, Scope, Verdict};
use crate::tree;

/// What to do with a valid decision.
#[derive(Debug)]
pub enum Outcome {
    /// Run this.
    Go(Applied),
    /// It promised nothing under power loss, and power was lost: set it aside, because of this.
    SetAside(&'static str),
}

/// Steps towards the end of a decision.
#[derive(Debug)]
pub struct Applied {
    /// The steps.
    pub plan: Plan,
    /// What they come to.
    pub findings: Vec<Finding>,
}

/// Decides how to go on with a valid decision. Switches come first, in a round of their own: what
/// they leave to do is known only after them.
///
/// # Errors
/// [`Error::Corrupt`] when applying could lose data.
pub fn apply(journal: &Journal, decision: &Decision, scope: Scope) -> Result<Outcome, Error> {
    let pairs: Vec<(&Op, &Fact)> = journal.ops.iter().zip(&decision.facts).collect();
    if journal.unsynced && pairs.iter().any(|(_, fact)| is_bad_put(fact)) {
        return Ok(Outcome::SetAside(
            "power was lost before a change with the durability `visible` reached the disk; some of its paths may \
             hold new content",
        ));
    }
    let mut applied = Applied { plan: Plan::new(), findings: Vec::new() };
    for (op, fact) in &pairs {
        switch(journal, op, fact, &mut applied)?;
    }
    if !applied.plan.is_empty() {
        return Ok(Outcome::Go(applied));
    }
    let mut touched = BTreeSet::new();
    for (op, fact) in &pairs {
        delete(op, fact, journal, &mut applied.plan, &mut touched)?;
    }
    for (op, fact) in &pairs {
        make_dir(op, fact, journal, &mut applied.plan, &mut touched)?;
    }
    for (op, fact) in &pairs {
        put(journal, op, fact, scope, &mut applied.plan, &mut touched)?;
        late(journal, op, fact, scope, &mut applied.plan, &mut touched);
    }
    applied
        .plan
        .append(tree::sync_upwards(touched, "or a change could be lost after the log that would repeat it is gone"));
    applied.plan.push(Act::RemoveFile(control::entry(decision.name)), "all of it has been applied");
    applied.plan.push(Act::SyncDir(control::directory()), "or the log could come back after its staging is gone");
    applied.findings.push(completed(journal));
    Ok(Outcome::Go(applied))
}

/// What a decision comes to when it is complete.
pub fn completed(journal: &Journal) -> Finding {
    Finding {
        path: common_directory(journal).to_string(),
        verdict: Verdict::RolledForward,
        detail: format!(
            "transaction {} was decided and is complete now: {} paths",
            journal.transaction,
            count(journal)
        ),
    }
}

fn is_bad_put(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Put { staged: Staged::Missing | Staged::Wrong, target: Target::Directory | Target::Replaceable, .. }
    )
}

fn count(journal: &Journal) -> usize {
    journal.ops.iter().filter(|op| !matches!(op.change, Change::Pointer { .. })).count()
}

/// The deepest directory that holds every path of a decision, for people.
fn common_directory(journal: &Journal) -> RelPath {
    let mut paths = journal.ops.iter().map(|op| match op.change {
        Change::Switch | Change::Pointer { .. } => op.path.clone(),
        Change::Put { .. } | Change::Delete { .. } | Change::MakeDir => op.path.parent(),
    });
    let Some(mut common) = paths.next() else { return RelPath::ROOT };
    for path in paths {
        while !path.is_within(&common) {
            common = common.parent();
        }
    }
    common
}

fn switch(journal: &Journal, op: &Op, fact: &Fact, applied: &mut Applied) -> Result<(), Error> {
    let Fact::Switch { at, new, old, .. } = fact else { return Ok(()) };
    let path = &op.path;
    let (new_path, old_path) =
        (control::sibling_new(path, journal.transaction), control::sibling_old(path, journal.transaction));
    let plan = &mut applied.plan;
    match (at.is_some(), new.is_some(), old.is_some()) {
        // Already switched: what is left is known to the next part.
        (true, false, _) => return Ok(()),
        (true, true, false) => {
            plan.push(Act::Rename { from: path.clone(), to: old_path }, "the old one makes room; it stays whole");
            plan.push(Act::Rename { from: new_path, to: path.clone() }, "the new one takes its place");
        }
        (false, true, _) => plan.push(Act::Rename { from: new_path, to: path.clone() }, "the new one takes its place"),
        (false, false, true) => {
            plan.push(Act::Rename { from: old_path, to: path.clone() }, "the last copy goes back to its place");
            applied.findings.push(Finding {
                path: path.to_string(),
                verdict: Verdict::RolledBack,
                detail: "what was to take its place is gone; its former content was put back".to_string(),
            });
        }
        (false, false, false) | (true, true, true) => {
            return Err(Error::corrupt(
                path,
                &format!(
                    "it and its siblings {new_path} and {old_path} contradict the log; put the wanted one in its place \
                     and move the others and the log away"
                ),
            ));
        }
    }
    plan.push(Act::SyncDir(path.parent()), "or the old one could be removed while the new one has no name yet");
    Ok(())
}

fn delete(
    op: &Op,
    fact: &Fact,
    journal: &Journal,
    plan: &mut Plan,
    touched: &mut BTreeSet<RelPath>,
) -> Result<(), Error> {
    let Fact::Delete { target, parent } = fact else { return Ok(()) };
    match target {
        Some(Kind::Directory) => {
            // The directory that this very decision puts in the place of a file.
            let ours = journal.ops.iter().any(|other| other.path == op.path && other.change == Change::MakeDir);
            if !ours {
                return Err(in_the_way(&op.path, "a directory"));
            }
        }
        Some(Kind::File | Kind::Symlink | Kind::Other) => plan.push(Act::RemoveFile(op.path.clone()), "it was deleted"),
        None => {}
    }
    if *parent {
        touched.insert(op.path.parent());
    }
    Ok(())
}

fn make_dir(
    op: &Op,
    fact: &Fact,
    journal: &Journal,
    plan: &mut Plan,
    touched: &mut BTreeSet<RelPath>,
) -> Result<(), Error> {
    let Fact::MakeDir(target) = fact else { return Ok(()) };
    match target {
        Some(Kind::Directory) => {}
        None => plan.push(Act::MakeDir(op.path.clone()), "a new directory"),
        // What stands here goes away by the same decision, in a step before this one.
        Some(Kind::File | Kind::Symlink | Kind::Other) if also_deleted(journal, op) => {
            plan.push(Act::MakeDir(op.path.clone()), "a new directory");
        }
        Some(Kind::File | Kind::Symlink | Kind::Other) => return Err(in_the_way(&op.path, "something else")),
    }
    touched.insert(op.path.parent());
    touched.insert(op.path.clone());
    Ok(())
}

fn also_deleted(journal: &Journal, op: &Op) -> bool {
    journal.ops.iter().any(|other| other.path == op.path && matches!(other.change, Change::Delete { .. }))
}

fn put(
    journal: &Journal,
    op: &Op,
    fact: &Fact,
    scope: Scope,
    plan: &mut Plan,
    touched: &mut BTreeSet<RelPath>,
) -> Result<(), Error> {
    let (Fact::Put { staged, spare, target }, Change::Put { staged: index, .. }) = (fact, &op.change) else {
        return Ok(());
    };
    touched.insert(op.path.parent());
    match (target, staged) {
        (Target::New, _) => return Ok(()),
        (Target::Directory, _) => return Err(in_the_way(&op.path, "a directory")),
        (Target::Replaceable, Staged::Good) => {}
        (Target::Replaceable, Staged::Missing | Staged::Wrong) => {
            let source = control::staged(journal.transaction, *index);
            let state = if *staged == Staged::Missing { "missing" } else { "not what was decided on" };
            return Err(Error::corrupt(
                &op.path,
                &format!("its decided content in {source} is {state}; restore that file, or move the log away"),
            ));
        }
    }
    let source = control::staged(journal.transaction, *index);
    let second = control::applied(journal.transaction, *index);
    if *spare {
        plan.push(Act::RemoveFile(second.clone()), "left by an attempt that died");
    }
    if scope == Scope::All {
        plan.push(Act::SyncFile(source.clone()), "its owner is dead and may not have synced it");
    }
    plan.push(Act::Share { from: source, to: second.clone() }, "the staged content stays until the log is gone");
    plan.push(Act::Rename { from: second, to: op.path.clone() }, "the new content takes its name");
    Ok(())
}

fn late(journal: &Journal, op: &Op, fact: &Fact, scope: Scope, plan: &mut Plan, touched: &mut BTreeSet<RelPath>) {
    let Fact::Switch { late, common, spare, into, old, .. } = fact else { return };
    if scope == Scope::All {
        // Its owner is dead and may have died between the renames and their sync.
        touched.insert(op.path.parent());
    }
    if *old != Some(Kind::Directory) {
        return;
    }
    if scope == Scope::All {
        touched.insert(into.clone());
        touched.extend(common.iter().map(|path| into.join(path)));
    }
    let from = control::sibling_old(&op.path, journal.transaction);
    let second = control::applied(journal.transaction, 0);
    if *spare {
        plan.push(Act::RemoveFile(second.clone()), "left by an attempt that died");
    }
    for node in late {
        let target = into.join(&node.path);
        touched.insert(target.parent());
        if node.kind == Kind::Directory {
            plan.push(Act::MakeDir(target.clone()), "a directory that came late");
            touched.insert(target);
        } else {
            plan.push(Act::Share { from: from.join(&node.path), to: second.clone() }, "an entry that came late, whole");
            plan.push(Act::Rename { from: second.clone(), to: target }, "it takes its name");
        }
    }
}

fn in_the_way(path: &RelPath, what: &str) -> Error {
    Error::corrupt(path, &format!("{what} stands where a decided change goes; move it away and open again"))
}
