//! Resolves the path of a guest to a directory and one name in it.

use onionskin::fs::Cause;
use onionskin_sim::{Dir, SimFs};

/// The longest path, as on Linux, with the byte that ends it.
const PATH_BYTES_MAX: usize = 4096;

/// The target of a path: a directory itself, or a name in one.
pub(super) enum Place {
    Here(Dir),
    Named(Dir, String),
}

/// Walks a path inside of a grant; a link at its end is followed if `follow` is set.
pub(super) fn find(fs: &SimFs, from: &Dir, path: &str, follow: bool) -> Result<Place, Cause> {
    check(path)?;
    let (dir, name) = fs.walk(from, path, follow)?;
    Ok(if name == "." { Place::Here(dir) } else { Place::Named(dir, name) })
}

/// As [`find`], for a call that creates, renames or removes a name; `here` is its error when there is no name, as in
/// `a/..`.
pub(super) fn name(fs: &SimFs, from: &Dir, path: &str, here: Cause) -> Result<(Dir, String), Cause> {
    match find(fs, from, path, false)? {
        Place::Named(dir, name) => Ok((dir, name)),
        Place::Here(_) => Err(here),
    }
}

/// Returns the path without the ending that marks a directory, where that is implied.
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
