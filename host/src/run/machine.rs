//! The state of the host for one start of a program.

use std::time::Instant;

use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime::{ResourceLimiter, StoreContextMut};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::World;
use super::adapt::EXIT_WITH_CODE;
use super::world::is_upper;
use crate::faults::{self, Watch, Watched};
use crate::grants::{Access, Granted};
use crate::meter::Meter;
use crate::{Error, Fault, Faults};

/// The maximum number of module instances of a program, and of memories and of tables.
const INSTANCES_MAX: usize = 256;
const MEMORIES_MAX: usize = 1024;

/// The size of one table element, in bytes.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// The maximum number of host resources that a program may hold: descriptors, streams, and pollables.
const HELD_MAX: usize = 1 << 16;

/// The state of one start.
pub(super) struct Machine {
    wasi: WasiCtx,
    pub(super) table: ResourceTable,
    pub(super) memory: Memory,
    watch: Option<Watch>,
    /// The deadline.
    pub(super) until: Option<Instant>,
}

/// The total bytes of the memories and tables of all instances. A request beyond the limit is denied, as by a
/// machine without free memory.
#[derive(Debug)]
pub(super) struct Memory {
    used: usize,
    most: usize,
    /// Whether a request was denied.
    pub(super) was_denied: bool,
}

impl Memory {
    fn grow(&mut self, bytes: usize) -> bool {
        let used = self.used.saturating_add(bytes);
        let fits = used <= self.most;
        if fits {
            self.used = used;
        } else {
            self.was_denied = true;
        }
        fits
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT_BYTES)))
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }

    fn tables(&self) -> usize {
        MEMORIES_MAX
    }
}

impl WasiView for Machine {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Watched for Machine {
    fn watch(&mut self) -> Option<&mut Watch> {
        self.watch.as_mut()
    }
}

impl World {
    /// Returns whether calls on the filesystem have to be wrapped.
    pub(super) fn is_watched(&self) -> bool {
        self.faults.is_some() || self.limits.quota != Default::default()
    }

    /// Creates the state of one start, with this deadline.
    pub(super) fn machine(&self, name: &str, grants: &[Granted], until: Option<Instant>) -> Result<Machine, Error> {
        let mut wasi = WasiCtxBuilder::new();
        // Before the directories, which copy the setting: with it, a host call takes a thirtieth of the time.
        wasi.allow_blocking_current_thread(true).inherit_stdio().arg(name).args(&self.arguments);
        wasi.envs(&self.environment);
        for Granted { host, guest, access, .. } in grants {
            let perms = match access {
                Access::Read => FsPerms::ReadOnly,
                Access::Write => FsPerms::ReadWrite,
            };
            let granted = wasi.preopened_dir(host, guest, perms);
            granted.map_err(|source| Error::Program { action: "grant a directory to", path: host.clone(), source })?;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(HELD_MAX);
        Ok(Machine {
            wasi: wasi.build(),
            table,
            memory: Memory { used: 0, most: self.limits.memory_bytes, was_denied: false },
            watch: self.is_watched().then(|| self.watch(grants)).transpose()?,
            until,
        })
    }

    fn watch(&self, grants: &[Granted]) -> Result<Watch, Error> {
        let faults = self.faults.clone().unwrap_or_else(|| Faults::counting(Fault::None));
        if self.limits.quota == Default::default() {
            return Ok(Watch::new(faults));
        }
        let uppers = grants.iter().filter(|it| is_upper(&it.guest));
        let uppers = uppers.map(|it| (it.guest.clone(), it.host.clone())).collect();
        let meter = Meter::new(uppers, self.limits.quota);
        let failed = |error| {
            let upper = self.layers.first().map(|it| it.upper.clone()).unwrap_or_default();
            Error::io("count what is in the upper directory", upper, error)
        };
        Ok(Watch::metered(faults, [meter.map_err(failed)?]))
    }
}

/// Links all of WASI 0.2, with the wrappers and limits of this world.
///
/// With layers, the directories are given to the layer only, under the name by which it imports them; the
/// program itself gets none, whatever it imports.
pub(super) fn link(world: &World, directories: Option<&str>, linker: &mut Linker<Machine>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    linker.allow_shadowing(true);
    if world.is_watched() {
        faults::shadow(linker)?;
        faults::shadow_streams(linker)?;
    } else {
        faults::shadow_open(linker)?;
    }
    if let Some(name) = directories {
        faults::link_preopens(&mut linker.instance(name)?)?;
        linker
            .instance(faults::PREOPENS)?
            .func_wrap("get-directories", |_: Store<'_>, (): ()| Ok((Vec::<(Resource<Descriptor>, String)>::new(),)))?;
    }
    let (interface, name) = EXIT_WITH_CODE;
    linker.instance(interface)?.func_wrap(name, |_: Store<'_>, (code,): (u32,)| -> wasmtime::Result<()> {
        Err(I32Exit(code.cast_signed()).into())
    })?;
    if world.limits.time.is_some() {
        super::wait::shadow(linker)?;
    }
    Ok(())
}

type Store<'a> = StoreContextMut<'a, Machine>;
