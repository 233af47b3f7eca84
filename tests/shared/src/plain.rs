//! A plain WASI host: unmodified wasmtime and wasmtime-wasi, without locks and without our host; or the program
//! `wasmtime`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, OptLevel, Store, Trap};
use wasmtime_wasi::p2::bindings::sync;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// The environment variable that names the program `wasmtime`, which then replaces the library in this process.
const WASMTIME: &str = "ONIONSKIN_WASMTIME";
/// The maximum of bytes that a program may print.
const PRINTED_BYTES: usize = 1 << 20;
/// The exit code of the program `wasmtime` after a trap.
const TRAPPED: i32 = 134;

/// A directory, and the name under which it is granted for reading and writing.
pub type Granted<'a> = (PathBuf, &'a str);

/// The result of a run.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// The runtime of a program.
pub enum Host {
    /// In this process.
    Library(Component),
    /// `wasmtime run`.
    CommandLine { wasmtime: PathBuf, compiled: PathBuf },
}

impl Host {
    /// Compiles a program for `WASMTIME` if that is set, otherwise for this process.
    pub fn new(program: &[u8], scratch: &Path) -> Self {
        let Some(wasmtime) = std::env::var_os(WASMTIME).map(PathBuf::from) else {
            return Self::Library(compiled(program));
        };
        let (file, compiled) = (scratch.join("program.wasm"), scratch.join("program.cwasm"));
        std::fs::write(&file, program).expect("it can be written");
        let mut compile = Command::new(&wasmtime);
        compile.arg("compile").arg(&file).arg("-o").arg(&compiled);
        let status = compile.status().unwrap_or_else(|error| panic!("{}: {error}", wasmtime.display()));
        assert!(status.success(), "{compile:?}: {status}");
        Self::CommandLine { wasmtime, compiled }
    }

    /// Runs the program with directories granted under guest names.
    pub fn run(&self, grants: &[Granted<'_>], arguments: &[&str], input: &str) -> Ended {
        match self {
            Self::Library(component) => in_process(component, grants, arguments, input),
            Self::CommandLine { wasmtime, compiled } => {
                let mut command = Command::new(wasmtime);
                command.args(["run", "--allow-precompiled"]);
                for (place, name) in grants {
                    command.arg("--dir").arg(format!("{}::{name}", place.display()));
                }
                on_command_line(command.arg(compiled).args(arguments), input)
            }
        }
    }
}

/// Compiles a program for this process.
pub fn compiled(program: &[u8]) -> Component {
    let mut config = Config::new();
    // Without optimization: an interpreter runs once, and optimizing it would take longer than the run.
    config.cranelift_opt_level(OptLevel::None);
    let engine = Engine::new(&config).expect("the configuration is one");
    Component::new(&engine, program).expect("it is a component")
}

/// The WASI context and its resources.
pub struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Returns the linker and the state for an instance.
pub fn wasi(
    engine: &Engine,
    grants: &[Granted<'_>],
    set: impl FnOnce(&mut WasiCtxBuilder),
) -> (Store<State>, Linker<State>) {
    let mut wasi = WasiCtxBuilder::new();
    wasi.allow_blocking_current_thread(true);
    set(&mut wasi);
    for (place, name) in grants {
        wasi.preopened_dir(place, name, FsPerms::ReadWrite).expect("it can be granted");
    }
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).expect("each name is added once");
    (Store::new(engine, State { wasi: wasi.build(), table: ResourceTable::new() }), linker)
}

fn in_process(component: &Component, grants: &[Granted<'_>], arguments: &[&str], input: &str) -> Ended {
    let (out, err) = (MemoryOutputPipe::new(PRINTED_BYTES), MemoryOutputPipe::new(PRINTED_BYTES));
    let (mut store, linker) = wasi(component.engine(), grants, |wasi| {
        wasi.arg("program").args(arguments);
        wasi.stdin(MemoryInputPipe::new(input.to_owned())).stdout(out.clone()).stderr(err.clone());
    });
    let command = sync::Command::instantiate(&mut store, component, &linker).expect("it imports only WASI");
    let code = match command.wasi_cli_run().call_run(&mut store) {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        Err(error) if error.is::<Trap>() => TRAPPED,
        Err(error) => error.downcast_ref::<I32Exit>().unwrap_or_else(|| panic!("{error:?}")).0,
    };
    drop(store);
    let text = |pipe: MemoryOutputPipe| String::from_utf8(pipe.contents().to_vec()).expect("it writes UTF-8");
    Ended { code, out: text(out), err: text(err) }
}

fn on_command_line(command: &mut Command, input: &str) -> Ended {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = piped.spawn().expect("wasmtime starts");
    running.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("the program reads it all");
    let output = running.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    let code = output.status.code().unwrap_or_else(|| panic!("{command:?}: {}", output.status));
    Ended { code, out: text(output.stdout), err: text(output.stderr) }
}
