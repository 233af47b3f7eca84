//! New content for one file, on its way.

use std::sync::Arc;

use wasmtime::component::ResourceAny;

use super::shared::Shared;
use crate::Error;
use crate::bindings::types::Receipt;

/// New content for one file, on its way. Dropping it leaves nothing behind.
pub struct Writer {
    shared: Arc<Shared>,
    resource: Option<ResourceAny>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, resource: ResourceAny) -> Self {
        Self { shared, resource: Some(resource) }
    }

    /// Appends. At most `limits.chunk_bytes` at once. After an error the writer can only be
    /// dropped.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), Error> {
        let writer = self.resource();
        self.shared.live().call(|guest, engine| guest.onionskin_fs_store().writer().call_write(engine, writer, chunk))
    }

    /// Appends up to `length` bytes of another file, from `offset` in the file at a guest path;
    /// see [`Store::guest_path`](crate::Store::guest_path). Returns how many were there.
    pub fn write_from(&mut self, origin: &str, offset: u64, length: u64) -> Result<u64, Error> {
        let writer = self.resource();
        self.shared.live().call(|guest, engine| {
            guest.onionskin_fs_store().writer().call_write_from(engine, writer, origin, offset, length)
        })
    }

    /// Publishes the content.
    pub fn commit(mut self) -> Result<Receipt, Error> {
        let writer = self.resource();
        // The component owns it from here, also when the call fails.
        self.resource = None;
        self.shared.live().call(|guest, engine| guest.onionskin_fs_store().writer().call_commit(engine, writer))
    }

    fn resource(&self) -> ResourceAny {
        self.resource.expect("a writer has its resource until commit, which consumes it")
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(resource) = self.resource.take() {
            // Where this fails, the next open removes what was staged.
            let _ = self.shared.live().drop_resource(resource);
        }
    }
}
