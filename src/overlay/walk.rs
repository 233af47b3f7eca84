//! From the path of a program to a path of the merged tree.
//!
//! The rules are those of wasmtime on Linux: links on the way are followed, the last one if asked for;
//! an absolute path, an absolute link, and one `..` too many lead nowhere.

use alloc::string::String;
use alloc::vec::Vec;

use super::Overlay;
use super::code::Code;
use crate::fs::{Cause, Fs, Kind};
use crate::limits::{LINKS_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX};
use crate::path::{RelPath, is_reserved};
use crate::workspace::Place;

/// Where a path leads.
pub(super) struct Spot {
    /// The path in the merged tree, without links on the way.
    pub(super) path: RelPath,
    /// What stands there.
    pub(super) place: Option<Place>,
    /// The path names a directory itself, and no name in one: `.`, `a/..`, `a/`.
    pub(super) is_here: bool,
}

impl Spot {
    /// What stands there, if anything does.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.place.as_ref().map(Place::kind)
    }

    /// What stands there, where something must.
    pub(super) fn existing(self) -> Result<(RelPath, Place), Code> {
        let place = self.place.ok_or(Cause::NoEntry)?;
        Ok((self.path, place))
    }

    /// The name that is made, removed or moved; `here` is the answer where there is none, as for `a/..`.
    pub(super) fn named(self, here: Code) -> Result<Self, Code> {
        if self.is_here { Err(here) } else { Ok(self) }
    }

    /// The name to be made, where nothing is yet.
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

    /// Refuses names that are ours.
    pub(super) fn check_name(&self) -> Result<(), Code> {
        if is_reserved(self.path.name()) { Err(Cause::NotPermitted.into()) } else { Ok(()) }
    }
}

/// The path without what says that it is a directory, where that is understood.
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
        // One look where nothing is in the way: what stands below a link or a file is never found so.
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

/// A way through the merged tree.
struct Walk<'w, F: Fs> {
    overlay: &'w mut Overlay<F>,
    /// The directories of the way; the last is where it stands.
    above: Vec<RelPath>,
    links: usize,
}

impl<F: Fs> Walk<'_, F> {
    /// Goes along a path; returns the last name, or `.` for where it stands then.
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
        // A text that is not needed need not be readable.
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

    /// The text of the link under a name, if it is one.
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

/// Where a path leads if no link is on the way; nothing where it has to be walked.
pub(super) fn plain(from: &RelPath, path: &str) -> Option<RelPath> {
    let is_plain = |name: &str| !matches!(name, "" | "." | "..") && name.len() <= NAME_BYTES_MAX && !is_reserved(name);
    if path.split('/').all(is_plain) && !path.contains('\0') { followed(from, path).ok() } else { None }
}

/// A path followed by more names.
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
