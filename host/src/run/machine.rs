//! What the host keeps for one start of a program.

use std::time::Instant;

use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime::{ResourceLimiter, StoreContextMut};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::World;
use super::world::is_upper;
use crate::faults::{self, Watch, Watched};
use crate::grants::{Access, Granted};
use crate::meter::Meter;
use crate::{Error, Fault, Faults};

/// The most instances of modules that a program may have, and the most memories and tables of each kind.
const INSTANCES_MAX: usize = 256;
const MEMORIES_MAX: usize = 1024;

/// Bytes that one element of a table takes.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// The most things of the host that a program may hold: descriptors, streams, and what it waits for.
const HELD_MAX: usize = 1 << 16;

/// What one start is given.
pub(super) struct Machine {
    wasi: WasiCtx,
    pub(super) table: ResourceTable,
    pub(super) memory: Memory,
    watch: Option<Watch>,
    /// When it is to have ended.
    pub(super) until: Option<Instant>,
}

/// The bytes of all memories and tables of all instances together. More is denied, as by a machine that has
/// no more.
#[derive(Debug)]
pub(super) struct Memory {
    used: usize,
    most: usize,
    /// It wanted more.
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
    /// Whether calls on the filesystem have to be wrapped.
    pub(super) fn is_watched(&self) -> bool {
        self.faults.is_some() || self.limits.quota != Default::default()
    }

    /// Makes what a start is given; it is to have ended then.
    pub(super) fn machine(&self, name: &str, grants: &[Granted], until: Option<Instant>) -> Result<Machine, Error> {
        let mut wasi = WasiCtxBuilder::new();
        // Before the directories, which take it over: a host call costs a thirtieth with it.
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
        Ok(Watch::metered(faults, meter.map_err(failed)?))
    }
}

/// Links all of WASI 0.2, with what this world watches or limits.
///
/// Where there are layers, the directories are given to the layer alone, under the name by which it imports
/// them; whatever a program imports itself, it is given none.
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
    if world.limits.time.is_some() {
        super::wait::shadow(linker)?;
    }
    Ok(())
}

type Store<'a> = StoreContextMut<'a, Machine>;
