//! Opening of entries by programs: only files and directories, never with the last descriptors of the host, and no more
//! listings than it has memory for.

#[cfg(feature = "run")]
use wasmtime::StoreContextMut;
#[cfg(feature = "run")]
use wasmtime::component::Linker;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView as View};
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::bindings::sync::filesystem::types as sync;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    DescriptorFlags, DescriptorType, DirectoryEntryStream, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{FsError, FsResult};

#[cfg(feature = "run")]
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{ErrorCode as Code, Host as _};

#[cfg(feature = "run")]
use super::Watched;
use super::direct::Direct as _;
#[cfg(feature = "run")]
use super::shadow::TYPES;

type Fd = Resource<Descriptor>;

/// The parameters of `open-at`.
pub(super) type Open = (Fd, PathFlags, String, OpenFlags, DescriptorFlags);

/// The result of `read-directory`.
type Listing = Resource<DirectoryEntryStream>;

/// The maximum of listings that are held at once: the host has each of them in memory.
const LISTINGS_MAX: usize = 256;

/// The number of descriptors that are reserved for the host.
#[cfg(unix)]
const DESCRIPTORS_KEPT: u64 = 64;

/// Puts [`open_at`] and [`read_directory`] over the functions of the linker, which must have them already and must allow
/// shadowing.
#[cfg(feature = "run")]
pub(crate) fn shadow_open<T: Watched>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut types = linker.instance(TYPES)?;
    types.func_wrap("[method]descriptor.open-at", |mut store: StoreContextMut<'_, T>, how: Open| {
        let mut view = store.data_mut().filesystem();
        let opened = open_at(&mut view, how);
        to_guest(&mut view, opened)
    })?;
    types.func_wrap("[method]descriptor.read-directory", |mut store: StoreContextMut<'_, T>, (fd,): (Fd,)| {
        let mut view = store.data_mut().filesystem();
        let listing = read_directory(&mut view, fd);
        to_guest(&mut view, listing)
    })
}

/// Returns a result in the form that the program gets.
#[cfg(feature = "run")]
fn to_guest<R>(view: &mut View<'_>, result: FsResult<R>) -> wasmtime::Result<(Result<R, Code>,)> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(error) => Err(view.convert_error_code(error)?),
    },))
}

/// Lists a directory. A program that holds too many listings gets `insufficient-memory`.
pub(super) fn read_directory(view: &mut View<'_>, fd: Fd) -> FsResult<Listing> {
    let held = view.table.iter_mut().filter(|it| it.is::<DirectoryEntryStream>()).count();
    if held >= LISTINGS_MAX {
        return Err(ErrorCode::InsufficientMemory.into());
    }
    view.read_directory(fd)
}

/// Opens a file or a directory.
///
/// No other entry is opened, since opening it can block for ever, as with a pipe, or have side effects, as
/// with a device: it fails with `not-permitted`. The last descriptors of the process are reserved for the
/// host: a program gets `insufficient-memory` instead.
pub(super) fn open_at(view: &mut View<'_>, (fd, follow, path, open, flags): Open) -> FsResult<Fd> {
    if !open.contains(OpenFlags::EXCLUSIVE) && is_special(view, &fd, follow, &path) {
        let is_for_directories = open.contains(OpenFlags::DIRECTORY);
        return Err(if is_for_directories { ErrorCode::NotDirectory } else { ErrorCode::NotPermitted }.into());
    }
    let opened = view.open_at(fd, follow, path, open, flags)?;
    if view.table.get(&opened).is_ok_and(is_of_the_last) {
        sync::HostDescriptor::drop(view, opened).map_err(FsError::trap)?;
        return Err(ErrorCode::InsufficientMemory.into());
    }
    Ok(opened)
}

/// Checks whether the entry at a path is neither a file, a directory nor a link. If it cannot be examined,
/// the following open reports the error.
fn is_special(view: &mut View<'_>, fd: &Fd, follow: PathFlags, path: &str) -> bool {
    #[cfg(unix)]
    if !follow.contains(PathFlags::SYMLINK_FOLLOW)
        && !path.contains('/')
        && let Ok(Descriptor::Dir(dir)) = view.table.get(fd)
    {
        use rustix::fs::{AtFlags, FileType, statat};
        // At a third of the cost of the call below.
        let kind = statat(&*dir.dir, path, AtFlags::SYMLINK_NOFOLLOW).map(|it| FileType::from_raw_mode(it.st_mode));
        return kind.is_ok_and(|it| !matches!(it, FileType::RegularFile | FileType::Directory | FileType::Symlink));
    }
    let found = view.stat_at(Resource::new_borrow(fd.rep()), follow, path.to_owned());
    found.is_ok_and(|it| {
        use DescriptorType as Type;
        matches!(it.type_, Type::Fifo | Type::CharacterDevice | Type::BlockDevice | Type::Socket | Type::Unknown)
    })
}

/// Checks whether a descriptor is a reserved one: the system returns the lowest that is free.
#[cfg(unix)]
fn is_of_the_last(opened: &Descriptor) -> bool {
    use std::os::fd::AsRawFd as _;
    use std::sync::LazyLock;

    use rustix::process::{Resource, getrlimit};
    static MOST: LazyLock<Option<u64>> = LazyLock::new(|| getrlimit(Resource::Nofile).current);
    let number = match opened {
        Descriptor::File(file) => file.file.as_raw_fd(),
        Descriptor::Dir(dir) => dir.dir.as_raw_fd(),
    };
    let number = u64::try_from(number).unwrap_or_default();
    MOST.is_some_and(|most| number >= most.saturating_sub(DESCRIPTORS_KEPT))
}

#[cfg(not(unix))]
fn is_of_the_last(_: &Descriptor) -> bool {
    false
}
