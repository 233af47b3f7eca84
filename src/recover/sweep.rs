//! Remains of transactions without a decision, and their removal.

use alloc::string::String;
use alloc::vec::Vec;

use crate::control;
use crate::error::Error;
use crate::exec::Executor;
use crate::fs::{Fs, Kind};
use crate::generations::{self, Generations};
use crate::journal::{Change, Journal};
use crate::limits::SEARCHED_MAX;
use crate::path::{At, RelPath, RootId};
use crate::plan::Plan;
use crate::recover::facts::read_log;
use crate::recover::overtaken;
use crate::recover::plan::Piece;
use crate::recover::survey::names;
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
        /// Whether others worked in the directory that was moved there, after its successor was complete.
        is_overtaken: bool,
        /// Whether the quarantine of the transaction exists.
        has_quarantine: bool,
    },
    /// A generation of a directory.
    Generation {
        /// Path of the directory that holds the generations.
        store: RelPath,
        /// Unneeded generations, with all their entries: this one, if it was not published; otherwise those
        /// older than the ones that are kept. No link leads to them.
        useless: Vec<(RelPath, Tree)>,
        /// Whether the directory of generations holds no other entry, but perhaps its record.
        empties: bool,
        /// Path of the record, if there is one.
        record: Option<RelPath>,
    },
}

impl Remains {
    /// Returns the numbers of the directories of generations that it prepared.
    pub(super) fn directories(&self) -> impl Iterator<Item = u64> {
        self.elsewhere.iter().filter_map(|elsewhere| match elsewhere {
            Elsewhere::Generation { store, .. } => as_number(store.name()),
            Elsewhere::Siblings { .. } => None,
        })
    }
}

/// Reads the remains of a transaction; `None` if its staging directory holds only strays.
///
/// # Errors
/// `ErrorKind::Corrupt` for what is not ours in its staging directory.
pub fn read<F: Fs>(exec: &mut Executor<F>, scope: Scope, number: u64) -> Result<Option<Remains>, Error> {
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
        let intent = Journal::decode(&bytes).ok();
        for op in intent.iter().flat_map(|intent| intent.ops.clone()) {
            match op.change {
                Change::Switch => {
                    directories.push(op.path.parent());
                    elsewhere.push(siblings(exec, scope, op.path, intent.as_ref().expect("it has this change"))?);
                }
                Change::Pointer { directory, generation, oldest } => {
                    let store = control::generations(directory);
                    directories.extend([op.path.parent(), store.parent(), store]);
                    elsewhere.push(generations(exec, scope, &op.path, (directory, generation), oldest)?);
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

fn siblings<F: Fs>(exec: &mut Executor<F>, scope: Scope, path: RelPath, intent: &Journal) -> Result<Elsewhere, Error> {
    let number = intent.transaction;
    let old_path = control::sibling_old(&path, number);
    let at = exec.kind(&path)?;
    let new = with_tree(exec, &control::sibling_new(&path, number))?;
    let old = with_tree(exec, &old_path)?;
    let has_quarantine = exec.kind(&control::quarantine(number))?.is_some();
    // A live owner has just compared them.
    let is_overtaken = scope == Scope::All
        && at.is_some()
        && matches!(old, Some((Kind::Directory, _)))
        && overtaken::is_replaced_overtaken(exec, intent, &path)?;
    Ok(Elsewhere::Siblings { path, at, new, old, is_overtaken, has_quarantine })
}

fn with_tree<F: Fs>(exec: &mut Executor<F>, path: &RelPath) -> Result<Option<(Kind, Tree)>, Error> {
    Ok(match exec.kind(path)? {
        None => None,
        Some(Kind::Directory) => Some((Kind::Directory, tree::read(exec, &At::store(path.clone()))?)),
        Some(other) => Some((other, Tree::new())),
    })
}

fn generations<F: Fs>(
    exec: &mut Executor<F>,
    scope: Scope,
    path: &RelPath,
    (directory, generation): generations::Generation,
    oldest: u64,
) -> Result<Elsewhere, Error> {
    let store = control::generations(directory);
    let published = match exec.kind(path)? {
        // A link that cannot be read stops recovery: if it were treated as another link, the generation that
        // it may lead to would be lost.
        Some(Kind::Symlink) => {
            exec.read_link(RootId::STORE, path)? == control::pointer_text(path, directory, generation)
        }
        Some(Kind::File | Kind::Directory | Kind::Other) | None => false,
    };
    let found = Generations::read(exec, directory)?;
    let needless = |number: &u64| if published { *number < oldest } else { *number == generation };
    let mut numbers: Vec<u64> = found.numbers.iter().copied().filter(needless).collect();
    // No link leads to what a live owner has not published. After a crash a link may have been moved or copied.
    if !numbers.is_empty() && (published || scope == Scope::All) {
        match generations::led_to(exec, Some(directory), SEARCHED_MAX) {
            Ok(Some(led)) => numbers.retain(|number| !led.contains(&(directory, *number))),
            // What was prepared and not published is left until the tree can be read.
            Err(error) if !published => return Err(error),
            // Former generations stay where the tree is large, or cannot all be read.
            Ok(None) | Err(_) => numbers.clear(),
        }
    }
    let mut useless = Vec::new();
    for number in numbers {
        let place = control::generation(directory, number);
        let tree = tree::read(exec, &At::store(place.clone()))?;
        useless.push((place, tree));
    }
    let is_there = exec.kind(&store)?.is_some();
    let empties = !published && !found.strays && is_there && useless.len() == found.numbers.len();
    let record = found.has_record.then(|| control::owner(directory));
    Ok(Elsewhere::Generation { store, useless, empties, record })
}

/// Plans the removal of the remains of a transaction.
pub fn sweep(remains: &Remains, scope: Scope) -> Piece {
    let place = control::transaction(remains.number);
    let mut piece = Piece::new(place.clone());
    let plan = &mut piece.plan;
    if scope == Scope::All {
        for path in &remains.directories {
            plan.sync_dir(path, "act on durable facts: what is gone here stays gone");
        }
    }
    for elsewhere in &remains.elsewhere {
        match elsewhere {
            Elsewhere::Siblings { path, at, new, old, is_overtaken, has_quarantine } => {
                let (new_path, old_path) =
                    (control::sibling_new(path, remains.number), control::sibling_old(path, remains.number));
                match old {
                    Some(_) if at.is_none() || *is_overtaken => {
                        // Somebody removed what had taken its place, or worked in it: nothing is lost here.
                        let quarantine = control::quarantine(remains.number);
                        let to = quarantine.child(old_path.name());
                        if !has_quarantine {
                            plan.make_dir(&quarantine, "a place that recovery does not read");
                        }
                        plan.rename(&old_path, &to, "it may be the last copy");
                        plan.sync_dir(&quarantine, "or the last copy could be lost");
                        plan.sync_control("or the last copy could be lost");
                        let detail = if at.is_none() {
                            format!("is gone; the directory that it replaced is kept in {to}")
                        } else {
                            format!("replaced a directory that others changed since; that is kept in {to}")
                        };
                        piece.findings.push(Finding::new(path, Verdict::Quarantined, detail));
                    }
                    Some((kind, tree)) => remove(plan, *kind, tree, &old_path),
                    None => {}
                }
                if let Some((kind, tree)) = new {
                    remove(plan, *kind, tree, &new_path);
                }
            }
            Elsewhere::Generation { store, useless, empties, record } => {
                for (place, tree) in useless {
                    tree::remove(plan, tree, place);
                }
                if *empties {
                    if let Some(record) = record {
                        plan.remove_file(record, "it holds no generation");
                    }
                    plan.remove_dir(store, "it holds no generation");
                }
            }
        }
    }
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
    piece.findings.push(swept(remains.number));
    piece
}

/// Returns the finding about the staging of a transaction.
pub(super) fn swept(number: u64) -> Finding {
    let detail = format!("the staging of transaction {number}, which was complete or never decided");
    Finding::new(&control::transaction(number), Verdict::Swept, detail)
}

fn remove(plan: &mut Plan, kind: Kind, tree: &Tree, path: &RelPath) {
    if kind == Kind::Directory {
        tree::remove(plan, tree, path);
    } else {
        plan.remove_file(path, "it is no longer needed");
    }
}
