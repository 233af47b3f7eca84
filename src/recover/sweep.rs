//! Remains of transactions without a decision, and their removal.

use alloc::string::String;
use alloc::vec::Vec;

use crate::control;
use crate::error::Error;
use crate::exec::Exec;
use crate::fs::{Fs, Kind};
use crate::journal::{Change, Journal};
use crate::limits::GENERATIONS_KEPT;
use crate::path::{At, RelPath, RootId};
use crate::plan::Plan;
use crate::recover::plan::Round;
use crate::recover::survey::{names, read_log};
use crate::recover::{Finding, Scope, Verdict};
use crate::stray;
use crate::text::as_number;
use crate::tree::{self, Tree};

/// Remains of one transaction.
#[derive(Debug)]
pub struct Remains {
    /// Number of the transaction.
    pub number: u64,
    /// Names in its staging directory.
    pub names: Vec<(String, Kind)>,
    /// Whether strays lie in its staging directory, which then stays.
    pub strays: bool,
    /// Entries that it prepared elsewhere.
    pub elsewhere: Vec<Elsewhere>,
    /// The existing directories that hold those entries.
    pub directories: Vec<RelPath>,
}

/// An entry prepared outside the staging directory.
#[derive(Debug)]
pub enum Elsewhere {
    /// Siblings of a path that was to be switched.
    Siblings {
        /// The path.
        path: RelPath,
        /// The entry at the path.
        at: Option<Kind>,
        /// The sibling that was to take its place.
        new: Option<(Kind, Tree)>,
        /// The sibling to which the replaced entry was moved.
        old: Option<(Kind, Tree)>,
    },
    /// A generation of a directory.
    Generation {
        /// The path that was to point to it.
        path: RelPath,
        /// Path of the directory that holds the generations.
        store: RelPath,
        /// It was published: the path points to it.
        published: bool,
        /// Unneeded generations, with all their entries: this one, if it was not published; otherwise those
        /// older than the ones that are kept.
        useless: Vec<(RelPath, Tree)>,
        /// Whether the directory of generations holds no other entry.
        empties: bool,
    },
}

/// Reads the remains of a transaction; `None` if its staging directory holds only strays.
///
/// # Errors
/// `ErrorKind::Corrupt` for what is not ours in its staging directory.
pub fn read<F: Fs>(exec: &mut Exec<F>, number: u64) -> Result<Option<Remains>, Error> {
    let place = control::transaction(number);
    let mut names = names(exec, &place)?;
    let strays = stray::leave_out(&mut names);
    if strays && names.is_empty() {
        return Ok(None);
    }
    for (name, kind) in &names {
        let index = name.strip_prefix("apply-").unwrap_or(name);
        if as_number(index).is_none() && name != control::INTENT && name != control::LINK || *kind == Kind::Directory {
            return Err(Error::not_ours(&place.child(name)));
        }
    }
    let mut elsewhere = Vec::new();
    let mut directories = Vec::new();
    if names.iter().any(|(name, kind)| name == control::INTENT && *kind == Kind::File) {
        let bytes = read_log(exec, &place.child(control::INTENT))?;
        // An intent is synced before it is acted on: one that cannot be read was never acted on.
        for op in Journal::decode(&bytes).map(|intent| intent.ops).unwrap_or_default() {
            match op.change {
                Change::Switch => {
                    directories.push(op.path.parent());
                    elsewhere.push(siblings(exec, op.path, number)?);
                }
                Change::Pointer { directory, generation } => {
                    let store = control::generations(directory);
                    directories.extend([op.path.parent(), store.parent(), store]);
                    elsewhere.push(generations(exec, op.path, directory, generation)?);
                }
                Change::Put { .. } | Change::Delete { .. } | Change::MakeDir | Change::RemoveDir => {}
            }
        }
    }
    let mut existing = Vec::new();
    for path in directories {
        if !existing.contains(&path) && exec.kind(&path)? == Some(Kind::Directory) {
            existing.push(path);
        }
    }
    Ok(Some(Remains { number, names, strays, elsewhere, directories: existing }))
}

fn siblings<F: Fs>(exec: &mut Exec<F>, path: RelPath, number: u64) -> Result<Elsewhere, Error> {
    let at = exec.kind(&path)?;
    let new = with_tree(exec, &control::sibling_new(&path, number))?;
    let old = with_tree(exec, &control::sibling_old(&path, number))?;
    Ok(Elsewhere::Siblings { path, at, new, old })
}

fn with_tree<F: Fs>(exec: &mut Exec<F>, path: &RelPath) -> Result<Option<(Kind, Tree)>, Error> {
    Ok(match exec.kind(path)? {
        None => None,
        Some(Kind::Directory) => Some((Kind::Directory, tree::read(exec, &At::store(path.clone()))?)),
        Some(other) => Some((other, Tree::new())),
    })
}

fn generations<F: Fs>(exec: &mut Exec<F>, path: RelPath, directory: u64, generation: u64) -> Result<Elsewhere, Error> {
    let store = control::generations(directory);
    let published = match exec.kind(&path)? {
        // A link that cannot be read stops recovery: if it were treated as another link, the generation that
        // it may lead to would be lost.
        Some(Kind::Symlink) => {
            exec.read_link(RootId::STORE, &path)? == control::pointer_text(&path, directory, generation)
        }
        Some(Kind::File | Kind::Directory | Kind::Other) | None => false,
    };
    let kept_from = generation.saturating_sub(GENERATIONS_KEPT - 1);
    let mut useless = Vec::new();
    let mut present = names(exec, &store)?;
    let strays = stray::leave_out(&mut present);
    for (name, _) in &present {
        let number = as_number(name).ok_or_else(|| Error::not_ours(&store.child(name)))?;
        let needless = if published { number < kept_from } else { number == generation };
        if needless {
            let place = store.child(name);
            let tree = tree::read(exec, &At::store(place.clone()))?;
            useless.push((place, tree));
        }
    }
    let empties = !published && !strays && exec.kind(&store)?.is_some() && useless.len() == present.len();
    Ok(Elsewhere::Generation { path, store, published, useless, empties })
}

/// Removes the remains of a transaction.
pub fn sweep(remains: &Remains, scope: Scope, round: &mut Round) {
    let plan = &mut round.plan;
    if scope == Scope::All {
        for path in &remains.directories {
            plan.sync_dir(path, "act on durable facts: what is gone here stays gone");
        }
    }
    for elsewhere in &remains.elsewhere {
        match elsewhere {
            Elsewhere::Siblings { path, at, new, old } => {
                sweep_siblings(path, *at, (new.as_ref(), old.as_ref()), remains.number, plan, &mut round.findings);
            }
            Elsewhere::Generation { store, useless, empties, .. } => {
                for (place, tree) in useless {
                    tree::remove(plan, tree, place);
                }
                if *empties {
                    plan.remove_dir(store, "it holds no generation");
                }
            }
        }
    }
    let place = control::transaction(remains.number);
    for path in &remains.directories {
        let emptied = remains
            .elsewhere
            .iter()
            .any(|elsewhere| matches!(elsewhere, Elsewhere::Generation { store, empties: true, .. } if store == path));
        if !emptied {
            let why = "or it could come back when nothing names it any more";
            plan.sync_dir(path, why);
        }
    }
    // The intent is removed last: it must be readable as long as any entry that it names may exist.
    let (intent, rest): (Vec<_>, Vec<_>) = remains.names.iter().partition(|(name, _)| name == control::INTENT);
    for (name, kind) in rest.into_iter().chain(intent) {
        plan.remove(&place.child(name), *kind, "staging that nothing needs");
    }
    if !remains.strays {
        plan.remove_dir(&place, "staging that nothing needs");
    }
    let detail = format!("the staging of transaction {}, which was complete or never decided", remains.number);
    round.findings.push(Finding::new(&place, Verdict::Swept, detail));
}

/// A sibling, if it exists, with all its entries.
type Sibling<'a> = Option<&'a (Kind, Tree)>;

fn sweep_siblings(
    path: &RelPath,
    at: Option<Kind>,
    (new, old): (Sibling<'_>, Sibling<'_>),
    number: u64,
    plan: &mut Plan,
    findings: &mut Vec<Finding>,
) {
    let (new_path, old_path) = (control::sibling_new(path, number), control::sibling_old(path, number));
    if at.is_none() && old.is_some() {
        // Unreachable while syncs hold. If it is reached, the last copy is moved back to its place.
        plan.rename(&old_path, path, "the last copy goes back to its place");
        let detail = "it was missing and its former content was put back";
        findings.push(Finding::new(path, Verdict::RolledBack, detail));
    } else if let Some((kind, tree)) = old {
        remove(plan, *kind, tree, &old_path);
    }
    if let Some((kind, tree)) = new {
        remove(plan, *kind, tree, &new_path);
    }
}

fn remove(plan: &mut Plan, kind: Kind, tree: &Tree, path: &RelPath) {
    if kind == Kind::Directory {
        tree::remove(plan, tree, path);
    } else {
        plan.remove_file(path, "it is no longer needed");
    }
}
