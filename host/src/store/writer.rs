//! Writers: new content for one file, written in parts.

use std::io;
use std::path::Path;
use std::sync::Arc;

use wasmtime::component::ResourceAny;

use super::shared::Shared;
use crate::Error;
use crate::bindings::types::Receipt;

/// The maximum number of bytes that [`io::Write`] passes on at once; at most `limits.chunk_bytes`.
const WRITE_BYTES_MAX: usize = 1 << 20;

/// New content for one file, in staging. Only [`Writer::commit`] publishes the content: dropping the writer
/// discards it and leaves no files behind, and flushing has no effect.
pub struct Writer {
    shared: Arc<Shared>,
    resource: Option<ResourceAny>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, resource: ResourceAny) -> Self {
        Self { shared, resource: Some(resource) }
    }

    /// Appends at most `limits.chunk_bytes`; [`io::Write`] accepts any number of bytes. After an error the
    /// writer can only be dropped.
    pub fn append(&mut self, chunk: &[u8]) -> Result<(), Error> {
        let writer = self.resource();
        self.shared
            .instance()
            .call(|guest, engine| guest.onionskin_fs_store().writer().call_write(engine, writer, chunk))
    }

    /// Appends up to `length` bytes of a file on the host, from `offset`. The file is at or below the root or
    /// a granted directory. Returns the number of bytes, which is less at the end of the file.
    pub fn append_from(&mut self, origin: impl AsRef<Path>, offset: u64, length: u64) -> Result<u64, Error> {
        let writer = self.resource();
        let origin = self.shared.guest_path(origin.as_ref())?;
        self.shared.instance().call(|guest, engine| {
            guest.onionskin_fs_store().writer().call_write_from(engine, writer, &origin, offset, length)
        })
    }

    /// Publishes the content.
    pub fn commit(mut self) -> Result<Receipt, Error> {
        let writer = self.resource();
        // The component owns it from here, also if the call fails.
        self.resource = None;
        self.shared.instance().call(|guest, engine| guest.onionskin_fs_store().writer().call_commit(engine, writer))
    }

    fn resource(&self) -> ResourceAny {
        self.resource.expect("a writer has its resource until commit, which consumes it")
    }
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
        self.append(chunk)?;
        Ok(chunk.len())
    }

    /// Has no effect: only [`Writer::commit`] publishes the content.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(resource) = self.resource.take() {
            // If this fails, the next open removes the staging files.
            let _ = self.shared.instance().drop_resource(resource);
        }
    }
}
