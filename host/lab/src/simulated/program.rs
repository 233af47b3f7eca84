//! Any WASI command on the simulated filesystem: `wasi:cli/run`, with a deterministic implementation of all other
//! interfaces of WASI.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use onionskin::fs::{Cause, Fs as _};
use onionskin_host::run::plug;
use onionskin_host::{Error, OVERLAY, compile};
use onionskin_sim::{File, Found, OpenOptions, SimFs, Tree};
use send_wrapper::SendWrapper;
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime::{Config, Engine, StoreContextMut, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock};
use wasmtime_wasi::p2::bindings::sync::CommandPre;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::p2::{DynOutputStream, DynPollable, OutputStream, Pollable, subscribe};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::streams::Printer;
use super::{Died, Ground, View};

/// The directory of the program's files in the simulated filesystem; its guest path is `/`.
pub const FILES: &str = "files";
/// In that directory, the files of a layered program, and its changes.
const LOWER: &str = "lower";
const UPPER: &str = "upper";
/// The output of a program, in the simulated filesystem.
pub const PRINTED: &str = "printed";

/// The approximate maximum of instructions in one run.
const FUEL: u64 = 20_000_000_000;
/// The maximum of bytes of memory in one run.
const MEMORY_BYTES: usize = 1 << 30;
/// The maximum of bytes that are kept of the output of a program.
const PRINTED_BYTES: usize = 16 << 20;
/// The period of the random bytes.
const RANDOM_BYTES: usize = 1 << 16;
/// The time at the start of every run, in seconds since 1970: the first of January 2000.
const EPOCH_SECONDS: u64 = 946_684_800;
/// The advance of the clock at each reading, in nanoseconds.
const TICK: u64 = 1_000;

/// The headers of a component and of a module: the magic, and the version with its layer.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A program, compiled.
///
/// Standard output counts as acknowledged: it goes to [`PRINTED`], each write durable at once, so that a crash falls
/// before it or after it. Standard input of a run is the text printed before. Clocks start anew in each run and advance
/// by readings, and random numbers are drawn from a seed; there is no network.
pub struct Program {
    engine: Engine,
    command: CommandPre<Machine>,
    name: String,
    is_layered: bool,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub how: How,
    /// The text printed to standard output, followed by that to standard error.
    pub output: String,
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

/// The parameters of one run.
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
    /// Compiles a component with `wasi:cli/run`, or takes its code from the cache of the user. Layered, its files are
    /// over originals that it cannot write: the overlay is composed with it.
    ///
    /// # Errors
    /// The file cannot be read, is a core module, or imports more than WASI 0.2.
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
            let component = compile(&engine, &wasm)?;
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

    /// Returns its name: that of its file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a filesystem with files for the program, and without output.
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
    /// The filesystem has no such scene, or the program does not start.
    pub fn start(&self, fs: &SimFs, arguments: &[String]) -> Result<Ended, Error> {
        // A program may write its files in place, which the monitor ignores; but not originals.
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
        let output = [out.contents(), err.contents()].concat();
        Ok(Ended { how, output: String::from_utf8_lossy(&output).into_owned() })
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

/// The error for a filesystem without the directories of [`Program::scene`].
fn missing(path: &'static str) -> impl Fn(Cause) -> Error {
    move |_| Error::Io { action: "find", path: path.into(), source: std::io::ErrorKind::NotFound.into() }
}

/// The directory of the files, the file of the output, and its content.
fn scene(fs: &SimFs) -> Result<(onionskin_sim::Dir, File, Vec<u8>), Error> {
    let (files, _) = fs.walk(&fs.root(), &format!("{FILES}/"), false).map_err(missing(FILES))?;
    let how = OpenOptions { write: true, ..OpenOptions::default() };
    let Found::File(printed) = fs.open_at(&fs.root(), PRINTED, how).map_err(missing(PRINTED))? else {
        return Err(missing(PRINTED)(Cause::IsDirectory));
    };
    let before = fs.tree().bytes(PRINTED).map(<[u8]>::to_vec).unwrap_or_default();
    Ok((files, printed, before))
}

/// Standard output of a run.
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

/// A sleep takes no real time, and only advances the clock.
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

/// The deadline of a sleep.
struct Awake;

#[async_trait]
impl Pollable for Awake {
    async fn ready(&mut self) {}
}

/// A clock that advances when it is read, and by sleeps.
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
