//! Any WASI command on simulated ground: `wasi:cli/run`, with everything else of WASI made so that
//! the same start does the same.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use onionskin::fs::{Cause, Fs as _};
use onionskin_host::run::plug;
use onionskin_host::{Error, OVERLAY};
use onionskin_sim::{File, Found, OpenHow, SimFs, Tree};
use send_wrapper::SendWrapper;
use wasmtime::component::{Component, Linker, Resource, ResourceTable};
use wasmtime::{Config, Engine, StoreContextMut, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock};
use wasmtime_wasi::p2::bindings::sync::CommandPre;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::p2::{DynOutputStream, DynPollable, OutputStream, Pollable, subscribe};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::streams::Printer;
use super::{Died, Ground, View};

/// Where a program finds its files, in the simulated filesystem; it calls the place `/`.
pub const FILES: &str = "files";
/// In that place, where the files of a layered program are, and where its changes go.
const LOWER: &str = "lower";
const UPPER: &str = "upper";
/// What a program has printed, in the simulated filesystem.
pub const PRINTED: &str = "printed";

/// The most instructions that one start may take, about.
const FUEL: u64 = 20_000_000_000;
/// The most bytes of memory that one start may use.
const MEMORY_BYTES: usize = 1 << 30;
/// The most bytes that are kept of what a program prints.
const PRINTED_BYTES: usize = 16 << 20;
/// Random bytes repeat after so many.
const RANDOM_BYTES: usize = 1 << 16;
/// When every start begins, in seconds since 1970: the first of January 2000.
const EPOCH_SECONDS: u64 = 946_684_800;
/// How much later it is whenever a program looks at a clock, in nanoseconds.
const TICK: u64 = 1_000;

/// How a component begins, and how a module does: the magic, and the version with its layer.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A program, compiled.
///
/// What it prints to standard output is told to the world: it goes to [`PRINTED`], each write
/// durable at once, so that a crash falls before it or after it. Standard input of a start is
/// what was printed before. Clocks begin anew with each start and go by looks, and random numbers
/// are drawn from a seed of the start; there is no network.
pub struct Program {
    engine: Engine,
    command: CommandPre<Machine>,
    name: String,
    is_layered: bool,
}

/// How a start came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub how: How,
    /// What it printed to standard output and to standard error, one after the other.
    pub said: String,
}

/// The ways to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// With this exit code.
    Exited(i32),
    /// By a trap.
    Trapped(String),
    /// By a fault of the simulated filesystem.
    Died,
}

/// What one start is given.
struct Machine {
    wasi: WasiCtx,
    table: ResourceTable,
    ground: Ground,
    printed: File,
    out: MemoryOutputPipe,
    clock: Clock,
    limits: StoreLimits,
}

impl WasiView for Machine {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Machine {
    fn files(&mut self) -> View<'_> {
        self.ground.view(&mut self.table)
    }
}

impl Program {
    /// Compiles a component with `wasi:cli/run`. Layered, it finds its files over originals that it
    /// cannot write: the overlay is put between.
    ///
    /// # Errors
    /// Where the file cannot be read, is a module and no component, or asks for more than WASI 0.2.
    pub fn load(path: &Path, is_layered: bool) -> Result<Self, crate::Error> {
        let wasm = std::fs::read(path).map_err(|error| Error::Io {
            action: "read the program",
            path: path.to_owned(),
            source: error,
        })?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        if wasm.starts_with(MODULE) {
            return Err(crate::Error::Module { path: path.to_owned() });
        }
        let load = || {
            let mut config = Config::new();
            config.wasm_component_model(true).consume_fuel(true);
            let engine = Engine::new(&config)?;
            let wasm = if is_layered { plug(wasm, OVERLAY)? } else { wasm };
            let component = Component::new(&engine, &wasm)?;
            let mut linker = Linker::<Machine>::new(&engine);
            wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
            linker.allow_shadowing(true);
            super::add_to_linker(&mut linker, Machine::files)?;
            linker.instance("wasi:cli/stdout@0.2.12")?.func_wrap("get-stdout", stdout)?;
            let mut clock = linker.instance("wasi:clocks/monotonic-clock@0.2.12")?;
            clock.func_wrap("subscribe-duration", sleep)?;
            clock.func_wrap("subscribe-instant", sleep_until)?;
            let command = CommandPre::new(linker.instantiate_pre(&component)?)?;
            Ok(Self { engine, command, name, is_layered })
        };
        load().map_err(|source| Error::Component { action: "load as a command of WASI", source }.into())
    }

    /// What it is called: the name of its file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A filesystem with some files for the program, and nothing printed.
    #[must_use]
    pub fn scene(&self, files: &Tree) -> Tree {
        let mut scene = Tree::new().dir(FILES).file(PRINTED, "");
        let mut place = format!("{FILES}/");
        if self.is_layered {
            scene = scene.dir(format!("{FILES}/{UPPER}")).dir(format!("{FILES}/{LOWER}"));
            place = format!("{FILES}/{LOWER}/");
        }
        files.iter().fold(scene, |scene, (path, node)| scene.with([place.as_bytes(), path].concat(), node.clone()))
    }

    /// Starts the program with arguments, on a filesystem with a [`Program::scene`].
    ///
    /// # Errors
    /// Where the filesystem has no such scene, or the program does not start.
    pub fn start(&self, fs: &SimFs, arguments: &[String]) -> Result<Ended, Error> {
        // A program may write its files in place; that is no matter of this watch. But not originals.
        fs.own(PRINTED);
        fs.own(&if self.is_layered { format!("{FILES}/{UPPER}") } else { FILES.to_owned() });
        let err = MemoryOutputPipe::new(PRINTED_BYTES);
        let machine = self.machine(fs, arguments, &err)?;
        let out = machine.out.clone();
        let mut store = wasmtime::Store::new(&self.engine, machine);
        store.limiter(|machine| &mut machine.limits);
        let failed = |source| Error::Component { action: "start", source };
        store.set_fuel(FUEL).map_err(failed)?;
        let command = self.command.instantiate(&mut store).map_err(failed)?;
        let how = match command.wasi_cli_run().call_run(&mut store) {
            Ok(Ok(())) => How::Exited(0),
            Ok(Err(())) => How::Exited(1),
            Err(error) => ended_by(&error),
        };
        let said = [out.contents(), err.contents()].concat();
        Ok(Ended { how, said: String::from_utf8_lossy(&said).into_owned() })
    }

    fn machine(&self, fs: &SimFs, arguments: &[String], err: &MemoryOutputPipe) -> Result<Machine, Error> {
        let (files, printed, before) = scene(fs)?;
        let mut ground = Ground::new(fs);
        if self.is_layered {
            let part = |name| fs.open_dir(&files, name).map_err(missing(FILES));
            ground = ground.grant(part(UPPER)?, "/#upper").grant(part(LOWER)?.read_only(), "/#lower");
        } else {
            ground = ground.grant(files, "/");
        }
        let clock = Clock::default();
        let mut wasi = WasiCtxBuilder::new();
        let seed = arguments.join("\0");
        wasi.allow_blocking_current_thread(true)
            .arg(&self.name)
            .args(arguments)
            .stdin(MemoryInputPipe::new(before))
            .stderr(err.clone())
            .wall_clock(clock.clone())
            .monotonic_clock(clock.clone())
            .secure_random(Deterministic::new(random("secure", &seed)))
            .insecure_random(Deterministic::new(random("insecure", &seed)))
            .insecure_random_seed(0);
        Ok(Machine {
            wasi: wasi.build(),
            table: ResourceTable::new(),
            ground,
            printed,
            clock,
            out: MemoryOutputPipe::new(PRINTED_BYTES),
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_BYTES).trap_on_grow_failure(true).build(),
        })
    }
}

/// What a filesystem lacks that was not made by [`Program::scene`].
fn missing(path: &'static str) -> impl Fn(Cause) -> Error {
    move |_| Error::Io { action: "find", path: path.into(), source: std::io::ErrorKind::NotFound.into() }
}

/// The directory of the files, the file of what is printed, and what that holds.
fn scene(fs: &SimFs) -> Result<(onionskin_sim::Dir, File, Vec<u8>), Error> {
    let (files, _) = fs.walk(&fs.root(), &format!("{FILES}/"), false).map_err(missing(FILES))?;
    let how = OpenHow { write: true, ..OpenHow::default() };
    let Found::File(printed) = fs.open_at(&fs.root(), PRINTED, how).map_err(missing(PRINTED))? else {
        return Err(missing(PRINTED)(Cause::IsDirectory));
    };
    let before = fs.tree().bytes(PRINTED).map(<[u8]>::to_vec).unwrap_or_default();
    Ok((files, printed, before))
}

/// Standard output of a start.
fn stdout(mut store: StoreContextMut<'_, Machine>, (): ()) -> wasmtime::Result<(Resource<DynOutputStream>,)> {
    let machine = store.data_mut();
    let fs = SendWrapper::clone(&machine.ground.fs);
    let copy: Box<dyn OutputStream> = Box::new(machine.out.clone());
    let printer: DynOutputStream = Box::new(Printer { fs, file: machine.printed.clone(), copy });
    Ok((machine.table.push(printer)?,))
}

fn ended_by(error: &wasmtime::Error) -> How {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return How::Exited(*code);
    }
    if error.is::<Died>() {
        return How::Died;
    }
    How::Trapped(error.root_cause().to_string())
}

fn random(kind: &str, seed: &str) -> Vec<u8> {
    let mut bytes = vec![0; RANDOM_BYTES];
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_bytes()).update(seed.as_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// To sleep takes no time but that of the clock.
fn sleep(
    mut store: StoreContextMut<'_, Machine>,
    (nanoseconds,): (u64,),
) -> wasmtime::Result<(Resource<DynPollable>,)> {
    let machine = store.data_mut();
    machine.clock.0.fetch_add(nanoseconds, Ordering::Relaxed);
    let awake = machine.table.push(Awake)?;
    Ok((subscribe(&mut machine.table, awake)?,))
}

fn sleep_until(store: StoreContextMut<'_, Machine>, (instant,): (u64,)) -> wasmtime::Result<(Resource<DynPollable>,)> {
    let left = instant.saturating_sub(store.data().clock.look());
    sleep(store, (left,))
}

/// What a sleeper waits for.
struct Awake;

#[async_trait]
impl Pollable for Awake {
    async fn ready(&mut self) {}
}

/// A clock that moves when it is looked at, and when somebody sleeps.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn look(&self) -> u64 {
        self.0.fetch_add(TICK, Ordering::Relaxed)
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        TICK
    }

    fn now(&self) -> u64 {
        self.look()
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(TICK)
    }

    fn now(&self) -> Duration {
        Duration::from_secs(EPOCH_SECONDS) + Duration::from_nanos(self.look())
    }
}
