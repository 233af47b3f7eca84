//! The handles that a program holds open, and how they follow changes of names and contents.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use crate::fs::{Fs, Kind};
use crate::path::RelPath;

/// An open file or directory of the merged tree. It follows the entry that it was opened on: when that is
/// renamed, copied up or removed, the handle is updated.
pub struct Handle<F: Fs> {
    /// The kind of the entry; `None` until it is needed. Most are files.
    pub(super) kind: Cell<Option<Kind>>,
    /// The access for which it was opened.
    pub(super) access: Access,
    /// The present path of the entry; `None` once its name is removed.
    pub(super) path: RefCell<Option<RelPath>>,
    pub(super) content: Cell<Content>,
    /// For a file: the content, open.
    pub(super) file: RefCell<Option<Rc<F::File>>>,
    /// Whether `file` is open for writing.
    pub(super) is_writable: Cell<bool>,
    pub(super) identity: Cell<Option<u128>>,
}

/// The access that a handle allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Opened for reading.
    pub read: bool,
    /// Opened for writing.
    pub write: bool,
}

/// The location of the content behind a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// There is none: a directory.
    None,
    /// In a lower, at the place that the path shows.
    Lower,
    /// In a file of the workspace.
    Own(u64),
    /// Under no name any more; handles with the same number share the same content.
    Unnamed(u64),
}

impl<F: Fs> Handle<F> {
    /// Checks whether the handle is known to be a directory; see [`super::Overlay::kind`].
    pub fn is_known_directory(&self) -> bool {
        self.kind.get() == Some(Kind::Directory)
    }

    /// Returns the access for which it was opened.
    pub const fn access(&self) -> Access {
        self.access
    }

    /// Checks whether the handle is a directory that was removed, and the path leads to the directory itself.
    pub(super) fn is_removed_and(&self, path: &str) -> bool {
        self.is_known_directory() && matches!(path, "." | "./") && self.path.borrow().is_none()
    }

    /// Checks whether the entry that it was opened on is at this path, or below it.
    pub(super) fn is_within(&self, path: &RelPath) -> bool {
        self.path.borrow().as_ref().is_some_and(|own| own.is_within(path))
    }

    /// Checks whether the entry that it was opened on is at this path.
    pub(super) fn is_at(&self, path: &RelPath) -> bool {
        self.path.borrow().as_ref() == Some(path)
    }
}
