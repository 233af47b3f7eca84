//! What the host keeps for one start of a program.

use std::time::Instant;

use wasmtime::ResourceLimiter;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::World;
use crate::faults::{self, Watch, Watched};
use crate::grants::{Access, Granted};
use crate::meter::Meter;
use crate::{Error, Fault, Faults};

/// The most elements that a table of a program may have.
const TABLE_ELEMENTS_MAX: usize = 1 << 20;

/// What one start is given.
pub(super) struct Machine {
    wasi: WasiCtx,
    pub(super) table: ResourceTable,
    pub(super) memory: Memory,
    watch: Option<Watch>,
    /// When it is to have ended.
    pub(super) until: Option<Instant>,
}

/// The bytes of all memories together. More is denied, as by a machine that has no more.
#[derive(Debug)]
pub(super) struct Memory {
    used: usize,
    most: usize,
    /// It wanted more.
    pub(super) was_denied: bool,
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.most {
            self.was_denied = true;
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
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

    pub(super) fn machine(&self, name: &str, grants: &[Granted]) -> Result<Machine, Error> {
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
        Ok(Machine {
            wasi: wasi.build(),
            table: ResourceTable::new(),
            memory: Memory { used: 0, most: self.limits.memory_bytes, was_denied: false },
            watch: self.is_watched().then(|| self.watch(grants)).transpose()?,
            until: self.limits.time.and_then(|time| Instant::now().checked_add(time)),
        })
    }

    fn watch(&self, grants: &[Granted]) -> Result<Watch, Error> {
        let faults = self.faults.clone().unwrap_or_else(|| Faults::counting(Fault::None));
        if self.limits.quota == Default::default() {
            return Ok(Watch::new(faults));
        }
        let uppers = grants.iter().filter(|it| it.guest.ends_with("#upper"));
        let uppers = uppers.map(|it| (it.guest.clone(), it.host.clone())).collect();
        let meter = Meter::new(uppers, self.limits.quota);
        let failed = |error| {
            let upper = self.layers.first().map(|it| it.upper.clone()).unwrap_or_default();
            Error::io("count what is in the upper directory", upper, error)
        };
        Ok(Watch::metered(faults, meter.map_err(failed)?))
    }
}

/// All of WASI 0.2, with what this world watches or limits.
pub(super) fn link(world: &World, linker: &mut Linker<Machine>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    if world.is_watched() {
        faults::shadow(linker)?;
        faults::shadow_streams(linker)?;
    }
    if world.limits.time.is_some() {
        super::wait::shadow(linker)?;
    }
    Ok(())
}
