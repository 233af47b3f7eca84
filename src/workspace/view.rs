//! The merged tree that the upper and the lowers show.

use alloc::string::String;
use alloc::vec::Vec;

use super::map::Origin;
use super::{Workspace, layout, lower, parse_any};
use crate::error::{Error, ErrorKind, Limit};
use crate::fs::{Call, Cause, Fs, Kind, Stat};
use crate::limits::CHUNK_BYTES_MAX;
use crate::path::{At, RelPath};

/// The number of lookups of the lowers that are kept during one call.
const LOOKS_MAX: usize = 4;

/// The layer that holds the content of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// In a lower.
    Lower,
    /// In the upper.
    Upper,
}

/// The metadata of a path of the merged tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// The kind of the entry.
    pub kind: Kind,
    /// The length in bytes; meaningful for a file only.
    pub size: u64,
    /// The time of the last change of its content, in nanoseconds since 1970, where known.
    pub modified: Option<u64>,
    /// The layer that holds it.
    pub layer: Layer,
}

/// One name in a directory of the merged tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// The kind of the entry.
    pub kind: Kind,
    /// The layer that holds it.
    pub layer: Layer,
}

/// The entry at a path of the merged tree.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A file of the upper, by number.
    File(u64),
    /// A directory of the workspace.
    Directory,
    /// A link of the workspace.
    Link(String),
    /// The entry of the lowers at this path.
    Lower(RelPath, At, Stat),
}

impl Place {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::File(_) => Kind::File,
            Self::Directory => Kind::Directory,
            Self::Link(_) => Kind::Symlink,
            Self::Lower(_, _, stat) => stat.kind,
        }
    }

    /// Returns the number of a file of the upper.
    #[cfg(any(not(target_family = "wasm"), feature = "overlay"))]
    pub(crate) const fn number(&self) -> Option<u64> {
        match self {
            Self::File(number) => Some(*number),
            Self::Directory | Self::Link(_) | Self::Lower(..) => None,
        }
    }

    fn layer(&self) -> Layer {
        if matches!(self, Self::Lower(..)) { Layer::Lower } else { Layer::Upper }
    }

    pub(super) fn origin(&self) -> Origin {
        match self {
            Self::File(number) => Origin::File(*number),
            Self::Directory => Origin::Directory,
            Self::Link(text) => Origin::Link(text.clone()),
            Self::Lower(path, _, _) => Origin::Lower(path.clone()),
        }
    }
}

impl<F: Fs> Workspace<F> {
    /// Returns the metadata of a path; for a link, of the link itself. `.` is the root.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::SymlinkRefused`] for a link on the way, which is never followed
    /// here.
    pub fn stat(&mut self, path: &str) -> Result<Node, Error> {
        let path = self.look_up(path)?;
        let node = self.existing(&path).and_then(|place| self.node(&place));
        self.checked(node)
    }

    /// Returns the metadata of the entry at a place.
    pub(super) fn node(&mut self, place: &Place) -> Result<Node, Error> {
        let layer = place.layer();
        let directory = Node { kind: Kind::Directory, size: 0, modified: None, layer };
        Ok(match place {
            Place::Directory => directory,
            Place::Lower(_, _, stat) if stat.kind == Kind::Directory => directory,
            Place::Lower(_, _, stat) => Node { kind: stat.kind, size: stat.size, modified: stat.modified, layer },
            Place::Link(text) => Node { kind: Kind::Symlink, size: text.len() as u64, ..directory },
            Place::File(number) => {
                let stat = self.state.exec.stat(&layout::file(*number))?;
                if stat.is_none() && self.observed.is_some() {
                    return Err(Error::failed(Call::Stat, &layout::file(*number), Cause::NoEntry));
                }
                let (size, modified) = stat.map_or((0, None), |stat| (stat.size, stat.modified));
                Node { kind: Kind::File, size, modified, layer }
            }
        })
    }

    /// Reads up to `length` bytes of a file from `offset`; returns fewer only at its end.
    ///
    /// # Errors
    /// As for [`Workspace::stat`]; the errors for an entry that is not a file; [`ErrorKind::LimitExceeded`].
    pub fn read(&mut self, path: &str, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        if length > CHUNK_BYTES_MAX {
            return Err(Error::limit(path, Limit::ChunkBytes, CHUNK_BYTES_MAX as u64));
        }
        let path = parse_any(path)?;
        let bytes = self.read_from(&path, offset, length);
        self.checked(bytes)
    }

    fn read_from(&mut self, path: &RelPath, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        // A file that is read further is still open: its entry was looked up at the first read.
        let place = self.existing(path)?;
        check_file(path, place.kind())?;
        match place {
            Place::File(number) if self.observed.is_some() => self.read_observed(path, number, offset, length),
            Place::Lower(_, at, _) => self.state.exec.read_at(&at, offset, length),
            Place::File(number) => match self.state.exec.read_at(&At::store(layout::file(number)), offset, length) {
                // Its name was lost with the power before it was synced: it is empty.
                Err(error) if error.cause() == Some(Cause::NoEntry) => Ok(Vec::new()),
                answer => answer,
            },
            Place::Directory | Place::Link(_) => Err(ErrorKind::NotAFile.at(path)),
        }
    }

    /// Reads the text of a link.
    ///
    /// # Errors
    /// As for [`Workspace::stat`]; [`ErrorKind::InvalidArgument`] for an entry that is not a link;
    /// [`ErrorKind::LinkUnreadable`] for an absolute one.
    pub fn read_link(&mut self, path: &str) -> Result<String, Error> {
        let path = self.look_up(path)?;
        let text = self.existing(&path).and_then(|place| self.text_of(&path, place));
        self.checked(text)
    }

    fn text_of(&mut self, path: &RelPath, place: Place) -> Result<String, Error> {
        match place {
            Place::Link(text) => Ok(text),
            Place::Lower(_, at, stat) if stat.kind == Kind::Symlink => {
                self.state.exec.read_link(at.root, &at.path).map_err(|error| match error.cause() {
                    Some(Cause::NotPermitted | Cause::Access) => ErrorKind::LinkUnreadable.at(path),
                    _ => error,
                })
            }
            _ => Err(Error::invalid_argument(path.shown(), "is not a symbolic link")),
        }
    }

    /// Lists the names in a directory that come after `after`, sorted, at most `most`. An empty page marks
    /// the end. A change between two pages neither repeats nor hides another name.
    ///
    /// # Errors
    /// As for [`Workspace::stat`]; [`ErrorKind::NotDirectory`]; [`ErrorKind::IllegalName`].
    pub fn list(&mut self, path: &str, after: Option<&str>, most: usize) -> Result<Vec<Entry>, Error> {
        let path = self.look_up(path)?;
        let entries = self.entries(&path, after, most);
        self.checked(entries)
    }

    pub(crate) fn entries(&mut self, path: &RelPath, after: Option<&str>, most: usize) -> Result<Vec<Entry>, Error> {
        let place = self.existing(path)?;
        let lower = match &place {
            Place::Lower(lower, _, stat) if stat.kind == Kind::Directory => Some(lower),
            Place::Directory => None,
            Place::File(_) | Place::Link(_) | Place::Lower(..) => return Err(ErrorKind::NotDirectory.at(path)),
        };
        let below = match (self.listing.take(), lower) {
            (Some((known, below)), Some(lower)) if after.is_some() && known == *lower => below,
            (_, Some(lower)) => lower::names(&mut self.state.exec, &self.lowers, lower)?,
            (_, None) => Vec::new(),
        };
        let own = self.map.names_in(path);
        let is_next = |name: &str| after.is_none_or(|after| name > after);
        let mut entries = Vec::new();
        let (mut one, mut other) = (below.iter().peekable(), own.iter().peekable());
        while entries.len() < most {
            let name = match (one.peek(), other.peek()) {
                (None, None) => break,
                (Some((name, _)), None) => name,
                (None, Some(name)) => *name,
                (Some((name, _)), Some(mine)) => name.min(mine),
            };
            let from_below = one.next_if(|(candidate, _)| candidate == name);
            let is_recorded = other.next_if(|candidate| *candidate == name).is_some();
            if !is_next(name) {
                continue;
            }
            if is_recorded {
                if let Some(place) = self.find_place(&path.child(name))? {
                    entries.push(Entry { name: name.clone(), kind: place.kind(), layer: place.layer() });
                }
            } else if let Some((name, kind)) = from_below {
                entries.push(Entry { name: name.clone(), kind: *kind, layer: Layer::Lower });
            }
        }
        self.listing = lower.map(|lower| (lower.clone(), below));
        Ok(entries)
    }

    /// Parses a path, and closes the open directories of the lowers: other processes may move them.
    fn look_up(&mut self, path: &str) -> Result<RelPath, Error> {
        self.forget_sources();
        parse_any(path)
    }

    /// Forgets cached lookups of the lowers: other processes may have changed them.
    pub(super) fn forget_sources(&mut self) {
        self.state.exec.forget_sources();
        self.looked.clear();
    }

    /// Looks up the entry of the lowers at a path: looked up once in each call.
    pub(super) fn look_below(&mut self, lower: &RelPath) -> Result<Option<(At, Stat)>, Error> {
        if let Some((_, found)) = self.looked.iter().find(|(known, _)| known == lower) {
            return Ok(found.clone());
        }
        let found = lower::stat(&mut self.state.exec, &self.lowers, lower)?;
        // More lookups are a walk over a tree, which visits each path once.
        if self.looked.len() < LOOKS_MAX {
            self.looked.push((lower.clone(), found.clone()));
        }
        Ok(found)
    }

    /// Finds the entry at a path, by the longest prefix.
    pub(crate) fn find_place(&mut self, path: &RelPath) -> Result<Option<Place>, Error> {
        let lower = match self.map.nearest(path.as_str()) {
            None => path.clone(),
            Some((Origin::Lower(lower), "")) => lower.clone(),
            Some((Origin::Lower(lower), rest)) => lower.followed_by(rest),
            Some((origin, "")) => {
                return Ok(match origin {
                    Origin::File(number) => Some(Place::File(*number)),
                    Origin::Directory => Some(Place::Directory),
                    Origin::Link(text) => Some(Place::Link(text.clone())),
                    Origin::Nowhere | Origin::Lower(_) => None,
                });
            }
            Some(_) => return Ok(None),
        };
        match self.look_below(&lower)? {
            Some((at, stat)) if stat.kind == Kind::Directory => Ok(Some(Place::Lower(lower, at, stat))),
            // A directory that was removed from the lowers below entries of the workspace.
            _ if self.map.has_below(path) => Ok(Some(Place::Directory)),
            Some((at, stat)) => Ok(Some(Place::Lower(lower, at, stat))),
            None => Ok(None),
        }
    }

    /// Finds the entry at a path, or the reason why there is none.
    pub(super) fn existing(&mut self, path: &RelPath) -> Result<Place, Error> {
        if let Some(place) = self.find_place(path)? {
            return Ok(place);
        }
        let mut above = path.parent();
        loop {
            match self.find_place(&above)?.map(|place| place.kind()) {
                Some(Kind::Directory) => return Err(ErrorKind::NotFound.at(path)),
                Some(Kind::Symlink) => return Err(ErrorKind::SymlinkRefused.at(&above)),
                Some(Kind::File | Kind::Other) => return Err(ErrorKind::NotDirectory.at(&above)),
                None if above.is_root() => return Err(ErrorKind::NotFound.at(path)),
                None => above = above.parent(),
            }
        }
    }

    /// Checks whether a directory is empty.
    pub(crate) fn is_empty(&mut self, path: &RelPath) -> Result<bool, Error> {
        Ok(self.entries(path, None, 1)?.is_empty())
    }

    /// Counts the entries at and below a path.
    pub(super) fn count(&mut self, path: &RelPath) -> Result<u64, Error> {
        let mut count = 0;
        let mut waiting = Vec::from([path.clone()]);
        while let Some(path) = waiting.pop() {
            count += 1;
            if self.existing(&path)?.kind() != Kind::Directory {
                continue;
            }
            for entry in self.entries(&path, None, usize::MAX)? {
                if entry.kind == Kind::Directory {
                    waiting.push(path.child(&entry.name));
                } else {
                    count += 1;
                }
            }
        }
        Ok(count)
    }
}

/// Refuses an entry that is not a file, with an error that names it.
pub(super) fn check_file(path: &RelPath, kind: Kind) -> Result<(), Error> {
    match kind {
        Kind::File => Ok(()),
        Kind::Directory => Err(ErrorKind::IsDirectory.at(path)),
        Kind::Symlink => Err(ErrorKind::SymlinkRefused.at(path)),
        Kind::Other => Err(ErrorKind::NotAFile.at(path)),
    }
}
