//! From the path of a guest to a directory and one name in it.

use onionskin::fs::Cause;
use onionskin_sim::{Dir, SimFs};

/// The longest path, as on Linux, with the byte that ends it.
const PATH_BYTES_MAX: usize = 4096;

/// What a path leads to: a directory itself, or a name in one.
pub(super) enum Place {
    Here(Dir),
    Named(Dir, String),
}

/// Walks a path inside of a grant; a link at its end is followed if `follow` says so.
pub(super) fn find(fs: &SimFs, from: &Dir, path: &str, follow: bool) -> Result<Place, Cause> {
    check(path)?;
    let (dir, name) = fs.walk(from, path, follow)?;
    Ok(if name == "." { Place::Here(dir) } else { Place::Named(dir, name) })
}

/// As [`find`], for a call that makes, renames or removes a name; `here` is what it says when there
/// is no name, as in `a/..`.
pub(super) fn name(fs: &SimFs, from: &Dir, path: &str, here: Cause) -> Result<(Dir, String), Cause> {
    match find(fs, from, path, false)? {
        Place::Named(dir, name) => Ok((dir, name)),
        Place::Here(_) => Err(here),
    }
}

/// The path without what says that it is a directory, where that is understood.
pub(super) fn without_slash(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => path,
        trimmed => trimmed,
    }
}

fn check(path: &str) -> Result<(), Cause> {
    if path.contains('\0') {
        return Err(Cause::Other);
    }
    if path.len() >= PATH_BYTES_MAX { Err(Cause::NameTooLong) } else { Ok(()) }
}
