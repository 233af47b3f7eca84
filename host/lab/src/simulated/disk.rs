//! A simulated filesystem for the component, in place of that of the operating system.

use std::any::Any;
use std::io;

use onionskin::fs::Cause;
use onionskin_host::Error;
use onionskin_host::filesystem::{Directory, Filesystem, State};
use onionskin_sim::SimFs;
use send_wrapper::SendWrapper;
use wasmtime::component::Linker;

use super::{Ground, View};

/// A [`SimFs`] for [`StoreBuilder::filesystem`](onionskin_host::StoreBuilder::filesystem): the component runs there as
/// it does on a disk, without a visible difference.
///
/// Paths are relative to the root of the simulated filesystem. It belongs to one thread: stores on it
/// panic when they are used on another one.
pub struct Disk(SendWrapper<SimFs>);

impl Disk {
    /// Shares the filesystem: changes of the component are visible in `fs`.
    #[must_use]
    pub fn new(fs: &SimFs) -> Self {
        Self(SendWrapper::new(fs.clone()))
    }
}

impl Filesystem for Disk {
    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        super::add_to_linker(linker, view)
    }

    fn open(&self, directories: &[Directory<'_>]) -> Result<Box<dyn Any + Send>, Error> {
        let mut ground = Ground::new(&self.0);
        for Directory { path, guest, is_writable, .. } in directories {
            let failed = |error| Error::Io { action: "open the directory", path: (*path).to_owned(), source: error };
            let utf8 = path.to_str().ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
            let found = self.0.walk(&self.0.root(), &format!("{utf8}/"), false);
            let (dir, _) = found.map_err(|cause| failed(io_error(cause)))?;
            ground = ground.grant(if *is_writable { dir } else { dir.read_only() }, *guest);
        }
        Ok(Box::new(ground))
    }
}

fn view(state: &mut State) -> View<'_> {
    let (ground, table) = state.filesystem::<Ground>();
    ground.view(table)
}

fn io_error(cause: Cause) -> io::Error {
    let kind = match cause {
        Cause::NoEntry => io::ErrorKind::NotFound,
        Cause::NotDirectory => io::ErrorKind::NotADirectory,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, cause.to_string())
}
