//! Opening of entries by programs: only files and directories, and never with the last descriptors of the
//! host.

#[cfg(feature = "run")]
use wasmtime::StoreContextMut;
#[cfg(feature = "run")]
use wasmtime::component::Linker;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView as View};
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    DescriptorFlags, DescriptorType, HostDescriptor as _, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{FsError, FsResult};

#[cfg(feature = "run")]
use super::Watched;
#[cfg(feature = "run")]
use super::shadow::TYPES;

type Fd = Resource<Descriptor>;

/// The parameters of `open-at`.
pub(super) type Open = (Fd, PathFlags, String, OpenFlags, DescriptorFlags);

/// The number of descriptors that are reserved for the host.
#[cfg(unix)]
const DESCRIPTORS_KEPT: u64 = 64;

/// Puts [`open_at`] over the function of the linker, which must have it already and must allow shadowing.
#[cfg(feature = "run")]
pub(crate) fn shadow_open<T: Watched>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.instance(TYPES)?.func_wrap("[method]descriptor.open-at", |mut store: StoreContextMut<'_, T>, how: Open| {
        use wasmtime_wasi::p2::bindings::sync::filesystem::types::Host as _;
        let mut view = store.data_mut().filesystem();
        Ok((match open_at(&mut view, how) {
            Ok(opened) => Ok(opened),
            Err(error) => Err(view.convert_error_code(error)?),
        },))
    })
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
        view.drop(opened).map_err(FsError::trap)?;
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
