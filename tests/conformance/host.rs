//! One directory, granted by two hosts.

use onionskin_host::ErrorCode;
use onionskin_lab::crash::files;
use onionskin_lab::simulated::Ground;
use onionskin_sim::{Node, SimFs, Tree};
use std::path::Path;
use tempfile::TempDir;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::sync::filesystem::types;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::overlay::Overlay;

pub(crate) type Fd = Resource<Descriptor>;

/// The traits that a host of `wasi:filesystem` implements.
pub(crate) trait Calls:
    types::Host + types::HostDescriptor + types::HostDirectoryEntryStream + preopens::Host
{
}

impl<T: types::Host + types::HostDescriptor + types::HostDirectoryEntryStream + preopens::Host> Calls for T {}

/// A host, with the resources of one guest.
pub(crate) struct Host {
    ground: Either,
    pub(crate) table: ResourceTable,
}

enum Either {
    Overlay(Box<Overlay>),
    Real(WasiFilesystemCtx, TempDir),
    Simulated(Ground, SimFs),
}

impl Host {
    /// Both hosts, with the same files.
    pub(crate) fn both(files: &Tree) -> [Host; 2] {
        Self::both_with(files, FsPerms::ReadWrite)
    }

    pub(crate) fn both_with(files: &Tree, perms: FsPerms) -> [Host; 2] {
        [Self::real(files, perms), Self::simulated(files, perms)]
    }

    /// A real directory, and the overlay over another one with the same files.
    pub(crate) fn real_and_overlay(files: &Tree) -> [Host; 2] {
        let overlay = Either::Overlay(Box::new(Overlay::over(files)));
        [Self::real(files, FsPerms::ReadWrite), Host { ground: overlay, table: ResourceTable::new() }]
    }

    fn real(files: &Tree, perms: FsPerms) -> Host {
        let directory = crate::overlay::directory();
        plant(files, directory.path());
        let mut builder = WasiCtxBuilder::new();
        builder.allow_blocking_current_thread(true);
        builder.preopened_dir(directory.path(), "/", perms).expect("it was just made");
        let context = std::mem::take(builder.build().filesystem());
        Host { ground: Either::Real(context, directory), table: ResourceTable::new() }
    }

    fn simulated(files: &Tree, perms: FsPerms) -> Host {
        let fs = SimFs::holding(files);
        let root = if perms == FsPerms::ReadWrite { fs.root() } else { fs.root().read_only() };
        let ground = Ground::new(&fs).grant(root, "/");
        Host { ground: Either::Simulated(ground, fs), table: ResourceTable::new() }
    }

    pub(crate) fn calls(&mut self) -> Box<dyn Calls + '_> {
        let table = &mut self.table;
        match &mut self.ground {
            Either::Overlay(overlay) => Box::new(overlay.view(table)),
            Either::Real(ctx, _) => Box::new(WasiFilesystemCtxView { ctx, table }),
            Either::Simulated(ground, _) => Box::new(ground.view(table)),
        }
    }

    /// Returns the one granted directory.
    pub(crate) fn root(&mut self) -> Fd {
        let mut granted = self.calls().get_directories().expect("grants can be listed");
        granted.pop().expect("one is granted").0
    }

    /// Makes a call, with its error as a code.
    pub(crate) fn ask<T>(&mut self, call: impl FnOnce(&mut dyn Calls) -> FsResult<T>) -> Result<T, ErrorCode> {
        let mut calls = self.calls();
        call(&mut *calls).map_err(|error| calls.convert_error_code(error).expect("no call traps"))
    }

    /// Returns the present files, with every name as a file of its own.
    pub(crate) fn files(&mut self) -> String {
        match &mut self.ground {
            Either::Overlay(overlay) => overlay.files(),
            Either::Real(_, directory) => files(directory.path()).expect("it can be read").to_string(),
            Either::Simulated(_, fs) => {
                let alone = |node: &Node| match node {
                    Node::File { bytes, .. } => Node::File { bytes: bytes.clone(), group: None },
                    Node::Directory | Node::Symlink(_) | Node::Other => node.clone(),
                };
                let tree = fs.tree();
                tree.iter().fold(Tree::new(), |tree, (path, node)| tree.with(path, alone(node))).to_string()
            }
        }
    }
}

impl Host {
    /// Whether the part that must not change, the lower of an overlay, is unchanged.
    pub(crate) fn is_lower_untouched(&self) -> bool {
        !matches!(&self.ground, Either::Overlay(overlay) if !overlay.is_lower_untouched())
    }
}

/// Creates files in an empty directory.
pub(crate) fn plant(files: &Tree, directory: &Path) {
    for (path, node) in files.iter() {
        let path = directory.join(std::str::from_utf8(path).expect("these names are UTF-8"));
        match node {
            Node::File { bytes, .. } => std::fs::write(path, bytes.as_slice()),
            Node::Directory => std::fs::create_dir(path),
            Node::Symlink(text) => std::os::unix::fs::symlink(&**text, path),
            Node::Other => unreachable!("no script has a pipe: opening one never returns"),
        }
        .expect("a writable directory");
    }
}

/// Returns a descriptor that is borrowed by a call.
pub(crate) fn lent(fd: &Fd) -> Fd {
    Resource::new_borrow(fd.rep())
}
