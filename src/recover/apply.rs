//! Application of a decision: the steps that make its changes visible and durable and complete it. Every step
//! is idempotent, so the same decision may be applied any number of times.

use alloc::string::String;
use alloc::vec::Vec;

use crate::control;
use crate::error::Error;
use crate::fs::Kind;
use crate::journal::{ByPath, Change, Journal, Op};
use crate::path::{At, RelPath};
use crate::plan::Attributes;
use crate::recover::facts::{Decision, Fact, Staged, Target};
use crate::recover::plan::Piece;
use crate::recover::{Finding, Scope, Verdict};
use crate::tree;

/// Continues a valid decision. Switches run first, in a round of their own, because the remaining work is
/// known only after them.
///
/// # Errors
///
/// `ErrorKind::Corrupt` if applying the decision could lose data.
pub fn apply(journal: &Journal, decision: &Decision, scope: Scope, round: &mut Piece) -> Result<(), Error> {
    let facts = decision.facts.as_ref().map_err(Error::clone)?;
    let pairs = || journal.ops.iter().zip(facts);
    let named = ByPath::of(journal);
    let before = round.plan.steps().len();
    for (op, fact) in pairs() {
        switch(journal, op, fact, scope, round)?;
    }
    if round.plan.steps().len() > before {
        return Ok(());
    }
    // From a switched directory, late entries are carried before it goes to the quarantine.
    for (op, fact) in pairs() {
        late(journal, op, fact, scope, round);
    }
    decision.overtaken.keep(round);
    for visitor in &decision.visitors {
        round.plan.remove_file(visitor, "it was there to ask whether the directory can be changed");
    }
    for (op, fact) in pairs() {
        delete(op, fact, &named, round)?;
    }
    for (op, fact) in pairs().rev() {
        remove_dir(op, fact, round);
    }
    for (op, fact) in pairs() {
        make_dir(op, fact, &named, round)?;
    }
    for (op, fact) in pairs() {
        put(journal, &named, (op, fact), scope, round)?;
    }
    let why = "or it could be lost after the log that would repeat it";
    tree::sync_upwards(&mut round.plan, &round.touched, why);
    if decision.reason.is_some() {
        round.plan.remove_file(&control::reason(journal.transaction), "nothing waits any more");
    }
    if journal.kept {
        let done = control::done(journal.transaction);
        round.plan.rename(&decision.path, &done, "all of it has been applied, and a workspace waits to learn that");
    } else {
        round.plan.remove_file(&decision.path, "all of it has been applied");
    }
    round.plan.sync_control("or the log could come back after its staging is gone");
    if round.findings.iter().all(|finding| finding.verdict != Verdict::RolledBack) {
        note_completed(&mut round.findings, journal);
    }
    Ok(())
}

/// Adds the finding of a completed decision.
pub fn note_completed(findings: &mut Vec<Finding>, journal: &Journal) {
    let (number, paths) = (journal.transaction, count(journal));
    let plural = if paths == 1 { "" } else { "s" };
    let detail = format!("transaction {number} was decided and is complete now: {paths} path{plural}");
    findings.push(Finding::new(&common_directory(journal), Verdict::RolledForward, detail));
}

/// Checks whether the staged content of a put was lost before it was published.
pub(super) fn is_bad_put(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Put { staged: Staged::Missing | Staged::Wrong, target: Target::Directory | Target::Replaceable, .. }
    )
}

fn count(journal: &Journal) -> usize {
    journal.whole().count()
}

/// Returns the paths that a decision changes as text: the first few, and the number of the others.
pub(super) fn paths(journal: &Journal) -> String {
    const SHOWN: usize = 16;
    let mut text = String::new();
    for (number, op) in journal.whole().take(SHOWN).enumerate() {
        text.push_str(if number > 0 { ", " } else { "" });
        text.push_str(op.path.shown());
    }
    match count(journal).saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// Returns the deepest directory that contains every path of a decision, for messages.
pub(crate) fn common_directory(journal: &Journal) -> RelPath {
    let mut paths = journal.whole().map(|op| match op.change {
        Change::Switch | Change::Pointer { .. } => op.path.clone(),
        Change::Put { .. } | Change::Delete { .. } | Change::MakeDir | Change::RemoveDir => op.path.parent(),
    });
    let Some(mut common) = paths.next() else { return RelPath::ROOT };
    for path in paths {
        while !path.is_within(&common) {
            common = common.parent();
        }
    }
    common
}

fn switch(journal: &Journal, op: &Op, fact: &Fact, scope: Scope, round: &mut Piece) -> Result<(), Error> {
    let Fact::Switch { at, new, old, is_undone, .. } = fact else { return Ok(()) };
    let path = &op.path;
    let (new_path, old_path) =
        (control::sibling_new(path, journal.transaction), control::sibling_old(path, journal.transaction));
    let plan = &mut round.plan;
    match (at.is_some(), new.is_some(), old.is_some()) {
        // Already switched: the next part handles the remaining work.
        (true, false, _) => {
            round.findings.extend(is_undone.then(|| undone(path)));
            return Ok(());
        }
        (true, true, false) => {
            plan.rename(path, &old_path, "the old one makes room; it stays whole");
            if scope == Scope::All {
                plan.sync_parent(path, "or entries that others added since could go with their only name");
            }
            plan.rename(&new_path, path, "the new one takes its place");
        }
        (false, true, _) => plan.rename(&new_path, path, "the new one takes its place"),
        (false, false, true) => {
            plan.rename(&old_path, path, "the last copy goes back to its place");
            round.findings.push(undone(path));
        }
        (false, false, false) | (true, true, true) => {
            let what = format!(
                "contradicts the log, with its siblings {new_path} and {old_path}; put the wanted one in its place and \
                 move the others and the log away"
            );
            return Err(Error::corrupt(path, &what));
        }
    }
    plan.sync_parent(path, "or the old one could go while the new one has no name");
    Ok(())
}

fn undone(path: &RelPath) -> Finding {
    let detail = "its new content was removed by others; the former one is in its place";
    Finding::new(path, Verdict::RolledBack, detail)
}

fn delete(op: &Op, fact: &Fact, named: &ByPath<'_>, round: &mut Piece) -> Result<(), Error> {
    let Fact::Delete { target, parent } = fact else { return Ok(()) };
    match target {
        // The directory that this decision itself puts in the place of a file.
        Some(Kind::Directory) if named.makes(&op.path) => {}
        Some(Kind::Directory) => return Err(in_the_way(&op.path, "a directory")),
        Some(Kind::File | Kind::Symlink | Kind::Other) => round.plan.remove_file(&op.path, "it was deleted"),
        None => {}
    }
    if *parent {
        round.touched.insert(op.path.parent());
    }
    Ok(())
}

fn remove_dir(op: &Op, fact: &Fact, round: &mut Piece) {
    let Fact::RemoveDir { empties, parent } = fact else { return };
    if *empties {
        round.plan.remove_dir(&op.path, "it was deleted");
        // It cannot be synced any more, and its entries were removed with it.
        round.touched.remove(&op.path);
    }
    if *parent {
        round.touched.insert(op.path.parent());
    }
}

fn make_dir(op: &Op, fact: &Fact, named: &ByPath<'_>, round: &mut Piece) -> Result<(), Error> {
    let Fact::MakeDir(target) = fact else { return Ok(()) };
    match target {
        Some(Kind::Directory) => {}
        None => round.plan.make_dir(&op.path, "a new directory"),
        // This entry is removed by the same decision, in an earlier step.
        Some(Kind::File | Kind::Symlink | Kind::Other) if named.deletes(&op.path) => {
            round.plan.make_dir(&op.path, "a new directory");
        }
        Some(Kind::File | Kind::Symlink | Kind::Other) => return Err(in_the_way(&op.path, "something else")),
    }
    round.touched.insert(op.path.parent());
    round.touched.insert(op.path.clone());
    Ok(())
}

fn put(
    journal: &Journal,
    named: &ByPath<'_>,
    (op, fact): (&Op, &Fact),
    scope: Scope,
    round: &mut Piece,
) -> Result<(), Error> {
    let (Fact::Put { staged, spare, target }, Change::Put { staged: index, .. }) = (fact, &op.change) else {
        return Ok(());
    };
    round.touched.insert(op.path.parent());
    match (target, staged) {
        (Target::New, _) => return Ok(()),
        (Target::Directory, _) if !named.removes(&op.path) => return Err(in_the_way(&op.path, "a directory")),
        (Target::Directory | Target::Replaceable, Staged::Good | Staged::Link) => {}
        (Target::Directory | Target::Replaceable, Staged::Missing | Staged::Wrong) => {
            let source = control::staged(journal.transaction, *index);
            let state = if *staged == Staged::Missing { "missing" } else { "not what was decided on" };
            let what = format!(
                "has lost its decided content: {source} is {state}; restore that file, or give the transaction up"
            );
            return Err(Error::corrupt(&op.path, &what));
        }
    }
    let source = control::staged(journal.transaction, *index);
    let second = control::applied(journal.transaction, *index);
    if *spare {
        round.plan.remove_file(&second, "left by an attempt that died");
    }
    if scope == Scope::All && *staged == Staged::Good {
        round.plan.sync_file(&source, "its owner is dead and may not have synced it");
    }
    round.plan.share(&source, &second, "the staged content stays until the log is gone");
    round.plan.rename(&second, &op.path, "the new content takes its name");
    Ok(())
}

fn late(journal: &Journal, op: &Op, fact: &Fact, scope: Scope, round: &mut Piece) {
    let Fact::Switch { late, common, spare, into, old, .. } = fact else { return };
    if scope == Scope::All {
        // Its owner is dead and may have died between the renames and their sync.
        round.touched.insert(op.path.parent());
    }
    if *old != Some(Kind::Directory) {
        return;
    }
    if scope == Scope::All {
        round.touched.insert(into.clone());
        for path in common {
            round.touched.insert(into.join(path));
        }
    }
    let from = control::sibling_old(&op.path, journal.transaction);
    let second = control::applied(journal.transaction, 0);
    if *spare {
        round.plan.remove_file(&second, "left by an attempt that died");
    }
    let mut directories = Vec::new();
    for node in late {
        let target = into.join(&node.path);
        round.touched.insert(target.parent());
        if node.kind == Kind::Directory {
            round.plan.make_dir(&target, "a directory that came late");
            round.touched.insert(target.clone());
            directories.push((from.join(&node.path), target));
        } else {
            round.plan.carry(&from.join(&node.path), &second, "an entry that came late, whole");
            round.plan.rename(&second, &target, "it takes its name");
        }
    }
    // Children first: a directory may forbid to add entries.
    for (from, target) in directories.iter().rev() {
        let as_of = Attributes::Of { from: At::store(from.clone()), times: false };
        round.plan.set_attributes(target, as_of, "or the directory would lose its mode and owner");
    }
}

fn in_the_way(path: &RelPath, what: &str) -> Error {
    Error::corrupt(path, &format!("is {what} where a decided change goes; move it away and open again"))
}
