//! Filesystems other than that of the operating system.

use std::any::Any;
use std::path::Path;

use wasmtime::component::Linker;

use crate::Error;
pub use crate::state::State;

/// A filesystem that the component uses instead of that of the operating system; see
/// [`StoreBuilder::filesystem`](crate::StoreBuilder::filesystem).
///
/// Paths of roots and lowers are paths of this filesystem. No lock of the operating system is taken on its
/// roots, and its absolute links are not resolved.
pub trait Filesystem: Any + Send + Sync {
    /// Links `wasi:filesystem/types` and `wasi:filesystem/preopens`. The functions get the value that
    /// [`Filesystem::open`] returned by [`State::filesystem`].
    ///
    /// Called once for each type and each loaded component, so the linked functions must not keep parts of
    /// `self`.
    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()>;

    /// Opens the directories that are granted to one instance, the root first.
    fn open(&self, directories: &[Directory<'_>]) -> Result<Box<dyn Any + Send>, Error>;
}

/// A directory of a [`Filesystem`] that is granted to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Directory<'a> {
    /// Its path in the filesystem.
    pub path: &'a Path,
    /// Its name in the component.
    pub guest: &'a str,
    /// Whether it may be modified.
    pub is_writable: bool,
}

impl<'a> Directory<'a> {
    pub(crate) fn new(path: &'a Path, guest: &'a str, is_writable: bool) -> Self {
        Self { path, guest, is_writable }
    }
}
