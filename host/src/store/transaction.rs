//! Changes to one directory that become visible together.

use std::sync::Arc;

use wasmtime::component::ResourceAny;

use super::shared::Shared;
use crate::Error;
use crate::bindings::types::Receipt;

/// Changes to one directory that become visible together, or not at all.
///
/// Paths are relative to the directory. Dropping it leaves nothing behind.
pub struct Transaction {
    shared: Arc<Shared>,
    resource: Option<ResourceAny>,
}

impl Transaction {
    pub(super) fn new(shared: Arc<Shared>, resource: ResourceAny) -> Self {
        Self { shared, resource: Some(resource) }
    }

    /// A file with this content. At most `limits.chunk_bytes`; more goes through
    /// [`Transaction::append`]. The last word on a path counts.
    pub fn put(&mut self, path: &str, data: &[u8]) -> Result<(), Error> {
        let transaction = self.resource();
        self.shared
            .live()
            .call(|guest, engine| guest.onionskin_fs_store().transaction().call_put(engine, transaction, path, data))
    }

    /// A file with the content of the file at a guest path; see
    /// [`Store::guest_path`](crate::Store::guest_path).
    pub fn put_file(&mut self, path: &str, origin: &str) -> Result<(), Error> {
        let transaction = self.resource();
        self.shared.live().call(|guest, engine| {
            guest.onionskin_fs_store().transaction().call_put_file(engine, transaction, path, origin)
        })
    }

    /// Appends to the content of a `put` of this transaction.
    pub fn append(&mut self, path: &str, data: &[u8]) -> Result<(), Error> {
        let transaction = self.resource();
        self.shared
            .live()
            .call(|guest, engine| guest.onionskin_fs_store().transaction().call_append(engine, transaction, path, data))
    }

    /// The file or link goes away.
    pub fn remove(&mut self, path: &str) -> Result<(), Error> {
        let transaction = self.resource();
        self.shared
            .live()
            .call(|guest, engine| guest.onionskin_fs_store().transaction().call_remove(engine, transaction, path))
    }

    /// The file gets another name, and replaces a file of that name.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), Error> {
        let transaction = self.resource();
        self.shared
            .live()
            .call(|guest, engine| guest.onionskin_fs_store().transaction().call_rename(engine, transaction, old, new))
    }

    /// Decides and publishes all changes.
    pub fn commit(mut self) -> Result<Receipt, Error> {
        let transaction = self.resource();
        // The component owns it from here, also when the call fails.
        self.resource = None;
        self.shared
            .live()
            .call(|guest, engine| guest.onionskin_fs_store().transaction().call_commit(engine, transaction))
    }

    fn resource(&self) -> ResourceAny {
        self.resource.expect("a transaction has its resource until commit, which consumes it")
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(resource) = self.resource.take() {
            // Where this fails, the next open removes what was staged.
            let _ = self.shared.live().drop_resource(resource);
        }
    }
}
