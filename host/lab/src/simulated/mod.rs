//! A simulated filesystem as a host of `wasi:filesystem`: what a component is given on a disk, it is
//! given on one that can lose power.
//!
//! [`Ground`] is a [`SimFs`] and what of it is granted. Behind the traits that wasmtime generates it
//! answers as wasmtime does on Linux, with the same codes, so that a program cannot tell the two
//! apart; `tests/conformance` holds that. Every call of the guest is one call of the simulated
//! filesystem, with its faults: a fault of which the process dies ends the guest.
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

/// A simulated filesystem, and what of it a guest is granted.
///
/// The filesystem belongs to one thread; the engine wants a state that could go to another. It may
/// be sent, and has to be used, and dropped, where it was made.
pub struct Ground {
    fs: SendWrapper<SimFs>,
    grants: Vec<(Dir, String)>,
}

impl Ground {
    /// A filesystem of which nothing is granted yet.
    #[must_use]
    pub fn new(fs: &SimFs) -> Self {
        Self { fs: SendWrapper::new(fs.clone()), grants: Vec::new() }
    }

    /// Grants the directory at a path, as `name` in the guest; for reading alone if its handle is.
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

/// What `add_to_linker` of the generated interfaces is told to find in a state: a [`View`].
pub struct Simulated;

impl HasData for Simulated {
    type Data<'a> = View<'a>;
}

/// Links `wasi:filesystem` to simulated ground.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> View<'_>,
) -> wasmtime::Result<()> {
    wasi::add_to_linker::<T, Simulated>(linker, view)?;
    preopens::add_to_linker::<T, Simulated>(linker, view)
}
