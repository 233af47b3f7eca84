//! The overlay: the calls of `wasi:filesystem` over a workspace. A program needs no knowledge of the
//! workspace, and cannot write elsewhere.
//!
//! A handle is opened on the entry that its path shows; an open does not write. The first write copies the
//! file up, and every handle on the same file sees the copy from then on. Content is written to a file of the
//! workspace in place, so its bytes need not pass through the overlay: a component that provides streams may
//! hand out the filesystem's own, on [`Overlay::file_to_stream`].
//!
//! Times that are set on directories and links last as long as the overlay. Pipes and devices can be read at most.

mod change;
mod code;
mod handle;
mod identity;
pub mod layers;
mod walk;

use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use crate::fs::{Cause, Fs, Kind, Stat, Times};
use crate::limits::SPARES;
use crate::path::RelPath;
use crate::workspace::{Place, Workspace};
use handle::Content;
use walk::Spot;

pub use code::Code;
pub use handle::{Access, Handle};

/// The number of calls after which the directories of lowers are looked up anew, because other processes may
/// have moved them.
const CALLS_PER_LOOK: u32 = 256;

/// A directory of the workspace, before its times are known. Every directory has the same length.
const DIRECTORY: Stat =
    Stat { kind: Kind::Directory, links: 1, size: 0, modified: None, times: Times { accessed: None, changed: None } };

/// Times that were set on a directory or a link.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noted {
    /// Of the last reading.
    pub accessed: Option<u64>,
    /// Of the last change.
    pub modified: Option<u64>,
}

/// A workspace as a filesystem.
pub struct Overlay<F: Fs> {
    workspace: Workspace<F>,
    /// The open handles.
    handles: Vec<Weak<Handle<F>>>,
    /// The next number for a content without a name.
    unnamed: u64,
    /// The identity that a content had before it was copied up, by its number.
    identities: BTreeMap<u64, u128>,
    /// The times that were set on directories and links.
    times: BTreeMap<String, Noted>,
    calls: u32,
}

/// The options of an open.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Follow a link at the end of the path.
    pub follow: bool,
    /// Create a file when there is none.
    pub create: bool,
    /// Fail when the entry exists.
    pub exclusive: bool,
    /// Fail unless the entry is a directory.
    pub directory: bool,
    /// Truncate the file to length 0.
    pub truncate: bool,
    /// The access that is requested.
    pub access: Access,
}

type Answer<T> = Result<T, Code>;

impl<F: Fs> Overlay<F> {
    /// Creates the overlay of a workspace.
    pub const fn new(mut workspace: Workspace<F>) -> Self {
        workspace.keep_spares(SPARES);
        Self {
            workspace,
            handles: Vec::new(),
            unnamed: 0,
            identities: BTreeMap::new(),
            times: BTreeMap::new(),
            calls: 0,
        }
    }

    /// Sets how many empty files are kept in reserve, once a program creates files and syncs them: four,
    /// unless this is called.
    pub const fn keep_spares(&mut self, count: usize) {
        self.workspace.keep_spares(count);
    }

    /// Returns a handle on the root of the merged tree.
    pub fn root(&mut self) -> Rc<Handle<F>> {
        let access = Access { read: true, write: true };
        self.hand_out(RelPath::ROOT, Some(Kind::Directory), Content::None, None, access, false)
    }

    /// Opens the entry that a path leads to, and creates it if requested.
    ///
    /// # Errors
    /// Those of wasmtime for the same call on a plain directory.
    pub fn open_at(&mut self, from: &Handle<F>, path: &str, options: OpenOptions) -> Answer<Rc<Handle<F>>> {
        let from = self.directory(from)?;
        let makes = options.create || options.truncate;
        let access =
            Access { read: options.access.read || !options.access.write, write: options.access.write || makes };
        let is_exclusive = options.create && options.exclusive;
        if options.create && path.ends_with('/') && !path.trim_end_matches('/').is_empty() {
            // No file is created under a name that ends in a slash, whether or not it exists.
            self.find(&from, walk::without_slash(path), false)?;
            return Err(Cause::IsDirectory.into());
        }
        // For reading, the kind of the entry need not be known.
        if !access.write
            && !options.directory
            && let Some(place) = walk::plain(&from, path)
            && let Some(file) = self.workspace.open_plain(&place)
        {
            return Ok(self.hand_out(place, None, Content::Lower, Some(file), access, false));
        }
        // An exclusive creation does not follow a link.
        let spot = self.find(&from, path, options.follow && !is_exclusive)?;
        let Some(kind) = spot.kind() else {
            if !options.create {
                return Err(Cause::NoEntry.into());
            }
            spot.check_name()?;
            let number = self.create(&spot.path)?;
            let is_writable = access.write && self.workspace.is_thawed(number);
            return self.open_number(spot.path, number, access, is_writable);
        };
        match kind {
            _ if is_exclusive => Err(Cause::AlreadyExists.into()),
            Kind::Directory if makes || options.access.write => Err(Cause::IsDirectory.into()),
            Kind::Directory => {
                let (path, place) = spot.existing()?;
                // Known from the start, because the directory may be removed while it is open.
                let identity = self.identity_of(&path, &place)?;
                let access = Access { read: true, write: false };
                let handle = self.hand_out(path, Some(kind), Content::None, None, access, false);
                handle.identity.set(Some(identity));
                Ok(handle)
            }
            Kind::Symlink => Err(Cause::Loop.into()),
            Kind::File | Kind::Other if options.directory => Err(Cause::NotDirectory.into()),
            Kind::Other => Err(Cause::NotPermitted.into()),
            Kind::File => self.open_file(spot, access, options.truncate),
        }
    }

    fn open_file(&mut self, spot: Spot, access: Access, truncate: bool) -> Answer<Rc<Handle<F>>> {
        let (path, place) = spot.existing()?;
        if truncate {
            let number = self.empty(&path, &place)?;
            return self.open_own(path, number, access);
        }
        match place {
            Place::File(number) => self.open_own(path, number, access),
            Place::Lower(_, at, _) => {
                let file = self.workspace.open_lower(&at)?;
                Ok(self.hand_out(path, Some(Kind::File), Content::Lower, Some(file), access, false))
            }
            Place::Directory | Place::Link(_) => Err(Code::Invalid),
        }
    }

    /// Opens a file of the workspace: for writing only if requested, and if no checkpoint and no other
    /// workspace shares it.
    fn open_own(&mut self, path: RelPath, number: u64, access: Access) -> Answer<Rc<Handle<F>>> {
        let is_writable = access.write && self.workspace.is_own_alone(number)?;
        self.open_number(path, number, access, is_writable)
    }

    fn open_number(&mut self, path: RelPath, number: u64, access: Access, is_writable: bool) -> Answer<Rc<Handle<F>>> {
        let file = self.workspace.open_own(number, is_writable)?;
        Ok(self.hand_out(path, Some(Kind::File), Content::Own(number), Some(file), access, is_writable))
    }

    fn hand_out(
        &mut self,
        path: RelPath,
        kind: Option<Kind>,
        content: Content,
        file: Option<F::File>,
        access: Access,
        is_writable: bool,
    ) -> Rc<Handle<F>> {
        let handle = Rc::new(Handle {
            kind: Cell::new(kind),
            access,
            path: RefCell::new(Some(path)),
            content: Cell::new(content),
            file: RefCell::new(file.map(Rc::new)),
            is_writable: Cell::new(is_writable),
            identity: Cell::new(None),
        });
        if self.handles.len() == self.handles.capacity() {
            self.handles.retain(|known| known.strong_count() > 0);
        }
        self.handles.push(Rc::downgrade(&handle));
        handle
    }

    /// Returns the kind of the entry that a handle was opened on. For a handle open for reading alone, the
    /// filesystem is asked when the kind is first needed.
    ///
    /// # Errors
    /// The filesystem's errors.
    pub fn kind(&mut self, handle: &Handle<F>) -> Answer<Kind> {
        if let Some(kind) = handle.kind.get() {
            return Ok(kind);
        }
        Ok(self.find_out(handle)?.kind)
    }

    /// Determines, for the first time, the kind of the entry that a handle was opened on.
    fn find_out(&mut self, handle: &Handle<F>) -> Answer<Stat> {
        let file = self.file(handle)?;
        let stat = self.workspace.exec().fs().stat_open(&file)?;
        if stat.kind == Kind::Directory {
            // Known from the start, because the directory may be removed while it is open.
            let path = handle.path.borrow().clone();
            if let Some(path) = path
                && let Some(place) = self.workspace.find_place(&path)?
            {
                handle.identity.set(Some(self.identity_of(&path, &place)?));
            }
            *handle.file.borrow_mut() = None;
            handle.content.set(Content::None);
        }
        handle.kind.set(Some(stat.kind));
        Ok(stat)
    }

    /// Returns the metadata of the entry behind a handle.
    ///
    /// # Errors
    /// The filesystem's errors.
    pub fn stat(&mut self, handle: &Handle<F>) -> Answer<Stat> {
        self.workspace.forget_looks();
        if handle.kind.get().is_none() {
            let stat = self.find_out(handle)?;
            if stat.kind != Kind::Directory {
                return Ok(stat);
            }
        }
        let path = handle.path.borrow().clone();
        let Ok(file) = self.file(handle) else {
            let Some(path) = path else {
                return Ok(Stat {
                    kind: Kind::Directory,
                    links: 0,
                    size: 0,
                    modified: self.workspace.names_changed()?,
                    times: Times::default(),
                });
            };
            let place = self.workspace.find_place(&path)?.ok_or(Cause::NoEntry)?;
            return self.stat_of(&path, &place);
        };
        let mut stat = self.workspace.exec().fs().stat_open(&file)?;
        match handle.content.get() {
            Content::Own(number) => stat.links = self.workspace.names_of(number, path.is_some()),
            Content::Unnamed(_) => stat.links = 0,
            Content::Lower | Content::None => {}
        }
        Ok(stat)
    }

    /// Returns the metadata of the entry that a path leads to.
    ///
    /// # Errors
    /// Those of wasmtime for the same call on a plain directory.
    pub fn stat_at(&mut self, from: &Handle<F>, path: &str, follow: bool) -> Answer<Stat> {
        self.kind(from)?;
        if from.is_removed_and(path) {
            return self.stat(from);
        }
        let from = self.directory(from)?;
        let (path, place) = self.find(&from, path, follow)?.existing()?;
        self.stat_of(&path, &place)
    }

    fn stat_of(&mut self, path: &RelPath, place: &Place) -> Answer<Stat> {
        let mut stat = match place {
            Place::File(number) => return Ok(self.workspace.stat_own(*number)?),
            Place::Lower(_, _, stat) if stat.kind == Kind::Directory => Stat { size: 0, ..*stat },
            Place::Lower(_, _, stat) => *stat,
            Place::Link(text) => Stat { kind: Kind::Symlink, size: text.len() as u64, ..DIRECTORY },
            Place::Directory => DIRECTORY,
        };
        let noted = self.times.get(path.as_str()).copied().unwrap_or_default();
        if stat.modified.is_none() || (stat.kind == Kind::Directory && self.workspace.is_changed_below(path)) {
            let changed = self.workspace.names_changed()?;
            stat.modified = stat.modified.max(changed);
            stat.times.changed = stat.times.changed.max(changed);
        }
        stat.modified = noted.modified.or(stat.modified);
        stat.times.accessed = noted.accessed.or(stat.times.accessed);
        Ok(stat)
    }

    /// Lists the names in a directory, sorted, with their kinds; none for a removed directory.
    ///
    /// # Errors
    /// The filesystem's errors.
    pub fn list(&mut self, directory: &Handle<F>) -> Answer<Vec<(String, Kind)>> {
        if self.kind(directory)? == Kind::Directory && directory.path.borrow().is_none() {
            return Ok(Vec::new());
        }
        let path = self.directory(directory)?;
        let entries = self.workspace.entries(&path, None, usize::MAX)?;
        Ok(entries.into_iter().map(|entry| (entry.name, entry.kind)).collect())
    }

    /// Reads the text of a link.
    ///
    /// # Errors
    /// Those of wasmtime for the same call on a plain directory.
    pub fn read_link_at(&mut self, from: &Handle<F>, path: &str) -> Answer<String> {
        let from = self.directory(from)?;
        let (_, place) = self.find(&from, path, false)?.named(Code::Invalid)?.existing()?;
        if place.kind() == Kind::Symlink { self.text_of(&place) } else { Err(Code::Invalid) }
    }

    fn text_of(&mut self, place: &Place) -> Answer<String> {
        match place {
            Place::Link(text) => Ok(text.clone()),
            Place::Lower(_, at, _) => Ok(self.workspace.exec().read_link(at.root, &at.path)?),
            Place::File(_) | Place::Directory => Err(Code::Invalid),
        }
    }

    /// Returns the content behind a handle, open at least for reading.
    ///
    /// # Errors
    /// [`Code::BadDescriptor`] for a directory.
    pub fn file(&self, handle: &Handle<F>) -> Answer<Rc<F::File>> {
        handle.file.borrow().clone().ok_or(Code::BadDescriptor)
    }

    /// As [`Overlay::file`], for reading.
    ///
    /// # Errors
    /// [`Code::BadDescriptor`] for a directory, and for a handle that is not open for reading.
    pub fn file_to_read(&self, handle: &Handle<F>) -> Answer<Rc<F::File>> {
        if handle.access.read { self.file(handle) } else { Err(Code::BadDescriptor) }
    }

    /// Reads up to `length` bytes from `offset`; returns none at the end of the file.
    ///
    /// # Errors
    /// As for [`Overlay::file_to_read`]; the filesystem's errors.
    pub fn read(&mut self, handle: &Handle<F>, offset: u64, length: usize) -> Answer<Vec<u8>> {
        let file = self.file_to_read(handle)?;
        check_offset(offset)?;
        Ok(self.workspace.exec().fs().read(&file, offset, length)?)
    }

    /// Returns the path of an open directory.
    fn directory(&mut self, handle: &Handle<F>) -> Answer<RelPath> {
        self.workspace.forget_looks();
        self.calls += 1;
        if self.calls == CALLS_PER_LOOK {
            self.calls = 0;
            self.workspace.forget_lowers();
        }
        if self.kind(handle)? != Kind::Directory {
            return Err(Cause::NotDirectory.into());
        }
        handle.path.borrow().clone().ok_or_else(|| Cause::NoEntry.into())
    }

    /// Returns the handles that are open.
    fn open_handles(&self) -> impl Iterator<Item = Rc<Handle<F>>> {
        self.handles.iter().filter_map(Weak::upgrade)
    }
}

/// Refuses offsets that do not fit the signed offsets of Linux.
fn check_offset(offset: u64) -> Answer<()> {
    if i64::try_from(offset).is_ok() { Ok(()) } else { Err(Code::Invalid) }
}
