//! What a program holds open, and what becomes of it while names and contents change.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use crate::fs::{Fs, Kind};
use crate::path::RelPath;

/// An open file or directory of the merged tree. It goes with what it was opened as: when that is
/// renamed, copied up or removed, the handle sees it.
pub struct Handle<F: Fs> {
    /// What it is; nothing until that matters. Most are files.
    pub(super) kind: Cell<Option<Kind>>,
    /// For reading and for writing, as it was opened.
    pub(super) access: Access,
    /// Where it is now; nothing once its name is gone.
    pub(super) path: RefCell<Option<RelPath>>,
    pub(super) content: Cell<Content>,
    /// Of a file: the content, open.
    pub(super) file: RefCell<Option<Rc<F::File>>>,
    /// Whether that is open for writing.
    pub(super) is_writable: Cell<bool>,
    pub(super) identity: Cell<Option<u128>>,
}

/// What a handle may be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// It was opened for reading.
    pub read: bool,
    /// It was opened for writing.
    pub write: bool,
}

/// Where the content behind a handle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// It is a directory.
    None,
    /// In a lower, at the place that the path shows.
    Lower,
    /// In a file of the workspace.
    Own(u64),
    /// Under no name any more; handles with the same number have the same one.
    Unnamed(u64),
}

impl<F: Fs> Handle<F> {
    /// Whether it is known to be a directory; see [`super::Overlay::kind`].
    pub fn is_known_directory(&self) -> bool {
        self.kind.get() == Some(Kind::Directory)
    }

    /// What it was opened for.
    pub const fn access(&self) -> Access {
        self.access
    }

    /// Whether it is a directory that was removed, and a path leads to this itself.
    pub(super) fn is_removed_and(&self, path: &str) -> bool {
        self.is_known_directory() && matches!(path, "." | "./") && self.path.borrow().is_none()
    }

    /// Whether what it was opened as is this, or below it.
    pub(super) fn is_within(&self, path: &RelPath) -> bool {
        self.path.borrow().as_ref().is_some_and(|own| own.is_within(path))
    }

    /// Whether it was opened as this.
    pub(super) fn is_at(&self, path: &RelPath) -> bool {
        self.path.borrow().as_ref() == Some(path)
    }
}
