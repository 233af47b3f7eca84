//! Compiles plugins, and runs them within bounds.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use onionskin_host::run::{GuestLayers, LayeredComponent, LayersView};
use onionskin_host::wasmtime::component::{Linker, ResourceTable};
use onionskin_host::wasmtime::{Config, Engine, ResourceLimiter, Result, Store};
use onionskin_host::wasmtime_wasi::p2::bindings::CommandPre;
use onionskin_host::wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use onionskin_host::wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use onionskin_host::{Quota, WorkspaceBuilder};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// The name of the project in a plugin.
pub(crate) const PROJECT: &str = "/data";
/// The output of a plugin that is kept, in bytes. A plugin that prints more fails.
const PRINTED_BYTES: usize = 64 << 10;
/// The stack of a plugin, in bytes: interpreters need more than the default.
const STACK_BYTES: usize = 2 << 20;
/// A computing plugin gives way to others after this time.
const TICK: Duration = Duration::from_millis(10);

/// The bounds of every run.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    /// The total of the memories and tables of a plugin and its filesystem.
    pub(crate) memory_bytes: usize,
    /// The size of the changes.
    pub(crate) quota: Quota,
    pub(crate) at_once: usize,
}

/// A compiled plugin, linked to its imports.
#[derive(Clone)]
pub(crate) struct Plugin(CommandPre<State>);

/// The end of a run.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// `exited`, or the bound that ended it, or the message of a trap.
    pub(crate) how: String,
    pub(crate) code: Option<i32>,
    /// Whether a request for memory beyond the limit was denied, which a program may survive.
    pub(crate) memory_was_denied: bool,
    pub(crate) output: String,
}

/// The engine, and the threads on which plugins run: apart from those of the server, since plugins block them for calls
/// on files.
pub(crate) struct Machine {
    engine: Engine,
    threads: Runtime,
    at_once: Arc<Semaphore>,
    compiling: Semaphore,
    bounds: Bounds,
}

impl Machine {
    pub(crate) fn new(bounds: Bounds) -> Result<Self> {
        let mut config = Config::new();
        config.epoch_interruption(true).max_wasm_stack(STACK_BYTES).async_stack_size(2 * STACK_BYTES);
        let engine = Engine::new(&config)?;
        let ticking = engine.weak();
        thread::Builder::new().name("ticks".into()).spawn(move || {
            while let Some(engine) = ticking.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(TICK);
            }
        })?;
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
        let (at_once, compiling) = (Arc::new(Semaphore::new(bounds.at_once.max(1))), Semaphore::new(1));
        Ok(Self { engine, threads, at_once, compiling, bounds })
    }

    /// Compiles an uploaded plugin, one at a time.
    pub(crate) async fn compile(&self, wasm: Vec<u8>) -> Result<Plugin> {
        let _turn = self.compiling.acquire().await?;
        let engine = self.engine.clone();
        tokio::task::spawn_blocking(move || {
            let component = LayeredComponent::compile(&engine, &wasm)?;
            let mut linker = Linker::new(&engine);
            onionskin_host::wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
            Ok(Plugin(CommandPre::new(component.instantiate_pre(&linker)?)?))
        })
        .await?
    }

    /// Runs a plugin when its turn comes. Returns when it has ended and its workspace is free.
    pub(crate) async fn run(&self, plugin: Plugin, arguments: Vec<String>, changes: WorkspaceBuilder) -> Result<Ended> {
        let turn = self.at_once.clone().acquire_owned().await?;
        let (engine, bounds) = (self.engine.clone(), self.bounds);
        let run = self.threads.spawn(async move {
            let layers = tokio::task::spawn_blocking(move || GuestLayers::new().layer(PROJECT, &changes)).await??;
            let ended = run_within(&engine, bounds, &plugin, &arguments, layers).await;
            drop(turn);
            Ok(ended)
        });
        run.await?
    }
}

async fn run_within(
    engine: &Engine,
    bounds: Bounds,
    plugin: &Plugin,
    arguments: &[String],
    layers: GuestLayers,
) -> Ended {
    let output = MemoryOutputPipe::new(PRINTED_BYTES);
    let mut wasi = WasiCtxBuilder::new();
    wasi.arg("plugin").args(arguments).stdout(output.clone()).stderr(output.clone());
    let memory = Memory { used: 0, most: bounds.memory_bytes, was_denied: false };
    let mut store = Store::new(engine, State { wasi: wasi.build(), table: ResourceTable::new(), layers, memory });
    store.limiter(|state| &mut state.memory);
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    let work = async {
        let command = plugin.0.instantiate_async(&mut store).await?;
        command.wasi_cli_run().call_run(&mut store).await
    };
    let ended = tokio::time::timeout(bounds.time, work).await;
    let memory_was_denied = store.data().memory.was_denied;
    // The workspace is free with it.
    drop(store);
    let (how, code) = match ended {
        Err(_) => ("out of time".to_owned(), None),
        Ok(Ok(Ok(()))) => ("exited".to_owned(), Some(0)),
        Ok(Ok(Err(()))) => ("exited".to_owned(), Some(1)),
        Ok(Err(error)) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => ("exited".to_owned(), Some(*code)),
            None => (error.root_cause().to_string(), None),
        },
    };
    Ended { how, code, memory_was_denied, output: String::from_utf8_lossy(&output.contents()).into_owned() }
}

/// The state of one run.
struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    layers: GuestLayers,
    memory: Memory,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl LayersView for State {
    fn layers(&mut self) -> &mut GuestLayers {
        &mut self.layers
    }
}

/// The memory of a run, in bytes. A request beyond the limit is denied.
struct Memory {
    used: usize,
    most: usize,
    was_denied: bool,
}

impl Memory {
    fn grow(&mut self, bytes: usize) -> bool {
        let used = self.used.saturating_add(bytes);
        self.was_denied |= used > self.most;
        if used <= self.most {
            self.used = used;
        }
        used <= self.most
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(size_of::<usize>())))
    }
}
