//! One running instance of the component, and its grants.

use std::fs::File;
use std::path::Path;

use wasmtime::component::ResourceAny;
use wasmtime_wasi::filesystem::WasiFilesystemCtx;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::bindings::{Guest, types::Cause, types::Error as GuestError};
use crate::error::Trap;
use crate::faults::{Injected, Watch};
use crate::grants::{Access, Grants};
use crate::linkage::Linkage;
use crate::lock::RootLock;
use crate::runtime;
use crate::state::{Bounds, MemoryExceeded, State};
use crate::{Error, Faults, Onionskin, trust};

/// A file that can always be opened, as long as any can.
const NULL: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };
/// Number of files that a failed call of the component may have had open, and that are closed when it is reported.
const DESCRIPTORS: usize = 16;

/// An instance, its grants, and the lock on its root.
pub(crate) struct Instance {
    engine: wasmtime::Store<State>,
    guest: Guest,
    bounds: Bounds,
    stopped: bool,
    grants: Grants,
    lock: Option<RootLock>,
}

impl Instance {
    pub(crate) fn start(
        onionskin: &Onionskin,
        grants: Grants,
        lock: Option<RootLock>,
        faults: Option<&Faults>,
    ) -> Result<Self, Error> {
        Self::start_watched(onionskin, grants, lock, faults.map(|faults| Watch::new(faults.clone())))
    }

    /// As [`Instance::start`], with counters for its calls.
    pub(crate) fn start_watched(
        onionskin: &Onionskin,
        grants: Grants,
        lock: Option<RootLock>,
        watch: Option<Watch>,
    ) -> Result<Self, Error> {
        runtime::prepare().map_err(|source| Error::io("start the component for", grants.named_root(), source))?;
        let bounds = onionskin.bounds();
        let (linkage, state) = match (grants.filesystem(), watch) {
            (Some(other), _) => (Linkage::Other(other), State::on_other(grants.open_on(other)?, bounds)),
            (None, None) => (Linkage::Plain, State::on_disk(filesystem(&grants)?, bounds, None)),
            (None, Some(watch)) => (Linkage::Watched, State::on_disk(filesystem(&grants)?, bounds, Some(watch))),
        };
        let mut engine = wasmtime::Store::new(onionskin.engine(), state);
        engine.limiter(State::limiter);
        let started =
            refuel(&mut engine, bounds).and_then(|()| Ok(onionskin.linked(linkage)?.instantiate(&mut engine)));
        let guest = started?.map_err(|source| Error::Component { action: "start", source })?;
        Ok(Self { engine, guest, bounds, stopped: false, grants, lock })
    }

    pub(crate) fn root(&self) -> &Path {
        self.grants.named_root()
    }

    pub(crate) fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Calls the component. A trap ends the instance: later calls fail without being made.
    pub(crate) fn call<T: Send>(
        &mut self,
        run: impl FnOnce(&Guest, &mut wasmtime::Store<State>) -> wasmtime::Result<Result<T, GuestError>> + Send,
    ) -> Result<T, Error> {
        self.infallible(run)?
            .map_err(|error| Error::Guest { root: self.root().to_owned(), error: self.explained(error) })
    }

    /// Returns an error of the component with paths of the host, and with the reason that only the host can see.
    fn explained(&self, error: GuestError) -> GuestError {
        let mut error = self.grants.shown_error(error);
        // Nothing in WASI says that too many files are open.
        let is_vague = matches!(error.cause, Some(Cause::Io | Cause::Other));
        if is_vague && let Err(reason) = (0..DESCRIPTORS).map(|_| File::open(NULL)).collect::<Result<Vec<_>, _>>() {
            error.message = format!("{}; {reason}", error.message);
        }
        if is_vague
            && self.grants.filesystem().is_none()
            && let Some(reason) = trust::obstacle(self.grants.root(), &self.grants.root().join(&error.subject))
        {
            error.message = format!("{}; {reason}", error.message);
        }
        if matches!(error.cause, Some(Cause::Access | Cause::NotPermitted))
            && let Some(owner) = trust::other_owner(self.grants.root())
        {
            error.message = format!("{}; {owner}", error.message);
        }
        error
    }

    /// As [`Instance::call`], for functions that have no error of their own.
    pub(crate) fn infallible<T: Send>(
        &mut self,
        run: impl FnOnce(&Guest, &mut wasmtime::Store<State>) -> wasmtime::Result<T> + Send,
    ) -> Result<T, Error> {
        if self.stopped {
            return Err(Error::Trap { root: self.root().to_owned(), trap: Trap::Stopped });
        }
        refuel(&mut self.engine, self.bounds)?;
        let (guest, engine) = (&self.guest, &mut self.engine);
        let answer = match self.grants.filesystem() {
            Some(_) => run(guest, engine),
            None => runtime::outside(|| run(guest, engine)),
        };
        answer.map_err(|error| {
            self.stopped = true;
            Error::Trap { root: self.root().to_owned(), trap: self.trap(&error) }
        })
    }

    /// Drops a resource of the component; its destructor may remove its staging files.
    pub(crate) fn drop_resource(&mut self, resource: ResourceAny) -> Result<(), Error> {
        self.infallible(|_, engine| resource.resource_drop(engine))
    }

    /// Stops the instance, and releases its root.
    #[cfg(feature = "async")]
    pub(crate) fn abandon(&mut self) {
        self.stopped = true;
        self.lock = None;
    }

    fn trap(&self, error: &wasmtime::Error) -> Trap {
        #[cfg(feature = "async")]
        if crate::asynchronous::task::is_dropped() {
            return Trap::Cancelled;
        }
        if let Some(Injected { number, call }) = error.downcast_ref::<Injected>() {
            let call = call.with_paths(|guest| self.grants.shown(guest));
            return Trap::Injected { call: *number, what: call.to_string() };
        }
        if error.is::<MemoryExceeded>() {
            return Trap::OutOfMemory { limit: self.bounds.memory_bytes };
        }
        let Bounds { fuel, epochs, .. } = self.bounds;
        match (error.downcast_ref::<wasmtime::Trap>(), fuel, epochs) {
            (Some(wasmtime::Trap::OutOfFuel), Some(limit), _) => Trap::OutOfFuel { limit },
            (Some(wasmtime::Trap::Interrupt), _, Some(limit)) => Trap::OutOfTime { limit },
            _ => Trap::Fault { message: error.root_cause().to_string() },
        }
    }
}

/// Sets the fuel and the deadline of an instance for one call.
fn refuel(engine: &mut wasmtime::Store<State>, bounds: Bounds) -> Result<(), Error> {
    /// Never reached: with one tick per nanosecond, after 292 years.
    const NO_DEADLINE: u64 = u64::MAX >> 1;
    engine.set_epoch_deadline(bounds.epochs.unwrap_or(NO_DEADLINE));
    match bounds.fuel {
        None => Ok(()),
        Some(units) => engine.set_fuel(units).map_err(|source| Error::Component { action: "give fuel to", source }),
    }
}

fn filesystem(grants: &Grants) -> Result<WasiFilesystemCtx, Error> {
    let mut builder = WasiCtxBuilder::new();
    // Before the directories, which copy the setting: with it, a host call takes a thirtieth of the time.
    builder.allow_blocking_current_thread(true);
    for granted in grants.iter() {
        let perms = match granted.access {
            Access::Read => FsPerms::ReadOnly,
            Access::Write => FsPerms::ReadWrite,
        };
        builder
            .preopened_dir(&granted.host, &granted.guest, perms)
            .map_err(|source| Error::Component { action: "grant a directory to", source })?;
    }
    Ok(std::mem::take(builder.build().filesystem()))
}
