//! What a workspace changed, and what changed underneath it.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::glob::Select;
use super::map::Origin;
use super::view::Place;
use super::{Workspace, layout, lower};
use crate::error::Error;
use crate::fs::{Fs, Kind, Stat};
use crate::path::{At, RelPath};

/// The number of bytes of two files that are held in memory to be compared.
const COMPARED_BYTES: usize = 1 << 20;

/// What became of a path, seen from the lowers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is gone, and if it was a directory all below.
    Deleted,
    /// It was not there.
    Added,
    /// The content differs.
    Modified,
    /// It is what was at this path. What is different in it is told for itself.
    Renamed(String),
    /// It was of this kind.
    Retyped(Kind),
}

/// A changed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The path.
    pub path: String,
    /// What became of it.
    pub change: Change,
    /// What it is now; of a deleted path, what it was.
    pub kind: Kind,
    /// Its length in bytes now.
    pub size: u64,
}

/// One page of a list of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The changes, deletions first, each group in the order of paths.
    pub changes: Vec<Changed>,
    /// Where the next page begins; nothing when this is the last.
    pub next: Option<String>,
}

/// Where a page begins: after this record, or after this name in the directory that it replaced.
struct Cursor {
    deletions: bool,
    record: String,
    name: Option<String>,
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || Error::invalid_argument("after", "is not where a page ended");
        let (phase, rest) = text.split_at_checked(1).ok_or_else(wrong)?;
        let deletions = match phase {
            "d" => true,
            "c" => false,
            _ => return Err(wrong()),
        };
        let (record, name) = match rest.split_once("//") {
            Some((record, name)) => (record, Some(name.to_owned())),
            None => (rest, None),
        };
        Ok(Self { deletions, record: record.to_owned(), name })
    }

    fn text(&self) -> String {
        let phase = if self.deletions { "d" } else { "c" };
        match &self.name {
            Some(name) => [phase, &self.record, "//", name].concat(),
            None => [phase, &self.record].concat(),
        }
    }
}

impl<F: Fs> Workspace<F> {
    /// What was changed of the paths that are chosen: deletions first, then the rest, at most `most`
    /// at once. A copy that holds what the original does is no change.
    ///
    /// # Errors
    /// The filesystem's failures; [`ErrorKind::InvalidArgument`] for an `after` that is no `next`.
    pub fn changes(&mut self, select: &Select, after: Option<&str>, most: usize) -> Result<Page, Error> {
        self.forget_sources();
        let mut cursor = match after {
            Some(text) => Cursor::parse(text)?,
            None => Cursor { deletions: true, record: String::new(), name: None },
        };
        let mut sources = self.map.sources();
        sources.sort_unstable();
        let mut page = Page::default();
        loop {
            while let Some(path) = self.map.record_after(&cursor.record, cursor.name.is_some()) {
                if page.changes.len() >= most {
                    page.next = Some(cursor.text());
                    return Ok(page);
                }
                if cursor.name.is_none()
                    && select.chooses(path.as_str())
                    && let Some(changed) = self.changed(&path, cursor.deletions, &sources)?
                {
                    page.changes.push(changed);
                }
                path.as_str().clone_into(&mut cursor.record);
                if cursor.deletions {
                    let names = self.replaced_names(&path, cursor.name.take(), &sources)?;
                    cursor.name = Some(String::new());
                    for (name, kind) in names {
                        let full = path.child(&name);
                        if !select.chooses(full.as_str()) || self.find_place(&full)?.is_some() {
                            continue;
                        }
                        if page.changes.len() >= most {
                            page.next = Some(cursor.text());
                            return Ok(page);
                        }
                        let path = full.to_string();
                        page.changes.push(Changed { path, change: Change::Deleted, kind, size: 0 });
                        cursor.name = Some(name);
                    }
                }
                cursor.name = None;
            }
            if !cursor.deletions {
                return Ok(page);
            }
            cursor = Cursor { deletions: false, record: String::new(), name: None };
        }
    }

    /// What became of the path of a record, if anything.
    fn changed(&mut self, path: &RelPath, deletions: bool, sources: &[RelPath]) -> Result<Option<Changed>, Error> {
        let under = self.map.under(path);
        let is_nowhere = self.map.origin(path) == Some(&Origin::Nowhere);
        let is_moved = self.map.is_moved_away(path, sources);
        if is_nowhere != deletions || (is_nowhere && is_moved) {
            return Ok(None);
        }
        let before = if is_moved {
            // That is elsewhere now, and what is here is new.
            None
        } else {
            self.looked.clear();
            self.look_below(&under)?
        };
        let Some(place) = self.find_place(path)? else {
            return Ok(before.map(|(_, stat)| Changed {
                path: path.to_string(),
                change: Change::Deleted,
                kind: stat.kind,
                size: 0,
            }));
        };
        let size = self.node(&place)?.size;
        let change = match (&place, before) {
            // Where it was, unless that was moved away from around it.
            (Place::Lower(lower, _, _), _) if *lower == under && !self.map.is_moved_away(&path.parent(), sources) => {
                None
            }
            (Place::Lower(lower, _, _), _) => Some(Change::Renamed(lower.to_string())),
            (_, None) => Some(Change::Added),
            (_, Some((_, stat))) if stat.kind != place.kind() => Some(Change::Retyped(stat.kind)),
            (Place::Directory, Some(_)) => None,
            (_, Some((at, stat))) => (!self.is_same((&place, size), &at, &stat)?).then_some(Change::Modified),
        };
        Ok(change.map(|change| Changed { path: path.to_string(), change, kind: place.kind(), size }))
    }

    /// What a directory of the lowers has in it whose place something else took, after a name.
    fn replaced_names(
        &mut self,
        path: &RelPath,
        after: Option<String>,
        sources: &[RelPath],
    ) -> Result<Vec<(String, Kind)>, Error> {
        let under = self.map.under(path);
        let replaces = matches!(self.map.origin(path), Some(Origin::Directory | Origin::Lower(_)));
        if !replaces || self.map.is_moved_away(path, sources) {
            return Ok(Vec::new());
        }
        let mut names = lower::names(&mut self.state.exec, &self.lowers, &under)?;
        names.retain(|(name, _)| after.as_ref().is_none_or(|after| name > after));
        Ok(names)
    }

    /// Whether something of our own is what an original of its kind is.
    pub(super) fn is_same(&mut self, (place, size): (&Place, u64), original: &At, stat: &Stat) -> Result<bool, Error> {
        match place {
            Place::File(number) => {
                let own = At::store(layout::file(*number));
                if size != stat.size {
                    return Ok(false);
                }
                let mut offset = 0;
                while offset < size {
                    // Read alternately, so that neither is held in memory as a whole.
                    let length = usize::try_from(size - offset).map_or(COMPARED_BYTES, |rest| rest.min(COMPARED_BYTES));
                    let one = self.state.exec.read_at(&own, offset, length)?;
                    if one.is_empty() || one != self.state.exec.read_at(original, offset, length)? {
                        return Ok(false);
                    }
                    offset += one.len() as u64;
                }
                Ok(true)
            }
            // A link that cannot be read is absolute, and links of the workspace never are.
            Place::Link(text) => {
                Ok(self.state.exec.read_link(original.root, &original.path).is_ok_and(|there| there == *text))
            }
            Place::Directory | Place::Lower(..) => Ok(true),
        }
    }

    /// The paths of the lowers, of those that are chosen, that are not as they were when they were
    /// first touched.
    ///
    /// # Errors
    /// The filesystem's failures.
    pub fn conflicts(&mut self, select: &Select) -> Result<Vec<String>, Error> {
        self.forget_sources();
        let mut sources = self.map.sources();
        sources.sort_unstable();
        let touched = self.map.touched();
        let mut conflicts = Vec::new();
        for path in touched {
            // What was changed and is as it was again is nobody's business any more.
            let shows_itself = self.map.origin(&path).is_none()
                && self.map.inherited(&path).as_ref() == Some(&path)
                && sources.binary_search(&path).is_err();
            if shows_itself || !select.chooses(path.as_str()) {
                continue;
            }
            let Some(seen) = self.map.seen(&path).cloned() else { continue };
            if lower::seen(&mut self.state.exec, &self.lowers, &path, seen.below != 0)? != seen {
                conflicts.push(path.to_string());
            }
        }
        Ok(conflicts)
    }

    /// Refuses what would be lost.
    pub(super) fn check_conflicts(&mut self, select: &Select) -> Result<(), Error> {
        let conflicts = self.conflicts(select)?;
        if conflicts.is_empty() {
            return Ok(());
        }
        Err(Error::conflicts(&conflicts))
    }
}
