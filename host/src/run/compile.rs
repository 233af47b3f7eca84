//! Compiles untrusted programs, in a separate process where one is available.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read, Write as _};
use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::{Config, Engine, Module};

use super::program::STACK_BYTES;
use super::{adapt, compose};

/// The memory limit of a process that compiles a program, in bytes. CPython needs a quarter of it.
#[cfg(unix)]
const MEMORY_BYTES_MAX: u64 = 4 << 30;

/// The maximum of threads that compile. Each has a stack and a heap of its own within the memory of the process.
const THREADS_MAX: usize = 8;

/// The time limit for compiling a program that has no time limit.
const TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// The maximum of machine code that is accepted from a process, in bytes.
const CODE_BYTES_MAX: u64 = 2 << 30;

/// The maximum of a message that is accepted from a process, in bytes.
const MESSAGE_BYTES_MAX: u64 = 16 << 10;

/// The settings that compiled code depends on, besides the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Whether it is composed with the filesystem of layers.
    pub(super) is_layered: bool,
    /// Whether it can be interrupted.
    pub(super) is_timed: bool,
}

/// The process that compiles.
pub(super) enum Compiler {
    /// This process.
    Here,
    /// A process that this command starts.
    Child(Box<dyn Fn() -> Command + Send + Sync>),
}

/// The error of a program that was not compiled within the time limit.
#[derive(Debug)]
pub(super) struct TooLate;

impl fmt::Display for TooLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it was not compiled in its time")
    }
}

impl std::error::Error for TooLate {}

impl Settings {
    const LAYERED: &str = "--layered";
    const TIMED: &str = "--timed";

    /// Returns the engine that runs a program. It compiles on the thread that asks: the threads of a pool have small
    /// stacks, and an embedder may have that pool for itself.
    pub(super) fn engine(self) -> wasmtime::Result<Engine> {
        Engine::new(self.config().parallel_compilation(false))
    }

    fn config(self) -> Config {
        let mut config = Config::new();
        // Compilers of C++, Swift and Kotlin make programs that need these. Their heap counts as memory of the program.
        config.wasm_exceptions(true).wasm_gc(true);
        config.wasm_component_model(true).epoch_interruption(self.is_timed).max_wasm_stack(STACK_BYTES);
        config.async_stack_size(2 * STACK_BYTES);
        // These are for debuggers; without them there is a third less to load at each start.
        config.native_unwind_info(cfg!(windows)).wasm_backtrace_max_frames(None).generate_address_map(false);
        config
    }

    fn arguments(self) -> impl Iterator<Item = &'static str> {
        let layered = self.is_layered.then_some(Self::LAYERED);
        layered.into_iter().chain(self.is_timed.then_some(Self::TIMED))
    }

    fn of(arguments: &[String]) -> Self {
        let has = |name: &str| arguments.iter().any(|argument| argument == name);
        Self { is_layered: has(Self::LAYERED), is_timed: has(Self::TIMED) }
    }

    /// Compiles a program to machine code.
    fn compile(self, wasm: &[u8], engine: &Engine) -> wasmtime::Result<Vec<u8>> {
        let program = if self.is_layered { layered(wasm, engine)? } else { adapted(wasm, engine)? };
        engine.precompile_component(&program)
    }

    /// As [`Settings::compile`], but returns an error if the compiler panics, which a damaged program may
    /// cause.
    fn compile_or_fail(self, wasm: &[u8], engine: &Engine) -> wasmtime::Result<Vec<u8>> {
        let compiled = panic::catch_unwind(AssertUnwindSafe(|| self.compile(wasm, engine)));
        compiled.unwrap_or_else(|panic| Err(wasmtime::Error::msg(format!("the compiler failed: {}", text(&*panic)))))
    }
}

/// Returns a program as a component.
fn adapted<'w>(wasm: &'w [u8], engine: &Engine) -> wasmtime::Result<Cow<'w, [u8]>> {
    if !adapt::is_module(wasm) {
        return Ok(Cow::Borrowed(wasm));
    }
    // The adapter would say what does not fit, and not which proposal the module needs.
    Module::validate(engine, wasm)?;
    Ok(Cow::Owned(adapt::adapt(wasm)?))
}

/// Returns a program composed with the filesystem of layers, if it imports a filesystem.
pub(super) fn layered<'w>(wasm: &'w [u8], engine: &Engine) -> wasmtime::Result<Cow<'w, [u8]>> {
    let program = adapted(wasm, engine)?;
    Ok(match compose::layered(&program, &compose::directories_of(wasm))? {
        Some(layered) => Cow::Owned(layered),
        None => program,
    })
}

impl Compiler {
    /// Compiles a program to machine code, until this instant at most.
    ///
    /// # Errors
    /// [`TooLate`]; an invalid program; a process that cannot be started or that ended abnormally.
    pub(super) fn compile(
        &self,
        wasm: &[u8],
        settings: Settings,
        engine: &Engine,
        until: Option<Instant>,
    ) -> wasmtime::Result<Vec<u8>> {
        match self {
            Self::Here => settings.compile_or_fail(wasm, engine),
            Self::Child(command) => {
                let mut command = command();
                let piped = command.args(settings.arguments()).stdin(Stdio::piped()).stdout(Stdio::piped());
                let child = piped.stderr(Stdio::piped()).spawn()?;
                let until = until.or_else(|| Instant::now().checked_add(TIME_MAX));
                in_child(child, wasm, until)
            }
        }
    }
}

/// Sends the program to a process, and reads the code. The process has ended when this returns.
fn in_child(mut child: Child, wasm: &[u8], until: Option<Instant>) -> wasmtime::Result<Vec<u8>> {
    let (mut input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (code, message) = thread::scope(|scope| {
        let (done, ended) = mpsc::channel();
        scope.spawn(move || {
            // If the process ended before it read all, its message or its exit status has the reason.
            let _why_is_found_below = input.as_mut().map(|input| input.write_all(wasm));
            drop(input);
        });
        let message = scope.spawn(move || read(errors, MESSAGE_BYTES_MAX));
        let code = scope.spawn(move || {
            let code = read(output, CODE_BYTES_MAX);
            let _nobody_waits_any_more = done.send(());
            code
        });
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let is_late = left.is_some_and(|left| ended.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Timeout));
        if is_late {
            // It may have ended by itself.
            let _ = child.kill();
        }
        let code = code.join().unwrap_or_default();
        (if is_late { None } else { Some(code) }, message.join().unwrap_or_default())
    });
    // The process has closed its output; if it does not exit, it is useless.
    let status = if code.is_some() { wait(&mut child) } else { child.wait() };
    let Some(code) = code else { return Err(TooLate.into()) };
    let status = status?;
    if status.success() {
        return Ok(code);
    }
    let message = String::from_utf8_lossy(&message);
    Err(wasmtime::Error::msg(why(status, message.trim())))
}

/// Waits a moment for a process that has closed its output.
fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    for _ in 0..200 {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()
}

/// Returns the reason why there is no code.
fn why(status: ExitStatus, message: &str) -> String {
    match (status.code(), message) {
        (Some(_), "") => format!("the compiler ended with {status} and said nothing"),
        (Some(_), message) => message.to_owned(),
        (None, _) => {
            format!("to compile it takes more than the 4 GiB of memory, or the stack, that there is ({status})")
        }
    }
}

fn read(from: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        // Missing bytes are detected from the exit code, and when the code is loaded.
        let _ = from.take(most).read_to_end(&mut bytes);
    }
    bytes
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it did not say why")
}

/// Compiles a program from standard input to standard output, for [`Program::compile_with`]. Takes the
/// arguments that it appends.
///
/// Lowers the limits of this process permanently; the process ends with its parent.
///
/// [`Program::compile_with`]: super::Program::compile_with
pub fn compile_for_parent(arguments: &[String]) -> ExitCode {
    bound_this_process();
    panic::set_hook(Box::new(|_| {}));
    let compile = || {
        let mut wasm = Vec::new();
        io::stdin().lock().read_to_end(&mut wasm)?;
        let settings = Settings::of(arguments);
        let engine = Engine::new(settings.config().parallel_compilation(start_threads()))?;
        let code = settings.compile_or_fail(&wasm, &engine)?;
        io::stdout().lock().write_all(&code)?;
        Ok::<_, wasmtime::Error>(())
    };
    match compile() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, no process waits for the code.
            let _ = write!(io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Starts the threads that compile. Where that is not possible, returns `false`, and one compiles alone.
fn start_threads() -> bool {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK_BYTES).build_global().is_ok()
}

#[cfg(unix)]
fn bound_this_process() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let lower = |resource, most: u64| {
        let limit = getrlimit(resource);
        let lowest = |set: Option<u64>| Some(set.map_or(most, |set| set.min(most)));
        // A limit that cannot be lowered is low already.
        let _ = setrlimit(resource, Rlimit { current: lowest(limit.current), maximum: lowest(limit.maximum) });
    };
    lower(Resource::As, MEMORY_BYTES_MAX);
    lower(Resource::Core, 0);
    #[cfg(target_os = "linux")]
    {
        let _older_kernels_do_without =
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    }
}

#[cfg(not(unix))]
fn bound_this_process() {}
