//! The calls that this host lends beyond `wasi:filesystem`: `onionskin:fs/host-powers`.

mod attributes;

use std::fs::File as OsFile;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use rustix::fs::{OFlags, mkdirat, openat};
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, Lift, Linker, LinkerInstance, Lower, Resource, Val};
use wasmtime_wasi::filesystem::{Descriptor, File, OpenMode, WasiFilesystemCtxView as View, WasiFilesystemView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::Host as _;

use attributes::{PRIVATE_DIRECTORY, PRIVATE_FILE};

/// The name of the interface.
pub(crate) const INTERFACE: &str = "onionskin:fs/host-powers@0.1.0";

/// The names of its functions.
pub(crate) const CREATE_FILE: &str = "create-private-file-at";
pub(crate) const CREATE_DIRECTORY: &str = "create-private-directory-at";
pub(crate) const COPY_ATTRIBUTES: &str = "copy-attributes-at";
pub(crate) const INHERIT_ATTRIBUTES: &str = "inherit-attributes-at";
pub(crate) const SET_MODE: &str = "set-mode-at";

type Fd = Resource<Descriptor>;

/// Links the functions for the filesystem of the operating system.
pub(crate) fn link<T: WasiFilesystemView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let interface = &mut linker.instance(INTERFACE)?;
    wrap(interface, CREATE_FILE, create_file)?;
    wrap(interface, CREATE_DIRECTORY, create_directory)?;
    wrap(interface, COPY_ATTRIBUTES, copy_attributes)?;
    wrap(interface, INHERIT_ATTRIBUTES, inherit_attributes)?;
    wrap(interface, SET_MODE, set_mode)
}

/// Links functions that answer `unsupported`, for a filesystem that lends nothing.
pub(crate) fn link_none<T: 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut interface = linker.instance(INTERFACE)?;
    for name in [CREATE_FILE, CREATE_DIRECTORY, COPY_ATTRIBUTES, INHERIT_ATTRIBUTES, SET_MODE] {
        interface.func_new(name, |mut store, _, given, answers| {
            for value in given {
                if let Val::Resource(borrowed) = value {
                    borrowed.resource_drop(&mut store)?;
                }
            }
            answers[0] = Val::Result(Err(Some(Box::new(Val::Enum("unsupported".to_owned())))));
            Ok(())
        })?;
    }
    Ok(())
}

fn wrap<T, P, R>(
    interface: &mut LinkerInstance<'_, T>,
    name: &str,
    make: fn(&mut View<'_>, P) -> FsResult<R>,
) -> wasmtime::Result<()>
where
    T: WasiFilesystemView + 'static,
    P: ComponentNamedList + Lift + 'static,
    R: 'static,
    (Result<R, crate::ErrorCode>,): ComponentNamedList + Lower + 'static,
{
    interface.func_wrap(name, move |mut store: StoreContextMut<'_, T>, params: P| {
        let mut view = store.data_mut().filesystem();
        let result = match make(&mut view, params) {
            Ok(value) => Ok(value),
            Err(error) => Err(view.convert_error_code(error)?),
        };
        Ok((result,))
    })
}

pub(crate) fn create_file(view: &mut View<'_>, (fd, name): (Fd, String)) -> FsResult<Fd> {
    let directory = writable(view, &fd)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(directory.as_fd(), component(&name)?, flags, PRIVATE_FILE).map_err(std::io::Error::from)?;
    let perms = wasmtime_wasi::FsPerms::ReadWrite;
    // Blocking, as every call of this host is.
    let file = File::new(file.into(), perms, OpenMode::WRITE, true);
    Ok(view.table.push(Descriptor::File(file))?)
}

pub(crate) fn create_directory(view: &mut View<'_>, (fd, name): (Fd, String)) -> FsResult<()> {
    let directory = writable(view, &fd)?;
    Ok(mkdirat(directory.as_fd(), component(&name)?, PRIVATE_DIRECTORY).map_err(std::io::Error::from)?)
}

pub(crate) fn copy_attributes(
    view: &mut View<'_>,
    (originals, original, fd, name, times): (Fd, String, Fd, String, bool),
) -> FsResult<bool> {
    let (from, to) = (readable(view, &originals)?, writable(view, &fd)?);
    Ok(attributes::copy(
        (from.as_fd(), if original == "." { "." } else { component(&original)? }),
        (to.as_fd(), component(&name)?),
        times,
    )?)
}

pub(crate) fn inherit_attributes(view: &mut View<'_>, (parent, fd, name): (Fd, Fd, String)) -> FsResult<bool> {
    let (parent, to) = (readable(view, &parent)?, writable(view, &fd)?);
    Ok(attributes::inherit(parent.as_fd(), (to.as_fd(), component(&name)?))?)
}

pub(crate) fn set_mode(view: &mut View<'_>, (fd, name, mode): (Fd, String, u32)) -> FsResult<()> {
    let directory = writable(view, &fd)?;
    Ok(attributes::set_mode((directory.as_fd(), component(&name)?), mode)?)
}

/// Returns the open directory of a descriptor.
fn readable(view: &View<'_>, fd: &Fd) -> FsResult<Arc<OsFile>> {
    match view.table.get(fd)? {
        Descriptor::Dir(directory) => Ok(Arc::clone(&directory.dir)),
        Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
    }
}

/// Like [`readable`], for a directory that was granted for writing.
fn writable(view: &View<'_>, fd: &Fd) -> FsResult<Arc<OsFile>> {
    match view.table.get(fd)? {
        Descriptor::Dir(directory) if directory.perms.write_not_permitted() => Err(ErrorCode::NotPermitted.into()),
        _ => readable(view, fd),
    }
}

/// Refuses all names but those of an entry in the directory itself.
fn component(name: &str) -> FsResult<&str> {
    let is_entry = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    if is_entry { Ok(name) } else { Err(ErrorCode::Invalid.into()) }
}
