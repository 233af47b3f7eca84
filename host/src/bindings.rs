//! The contract of `wit/`, as Rust. Generated; what is public of it is named in `lib.rs`.

#![allow(missing_docs, unreachable_pub)]
// `layer.lower` has the name of an associated type of a trait that is derived.
#![allow(ambiguous_associated_items)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "workspaces",
    with: {
        "wasi:io/error": wasmtime_wasi::p2::bindings::io::error,
        "wasi:io/poll": wasmtime_wasi::p2::bindings::sync::io::poll,
        "wasi:io/streams": wasmtime_wasi::p2::bindings::sync::io::streams,
        "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
        "wasi:filesystem": wasmtime_wasi::p2::bindings::sync::filesystem,
    },
    additional_derives: [PartialEq, Eq],
});

pub use exports::onionskin::fs::{capabilities, store, types, workspace};

use wasmtime::component::{Instance, InstancePre};

/// The exports of a component that was found to have them, ready to be started. Workspaces may be
/// missing: the component as it ships has none.
pub(crate) struct Linked<T: 'static> {
    instance: InstancePre<T>,
    capabilities: capabilities::GuestIndices,
    store: store::GuestIndices,
    workspace: Option<workspace::GuestIndices>,
}

/// The exports of one instance.
pub(crate) struct Guest {
    capabilities: capabilities::Guest,
    store: store::Guest,
    workspace: Option<workspace::Guest>,
}

impl<T: 'static> Linked<T> {
    pub(crate) fn new(instance: InstancePre<T>) -> wasmtime::Result<Self> {
        Ok(Self {
            capabilities: capabilities::GuestIndices::new(&instance)?,
            store: store::GuestIndices::new(&instance)?,
            workspace: workspace::GuestIndices::new(&instance).ok(),
            instance,
        })
    }

    pub(crate) fn instantiate(&self, engine: &mut wasmtime::Store<T>) -> wasmtime::Result<Guest> {
        let instance: Instance = self.instance.instantiate(&mut *engine)?;
        let workspace = self.workspace.as_ref().map(|indices| indices.load(&mut *engine, &instance));
        Ok(Guest {
            capabilities: self.capabilities.load(&mut *engine, &instance)?,
            store: self.store.load(&mut *engine, &instance)?,
            workspace: workspace.transpose()?,
        })
    }

    pub(crate) fn has_workspaces(&self) -> bool {
        self.workspace.is_some()
    }
}

impl Guest {
    pub(crate) fn onionskin_fs_capabilities(&self) -> &capabilities::Guest {
        &self.capabilities
    }

    pub(crate) fn onionskin_fs_store(&self) -> &store::Guest {
        &self.store
    }

    /// Asked for only where [`Linked::has_workspaces`].
    pub(crate) fn onionskin_fs_workspace(&self) -> wasmtime::Result<&workspace::Guest> {
        self.workspace.as_ref().ok_or_else(|| wasmtime::Error::msg("the component has no workspaces"))
    }
}
