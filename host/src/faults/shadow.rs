//! The wrapped host functions. Streams are wrapped for programs only ([`super::streams`]): the component is
//! not linked to streams, so it cannot write past these wrappers.

use std::fs::File;
use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, Lift, Linker, LinkerInstance, Lower, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView as View};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    DescriptorFlags, Host as _, NewTimestamp, OpenFlags, PathFlags,
};

use super::direct::Direct as _;
use super::open::{Open, open_at, read_directory};
use super::{HostCall, Outcome, Verdict, Watched};
use crate::ErrorCode;
use crate::meter::Growth;
use crate::powers;

type Fd = Resource<Descriptor>;

/// The description of a call before it is made.
struct Seen {
    path: String,
    other: Option<String>,
    bytes: u64,
    mutates: bool,
    /// The growth of a metered upper directory.
    grows: Growth,
    /// Whether the call may free space.
    frees: bool,
}

/// Puts a counting function over each function of the filesystem that the component may call. The linker must
/// have the functions themselves already.
pub(crate) fn shadow<T: Watched>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    link_preopens(&mut linker.instance(PREOPENS)?)?;
    let mut types = linker.instance(TYPES)?;
    wrap_open(&mut types)?;
    shadow_reads(&mut types)?;
    shadow_file_changes(&mut types)?;
    shadow_name_changes(&mut types)
}

/// Puts counting functions over those that this host lends.
pub(crate) fn shadow_powers<T: Watched>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let i = &mut linker.instance(powers::INTERFACE)?;
    wrap(
        i,
        powers::CREATE_FILE,
        |s, (fd, name): &(Fd, String)| Seen { grows: ENTRY, ..change(below(s, fd, name)) },
        powers::create_file,
        |state, seen, opened| rename(state, opened.rep(), seen.path.clone()),
    )?;
    wrap(
        i,
        powers::CREATE_DIRECTORY,
        |s, (fd, name): &(Fd, String)| Seen { grows: ENTRY, ..change(below(s, fd, name)) },
        powers::create_directory,
        nothing,
    )?;
    wrap(
        i,
        powers::COPY_ATTRIBUTES,
        |s, (from, original, fd, name, _): &(Fd, String, Fd, String, bool)| Seen {
            other: Some(below(s, from, original)),
            ..change(below(s, fd, name))
        },
        powers::copy_attributes,
        nothing,
    )?;
    wrap(
        i,
        powers::INHERIT_ATTRIBUTES,
        |s, (parent, fd, entry): &(Fd, Fd, String)| Seen {
            other: Some(name(s, parent)),
            ..change(below(s, fd, entry))
        },
        powers::inherit_attributes,
        nothing,
    )?;
    wrap(
        i,
        powers::SET_MODE,
        |s, (fd, name, _): &(Fd, String, u32)| change(below(s, fd, name)),
        powers::set_mode,
        nothing,
    )
}

/// The interfaces of the filesystem, as wasmtime links them.
pub(crate) const PREOPENS: &str = "wasi:filesystem/preopens@0.2.12";
pub(super) const TYPES: &str = "wasi:filesystem/types@0.2.12";

/// Links the function that returns the granted directories, and records their names, from which all other
/// names are derived.
pub(crate) fn link_preopens<T: Watched>(interface: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    interface.func_wrap("get-directories", |mut store: StoreContextMut<'_, T>, (): ()| {
        let directories = store.data_mut().filesystem().get_directories()?;
        for (directory, name) in &directories {
            rename(store.data_mut(), directory.rep(), name.clone());
        }
        Ok((directories,))
    })
}

fn wrap_open<T: Watched>(interface: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    wrap(
        interface,
        "[method]descriptor.open-at",
        |state, (fd, follow, path, open, flags): &Open| {
            let full = below(state, fd, path);
            let writes = flags.contains(DescriptorFlags::WRITE) || open.contains(OpenFlags::TRUNCATE);
            // Exclusive creation cannot open an existing file; every other mode can.
            let opens_existing = writes && !open.contains(OpenFlags::EXCLUSIVE) && {
                let fd = Resource::new_borrow(fd.rep());
                state.filesystem().stat_at(fd, *follow, path.clone()).is_ok()
            };
            if opens_existing && let Some(watch) = state.watch() {
                watch.note_open_for_writing(full.clone());
            }
            let creates = open.contains(OpenFlags::CREATE) && !opens_existing;
            Seen {
                mutates: open.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE),
                grows: Growth { entries: creates.into(), bytes: 0 },
                frees: open.contains(OpenFlags::TRUNCATE),
                ..seen(full)
            }
        },
        open_at,
        |state, seen, opened| {
            rename(state, opened.rep(), seen.path.clone());
            let file = file(state, opened);
            if let (Some(watch), Some(file)) = (state.watch(), file) {
                watch.opened(&seen.path, &file);
            }
        },
    )
}

fn shadow_reads<T: Watched>(interface: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    let i = interface;
    wrap(i, "[method]descriptor.stat", on_fd, |v, (fd,)| v.stat(fd), nothing)?;
    wrap(i, "[method]descriptor.get-type", on_fd, |v, (fd,)| v.get_type(fd), nothing)?;
    wrap(i, "[method]descriptor.get-flags", on_fd, |v, (fd,)| v.get_flags(fd), nothing)?;
    wrap(i, "[method]descriptor.metadata-hash", on_fd, |v, (fd,)| v.metadata_hash(fd), nothing)?;
    wrap(i, "[method]descriptor.read-directory", on_fd, |v, (fd,)| read_directory(v, fd), nothing)?;
    wrap(
        i,
        "[method]descriptor.read",
        |s, (fd, _, _): &(Fd, u64, u64)| seen(name(s, fd)),
        |v, (fd, length, offset)| v.read(fd, length, offset),
        nothing,
    )?;
    wrap(
        i,
        "[method]descriptor.stat-at",
        |s, (fd, _, path): &(Fd, PathFlags, String)| seen(below(s, fd, path)),
        |v, (fd, follow, path)| v.stat_at(fd, follow, path),
        nothing,
    )?;
    wrap(
        i,
        "[method]descriptor.metadata-hash-at",
        |s, (fd, _, path): &(Fd, PathFlags, String)| seen(below(s, fd, path)),
        |v, (fd, follow, path)| v.metadata_hash_at(fd, follow, path),
        nothing,
    )?;
    wrap(
        i,
        "[method]descriptor.readlink-at",
        |s, (fd, path): &(Fd, String)| seen(below(s, fd, path)),
        |v, (fd, path)| v.readlink_at(fd, path),
        nothing,
    )
}

fn shadow_file_changes<T: Watched>(interface: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    let i = interface;
    wrap(
        i,
        "[method]descriptor.write",
        |s, (fd, data, offset): &(Fd, Vec<u8>, u64)| {
            let bytes = data.len() as u64;
            Seen { bytes, grows: up_to(s, fd, offset.saturating_add(bytes)), ..change(name(s, fd)) }
        },
        |v, (fd, data, offset)| v.write(fd, data, offset),
        nothing,
    )?;
    wrap(
        i,
        "[method]descriptor.set-size",
        |s, (fd, size): &(Fd, u64)| Seen { grows: up_to(s, fd, *size), frees: true, ..change(name(s, fd)) },
        |v, (fd, size)| v.set_size(fd, size),
        nothing,
    )?;
    wrap(
        i,
        "[method]descriptor.set-times",
        |s, (fd, _, _): &(Fd, NewTimestamp, NewTimestamp)| change(name(s, fd)),
        |v, (fd, access, modified)| v.set_times(fd, access, modified),
        nothing,
    )?;
    wrap(
        i,
        "[method]descriptor.set-times-at",
        |s, (fd, _, path, _, _): &(Fd, PathFlags, String, NewTimestamp, NewTimestamp)| change(below(s, fd, path)),
        |v, (fd, follow, path, access, modified)| v.set_times_at(fd, follow, path, access, modified),
        nothing,
    )?;
    wrap(i, "[method]descriptor.sync", change_of_fd, |v, (fd,)| v.sync(fd), nothing)?;
    wrap(i, "[method]descriptor.sync-data", change_of_fd, |v, (fd,)| v.sync_data(fd), nothing)
}

fn shadow_name_changes<T: Watched>(interface: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    let i = interface;
    wrap(
        i,
        "[method]descriptor.rename-at",
        |s, (from, old, to, new): &(Fd, String, Fd, String)| Seen {
            other: Some(below(s, to, new)),
            frees: true,
            ..change(below(s, from, old))
        },
        |v, (from, old, to, new)| v.rename_at(from, old, to, new),
        nothing,
    )?;
    wrap(
        i,
        "[method]descriptor.link-at",
        |s, (from, _, old, to, new): &(Fd, PathFlags, String, Fd, String)| Seen {
            other: Some(below(s, to, new)),
            grows: ENTRY,
            ..change(below(s, from, old))
        },
        |v, (from, follow, old, to, new)| v.link_at(from, follow, old, to, new),
        nothing,
    )?;
    wrap(
        i,
        "[method]descriptor.symlink-at",
        |s, (fd, text, path): &(Fd, String, String)| Seen {
            other: Some(text.clone()),
            grows: ENTRY,
            ..change(below(s, fd, path))
        },
        |v, (fd, text, path)| v.symlink_at(fd, text, path),
        nothing,
    )?;
    wrap(
        i,
        "[method]descriptor.create-directory-at",
        |s, (fd, path): &(Fd, String)| Seen { grows: ENTRY, ..change(below(s, fd, path)) },
        |v, (fd, path)| v.create_directory_at(fd, path),
        nothing,
    )?;
    wrap(
        i,
        "[method]descriptor.remove-directory-at",
        removal,
        |v, (fd, path)| v.remove_directory_at(fd, path),
        nothing,
    )?;
    wrap(i, "[method]descriptor.unlink-file-at", removal, |v, (fd, path)| v.unlink_file_at(fd, path), nothing)
}

/// Puts a counting function over one function: describes the call, makes it unless a fault is due, and
/// records the outcome.
fn wrap<T, P, R>(
    interface: &mut LinkerInstance<'_, T>,
    function: &'static str,
    see: fn(&mut T, &P) -> Seen,
    make: fn(&mut View<'_>, P) -> FsResult<R>,
    after: fn(&mut T, &Seen, &R),
) -> wasmtime::Result<()>
where
    T: Watched,
    P: ComponentNamedList + Lift + 'static,
    R: 'static,
    (Result<R, ErrorCode>,): ComponentNamedList + Lower + 'static,
{
    let name = function.trim_start_matches("[method]descriptor.");
    interface.func_wrap(function, move |mut store: StoreContextMut<'_, T>, params: P| {
        let state = store.data_mut();
        let seen = see(state, &params);
        let mut call = HostCall {
            name,
            path: seen.path.clone(),
            other: seen.other.clone(),
            bytes: seen.bytes,
            mutating: None,
            outcome: Outcome::Done,
        };
        let watch = state.watch().expect("only watched instances are linked to this");
        let result = match watch.decide(&mut call, seen.mutates, seen.grows) {
            Verdict::Make => {
                let mut view = state.filesystem();
                match make(&mut view, params) {
                    Ok(value) => Ok(value),
                    Err(error) => Err(view.convert_error_code(error)?),
                }
            }
            Verdict::Fail(code) => Err(code),
            Verdict::Stop(injected) => {
                watch.note(call, Outcome::Stopped);
                return Err(injected.into());
            }
        };
        let outcome = match &result {
            Ok(value) => {
                after(state, &seen, value);
                Outcome::Done
            }
            Err(code) => Outcome::Failed(*code),
        };
        if let Some(watch) = state.watch() {
            if seen.frees || matches!(outcome, Outcome::Failed(_)) {
                watch.freed();
            }
            watch.note(call, outcome);
        }
        Ok((result,))
    })
}

/// The growth by one name.
const ENTRY: Growth = Growth { bytes: 0, entries: 1 };

fn nothing<T, R>(_: &mut T, _: &Seen, _: &R) {}

fn seen(path: String) -> Seen {
    Seen { path, other: None, bytes: 0, mutates: false, grows: Growth::default(), frees: false }
}

fn change(path: String) -> Seen {
    Seen { mutates: true, ..seen(path) }
}

fn on_fd<T: Watched>(state: &mut T, (fd,): &(Fd,)) -> Seen {
    seen(name(state, fd))
}

fn change_of_fd<T: Watched>(state: &mut T, (fd,): &(Fd,)) -> Seen {
    change(name(state, fd))
}

fn removal<T: Watched>(state: &mut T, (fd, path): &(Fd, String)) -> Seen {
    Seen { frees: true, ..change(below(state, fd, path)) }
}

/// Returns the growth of a file that is to end at this offset. The length is not read where no meter counts
/// it.
fn up_to<T: Watched>(state: &mut T, fd: &Fd, end: u64) -> Growth {
    if !state.watch().is_some_and(|watch| watch.is_metered()) {
        return Growth::default();
    }
    let length = file(state, fd).and_then(|file| file.metadata().ok()).map_or(0, |it| it.len());
    Growth { bytes: end.saturating_sub(length), entries: 0 }
}

/// Returns the open file of a descriptor; `None` for a directory.
pub(super) fn file<T: Watched>(state: &mut T, fd: &Fd) -> Option<Arc<File>> {
    match state.filesystem().table.get(fd) {
        Ok(Descriptor::File(file)) => Some(Arc::clone(&file.file)),
        Ok(Descriptor::Dir(_)) | Err(_) => None,
    }
}

pub(super) fn name<T: Watched>(state: &mut T, fd: &Fd) -> String {
    state.watch().map_or_else(String::new, |watch| watch.name(fd.rep()).to_owned())
}

fn below<T: Watched>(state: &mut T, fd: &Fd, path: &str) -> String {
    state.watch().map_or_else(String::new, |watch| watch.below(fd.rep(), path))
}

/// Records the name of an open directory or file.
pub(crate) fn rename<T: Watched>(state: &mut T, resource: u32, name: String) {
    if let Some(watch) = state.watch() {
        watch.names.insert(resource, name);
    }
}

#[cfg(test)]
mod tests {
    /// The functions that are not wrapped: streams, which the component is not linked to and which are
    /// wrapped for programs elsewhere, and queries that cannot fail.
    const NOT_WRAPPED: [&str; 5] =
        ["advise", "append-via-stream", "is-same-object", "read-via-stream", "write-via-stream"];

    #[test]
    fn every_function_of_a_descriptor_is_wrapped_or_left_out_on_purpose() {
        let contract = include_str!("../../../wit/deps/filesystem.wit");
        let (_, resource) = contract.split_once("resource descriptor {").expect("the resource");
        let (methods, _) = resource.split_once("\n  }").expect("its end");
        let names: Vec<&str> =
            methods.lines().filter_map(|line| line.trim().split_once(": func(")).map(|(name, _)| name).collect();
        assert!(names.contains(&"rename-at"), "the contract was read: {names:?}");
        for name in names {
            let wrapped = include_str!("shadow.rs").contains(&format!("\"[method]descriptor.{name}\""));
            assert_eq!(wrapped, !NOT_WRAPPED.contains(&name), "{name}");
        }
    }
}
