//! The translation of a path of the program to a path of the merged tree.
//!
//! The rules are those of wasmtime on Linux: links on the way are followed, the last one on request; an
//! absolute path, an absolute link, or a `..` above the start is refused.

use alloc::string::String;
use alloc::vec::Vec;

use super::Overlay;
use super::code::Code;
use crate::fs::{Cause, Fs, Kind};
use crate::limits::{LINKS_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX};
use crate::path::{RelPath, is_reserved};
use crate::workspace::Place;

/// The spot that a path leads to.
pub(super) struct Spot {
    /// The path in the merged tree, without links on the way.
    pub(super) path: RelPath,
    /// The entry there, if any.
    pub(super) place: Option<Place>,
    /// Whether the path names a directory itself, and no name in one: `.`, `a/..`, `a/`.
    pub(super) is_here: bool,
}

impl Spot {
    /// Returns the kind of the entry, if there is one.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.place.as_ref().map(Place::kind)
    }

    /// Returns the entry, which must exist.
    pub(super) fn existing(self) -> Result<(RelPath, Place), Code> {
        let place = self.place.ok_or(Cause::NoEntry)?;
        Ok((self.path, place))
    }

    /// Returns the spot of a name to be created, removed or moved; fails with `here` when the path names
    /// none, as `a/..` does.
    pub(super) fn named(self, here: Code) -> Result<Self, Code> {
        if self.is_here { Err(here) } else { Ok(self) }
    }

    /// Returns the path of a name to be created, where no entry exists yet.
    pub(super) fn free(self, here: Cause) -> Result<RelPath, Code> {
        if self.is_here {
            return Err(here.into());
        }
        if self.place.is_some() {
            return Err(Cause::AlreadyExists.into());
        }
        self.check_name()?;
        Ok(self.path)
    }

    /// Refuses names that are reserved for the store.
    pub(super) fn check_name(&self) -> Result<(), Code> {
        if is_reserved(self.path.name()) { Err(Cause::NotPermitted.into()) } else { Ok(()) }
    }
}

/// Returns the path without the trailing slashes that mark a directory, where a directory is implied.
pub(super) fn without_slash(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => path,
        trimmed => trimmed,
    }
}

impl<F: Fs> Overlay<F> {
    /// Walks a path from a directory of the merged tree.
    pub(super) fn find(&mut self, from: &RelPath, path: &str, follow: bool) -> Result<Spot, Code> {
        check(path)?;
        // A single look suffices where nothing is in the way: an entry below a link or a file is never found
        // so.
        if let Some(place) = plain(from, path)
            && let Some(found) = self.workspace.find_place(&place)?
            && !(follow && found.kind() == Kind::Symlink)
        {
            return Ok(Spot { path: place, place: Some(found), is_here: false });
        }
        let mut walk = Walk { overlay: self, above: Vec::from([from.clone()]), links: 0 };
        let last = walk.along(path, follow)?;
        let here = walk.here();
        let is_here = last == ".";
        if last.len() > NAME_BYTES_MAX {
            return Err(Cause::NameTooLong.into());
        }
        let path = if is_here { here } else { followed(&here, &last)? };
        let place = if is_reserved(path.name()) { None } else { self.workspace.find_place(&path)? };
        Ok(Spot { path, place, is_here })
    }
}

/// A walk through the merged tree.
struct Walk<'w, F: Fs> {
    overlay: &'w mut Overlay<F>,
    /// The directories on the way; the last is the present one.
    above: Vec<RelPath>,
    links: usize,
}

impl<F: Fs> Walk<'_, F> {
    /// Walks along a path; returns the last name, or `.` when the path ends at the present directory.
    fn along(&mut self, path: &str, follow: bool) -> Result<String, Code> {
        check(path)?;
        let must_be_directory = path.ends_with('/') || path.ends_with("/.");
        let mut names = path.split('/').filter(|name| !matches!(*name, "" | "."));
        let Some(last) = names.next_back() else { return Ok(".".into()) };
        for name in names {
            self.enter(name)?;
        }
        if last == ".." || must_be_directory {
            self.enter(last)?;
            return Ok(".".into());
        }
        // A link that is not followed need not be readable.
        match if follow { self.link(last)? } else { None } {
            Some(text) => self.follow(&text),
            None => Ok(last.into()),
        }
    }

    fn here(&self) -> RelPath {
        self.above.last().cloned().unwrap_or_default()
    }

    fn enter(&mut self, name: &str) -> Result<(), Code> {
        if name == ".." {
            if self.above.len() == 1 {
                return Err(Cause::NotPermitted.into());
            }
            self.above.pop();
            return Ok(());
        }
        if let Some(text) = self.link(name)? {
            let last = self.follow(&text)?;
            return if last == "." { Ok(()) } else { self.enter(&last) };
        }
        match self.look(name)?.as_ref().map(Place::kind) {
            None => Err(Cause::NoEntry.into()),
            Some(Kind::Directory) => {
                self.above.push(self.here().child(name));
                Ok(())
            }
            Some(_) => Err(Cause::NotDirectory.into()),
        }
    }

    fn look(&mut self, name: &str) -> Result<Option<Place>, Code> {
        if name.len() > NAME_BYTES_MAX {
            return Err(Cause::NameTooLong.into());
        }
        if is_reserved(name) {
            return Ok(None);
        }
        let path = followed(&self.here(), name)?;
        Ok(self.overlay.workspace.find_place(&path)?)
    }

    /// Reads the text of the link under a name, or `None` when the name is no link.
    fn link(&mut self, name: &str) -> Result<Option<String>, Code> {
        match self.look(name)? {
            Some(place) if place.kind() == Kind::Symlink => self.overlay.text_of(&place).map(Some),
            _ => Ok(None),
        }
    }

    fn follow(&mut self, text: &str) -> Result<String, Code> {
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(Cause::Loop.into());
        }
        self.along(text, true)
    }
}

/// Returns the path that is reached if no link is on the way; `None` where the path has to be walked.
pub(super) fn plain(from: &RelPath, path: &str) -> Option<RelPath> {
    let is_plain = |name: &str| !matches!(name, "" | "." | "..") && name.len() <= NAME_BYTES_MAX && !is_reserved(name);
    if path.split('/').all(is_plain) && !path.contains('\0') { followed(from, path).ok() } else { None }
}

/// Returns a path followed by more names.
fn followed(from: &RelPath, names: &str) -> Result<RelPath, Code> {
    if from.as_str().len() + 1 + names.len() > PATH_BYTES_MAX {
        return Err(Cause::NameTooLong.into());
    }
    Ok(from.followed_by(names))
}

fn check(path: &str) -> Result<(), Code> {
    if path.contains('\0') {
        return Err(Code::Invalid);
    }
    if path.len() > PATH_BYTES_MAX {
        return Err(Cause::NameTooLong.into());
    }
    if path.starts_with('/') {
        return Err(Cause::NotPermitted.into());
    }
    if path.is_empty() { Err(Cause::NoEntry.into()) } else { Ok(()) }
}
