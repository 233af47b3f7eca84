//! Output streams of files, wrapped as the functions are. Only programs write through them; the component
//! does not.

use std::fs::File;
use std::mem;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime::{Error, StoreContextMut};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView as View};
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{Host as _, HostDescriptor as _};
use wasmtime_wasi::p2::{DynOutputStream, FsResult, OutputStream, Pollable, StreamError, StreamResult};

use super::shadow::{file, name};
use super::{Faults, HostCall, Outcome, Verdict, Watch, Watched};
use crate::ErrorCode;
use crate::meter::{Growth, Meter};

type Fd = Resource<Descriptor>;

/// Wraps the streams that write to files. The linker must have the functions themselves already, and those
/// that [`super::shadow`] puts over them.
pub(crate) fn shadow_streams<T: Watched>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    wrap(
        &mut types,
        "[method]descriptor.write-via-stream",
        |(_, offset)| Some(*offset),
        |view, (fd, offset): (Fd, u64)| view.write_via_stream(fd, offset),
    )?;
    wrap(
        &mut types,
        "[method]descriptor.append-via-stream",
        |_| None,
        |view, (fd,): (Fd,)| view.append_via_stream(fd),
    )?;
    types.func_wrap("filesystem-error-code", |mut store: StoreContextMut<'_, T>, (error,): (Resource<Error>,)| {
        let mut view = store.data_mut().filesystem();
        let ours = view.table.get(&error)?.downcast_ref::<ErrorCode>().copied();
        Ok((if ours.is_some() { ours } else { view.filesystem_error_code(error)? },))
    })
}

/// The first parameter of a call: the resource that it is made on.
trait On {
    fn descriptor(&self) -> &Fd;
}

impl On for (Fd, u64) {
    fn descriptor(&self) -> &Fd {
        &self.0
    }
}

impl On for (Fd,) {
    fn descriptor(&self) -> &Fd {
        &self.0
    }
}

fn wrap<T: Watched, P>(
    interface: &mut LinkerInstance<'_, T>,
    function: &'static str,
    position: fn(&P) -> Option<u64>,
    make: fn(&mut View<'_>, P) -> FsResult<Resource<DynOutputStream>>,
) -> wasmtime::Result<()>
where
    P: On + wasmtime::component::ComponentNamedList + wasmtime::component::Lift + 'static,
{
    interface.func_wrap(function, move |mut store: StoreContextMut<'_, T>, params: P| {
        let state = store.data_mut();
        let (path, file) = (name(state, params.descriptor()), file(state, params.descriptor()));
        let position = position(&params);
        let mut view = state.filesystem();
        let stream = match make(&mut view, params) {
            Ok(stream) => stream,
            Err(error) => return Ok((Err::<_, ErrorCode>(view.convert_error_code(error)?),)),
        };
        let watch = state.watch().expect("only watched instances are linked to this");
        let (faults, meters) = (watch.faults.clone(), watch.meters.clone());
        let place = state.filesystem().table.get_mut(&stream)?;
        let inner = mem::replace(place, Box::new(Nothing));
        *place = Box::new(Stream { inner, faults, meters, path, file, position });
        Ok((Ok(stream),))
    })
}

/// A stream into a file. Each write is counted, and stopped or refused like a call.
struct Stream {
    inner: DynOutputStream,
    faults: Faults,
    meters: Vec<Arc<Mutex<Meter>>>,
    path: String,
    file: Option<Arc<File>>,
    /// The offset of the next byte; `None` for the end of the file.
    position: Option<u64>,
}

impl Stream {
    /// Returns the growth of the file by a write of this number of bytes.
    fn growth(&self, bytes: u64) -> Growth {
        let Some(position) = self.position else { return Growth { bytes, entries: 0 } };
        let length = self.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |it| it.len());
        Growth { bytes: position.saturating_add(bytes).saturating_sub(length), entries: 0 }
    }

    /// Writes on this thread. The stream of `wasmtime-wasi` writes on another one, which could still be writing when
    /// the program was dropped and its directory has the next owner.
    fn write_here(&mut self, content: &[u8]) -> StreamResult<()> {
        let Some(file) = &self.file else { return Err(StreamError::Closed) };
        let failed = |error: std::io::Error| StreamError::LastOperationFailed(error.into());
        // The component, which alone opens files for streams, does so for one program: no one else appends meanwhile.
        let position = self.position.map_or_else(|| file.metadata().map(|it| it.len()), Ok).map_err(failed)?;
        file.write_all_at(content, position).map_err(failed)
    }
}

#[async_trait]
impl OutputStream for Stream {
    fn write(&mut self, content: Bytes) -> StreamResult<()> {
        let bytes = content.len() as u64;
        let path = self.path.clone();
        let mut call =
            HostCall { name: "stream-write", path, other: None, bytes, mutating: None, outcome: Outcome::Done };
        let watch = Watch { faults: self.faults.clone(), names: Default::default(), meters: self.meters.clone() };
        let grows = if watch.is_metered() { self.growth(bytes) } else { Growth::default() };
        let result = match watch.decide(&mut call, bytes > 0, grows) {
            Verdict::Make => self.write_here(&content),
            Verdict::Fail(code) => {
                call.outcome = Outcome::Failed(code);
                Err(StreamError::LastOperationFailed(code.into()))
            }
            Verdict::Stop(injected) => {
                call.outcome = Outcome::Stopped;
                Err(StreamError::Trap(injected.into()))
            }
        };
        if result.is_ok() {
            self.position = self.position.map(|position| position.saturating_add(bytes));
        }
        let outcome = call.outcome;
        watch.note(call, outcome);
        result
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }
}

#[async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

/// A placeholder for a stream while it is being wrapped.
struct Nothing;

#[async_trait]
impl OutputStream for Nothing {
    fn write(&mut self, _: Bytes) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Err(StreamError::Closed)
    }
}

#[async_trait]
impl Pollable for Nothing {
    async fn ready(&mut self) {}
}
