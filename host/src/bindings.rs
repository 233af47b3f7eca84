//! The contract of `wit/` as generated Rust bindings. `lib.rs` names the public items.

#![allow(missing_docs, unreachable_pub)]
// `layer.lower` has the name of an associated type of a derived trait.
#![allow(ambiguous_associated_items)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "onionskin",
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

use wasmtime::component::{Instance, InstancePre, Val};

/// The checked exports of a component, ready to be instantiated.
pub(crate) struct Linked<T: 'static> {
    instance: InstancePre<T>,
    capabilities: capabilities::GuestIndices,
    store: store::GuestIndices,
    workspace: workspace::GuestIndices,
}

/// The exports of one instance.
pub(crate) struct Guest {
    instance: Instance,
    capabilities: capabilities::Guest,
    store: store::Guest,
    workspace: workspace::Guest,
}

impl<T: 'static> Linked<T> {
    pub(crate) fn new(instance: InstancePre<T>) -> wasmtime::Result<Self> {
        Ok(Self {
            capabilities: capabilities::GuestIndices::new(&instance)?,
            store: store::GuestIndices::new(&instance)?,
            workspace: workspace::GuestIndices::new(&instance)?,
            instance,
        })
    }

    pub(crate) fn instantiate(&self, engine: &mut wasmtime::Store<T>) -> wasmtime::Result<Guest> {
        let instance: Instance = self.instance.instantiate(&mut *engine)?;
        Ok(Guest {
            capabilities: self.capabilities.load(&mut *engine, &instance)?,
            store: self.store.load(&mut *engine, &instance)?,
            workspace: self.workspace.load(&mut *engine, &instance)?,
            instance,
        })
    }
}

impl Guest {
    /// Calls a function by its name, and returns its result; a tuple of nothing if it has none.
    pub(crate) fn call<T: Send>(
        &self,
        engine: &mut wasmtime::Store<T>,
        interface: &str,
        name: &str,
        params: &[Val],
    ) -> wasmtime::Result<Val> {
        let missing = || wasmtime::Error::msg(format!("the component has no function {name} in {interface}"));
        let interface = self.instance.get_export_index(&mut *engine, None, interface).ok_or_else(missing)?;
        let function = self.instance.get_export_index(&mut *engine, Some(&interface), name).ok_or_else(missing)?;
        let function = self.instance.get_func(&mut *engine, function).ok_or_else(missing)?;
        let mut results = vec![Val::Tuple(Vec::new()); function.ty(&*engine).results().len()];
        function.call(engine, params, &mut results)?;
        Ok(results.pop().unwrap_or(Val::Tuple(Vec::new())))
    }

    pub(crate) fn onionskin_fs_capabilities(&self) -> &capabilities::Guest {
        &self.capabilities
    }

    pub(crate) fn onionskin_fs_store(&self) -> &store::Guest {
        &self.store
    }

    pub(crate) fn onionskin_fs_workspace(&self) -> &workspace::Guest {
        &self.workspace
    }
}
