//! The state that the host keeps for one instance of the component.

use std::any::Any;
use std::fmt;

use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::{WasiFilesystemCtx, WasiFilesystemCtxView, WasiFilesystemView};

use crate::faults::{Watch, Watched};

/// The limits of one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) memory_bytes: usize,
    /// Fuel of one call.
    pub(crate) fuel: Option<u64>,
    /// Ticks of the epoch of the engine, for one call.
    pub(crate) epochs: Option<u64>,
}

/// The state that the host keeps for one instance of the component.
pub struct State {
    disk: WasiFilesystemCtx,
    /// The value that a [`Filesystem`](crate::filesystem::Filesystem) opened, if the instance runs on one.
    other: Option<Box<dyn Any + Send>>,
    table: ResourceTable,
    /// The table of a call whose future was dropped: without its descriptors, the next call on the filesystem is a
    /// trap.
    #[cfg(feature = "async")]
    revoked: ResourceTable,
    memory: MemoryLimit,
    watch: Option<Watch>,
}

impl State {
    /// Returns the state of an instance on the filesystem of the operating system.
    pub(crate) fn on_disk(disk: WasiFilesystemCtx, bounds: Bounds, watch: Option<Watch>) -> Self {
        let memory = MemoryLimit(bounds.memory_bytes);
        Self {
            disk,
            other: None,
            table: ResourceTable::new(),
            #[cfg(feature = "async")]
            revoked: ResourceTable::new(),
            memory,
            watch,
        }
    }

    /// Returns the state of an instance on another filesystem.
    pub(crate) fn on_other(other: Box<dyn Any + Send>, bounds: Bounds) -> Self {
        Self { other: Some(other), ..Self::on_disk(WasiFilesystemCtx::default(), bounds, None) }
    }

    /// Returns the value that [`Filesystem::open`](crate::filesystem::Filesystem::open) returned for this
    /// instance, and the table of its resources.
    ///
    /// # Panics
    /// If the value is not a `T`: a linked function belongs to another filesystem.
    pub fn filesystem<T: 'static>(&mut self) -> (&mut T, &mut ResourceTable) {
        let other = self.other.as_mut().and_then(|other| other.downcast_mut());
        (other.expect("an instance is linked to the filesystem that it was opened on"), &mut self.table)
    }

    pub(crate) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.memory
    }
}

impl WasiFilesystemView for State {
    fn filesystem(&mut self) -> WasiFilesystemCtxView<'_> {
        #[cfg(feature = "async")]
        if crate::asynchronous::task::is_dropped() {
            return WasiFilesystemCtxView { ctx: &mut self.disk, table: &mut self.revoked };
        }
        WasiFilesystemCtxView { ctx: &mut self.disk, table: &mut self.table }
    }
}

impl Watched for State {
    fn watch(&mut self) -> Option<&mut Watch> {
        self.watch.as_mut()
    }
}

/// The memory limit of an instance, in bytes. A request for more ends the instance: the component could only
/// abort, and the reason would be lost.
#[derive(Debug)]
struct MemoryLimit(usize);

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.0 { Err(MemoryExceeded.into()) } else { Ok(true) }
    }

    fn table_growing(&mut self, _current: usize, _desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

/// The error that ends the call that exceeded the memory limit.
#[derive(Debug)]
pub(crate) struct MemoryExceeded;

impl fmt::Display for MemoryExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the limit of memory was reached")
    }
}

impl std::error::Error for MemoryExceeded {}
