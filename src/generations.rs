//! Directories of generations, which the publish mode `pointer` makes: their records, their numbers, and the
//! links that lead to them.
//!
//! A directory of generations belongs to one path, for which it was made; its record `owner` says so. Links
//! can be copied, moved and set back by anyone, so the text of a link shows what a path *shows*, and only the
//! record shows what *belongs* to it. A generation is removed only if no link below the root leads to it.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use crate::control;
use crate::error::Error;
use crate::exec::Executor;
use crate::fs::{Cause, Fs, Kind};
use crate::journal::{Change, Journal, Op};
use crate::limits::{LOG_BYTES_MAX, PATH_BYTES_MAX};
use crate::path::{At, RelPath, RootId, check_name, is_reserved};
use crate::plan::Plan;
use crate::stray;
use crate::text::as_number;
use crate::tree;

/// The length of a record up to which it is read: a path and its frame are shorter.
const RECORD_BYTES_MAX: usize = 2 * PATH_BYTES_MAX;

/// One directory of generations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generations {
    /// Its number.
    pub directory: u64,
    /// The path that it belongs to; `None` if its record is missing or damaged: then it belongs to none.
    pub owner: Option<RelPath>,
    /// Whether there is a record.
    pub has_record: bool,
    /// The numbers of its generations, sorted.
    pub numbers: Vec<u64>,
    /// Whether strays lie in it.
    pub strays: bool,
}

impl Generations {
    /// Reads a directory of generations; empty if it does not exist.
    ///
    /// # Errors
    ///
    /// `ErrorKind::Corrupt` for an entry that is not ours; the filesystem's failures.
    pub fn read<F: Fs>(exec: &mut Executor<F>, directory: u64) -> Result<Self, Error> {
        let mut found = Self { directory, ..Self::default() };
        let place = control::generations(directory);
        if exec.kind(&place)? != Some(Kind::Directory) {
            return Ok(found);
        }
        let mut names = exec.list(RootId::STORE, &place)?;
        found.strays = stray::leave_out(&mut names);
        for (name, kind) in names {
            match as_number(&name) {
                Some(number) => found.numbers.push(number),
                None if name == control::OWNER && kind == Kind::File => found.has_record = true,
                None => return Err(Error::not_ours(&place.child(&name))),
            }
        }
        found.numbers.sort_unstable();
        if found.has_record {
            let bytes = exec.read_whole(&control::owner(directory), LOG_BYTES_MAX)?.unwrap_or_default();
            found.owner = owner_in(&bytes, directory);
        }
        Ok(found)
    }

    /// Returns the number of the next generation: above every number that exists, and above the one that the
    /// link names, which may be gone.
    pub fn next(&self, shown: u64) -> u64 {
        self.numbers.last().map_or(shown, |last| shown.max(*last)).saturating_add(1)
    }

    /// Returns the oldest generation that stays after the publish of a new one: of all that exist, the newest
    /// `keep` stay, the new one included, and so does the one that it takes the place of.
    pub fn oldest_kept(&self, new: u64, shown: Option<u64>, keep: u64) -> u64 {
        let back = usize::try_from(keep.max(1) - 1).unwrap_or(usize::MAX);
        let newest = self.numbers.iter().rev().copied();
        let oldest = core::iter::once(new).chain(newest).nth(back).or_else(|| self.numbers.first().copied());
        let oldest = oldest.unwrap_or(new).min(new);
        // A path that was set back shows an older one than the newest.
        let set_back = shown.filter(|shown| self.numbers.last().is_some_and(|last| shown < last));
        set_back.map_or(oldest, |shown| oldest.min(shown))
    }
}

/// Returns the path that the bytes of a record of a directory of generations name.
fn owner_in(record: &[u8], directory: u64) -> Option<RelPath> {
    let mut ops = Journal::decode(record).ok()?.ops.into_iter();
    match (ops.next(), ops.next()) {
        (Some(Op { path, change: Change::Pointer { directory: of, .. } }), None) if of == directory => Some(path),
        _ => None,
    }
}

/// Lists the numbers of all directories of generations, sorted.
///
/// # Errors
///
/// As for [`Generations::read`].
pub fn directories<F: Fs>(exec: &mut Executor<F>) -> Result<Vec<u64>, Error> {
    let place = control::entry(control::DIRECTORIES);
    let mut numbers = Vec::new();
    if exec.kind(&place)?.is_none() {
        return Ok(numbers);
    }
    let mut names = exec.list(RootId::STORE, &place)?;
    stray::leave_out(&mut names);
    for (name, _) in names {
        numbers.push(as_number(&name).ok_or_else(|| Error::not_ours(&place.child(&name)))?);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Returns the record that a directory of generations belongs to a path.
pub fn record(path: &RelPath, directory: u64) -> Journal {
    let change = Change::Pointer { directory, generation: 1, oldest: 1 };
    Journal { unsynced: false, kept: false, epoch: 0, transaction: 0, ops: [Op { path: path.clone(), change }].into() }
}

/// Appends the steps that make a directory of generations, with the record that it belongs to a path.
pub fn make(plan: &mut Plan, path: &RelPath, directory: u64) {
    let owner = control::owner(directory);
    plan.make_dir(&control::generations(directory), "where its generations are");
    plan.create(&owner, "the path that the generations belong to");
    plan.write(&owner, record(path, directory).encode(), "the path that the generations belong to");
    plan.sync_file(&owner, "or the generations could belong to none");
}

/// Returns the path to which a path leads through a link of `pointer`, at it or above it; `None` where there is none. A
/// link that belongs to another path, or that leads to nothing, is a link like any other.
///
/// # Errors
///
/// The filesystem's failures.
pub fn through<F: Fs>(exec: &mut Executor<F>, top: &At, path: &RelPath) -> Result<Option<RelPath>, Error> {
    let (mut link, mut below) = (RelPath::ROOT, path.clone());
    while let Some((name, rest)) = below.split_first() {
        (link, below) = (link.child(name), rest);
        match exec.stat_in(top.root, &top.path.join(&link))?.map(|stat| stat.kind) {
            Some(Kind::Directory) => {}
            Some(Kind::Symlink) => return Ok(shown_by(exec, top, &link)?.map(|shown| shown.join(&below))),
            Some(Kind::File | Kind::Other) | None => break,
        }
    }
    Ok(None)
}

/// Returns the generation that a link shows, if it belongs to the path of the link. Of a record that must not be read,
/// which is one of another user, the text of the link is believed.
fn shown_by<F: Fs>(exec: &mut Executor<F>, top: &At, link: &RelPath) -> Result<Option<RelPath>, Error> {
    let below_top = |path: &RelPath| At { root: top.root, path: top.path.join(path) };
    let Some(text) = relative_text(exec, &below_top(link), &[Cause::NotPermitted, Cause::Access])? else {
        return Ok(None);
    };
    let Some((directory, number)) = control::parse_pointer(link, &text) else { return Ok(None) };
    let is_owner = match exec.read_start(&below_top(&control::owner(directory)), RECORD_BYTES_MAX) {
        Ok(record) => owner_in(&record, directory).as_ref() == Some(link),
        Err(error) => match error.cause() {
            Some(Cause::NoEntry | Cause::NotDirectory | Cause::Loop) => false,
            Some(Cause::NotPermitted | Cause::Access) => true,
            _ => return Err(error),
        },
    };
    let generation = control::generation(directory, number);
    let at = below_top(&generation);
    Ok((is_owner && exec.stat_in(at.root, &at.path)?.is_some()).then_some(generation))
}

/// A generation, by the numbers of its directory and its own.
pub type Generation = (u64, u64);

/// Returns the generations that a link below the root leads to. Links inside generations of `except` are not
/// searched: they lead to places in the same generation, or the generation could not have been published.
/// Returns `None` if the tree has more than `most` entries. An absolute link, which no guest can read, is taken
/// to lead elsewhere.
///
/// # Errors
///
/// As for [`Generations::read`]; then not all links are known, and what they lead to must stay.
pub fn led_to<F: Fs>(
    exec: &mut Executor<F>,
    except: Option<u64>,
    most: usize,
) -> Result<Option<BTreeSet<Generation>>, Error> {
    let mut led = BTreeSet::new();
    let mut waiting = Vec::from([RelPath::ROOT]);
    let others = directories(exec)?.into_iter().filter(|number| Some(*number) != except);
    waiting.extend(others.map(control::generations));
    let mut entries = 0;
    while let Some(directory) = waiting.pop() {
        let names = exec.list(RootId::STORE, &directory)?;
        entries += names.len();
        if entries > most {
            return Ok(None);
        }
        for (name, kind) in names {
            let path = directory.child(&name);
            match kind {
                // Names of ours hold no links of people.
                _ if is_reserved(&name) => {}
                Kind::Directory => waiting.push(path),
                Kind::Symlink => {
                    let text = relative_text(exec, &At::store(path.clone()), &[Cause::NotPermitted])?;
                    led.extend(text.and_then(|text| generation_at(&path, &text)));
                }
                Kind::File | Kind::Other => {}
            }
        }
    }
    Ok(Some(led))
}

/// Returns the text of a link; `None` for one that is absolute. Hosts refuse to read an absolute link with one of these
/// causes. The refusal of an absolute link is repeatable.
fn relative_text<F: Fs>(exec: &mut Executor<F>, link: &At, refusals: &[Cause]) -> Result<Option<String>, Error> {
    let refused = |error: &Error| error.cause().is_some_and(|cause| refusals.contains(&cause));
    let answer = match exec.read_link(link.root, &link.path) {
        Err(error) if refused(&error) => {
            exec.look(link)?;
            exec.read_link(link.root, &link.path)
        }
        answer => answer,
    };
    match answer {
        Ok(text) => Ok(Some(text)),
        // A text of ours is ASCII.
        Err(error) if refused(&error) || error.cause() == Some(Cause::IllegalName) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the generation that the text of a link at `path` leads into.
fn generation_at(path: &RelPath, text: &str) -> Option<Generation> {
    let mut target = path.parent();
    for name in text.split('/') {
        match name {
            "" | "." => {}
            ".." => target = target.parent(),
            _ if check_name(name).is_err() => return None,
            _ => target = target.child(name),
        }
    }
    let below = target.below(&control::entry(control::DIRECTORIES))?;
    let (directory, below) = below.split_first()?;
    let (generation, _) = below.split_first()?;
    Some((as_number(directory)?, as_number(generation)?))
}

/// Returns the directories of generations that have some, and to which no link below the root leads; `None`
/// if the tree is too large to be searched.
///
/// # Errors
///
/// As for [`Generations::read`].
pub fn unused<F: Fs>(exec: &mut Executor<F>, most: usize) -> Result<Option<Vec<Generations>>, Error> {
    let mut all = Vec::new();
    for number in directories(exec)? {
        all.push(Generations::read(exec, number)?);
    }
    all.retain(|found| !found.numbers.is_empty());
    if all.is_empty() {
        return Ok(Some(all));
    }
    let Some(led) = led_to(exec, None, most)? else { return Ok(None) };
    all.retain(|found| !led.iter().any(|(directory, _)| *directory == found.directory));
    Ok(Some(all))
}

/// Returns the plan that removes every generation of a directory, and the directory. The directory with the
/// highest number stays, with its record: no number is used twice, or a link that comes back from a backup
/// would show the content of another path.
///
/// # Errors
///
/// As for [`tree::read`].
pub fn free<F: Fs>(exec: &mut Executor<F>, unused: &Generations, is_newest: bool) -> Result<Plan, Error> {
    let place = control::generations(unused.directory);
    let mut plan = Plan::new();
    // A link that was removed must stay removed, or it could lead nowhere.
    if let Some(owner) = &unused.owner
        && exec.kind(&owner.parent())? == Some(Kind::Directory)
    {
        plan.sync_parent(owner, "act on durable facts: the link that led there is gone");
    }
    for number in &unused.numbers {
        let generation = control::generation(unused.directory, *number);
        let tree = tree::read(exec, &At::store(generation.clone()))?;
        tree::remove(&mut plan, &tree, &generation);
    }
    if !is_newest && !unused.strays {
        if unused.has_record {
            plan.remove_file(&control::owner(unused.directory), "it holds no generation");
        }
        plan.remove_dir(&place, "it holds no generation");
    } else {
        plan.sync_dir(&place, "or a generation could come back");
    }
    plan.sync_dir(&control::entry(control::DIRECTORIES), "or it could come back");
    Ok(plan)
}

/// Describes a directory that nothing leads to.
pub fn described(unused: &Generations) -> String {
    let count = unused.numbers.len();
    let plural = if count == 1 { "" } else { "s" };
    let owner = unused.owner.as_ref().map_or("no known path", |owner| owner.shown());
    format!("{count} generation{plural} of {owner}, to which no link leads any more")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse_any(text).expect("a good path")
    }

    #[test]
    fn a_link_into_a_generation_leads_to_it() {
        for (at, text, wanted) in [
            ("x", ".onionskin/directories/1/2", Some((1, 2))),
            ("a/x", "../.onionskin/directories/1/2/deep/file", Some((1, 2))),
            ("a/x", "./.././b/../.onionskin/directories//1/2/", Some((1, 2))),
            ("x", ".onionskin/directories/1", None),
            ("x", ".onionskin/tx-1/link", None),
            ("x", "elsewhere", None),
            (".onionskin/directories/2/1/x", "../../1/2", Some((1, 2))),
        ] {
            assert_eq!(generation_at(&path(at), text), wanted, "{at} -> {text}");
        }
    }

    #[test]
    fn the_newest_stay_and_the_one_that_was_shown() {
        let of = |numbers: &[u64]| Generations { numbers: numbers.into(), ..Generations::default() };
        for (numbers, new, shown, keep, oldest) in [
            (&[][..], 1, None, 2, 1),
            (&[1], 2, Some(1), 2, 1),
            (&[1, 2], 3, Some(2), 2, 2),
            (&[1, 2], 3, Some(1), 2, 1),
            (&[1, 2, 3, 7], 8, Some(7), 3, 3),
            (&[1, 2, 3], 4, Some(3), 1, 4),
            (&[1, 2, 3], 4, Some(3), 100, 1),
        ] {
            assert_eq!(of(numbers).oldest_kept(new, shown, keep), oldest, "{numbers:?}, {new}, {shown:?}, {keep}");
        }
        assert_eq!(of(&[1, 5]).next(2), 6);
        assert_eq!(of(&[]).next(3), 4);
    }
}
