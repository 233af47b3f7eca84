//! A component that an embedder runs in a `wasmtime::Store` of its own, on layered directories.

use wasmtime::component::{Component, InstancePre, Linker, Resource};
use wasmtime::{Engine, StoreContextMut};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder, WasiView};

use super::program::digest_of;
use super::world::keep_apart;
use super::{Layers, World, compile, compose};
use crate::cache::Cache;
use crate::component::cached;
use crate::faults::{self, Watch, Watched};
use crate::grants::{Access, Granted};
use crate::lock::RootLock;
use crate::meter::Meter;
use crate::trust::Trust;
use crate::{Error, Fault, Faults, Quota, WorkspaceBuilder};

type Fd = Resource<Descriptor>;

/// A component of an embedder, with any world, that finds layered directories in place of `wasi:filesystem`.
///
/// It runs in stores of the embedder, on the engine of the embedder, blocking or asynchronous. Their directories are
/// those of [`LayersView::layers`], and no others: neither those of the embedder's `WasiCtx` nor those of other stores
/// can be reached, whatever the component imports.
pub struct LayeredComponent {
    component: Component,
    /// The name under which the layers of this component, and of no other, import their directories.
    directories: String,
}

impl LayeredComponent {
    /// Composes a component, or a module for WASI preview 1, with the filesystem of layers, and compiles both for this
    /// engine. The machine code is kept in the cache of the user.
    ///
    /// A component that imports no `wasi:filesystem` is compiled as it is. Compiling takes place in this process, without
    /// a limit of time or memory.
    ///
    /// # Errors
    /// The bytes are no component that the engine can compile, or it imports a part of `wasi:filesystem` that the layers
    /// do not have.
    pub fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self> {
        let component = cached(engine, &Cache::of_user(), &digest_of(wasm, true), || {
            engine.precompile_component(&compile::layered(wasm, engine)?)
        })?;
        Ok(Self { component, directories: compose::directories_of(wasm) })
    }

    /// Returns the compiled component.
    #[must_use]
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// Links the component to the imports of a linker and to the directories of its layers. The linker, which stays as it
    /// is, must have WASI, linked by `wasmtime_wasi::p2`: by `add_to_linker_sync`, or by `add_to_linker_async` for stores
    /// whose calls are futures.
    ///
    /// Calls on the filesystem are made on the thread that runs the component, also in a store whose calls are futures:
    /// so none is under way when the future of a call is dropped. The directories of the embedder's `WasiCtx` are removed
    /// from it when the component starts.
    ///
    /// # Errors
    /// The component imports something that the linker does not have.
    pub fn instantiate_pre<T: LayersView>(&self, linker: &Linker<T>) -> wasmtime::Result<InstancePre<T>> {
        let mut linker = linker.clone();
        linker.allow_shadowing(true);
        faults::shadow(&mut linker)?;
        faults::shadow_streams(&mut linker)?;
        let mut directories = linker.instance(&self.directories)?;
        directories.func_wrap("get-directories", |mut store: StoreContextMut<'_, T>, (): ()| {
            let mut ctx = store.data_mut().layers().directories.clone();
            // Files are opened with its setting. The directories of the embedder go: nothing in this store is to have them.
            *store.data_mut().ctx().ctx.filesystem() = opened(&[]).map_err(wasmtime::Error::new)?;
            let table = store.data_mut().ctx().table;
            let granted = WasiFilesystemCtxView { ctx: &mut ctx, table }.get_directories()?;
            for (directory, name) in &granted {
                faults::rename(store.data_mut(), directory.rep(), name.clone());
            }
            Ok((granted,))
        })?;
        linker
            .instance(faults::PREOPENS)?
            .func_wrap("get-directories", |_: StoreContextMut<'_, T>, (): ()| Ok((Vec::<(Fd, String)>::new(),)))?;
        linker.instantiate_pre(&self.component)
    }
}

/// The state of an embedder's store that runs a [`LayeredComponent`].
pub trait LayersView: WasiView + 'static {
    /// Returns the layered directories of the component that the store runs.
    fn layers(&mut self) -> &mut GuestLayers;
}

impl<T: LayersView> Watched for T {
    fn watch(&mut self) -> Option<&mut Watch> {
        Some(&mut self.layers().watch)
    }
}

/// The layered directories of one instance of a component, and the locks on their workspaces.
///
/// Not promised: that a second instance in the same store is refused. Each store of the embedder may have one, since two
/// on one workspace would write over each other's records.
///
/// While this exists, its workspaces can be read by [`WorkspaceBuilder::observe`], and have no other owner. Dropping it
/// with the store ends the component as a crash would: each change was made whole or not at all. Then
/// [`WorkspaceBuilder::open`], or `open_async`, returns the workspace, to list, commit or discard the changes.
pub struct GuestLayers {
    layers: Vec<(Layers, Quota)>,
    directories: WasiFilesystemCtx,
    locks: Vec<RootLock>,
    watch: Watch,
}

impl Default for GuestLayers {
    fn default() -> Self {
        let watch = Watch::new(Faults::counting(Fault::None));
        Self { layers: Vec::new(), directories: WasiFilesystemCtx::default(), locks: Vec::new(), watch }
    }
}

impl GuestLayers {
    /// Returns the directories of a component that has none yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory, under a name such as `/data`, which shows the lowers of a workspace and has all changes in its
    /// upper directory. The upper directory must exist; the workspace is created if there is none in it, and an
    /// interrupted commit is completed.
    ///
    /// The quota of the builder counts all files and names in the upper directory, records included, and is kept at every
    /// call: one that would exceed it fails with `quota`. Calls are watched by the faults of the builder, if it has any.
    ///
    /// This blocks, as [`WorkspaceBuilder::open`].
    ///
    /// # Errors
    /// [`Error::Layout`] for a name that is empty, ambiguous or has a `#`, and for directories that share files;
    /// [`Error::Locked`] while the workspace has another owner; those of [`WorkspaceBuilder::open`].
    pub fn layer(mut self, guest: &str, changes: &WorkspaceBuilder) -> Result<Self, Error> {
        let lowers = if changes.lowers.is_empty() { changes.remembered()? } else { changes.lowers.clone() };
        let layers = Layers { guest: guest.to_owned(), lowers, upper: changes.upper().to_owned() };
        self.layers.push((layers.clone(), changes.quota));
        let all = self.layers.iter().map(|(layers, _)| layers.clone()).collect();
        let world = World { layers: all, ..World::default() };
        world.check()?;
        let mut grants = Vec::new();
        for (layers, quota) in &self.layers {
            grants.extend(layers.grants(*quota)?);
        }
        keep_apart(&world.layers, &grants)?;
        self.locks.push(layers.prepare(changes.trust == Trust::All, || {
            // Without the quota, which the meter keeps: a workspace with a recorded one keeps no originals to merge with.
            Ok(changes.onionskin().workspace(&layers.upper).lowers(&layers.lowers))
        })?);
        if let Some(faults) = &changes.faults {
            self.watch.watch_by(faults);
        }
        if changes.quota != Quota::default() {
            let counted = layers.grants(changes.quota)?.into_iter().filter(|it| it.access == Access::Write);
            let meter = Meter::new(counted.map(|it| (it.guest, it.host)).collect(), changes.quota);
            let failed = |error| Error::io("count what is in the upper directory", &layers.upper, error);
            self.watch.add(meter.map_err(failed)?);
        }
        self.directories = opened(&grants)?;
        Ok(self)
    }
}

fn opened(grants: &[Granted]) -> Result<WasiFilesystemCtx, Error> {
    let mut wasi = WasiCtxBuilder::new();
    // Before the directories, which copy the setting: `LayeredComponent::instantiate_pre` promises it.
    wasi.allow_blocking_current_thread(true);
    for Granted { host, guest, access, .. } in grants {
        let perms = if *access == Access::Read { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
        let granted = wasi.preopened_dir(host, guest, perms);
        granted.map_err(|source| Error::Program { action: "grant a directory to", path: host.clone(), source })?;
    }
    Ok(std::mem::take(wasi.build().filesystem()))
}
