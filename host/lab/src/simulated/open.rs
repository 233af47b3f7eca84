//! The resources behind the descriptors of a guest.

use onionskin_sim::{Dir, File};
use wasmtime::component::{Resource, ResourceTableError};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{DescriptorFlags, DirectoryEntry};

use super::View;

pub(super) type Fd = Resource<Descriptor>;

/// An open directory or file.
#[derive(Clone)]
pub(super) enum Open {
    Dir(OpenDir),
    File(OpenFile),
}

#[derive(Clone)]
pub(super) struct OpenDir {
    pub(super) dir: Dir,
    pub(super) flags: DescriptorFlags,
}

#[derive(Clone)]
pub(super) struct OpenFile {
    pub(super) file: File,
    pub(super) flags: DescriptorFlags,
    /// Whether its grant is for writing.
    pub(super) granted: bool,
}

impl OpenFile {
    /// The access mode of the operating system, which is checked after the grant.
    pub(super) fn writes(&self) -> bool {
        self.flags.contains(DescriptorFlags::WRITE)
    }
}

/// The rest of a listing, the next entry last.
pub(super) struct Listing(pub(super) Vec<Result<DirectoryEntry, ErrorCode>>);

/// The types of the resources belong to wasmtime and cannot hold ours: both have the same number in the table.
impl View<'_> {
    pub(super) fn push(&mut self, open: Open) -> Result<Fd, ResourceTableError> {
        Ok(Resource::new_own(self.table.push(open)?.rep()))
    }

    pub(super) fn open(&self, fd: &Fd) -> FsResult<Open> {
        let open: &Open = self.table.get(&Resource::new_borrow(fd.rep()))?;
        Ok(open.clone())
    }

    pub(super) fn close(&mut self, fd: &Fd) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Open>::new_own(fd.rep()))?;
        Ok(())
    }

    pub(super) fn dir(&self, fd: &Fd) -> FsResult<Dir> {
        match self.open(fd)? {
            Open::Dir(open) => Ok(open.dir),
            Open::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }

    /// As [`View::dir`], for a change of an entry below.
    pub(super) fn dir_to_change(&self, fd: &Fd) -> FsResult<Dir> {
        let dir = self.dir(fd)?;
        if dir.is_writable() { Ok(dir) } else { Err(ErrorCode::NotPermitted.into()) }
    }

    pub(super) fn file(&self, fd: &Fd) -> FsResult<OpenFile> {
        match self.open(fd)? {
            Open::File(open) => Ok(open),
            Open::Dir(_) => Err(ErrorCode::BadDescriptor.into()),
        }
    }
}
