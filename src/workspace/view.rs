//! What the upper and the lowers show together.

use alloc::string::String;
use alloc::vec::Vec;

use super::map::Origin;
use super::{Workspace, layout, lower, parse_any};
use crate::error::{Error, ErrorKind, Limit};
use crate::fs::{Cause, Fs, Kind, Stat};
use crate::limits::CHUNK_BYTES_MAX;
use crate::path::RelPath;
use crate::plan::At;

/// Answers of the lowers that are kept during one call.
const LOOKS_MAX: usize = 4;

/// Where what a path shows is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// In a lower.
    Lower,
    /// In the upper.
    Upper,
}

/// What a path of the merged tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes; of no meaning but for a file.
    pub size: u64,
    /// Last change of its content, in nanoseconds since 1970, where that is known.
    pub modified: Option<u64>,
    /// Where it is kept.
    pub layer: Layer,
}

/// One name in a directory of the merged tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Where it is kept.
    pub layer: Layer,
}

/// What stands at a path of the merged tree.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A file of our own, by number.
    File(u64),
    /// A directory of our own.
    Directory,
    /// A link of our own.
    Link(String),
    /// What the lowers have at this path.
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

    /// The number of a file of our own.
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
    /// What a path is; of a link, the link itself. `.` is the root.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::SymlinkRefused`] for a link on the way, which nothing
    /// here follows.
    pub fn stat(&mut self, path: &str) -> Result<Node, Error> {
        let path = self.look_up(path)?;
        let place = self.existing(&path)?;
        self.node(&place)
    }

    /// What is known of what stands at a place.
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
                let (size, modified) = stat.map_or((0, None), |stat| (stat.size, stat.modified));
                Node { kind: Kind::File, size, modified, layer }
            }
        })
    }

    /// Up to `length` bytes of a file from `offset`; fewer at its end alone.
    ///
    /// # Errors
    /// As for [`Workspace::stat`]; what is no file; [`ErrorKind::LimitExceeded`].
    pub fn read(&mut self, path: &str, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        if length > CHUNK_BYTES_MAX {
            return Err(Error::limit(path, Limit::ChunkBytes, CHUNK_BYTES_MAX as u64));
        }
        let path = parse_any(path)?;
        // A file that is read on is still open: what stands there was asked at its start.
        let place = self.existing(&path)?;
        check_file(&path, place.kind())?;
        match place {
            Place::Lower(_, at, _) => self.state.exec.read_at(&at, offset, length),
            Place::File(number) => match self.state.exec.read_at(&At::store(layout::file(number)), offset, length) {
                // Its name was lost with the power before it was synced: it is empty.
                Err(error) if error.cause() == Some(Cause::NoEntry) => Ok(Vec::new()),
                answer => answer,
            },
            Place::Directory | Place::Link(_) => Err(ErrorKind::NotAFile.at(&path)),
        }
    }

    /// The text of a link.
    ///
    /// # Errors
    /// As for [`Workspace::stat`]; [`ErrorKind::InvalidArgument`] for what is no link;
    /// [`ErrorKind::LinkUnreadable`] for an absolute one.
    pub fn read_link(&mut self, path: &str) -> Result<String, Error> {
        let path = self.look_up(path)?;
        match self.existing(&path)? {
            Place::Link(text) => Ok(text),
            Place::Lower(_, at, stat) if stat.kind == Kind::Symlink => {
                self.state.exec.read_link(at.root, &at.path).map_err(|error| match error.cause() {
                    Some(Cause::NotPermitted | Cause::Access) => ErrorKind::LinkUnreadable.at(&path),
                    _ => error,
                })
            }
            _ => Err(Error::invalid_argument(path.shown(), "is not a symbolic link")),
        }
    }

    /// The names in a directory that come after `after`, sorted, at most `most` of them. A page that
    /// is empty is the end. What changes between two pages neither repeats nor hides another name.
    ///
    /// # Errors
    /// As for [`Workspace::stat`]; [`ErrorKind::NotDirectory`]; [`ErrorKind::IllegalName`].
    pub fn list(&mut self, path: &str, after: Option<&str>, most: usize) -> Result<Vec<Entry>, Error> {
        let path = self.look_up(path)?;
        self.entries(&path, after, most)
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

    /// Parses a path, and forgets which directories of the lowers were open: others may move them.
    fn look_up(&mut self, path: &str) -> Result<RelPath, Error> {
        self.forget_sources();
        parse_any(path)
    }

    /// Forgets what is known of the lowers: others may have changed them.
    pub(super) fn forget_sources(&mut self) {
        self.state.exec.forget_sources();
        self.looked.clear();
    }

    /// What the lowers have at a path: asked once in each call.
    pub(super) fn look_below(&mut self, lower: &RelPath) -> Result<Option<(At, Stat)>, Error> {
        if let Some((_, found)) = self.looked.iter().find(|(known, _)| known == lower) {
            return Ok(found.clone());
        }
        let found = lower::stat(&mut self.state.exec, &self.lowers, lower)?;
        // More than that is a walk over a tree, which asks of each path once.
        if self.looked.len() < LOOKS_MAX {
            self.looked.push((lower.clone(), found.clone()));
        }
        Ok(found)
    }

    /// What stands at a path, by the longest prefix.
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
            // A directory that vanished from under what was written into it.
            _ if self.map.has_below(path) => Ok(Some(Place::Directory)),
            Some((at, stat)) => Ok(Some(Place::Lower(lower, at, stat))),
            None => Ok(None),
        }
    }

    /// What stands at a path, or why nothing does.
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

    /// Whether a directory has nothing in it.
    pub(crate) fn is_empty(&mut self, path: &RelPath) -> Result<bool, Error> {
        Ok(self.entries(path, None, 1)?.is_empty())
    }

    /// How many entries there are at and below a path.
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

/// Refuses what is no file, by name.
pub(super) fn check_file(path: &RelPath, kind: Kind) -> Result<(), Error> {
    match kind {
        Kind::File => Ok(()),
        Kind::Directory => Err(ErrorKind::IsDirectory.at(path)),
        Kind::Symlink => Err(ErrorKind::SymlinkRefused.at(path)),
        Kind::Other => Err(ErrorKind::NotAFile.at(path)),
    }
}
