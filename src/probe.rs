//! Probing: each operation is tried in a scratch directory, because a host may lack one, or report success
//! without any effect.

use alloc::string::{String, ToString};

use crate::control;
use crate::error::Error;
use crate::exec::Executor;
use crate::fs::{Cause, Fs};
use crate::path::{At, RelPath, RootId};
use crate::plan::Plan;
use crate::records::Records;
use crate::recover::facts::REACH;
use crate::store::Preopens;
use crate::tree;

/// The strongest guarantee that can be given at a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Writing is not permitted, or a rename does not work as required.
    Refused,
    /// Changes are atomic if the process dies.
    ProcessCrash,
    /// Changes are atomic under power loss.
    Atomic,
    /// Changes are atomic and durable.
    Durable,
}

/// The observed result of each operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Abilities {
    /// The strongest guarantee.
    pub tier: Tier,
    /// Whether symbolic links can be made and read.
    pub symlinks: Option<bool>,
    /// Whether hard links can be made.
    pub hard_links: Option<bool>,
    /// Whether a directory can be synced.
    pub directory_sync: Option<bool>,
    /// Whether names that differ in case are different.
    pub case_sensitive: Option<bool>,
    /// Reason why the tier is not the highest.
    pub reason: String,
}

/// Tries each operation at a root, and leaves no entries behind.
///
/// # Errors
///
/// `ErrorKind::NoPreopen`, `ErrorKind::NotFound`, `ErrorKind::NotDirectory`; `ErrorKind::Corrupt` if an
/// unknown entry stands at the place of the scratch directory.
pub fn probe<F: Fs>(fs: F, preopens: &Preopens<F>, at: &str) -> Result<Abilities, Error> {
    let mut exec = preopens.open(fs, at)?;
    let records = Records::read(&mut exec)?;
    let scratch = control::entry(control::PROBE);
    if records.probe {
        // Left by a probe that died. The name is reserved, so it can be removed.
        remove_scratch(&mut exec, &scratch)?;
    }
    let mut plan = Plan::new();
    if !records.exists {
        plan.make_dir(&control::directory(), "a place for the scratch directory");
    }
    plan.make_dir(&scratch, "nothing else is touched");
    if let Err(error) = exec.run(plan) {
        let made = error.failure().is_some_and(|failure| failure.path() == Some(&scratch));
        if made && !records.exists {
            remove_control(&mut exec);
        }
        return Ok(refused(&error));
    }
    let abilities = try_all(&mut exec, &scratch);
    remove_scratch(&mut exec, &scratch)?;
    if !records.exists {
        remove_control(&mut exec);
    }
    Ok(abilities)
}

fn refused(error: &Error) -> Abilities {
    Abilities {
        tier: Tier::Refused,
        symlinks: None,
        hard_links: None,
        directory_sync: None,
        case_sensitive: None,
        reason: match error.cause() {
            Some(Cause::NotPermitted | Cause::ReadOnly | Cause::Access) => {
                format!("it is granted for reading alone, or the system refuses: {}", reason(error))
            }
            _ => reason(error),
        },
    }
}

/// Describes a failure without its consequence for a change: a probe makes none.
fn reason(error: &Error) -> String {
    error.failure().map_or_else(|| error.to_string(), |failure| format!("{}: {failure}", error.subject()))
}

fn try_all<F: Fs>(exec: &mut Executor<F>, scratch: &RelPath) -> Abilities {
    let symlinks = Some(try_symlink(exec, scratch));
    let hard_links = Some(try_hard_link(exec, scratch));
    let case_sensitive = try_case(exec, scratch);
    let reach = exec.check_reach(scratch, &RelPath::ROOT, REACH).map_err(|error| reason(&error));
    let (tier, directory_sync, reason) = match reach.and_then(|()| try_replace(exec, scratch)) {
        Err(reason) => (Tier::Refused, None, reason),
        Ok(()) => try_sync(exec, scratch),
    };
    Abilities { tier, symlinks, hard_links, directory_sync, case_sensitive, reason }
}

const WHY: &str = "to see whether it works";

/// Appends the steps that write a small file.
fn write(plan: &mut Plan, path: &RelPath, text: &str) {
    plan.create(path, WHY);
    plan.write(path, text.as_bytes().into(), WHY);
}

fn run(exec: &mut Executor<impl Fs>, plan: Plan) -> Result<(), String> {
    exec.run(plan).map_err(|error| reason(&error))
}

/// Checks that a rename replaces: the new content is read under the target name, and the old name is gone.
/// Some hosts report success without any effect.
fn try_replace(exec: &mut Executor<impl Fs>, scratch: &RelPath) -> Result<(), String> {
    let (old, new) = (scratch.child("old"), scratch.child("new"));
    let mut plan = Plan::new();
    write(&mut plan, &old, "old");
    write(&mut plan, &new, "new");
    plan.rename(&new, &old, WHY);
    run(exec, plan)?;
    let read = exec.read_start(&At::store(old), 64).map_err(|error| reason(&error))?;
    if read != b"new" {
        return Err("a rename does not replace what its new name held".to_string());
    }
    match exec.stat(&new) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err("a rename leaves the old name behind".to_string()),
        Err(error) => Err(reason(&error)),
    }
}

fn try_sync(exec: &mut Executor<impl Fs>, scratch: &RelPath) -> (Tier, Option<bool>, String) {
    let file = scratch.child("synced");
    let mut plan = Plan::new();
    write(&mut plan, &file, "synced");
    plan.sync_file(&file, WHY);
    if let Err(reason) = run(exec, plan) {
        return (Tier::ProcessCrash, None, reason);
    }
    let mut plan = Plan::new();
    plan.sync_dir(scratch, WHY);
    match run(exec, plan) {
        Ok(()) if !exec.lacks_directory_sync() => (Tier::Durable, Some(true), String::new()),
        Ok(()) => (Tier::Atomic, Some(false), "the host cannot sync a directory".to_string()),
        Err(reason) => (Tier::Atomic, Some(false), reason),
    }
}

fn try_symlink(exec: &mut Executor<impl Fs>, scratch: &RelPath) -> bool {
    let link = scratch.child("symlink");
    let mut plan = Plan::new();
    plan.symlink("target", &link, WHY);
    exec.run(plan).is_ok() && exec.read_link(RootId::STORE, &link).is_ok_and(|text| text == "target")
}

fn try_hard_link(exec: &mut Executor<impl Fs>, scratch: &RelPath) -> bool {
    let (first, second) = (scratch.child("first"), scratch.child("second"));
    let mut plan = Plan::new();
    write(&mut plan, &first, "first");
    plan.link(&first, &second, WHY);
    exec.run(plan).is_ok() && matches!(exec.stat(&first), Ok(Some(stat)) if stat.links == 2)
}

fn try_case(exec: &mut Executor<impl Fs>, scratch: &RelPath) -> Option<bool> {
    let mut plan = Plan::new();
    write(&mut plan, &scratch.child("case"), "case");
    exec.run(plan).ok()?;
    exec.stat(&scratch.child("CASE")).ok().map(|stat| stat.is_none())
}

fn remove_scratch<F: Fs>(exec: &mut Executor<F>, scratch: &RelPath) -> Result<(), Error> {
    let tree = tree::read(exec, &At::store(scratch.clone()))?;
    let mut plan = Plan::new();
    tree::remove(&mut plan, &tree, scratch);
    exec.run(plan)
}

/// Removes the control directory that the probe made. It stays if another process uses it by now.
fn remove_control<F: Fs>(exec: &mut Executor<F>) {
    let mut plan = Plan::new();
    plan.remove_dir(&control::directory(), "nothing is left in it");
    let _stays_when_in_use = exec.run(plan);
}
