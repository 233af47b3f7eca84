//! The lowers as one tree: the topmost entry at a path, with directories merged.
//!
//! An entry that is not a directory hides the entries of the lowers below at its path and further down.
//! Reserved names are no content of a user and are left out.

use alloc::string::String;
use alloc::vec::Vec;

use super::map::{SEED, Seen, sum};
use crate::error::{Error, Limit};
use crate::exec::Executor;
use crate::fs::{Cause, Fs, Kind, Stat};
use crate::journal::OldEntry;
use crate::limits::{ENTRIES_MAX, SUMMED_BYTES_MAX};
use crate::order;
use crate::path::{At, RelPath, is_reserved};

/// Finds the entry at a path, and its place.
pub(super) fn stat<F: Fs>(exec: &mut Executor<F>, lowers: &[At], path: &RelPath) -> Result<Option<(At, Stat)>, Error> {
    for lower in lowers {
        let at = At { root: lower.root, path: lower.path.join(path) };
        match exec.stat_in(at.root, &at.path) {
            Ok(Some(stat)) => return Ok(Some((at, stat))),
            Ok(None) => {}
            Err(error) => match error.cause() {
                Some(Cause::NoEntry) => {}
                Some(Cause::NotDirectory | Cause::Loop) => return Ok(None),
                _ => return Err(error),
            },
        }
    }
    Ok(None)
}

/// Lists the names in a directory, sorted; none when it is not a directory.
pub(super) fn names<F: Fs>(
    exec: &mut Executor<F>,
    lowers: &[At],
    path: &RelPath,
) -> Result<Vec<(String, Kind)>, Error> {
    let mut names = Vec::new();
    for (index, lower) in lowers.iter().enumerate() {
        match stat(exec, &lowers[index..=index], path)? {
            Some((at, stat)) if stat.kind == Kind::Directory => names.extend(exec.list(at.root, &at.path)?),
            Some(_) => break,
            // No entry here: but an entry on the way may hide those below.
            None if is_hidden(exec, lower, path)? => break,
            None => {}
        }
    }
    names.retain(|(name, _)| !is_reserved(name));
    // Stable: of equal names the topmost comes first, and stays.
    order::sort_by(&mut names, |(one, _), (other, _)| one.cmp(other));
    names.dedup_by(|(other, _), (one, _)| one == other);
    Ok(names)
}

/// Checks whether an entry on the way to a path is not a directory.
fn is_hidden<F: Fs>(exec: &mut Executor<F>, lower: &At, path: &RelPath) -> Result<bool, Error> {
    let at = At { root: lower.root, path: lower.path.join(path) };
    match exec.stat_in(at.root, &at.path) {
        Ok(_) => Ok(false),
        Err(error) => match error.cause() {
            Some(Cause::NoEntry) => Ok(false),
            Some(Cause::NotDirectory | Cause::Loop) => Ok(true),
            _ => Err(error),
        },
    }
}

/// Returns the state of a path, to be compared later; with its content, and that of all below a directory, where
/// that counts.
pub(super) fn seen<F: Fs>(exec: &mut Executor<F>, lowers: &[At], path: &RelPath, all: bool) -> Result<Seen, Error> {
    let found = stat(exec, lowers, path)?;
    seen_as(exec, lowers, path, found.as_ref(), all)
}

/// As [`seen`], for a path whose entry was already looked up.
pub(super) fn seen_as<F: Fs>(
    exec: &mut Executor<F>,
    lowers: &[At],
    path: &RelPath,
    found: Option<&(At, Stat)>,
    all: bool,
) -> Result<Seen, Error> {
    let entry = found.map(|(_, stat)| look(stat));
    let below = match found {
        Some((_, stat)) if all && stat.kind == Kind::Directory => digest(exec, lowers, path)?,
        Some((at, stat)) if all => noted(exec, at, stat)?,
        _ => 0,
    };
    Ok(Seen { entry, below, kept: None })
}

/// Checks whether a path that has this state differs from its former one. Where the content was noted it decides,
/// and the time does not.
pub(super) fn has_changed(former: &Seen, now: &Seen) -> bool {
    match (&former.entry, &now.entry) {
        (Some(one), Some(other)) if one.kind == other.kind && former.below != 0 && now.below != 0 => {
            former.below != now.below || one.size != other.size
        }
        _ => former.entry != now.entry,
    }
}

/// Of a directory neither size nor time has a meaning.
fn look(stat: &Stat) -> OldEntry {
    match stat.kind {
        Kind::Directory => OldEntry { kind: Kind::Directory, size: 0, modified: None },
        Kind::File | Kind::Symlink | Kind::Other => OldEntry::from(*stat),
    }
}

/// Returns the sum of a content that is noted; 0 where length and time decide: a file that is long, or must not be
/// read.
///
/// # Errors
/// The filesystem's other failures: content that was noted and fails once would look as if it had changed.
fn noted<F: Fs>(exec: &mut Executor<F>, at: &At, stat: &Stat) -> Result<u64, Error> {
    if stat.size > SUMMED_BYTES_MAX && stat.modified.is_some() {
        return Ok(0);
    }
    match content(exec, at, stat) {
        Err(error) if matches!(error.cause(), Some(Cause::Access | Cause::NotPermitted)) => Ok(0),
        summed => summed,
    }
}

/// Returns a sum of the content of a file, or of the text of a link; 0 for all else, and for an absolute link.
///
/// # Errors
/// The filesystem's failures.
pub(super) fn content<F: Fs>(exec: &mut Executor<F>, at: &At, stat: &Stat) -> Result<u64, Error> {
    let mut total = SEED;
    match stat.kind {
        Kind::File => exec.read_pieces(at, &mut |piece| {
            total = sum(total, piece);
            true
        })?,
        Kind::Symlink => match exec.read_link(at.root, &at.path) {
            Ok(text) => total = sum(total, text.as_bytes()),
            // An absolute link.
            Err(error) if matches!(error.cause(), Some(Cause::Access | Cause::NotPermitted)) => total = 0,
            Err(error) => return Err(error),
        },
        Kind::Directory | Kind::Other => total = 0,
    }
    Ok(total)
}

/// Returns a digest that a directory with this one has not: of what has not been seen as it is.
pub(super) fn another(digest: u64) -> u64 {
    (!digest).max(1)
}

/// Returns a digest of all below a directory; never 0. Where a content cannot be read, its time counts.
fn digest<F: Fs>(exec: &mut Executor<F>, lowers: &[At], top: &RelPath) -> Result<u64, Error> {
    let (mut digest, mut count) = (SEED, 0);
    let mut waiting = Vec::from([top.clone()]);
    while let Some(directory) = waiting.pop() {
        let names = match names(exec, lowers, &directory) {
            // It holds a name that no list can have: it is not what it is without.
            Err(error) if error.cause() == Some(Cause::IllegalName) => {
                digest = sum(digest, &[0xff]);
                Vec::new()
            }
            names => names?,
        };
        for (name, _) in names {
            let path = directory.child(&name);
            let Some((at, stat)) = stat(exec, lowers, &path)? else { continue };
            let entry = look(&stat);
            let content = noted(exec, &at, &stat)?;
            digest = sum(digest, path.as_str().as_bytes());
            digest = sum(digest, &[entry.kind as u8]);
            digest = sum(digest, &entry.size.to_le_bytes());
            digest =
                sum(digest, &if content == 0 { entry.modified.unwrap_or_default() } else { content }.to_le_bytes());
            if entry.kind == Kind::Directory {
                waiting.push(path);
            }
            count += 1;
        }
        if count > ENTRIES_MAX {
            return Err(Error::limit(top.shown(), Limit::Entries, ENTRIES_MAX as u64));
        }
    }
    Ok(digest.max(1))
}
