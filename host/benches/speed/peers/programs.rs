//! The programs that replace a file repeatedly, each in its own way, and their commands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use onionskin_host::COMPONENT;
use onionskin_host::run::plug;

use crate::layers::built;
use crate::{Result, repository};

/// The package that is installed for Node.
const WRITE_FILE_ATOMIC: &str = "write-file-atomic@8.0.0";
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/peers");

/// A way to replace a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// In Rust, with a crate of another project.
    Tempfile,
    AtomicWriteFile,
    /// Python's `tempfile` and `os.replace`.
    Python,
    /// npm's `write-file-atomic`.
    Npm,
    /// Our package for Python.
    OurPython,
    /// Our package for Node.
    OurNode,
    /// A program that is composed with our component, under the program `wasmtime`.
    Wasmtime,
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tempfile => "tempfile",
            Self::AtomicWriteFile => "atomic-write-file",
            Self::Python => "Python's tempfile, os.replace",
            Self::Npm => "npm's write-file-atomic",
            Self::OurPython => "our package for Python",
            Self::OurNode => "our package for Node",
            Self::Wasmtime => "our component under wasmtime",
        }
    }
}

/// The runtimes of the programs, or the reasons why one is missing, which its rows report.
pub(crate) struct Programs {
    rust: std::result::Result<PathBuf, String>,
    node_modules: std::result::Result<PathBuf, String>,
    composed: std::result::Result<Composed, String>,
}

/// The program `wasmtime`, and the composed program that it runs.
struct Composed {
    wasmtime: PathBuf,
    compiled: PathBuf,
}

impl Programs {
    /// Builds and installs the programs below the build directory, where the next run finds them.
    pub(crate) fn make() -> Self {
        let text = |error: Box<dyn std::error::Error>| error.to_string().lines().last().unwrap_or_default().to_owned();
        Self {
            rust: package("peers").map_err(text),
            node_modules: node_modules().map_err(text),
            composed: Composed::make().map_err(text),
        }
    }

    /// Returns the average time for one of `count` files of this size, as the program reports it.
    pub(crate) fn run(&self, way: Way, root: &Path, count: u32, how: &str, bytes: usize) -> Result<Duration> {
        let mut command = self.command(way, root)?;
        let output = output_of(command.args([&count.to_string(), how, &bytes.to_string()]))?;
        Ok(Duration::try_from_secs_f64(output.trim().parse()?)?)
    }

    /// Returns the command of the program, up to its root.
    fn command(&self, way: Way, root: &Path) -> Result<Command> {
        let mut command;
        match way {
            Way::Tempfile | Way::AtomicWriteFile => {
                command = Command::new(self.rust.as_ref().map_err(String::clone)?);
                command.arg(way.name());
            }
            Way::Python => {
                command = Command::new("python3");
                command.arg(format!("{PEERS}/usual.py"));
            }
            Way::Npm => {
                command = Command::new("node");
                command.arg(format!("{PEERS}/usual.cjs")).arg(self.node_modules.as_ref().map_err(String::clone)?);
            }
            Way::OurPython => {
                command = Command::new(there("host/python/.venv/bin/python", "`.ci/run python` builds it")?);
                command.arg(format!("{PEERS}/package.py"));
            }
            Way::OurNode => {
                command = Command::new("node");
                let package = there("host/node/dist/index.js", "`.ci/run node` builds it")?;
                command.arg(format!("{PEERS}/package.mjs")).arg(package);
            }
            Way::Wasmtime => {
                let Composed { wasmtime, compiled } = self.composed.as_ref().map_err(String::clone)?;
                command = Command::new(wasmtime);
                command.args(["run", "--allow-precompiled", "--dir"]).arg(format!("{}::root", root.display()));
                command.arg(compiled).arg("pace");
                return Ok(command);
            }
        }
        command.arg(root);
        Ok(command)
    }
}

impl Composed {
    fn make() -> Result<Self> {
        let wasmtime = match std::env::var_os("ONIONSKIN_WASMTIME") {
            Some(wasmtime) => PathBuf::from(wasmtime),
            None => there("target/wasmtime-cli/bin/wasmtime", "`.ci/run wasmtime-cli` builds it")?,
        };
        let composed = plug(fs::read(built("play")?)?, COMPONENT)?;
        let directory = kept("composed")?;
        let (program, compiled) = (directory.join("play.wasm"), directory.join("play.cwasm"));
        fs::write(&program, composed)?;
        output_of(Command::new(&wasmtime).arg("compile").arg(&program).arg("-o").arg(&compiled))?;
        Ok(Self { wasmtime, compiled })
    }
}

/// Builds a package of `host/benches` that is not a member of the workspace, and returns its program.
pub(crate) fn package(name: &str) -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches").join(name).join("Cargo.toml");
    let target = kept(name)?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]).arg(manifest);
    output_of(cargo.arg("--target-dir").arg(&target))?;
    Ok(target.join("release").join(name))
}

/// Returns the directory of the npm package.
fn node_modules() -> Result<PathBuf> {
    let directory = kept("node")?;
    fs::write(directory.join("package.json"), "{\"private\": true}")?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefer-offline", WRITE_FILE_ATOMIC]);
    output_of(npm.current_dir(&directory))?;
    Ok(directory)
}

/// Returns the path of something that another command of the repository builds.
fn there(path: &str, how: &str) -> Result<PathBuf> {
    let place = repository().join(path);
    if place.exists() { Ok(place) } else { Err(format!("{path} is not there: {how}").into()) }
}

/// Returns a directory that is kept from run to run.
fn kept(name: &str) -> Result<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers").join(name);
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Returns the output of a program.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
