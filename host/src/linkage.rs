//! The imports of the component, linked to a filesystem.

use std::any::TypeId;

use wasmtime::Engine;
use wasmtime::component::{Component, Linker};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{filesystem::preopens, sync::filesystem::types};

use crate::bindings::Linked;
use crate::faults;
use crate::filesystem::Filesystem;
use crate::powers;
use crate::state::State;

/// The filesystem that the imports of the component are linked to.
#[derive(Clone, Copy)]
pub(crate) enum Linkage<'f> {
    /// The filesystem of the operating system.
    Plain,
    /// The same, with every call wrapped.
    Watched,
    /// Another filesystem.
    Other(&'f dyn Filesystem),
}

/// The key that identifies a linkage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LinkageKey {
    Plain,
    Watched,
    Other(TypeId),
}

impl Linkage<'_> {
    pub(crate) fn key(self) -> LinkageKey {
        match self {
            Self::Plain => LinkageKey::Plain,
            Self::Watched => LinkageKey::Watched,
            Self::Other(filesystem) => LinkageKey::Other(filesystem.type_id()),
        }
    }

    /// Links the filesystem, the powers of this host, and no other interface: a component with more imports does not
    /// start.
    pub(crate) fn link(self, engine: &Engine, component: &Component) -> wasmtime::Result<Linked<State>> {
        let mut linker = Linker::<State>::new(engine);
        match self {
            Self::Plain => link_disk(&mut linker)?,
            Self::Watched => {
                link_disk(&mut linker)?;
                faults::shadow(&mut linker)?;
                faults::shadow_powers(&mut linker)?;
            }
            Self::Other(filesystem) => {
                powers::link_none(&mut linker)?;
                linker.allow_shadowing(true);
                filesystem.link(&mut linker)?;
            }
        }
        Linked::new(linker.instantiate_pre(component)?)
    }
}

fn link_disk(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, WasiFilesystem>(linker, WasiFilesystemView::filesystem)?;
    preopens::add_to_linker::<_, WasiFilesystem>(linker, WasiFilesystemView::filesystem)?;
    powers::link(linker)
}
