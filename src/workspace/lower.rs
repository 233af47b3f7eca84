//! The lowers as one tree: the topmost entry at a path, with directories merged.
//!
//! An entry that is not a directory hides the entries of the lowers below at its path and further down.
//! Reserved names are no content of a user and are left out. A directory that is published by `pointer` is read through
//! its link.

use alloc::string::String;
use alloc::vec::Vec;

use super::map::{SEED, Seen, sum};
use crate::error::{Error, Limit};
use crate::exec::Executor;
use crate::fs::{Cause, Fs, Kind, Stat};
use crate::generations;
use crate::journal::OldEntry;
use crate::limits::{ENTRIES_MAX, SUMMED_BYTES_MAX};
use crate::order;
use crate::path::{At, RelPath, is_reserved};

/// The result of a look into one lower.
pub(super) enum Looked {
    Found(Stat),
    /// Something that is no directory is in the way, and hides what lowers below have.
    Hidden,
    Missing,
}

impl Looked {
    /// Returns the entry, if there is one.
    pub(super) fn found(self) -> Option<Stat> {
        match self {
            Self::Found(stat) => Some(stat),
            Self::Hidden | Self::Missing => None,
        }
    }
}

/// Looks at a path of one lower. Returns its place as well, which is in a generation if a link of `pointer` is at the
/// path or above it.
pub(super) fn look<F: Fs>(exec: &mut Executor<F>, lower: &At, path: &RelPath) -> Result<(At, Looked), Error> {
    let mut at = At { root: lower.root, path: lower.path.join(path) };
    let mut looked = looked(exec, &at)?;
    if matches!(looked, Looked::Hidden | Looked::Found(Stat { kind: Kind::Symlink, .. }))
        && let Some(led) = generations::through(exec, lower, path)?
    {
        at.path = lower.path.join(&led);
        looked = self::looked(exec, &at)?;
    }
    Ok((at, looked))
}

fn looked<F: Fs>(exec: &mut Executor<F>, at: &At) -> Result<Looked, Error> {
    match exec.stat_in(at.root, &at.path) {
        Ok(found) => Ok(found.map_or(Looked::Missing, Looked::Found)),
        Err(error) => match error.cause() {
            Some(Cause::NoEntry) => Ok(Looked::Missing),
            Some(Cause::NotDirectory | Cause::Loop) => Ok(Looked::Hidden),
            _ => Err(error),
        },
    }
}

/// Finds the entry at a path, and its place.
pub(super) fn stat<F: Fs>(exec: &mut Executor<F>, lowers: &[At], path: &RelPath) -> Result<Option<(At, Stat)>, Error> {
    for lower in lowers {
        match look(exec, lower, path)? {
            (at, Looked::Found(stat)) => return Ok(Some((at, stat))),
            (_, Looked::Hidden) => return Ok(None),
            (_, Looked::Missing) => {}
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
    for lower in lowers {
        match look(exec, lower, path)? {
            (at, Looked::Found(stat)) if stat.kind == Kind::Directory => {
                for (name, mut kind) in exec.list(at.root, &at.path)? {
                    if kind == Kind::Symlink {
                        match generations::through(exec, lower, &path.child(&name)) {
                            Ok(Some(_)) => kind = Kind::Directory,
                            // A generation that must not be entered hinders no list: a look at its path says so.
                            Err(error) if !matches!(error.cause(), Some(Cause::Access | Cause::NotPermitted)) => {
                                return Err(error);
                            }
                            Ok(None) | Err(_) => {}
                        }
                    }
                    names.push((name, kind));
                }
            }
            // No entry here: but an entry on the way may hide those below.
            (_, Looked::Found(_) | Looked::Hidden) => break,
            (_, Looked::Missing) => {}
        }
    }
    names.retain(|(name, _)| !is_reserved(name));
    // Stable: of equal names the topmost comes first, and stays.
    order::sort_by(&mut names, |(one, _), (other, _)| one.cmp(other));
    names.dedup_by(|(other, _), (one, _)| one == other);
    Ok(names)
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
    let entry = found.map(|(_, stat)| noted_entry(stat));
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
fn noted_entry(stat: &Stat) -> OldEntry {
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
            let entry = noted_entry(&stat);
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
