//! Loads a program, composes it with the filesystem that it needs, compiles it, and starts it.

use std::any::Any;
use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store, Trap};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::sync::CommandPre;

use super::compile::{Compiler, Settings, TooLate};
use super::machine::{self, Machine};
use super::wait::{Alarm, Late};
use super::world::utf8;
use super::{Layers, World, adapt, compose};
use crate::cache::Cache;
use crate::component::{OVERLAY, cached};
use crate::faults::{Injected, Watched as _};
use crate::lock::RootLock;
use crate::meter::Denied;
use crate::{Error, Onionskin};

/// The stack of a program, in bytes. An interpreter needs more than the default.
pub(super) const STACK_BYTES: usize = 8 << 20;

/// The additional stack of the host, in bytes, on the same thread.
const HOST_STACK_BYTES: usize = 8 << 20;

/// A command of WASI, unmodified: a component that exports `wasi:cli/run`, or a module for WASI preview 1. It
/// is not checked before it is started.
pub struct Program {
    path: PathBuf,
    wasm: Vec<u8>,
    cache: Cache,
    compiler: Compiler,
    announce: Announce,
}

/// Begins to show that a program is compiled, until the result is dropped.
type Announce = Box<dyn Fn() -> Box<dyn Any> + Send + Sync>;

/// The result of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How the program ended.
    pub how: How,
    /// Whether a request for memory beyond the limit was denied.
    pub memory_was_denied: bool,
    /// Whether a write was refused because of the bytes of the quota of an upper directory.
    pub bytes_were_denied: bool,
    /// Whether an entry was refused because of the entries of that quota.
    pub entries_were_denied: bool,
}

impl Ended {
    fn new(how: How, memory_was_denied: bool, denied: Denied) -> Self {
        Self { how, memory_was_denied, bytes_were_denied: denied.bytes, entries_were_denied: denied.entries }
    }
}

/// The ways to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// The program exited, with this exit code.
    Exited(i32),
    /// The program exceeded its time limit.
    TimedOut,
    /// The program was not compiled within its time limit. It was not started, and no workspace was created.
    NotCompiled,
    /// [`Faults`](crate::Faults) stopped it just before this mutating host call.
    Injected {
        /// The number of the call, counted from 1.
        call: u64,
        /// Its name and path.
        what: String,
    },
    /// The program trapped, with this message.
    Trapped(String),
}

impl Program {
    /// Reads the file. Its compiled code is kept in the cache of the user.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wasm = fs::read(path).map_err(|error| Error::io("read the program", path, error))?;
        let (path, cache, compiler) = (path.to_owned(), Cache::of_user(), Compiler::Here);
        Ok(Self { path, wasm, cache, compiler, announce: Box::new(|| Box::new(())) })
    }

    /// Compiles in a separate process, if the cache has no compiled code. The command starts a program that
    /// calls [`compile_for_parent`](super::compile_for_parent), whose arguments are appended to those of the
    /// command. So an attack on the compiler affects that process only: it ends when the time of the program
    /// is over, and has its own limit of memory.
    #[must_use]
    pub fn compile_with(mut self, command: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        self.compiler = Compiler::Child(Box::new(command));
        self
    }

    /// Calls this before the program is compiled, and drops the result afterwards: for a person who waits. A program
    /// whose code is in the cache is not compiled.
    #[must_use]
    pub fn announce<T: 'static>(mut self, begin: impl Fn() -> T + Send + Sync + 'static) -> Self {
        self.announce = Box::new(move || Box::new(begin()));
        self
    }

    /// Keeps compiled code in this directory, instead of that of the user. A directory that others may write
    /// is not used, because its content is executed.
    #[must_use]
    pub fn cache_directory(mut self, directory: &Path) -> Self {
        self.cache = Cache::at(directory.to_owned());
        self
    }

    /// Starts the program, and waits until it has ended. Afterwards each upper directory of the world is that
    /// of a workspace with the changes of the program.
    ///
    /// # Errors
    /// If the program cannot be compiled, linked or started, a directory cannot be granted, or a workspace
    /// cannot be opened. A trap or a failure of the program is not an error.
    pub fn start(&self, world: &World) -> Result<Ended, Error> {
        // On a separate thread, whose stack has a known size: a program that recurses too deep ends with a
        // trap, and does not end this process.
        let run = || self.start_here(world);
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("program".into()).stack_size(STACK_BYTES + HOST_STACK_BYTES);
            let thread = thread.spawn_scoped(scope, run);
            let thread = thread.map_err(|error| Error::io("start a thread for the program", &self.path, error))?;
            thread.join().unwrap_or_else(|_| Err(self.failed("run")(wasmtime::Error::msg("the host failed"))))
        })
    }

    fn start_here(&self, world: &World) -> Result<Ended, Error> {
        let until = world.limits.time.and_then(|time| Instant::now().checked_add(time));
        world.check()?;
        let name = match &world.name {
            Some(name) => name,
            None => utf8(Path::new(self.path.file_name().unwrap_or_default()))?,
        };
        if adapt::is_module(&self.wasm) {
            let variables = world.environment.iter().flat_map(|(name, value)| [name, value]);
            let texts = world.arguments.iter().chain(variables).map(String::as_str);
            adapt::check_texts(texts.chain([name])).map_err(self.failed("start"))?;
        }
        let grants = world.grants()?;
        let command = match self.command(world, until) {
            Err(Error::Program { source, .. }) if source.is::<TooLate>() => {
                return Ok(Ended::new(How::NotCompiled, false, Denied::default()));
            }
            command => command?,
        };
        let _locks = if world.layers.is_empty() { Vec::new() } else { prepare(&world.layers, world.trust_all)? };
        let machine = world.machine(name, &grants, until)?;
        let mut store = Store::new(command.engine(), machine);
        store.limiter(|machine| &mut machine.memory);
        let alarm = until.map(|until| {
            store.set_epoch_deadline(1);
            Alarm::at(until, command.engine())
        });
        let how = match command.instantiate(&mut store) {
            Ok(command) => ended(command.wasi_cli_run().call_run(&mut store)),
            Err(error) if is_of_the_run(&error) || store.data().memory.was_denied => ended(Err(error)),
            Err(error) => return Err(self.failed("start")(error)),
        };
        drop(alarm);
        let machine = store.data_mut();
        let denied = machine.watch().map(|watch| watch.denied()).unwrap_or_default();
        Ok(Ended::new(how, machine.memory.was_denied, denied))
    }

    fn command(&self, world: &World, until: Option<Instant>) -> Result<CommandPre<Machine>, Error> {
        let settings = Settings { is_layered: !world.layers.is_empty(), is_timed: until.is_some() };
        let engine = settings.engine().map_err(self.failed("set up the engine for"))?;
        let component = self.component(&engine, settings, until).map_err(self.failed("compile"))?;
        let link = || {
            let mut linker = Linker::<Machine>::new(&engine);
            let directories = settings.is_layered.then(|| compose::directories_of(&self.wasm));
            machine::link(world, directories.as_deref(), &mut linker)?;
            CommandPre::new(linker.instantiate_pre(&component)?)
        };
        link().map_err(self.failed("link"))
    }

    /// Returns the compiled program, composed with the filesystem of layers if there are any.
    fn component(&self, engine: &Engine, settings: Settings, until: Option<Instant>) -> wasmtime::Result<Component> {
        let digest = digest_of(&self.wasm, settings.is_layered);
        cached(engine, &self.cache, &digest, || {
            let _shown = (self.announce)();
            self.compiler.compile(&self.wasm, settings, engine, until)
        })
    }

    fn failed(&self, action: &'static str) -> impl Fn(wasmtime::Error) -> Error {
        let path = self.path.clone();
        move |source| Error::Program { action, path: path.clone(), source }
    }
}

/// Returns the digest of all that the compiled code of a program depends on, besides the engine.
pub(super) fn digest_of(wasm: &[u8], is_layered: bool) -> blake3::Hash {
    let mut digest = blake3::Hasher::new();
    digest.update(compose::VERSION.as_bytes()).update(wasm);
    if is_layered {
        digest.update(blake3::hash(OVERLAY).as_bytes());
    }
    digest.finalize()
}

fn prepare(all: &[Layers], trust_all: bool) -> Result<Vec<RootLock>, Error> {
    // A component of its own, which most starts can do without.
    let onionskin = OnceCell::new();
    let load = || match onionskin.get() {
        Some(loaded) => Ok(loaded),
        None => {
            let loaded = Onionskin::load()?;
            Ok::<_, Error>(onionskin.get_or_init(|| loaded))
        }
    };
    let prepare =
        |layers: &Layers| layers.prepare(trust_all, || Ok(load()?.workspace(&layers.upper).lowers(&layers.lowers)));
    all.iter().map(prepare).collect()
}

/// Checks whether an instance was stopped by its execution, and not because it is invalid: a component may
/// run code before its first call.
fn is_of_the_run(error: &wasmtime::Error) -> bool {
    error.is::<I32Exit>() || error.is::<Trap>() || error.is::<Late>() || error.is::<Injected>()
}

fn ended(result: wasmtime::Result<Result<(), ()>>) -> How {
    let error = match result {
        Ok(Ok(())) => return How::Exited(0),
        Ok(Err(())) => return How::Exited(1),
        Err(error) => error,
    };
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return How::Exited(*code);
    }
    if let Some(Injected { number, call }) = error.downcast_ref() {
        return How::Injected { call: *number, what: call.to_string() };
    }
    if error.is::<Late>() || error.downcast_ref() == Some(&Trap::Interrupt) {
        return How::TimedOut;
    }
    How::Trapped(error.root_cause().to_string())
}
