//! A server that runs plugins over one project: `plugin_host --project DIR --data DIR`.
//!
//! A plugin is a command of WASI, in any language, that is uploaded. Each run has the project as `/data`, unchanged, and
//! its changes go to a workspace of its own, which is looked at in a browser, and committed or discarded. The modules:
//! `plugin` compiles and runs, `runs` has the workspaces, `server` is the interface by HTTP.

mod plugin;
mod runs;
mod server;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use onionskin_host::Quota;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::plugin::Bounds;
use self::runs::Runs;
use self::server::Server;

/// Runs plugins over a project, shows their changes, and commits or discards them on request.
#[derive(Parser)]
struct Arguments {
    /// The directory that plugins find as /data. Only a commit changes it
    #[arg(long)]
    project: PathBuf,
    /// The directory for the changes of the runs, outside of the project; created if it does not exist
    #[arg(long)]
    data: PathBuf,
    /// The address to listen on. Every program that reaches it may run plugins and commit
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The time limit of a run, in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The memory limit of a run, in MiB
    #[arg(long, default_value_t = 256)]
    memory: usize,
    /// The limit of the changes of a run, in MiB
    #[arg(long, default_value_t = 64)]
    changes: u64,
    /// The number of runs at once; further ones wait
    #[arg(long, default_value_t = 100)]
    at_once: usize,
}

fn main() -> ExitCode {
    match serve(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plugin_host: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: Arguments) -> onionskin_host::wasmtime::Result<()> {
    raise_descriptors();
    let bounds = Bounds {
        time: Duration::from_secs(arguments.seconds),
        memory_bytes: arguments.memory << 20,
        quota: Quota { bytes: Some(arguments.changes << 20), entries: Some(100_000) },
        at_once: arguments.at_once,
    };
    let runs = Runs::open(&arguments.project, &arguments.data, bounds)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(Arc::new(Server::new(runs)).listen(arguments.listen))
}

/// A run has about ten descriptors open; the usual limit is for 100 of them at once.
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised, fewer runs fit at once, and the others fail with the cause.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
