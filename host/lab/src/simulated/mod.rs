//! A simulated filesystem as a host of `wasi:filesystem`: the component gets the same interface, on a disk that can
//! lose power.
//!
//! [`Ground`] is a [`SimFs`] with its grants. Behind the traits that wasmtime generates it behaves as wasmtime does on
//! Linux, with the same codes, so that a program cannot distinguish the two, as `tests/conformance` checks. Every call
//! of the guest is one call of the simulated filesystem, with its faults: a fault that kills the process ends the
//! guest.
//!
//! Not simulated: modes, owners, and times of access, which are those of the last change.

mod codes;
mod disk;
mod open;
mod paths;
mod program;
mod streams;
mod types;

use onionskin_sim::{Dir, SimFs};
use send_wrapper::SendWrapper;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::sync::filesystem::types as wasi;

pub use codes::Died;
pub use disk::Disk;
pub use program::{Ended, FILES, How, PRINTED, Program};

/// A simulated filesystem, and the grants of a guest.
///
/// The filesystem belongs to one thread; the engine requires a state that can be sent. It may be sent, and has to be
/// used and dropped on the thread that created it.
pub struct Ground {
    fs: SendWrapper<SimFs>,
    grants: Vec<(Dir, String)>,
}

impl Ground {
    /// A filesystem without grants.
    #[must_use]
    pub fn new(fs: &SimFs) -> Self {
        Self { fs: SendWrapper::new(fs.clone()), grants: Vec::new() }
    }

    /// Grants the directory at a path, as `name` in the guest; for reading only if its handle is read-only.
    #[must_use]
    pub fn grant(mut self, directory: Dir, name: impl Into<String>) -> Self {
        self.grants.push((directory, name.into()));
        self
    }

    /// The calls of a guest on this filesystem, whose open resources are in `table`.
    pub fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> View<'a> {
        View { ground: self, table }
    }
}

/// A [`Ground`] with the resources of one guest: it answers the calls of `wasi:filesystem`.
pub struct View<'a> {
    ground: &'a mut Ground,
    table: &'a mut ResourceTable,
}

/// The type that `add_to_linker` of the generated interfaces looks up in a state: a [`View`].
pub struct Simulated;

impl HasData for Simulated {
    type Data<'a> = View<'a>;
}

/// Links `wasi:filesystem` to the simulated filesystem.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> View<'_>,
) -> wasmtime::Result<()> {
    wasi::add_to_linker::<T, Simulated>(linker, view)?;
    preopens::add_to_linker::<T, Simulated>(linker, view)
}
