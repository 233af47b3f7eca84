//! The lowers as one tree: the topmost entry at a path, with directories merged.
//!
//! An entry that is not a directory hides the entries of the lowers below at its path and further down.
//! Reserved names are no content of a user and are left out.

use alloc::string::String;
use alloc::vec::Vec;

use super::map::{SEED, Seen, sum};
use crate::error::{Error, Limit};
use crate::exec::Exec;
use crate::fs::{Cause, Fs, Kind, Stat};
use crate::journal::OldEntry;
use crate::limits::ENTRIES_MAX;
use crate::path::{At, RelPath, is_reserved};

/// Finds the entry at a path, and its place.
pub(super) fn stat<F: Fs>(exec: &mut Exec<F>, lowers: &[At], path: &RelPath) -> Result<Option<(At, Stat)>, Error> {
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
pub(super) fn names<F: Fs>(exec: &mut Exec<F>, lowers: &[At], path: &RelPath) -> Result<Vec<(String, Kind)>, Error> {
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
    names.sort_by(|(one, _), (other, _)| one.cmp(other));
    names.dedup_by(|(other, _), (one, _)| one == other);
    Ok(names)
}

/// Checks whether an entry on the way to a path is not a directory.
fn is_hidden<F: Fs>(exec: &mut Exec<F>, lower: &At, path: &RelPath) -> Result<bool, Error> {
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

/// What a path looks like, to see later whether it has changed; with all below a directory where
/// that counts.
pub(super) fn seen<F: Fs>(exec: &mut Exec<F>, lowers: &[At], path: &RelPath, all: bool) -> Result<Seen, Error> {
    let found = stat(exec, lowers, path)?.map(|(_, stat)| stat);
    seen_as(exec, lowers, path, found, all)
}

/// As [`seen`], for a path whose entry was already looked up.
pub(super) fn seen_as<F: Fs>(
    exec: &mut Exec<F>,
    lowers: &[At],
    path: &RelPath,
    found: Option<Stat>,
    all: bool,
) -> Result<Seen, Error> {
    let entry = found.map(|stat| look(&stat));
    let is_directory = entry.is_some_and(|entry| entry.kind == Kind::Directory);
    let below = if all && is_directory { digest(exec, lowers, path)? } else { 0 };
    Ok(Seen { entry, below })
}

/// Of a directory neither size nor time tells anything.
fn look(stat: &Stat) -> OldEntry {
    match stat.kind {
        Kind::Directory => OldEntry { kind: Kind::Directory, size: 0, modified: None },
        Kind::File | Kind::Symlink | Kind::Other => OldEntry::from(*stat),
    }
}

/// A digest of what all below a directory looks like; never 0.
fn digest<F: Fs>(exec: &mut Exec<F>, lowers: &[At], top: &RelPath) -> Result<u64, Error> {
    let (mut digest, mut count) = (SEED, 0);
    let mut waiting = Vec::from([top.clone()]);
    while let Some(directory) = waiting.pop() {
        for (name, _) in names(exec, lowers, &directory)? {
            let path = directory.child(&name);
            let Some((_, stat)) = stat(exec, lowers, &path)? else { continue };
            let entry = look(&stat);
            digest = sum(digest, path.as_str().as_bytes());
            digest = sum(digest, &[entry.kind as u8]);
            digest = sum(digest, &entry.size.to_le_bytes());
            digest = sum(digest, &entry.modified.unwrap_or_default().to_le_bytes());
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
