//! Open directories and files.

use std::sync::Arc;

use super::call::Place;
use crate::disk::Ino;

/// An open directory. It follows its inode through renames and stays open after removal.
#[derive(Clone, Debug)]
pub struct Dir {
    pub(crate) ino: Ino,
    /// Where it was when it was opened.
    pub(crate) path: Arc<str>,
    /// Whether anything below may be changed through this handle.
    pub(crate) writable: bool,
}

impl Dir {
    /// The number of the inode.
    #[must_use]
    pub fn ino(&self) -> Ino {
        self.ino
    }

    /// Where the directory was when it was opened.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether anything below may be changed through this handle.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// The same directory, as a grant that allows no change below it.
    #[must_use]
    pub fn read_only(&self) -> Dir {
        Dir { writable: false, ..self.clone() }
    }

    pub(crate) fn here(&self) -> Place {
        Place { dir: self.path.clone(), name: None }
    }

    pub(crate) fn place(&self, name: &str) -> Place {
        Place { dir: self.path.clone(), name: Some(name.into()) }
    }
}

/// An open file. It follows its inode through renames and stays open after its last name is gone.
#[derive(Clone, Debug)]
pub struct File {
    pub(crate) ino: Ino,
    pub(crate) path: Arc<str>,
    pub(crate) reads: bool,
    pub(crate) writes: bool,
}

impl File {
    /// The number of the inode.
    #[must_use]
    pub fn ino(&self) -> Ino {
        self.ino
    }

    /// Where the file was when it was opened.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn here(&self) -> Place {
        Place { dir: self.path.clone(), name: None }
    }
}
